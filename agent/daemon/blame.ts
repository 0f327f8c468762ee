/**
 * What the writer did wrong, as `status` shows it: a tree that is no tree, two heads of one version. The latter is remembered
 * over restarts, with both heads: they are the proof. Decides nothing.
 */

import { fromUtf8, utf8 } from '../base/bytes.ts';
import type { ErrorFields } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { compareVersions, parseVersion, type Version } from '../core/version.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { Faults } from './faults.ts';
import { stateKeys } from './state.ts';

export type Blame = {
  /** A note of the machine. @returns whether it blames the writer. */
  noted(text: string, fields: ErrorFields): Promise<boolean>;
  /** Clears what a newer version, or a newer epoch, has made good. */
  applied(version: Version): Promise<void>;
};

type Stored = { readonly version: string; readonly code: string; readonly message: string };

export function createBlame(ports: {
  readonly store: Pick<ShareStore, 'state' | 'writeDurably'>;
  readonly faults: Pick<Faults, 'setShare'>;
}): Blame {
  const { store, faults } = ports;
  // Changes while running.
  let blamed = readStored(store);
  if (blamed !== null) faults.setShare('head', blamed);

  return {
    async noted(message, fields) {
      const { code, version } = fields;
      if (typeof version !== 'string' || (code !== 'equivocation' && code !== 'malformed')) return false;
      // A halted epoch stays what there is to say.
      if (blamed?.code === 'equivocation' && code === 'malformed') return true;
      blamed = { version, code, message };
      faults.setShare('head', { code, message });
      const proof = utf8(JSON.stringify({ ...fields, ...blamed }));
      if (code === 'equivocation') await store.writeDurably({ state: new Map([[stateKeys.halted, proof]]) });
      return true;
    },
    async applied(version) {
      if (blamed === null) return;
      const wrong = parseVersion(blamed.version);
      const isHalt = blamed.code === 'equivocation';
      if (isHalt ? version.epoch <= wrong.epoch : compareVersions(version, wrong) <= 0) return;
      blamed = null;
      faults.setShare('head', null);
      if (isHalt) await store.writeDurably({ state: new Map([[stateKeys.halted, null]]) });
    },
  };
}

/** The epoch in which nothing more is taken; null: there is none. */
export function readHalted(store: Pick<ShareStore, 'state'>): number | null {
  const stored = readStored(store);
  return stored === null ? null : parseVersion(stored.version).epoch;
}

function readStored(store: Pick<ShareStore, 'state'>): Stored | null {
  const bytes = store.state(stateKeys.halted);
  const text = bytes === undefined ? undefined : fromUtf8(bytes);
  if (text === undefined) return null;
  const { version, code, message } = parseJson(text) as Stored;
  return { version, code, message };
}
