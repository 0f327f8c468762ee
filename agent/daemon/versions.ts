/** The versions of a share that this agent has applied lately, and when heads were first heard of. */

import { type Bytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { parseJson } from '../base/json.ts';
import { heardHeadsMax, versionsKeptMax } from '../base/limits.ts';
import type { Counts } from '../core/entry.ts';
import type { Head } from '../core/head.ts';
import type { PublicKey } from '../core/keys.ts';
import { compareVersions, type Version } from '../core/version.ts';
import type { ShareStore } from '../store/share-store.ts';
import { type Applied, readHead, stateKeys } from './state.ts';

export type KeptVersion = Applied & {
  /** When it was first signed, ms since 1970. */
  readonly timeMs: number;
  readonly writer: PublicKey;
  readonly counts: Counts;
};

export type Versions = {
  /** Newest first; the pages of their trees are kept. */
  recent(): readonly KeptVersion[];
  /** To be stored with the version itself. */
  applied(head: Head): readonly [string, Bytes];
  heard(version: Version): void;
  /** For how long there has been a version above this one, seconds; 0 where there is none. */
  lagSeconds(version: Version | null): number;
};

export function openVersions(store: ShareStore): Versions {
  // Changes while running.
  let recent = readVersions(store);
  let heads = firstHeads(store);

  return {
    recent: () => recent,
    applied({ version, root, timeMs, writer, counts }) {
      const known = recent.find((kept) => compareVersions(kept.version, version) === 0);
      const others = recent.filter((kept) => kept !== known);
      // A head that was signed again has a later time.
      const signedMs = Math.min(timeMs, known?.timeMs ?? timeMs);
      const kept = { version, root, timeMs: signedMs, writer, counts };
      recent = [kept, ...others].slice(0, versionsKeptMax);
      return [stateKeys.versions, utf8(JSON.stringify(recent))];
    },
    heard(version) {
      const last = heads.at(-1);
      if (last !== undefined && compareVersions(version, last.version) <= 0) return;
      heads.push({ version, atMs: Date.now() });
      // Every other one is left out: the oldest stay known, and lag is told to within one of those that are left.
      if (heads.length > heardHeadsMax)
        heads = heads.filter((_, at) => at % 2 === 0 || at === heads.length - 1);
    },
    lagSeconds(version) {
      const first = heads.find((head) => version === null || compareVersions(head.version, version) > 0);
      return first === undefined ? 0 : Math.max(0, (Date.now() - first.atMs) / 1000);
    },
  };
}

type Heard = { readonly version: Version; readonly atMs: number };

/** What was heard before a restart was heard when it was signed, at the latest. */
function firstHeads(store: ShareStore): Heard[] {
  const head = readHead(store)?.head;
  return head === undefined ? [] : [{ version: head.version, atMs: Math.min(head.timeMs, Date.now()) }];
}

function readVersions(store: ShareStore): readonly KeptVersion[] {
  const stored = store.state(stateKeys.versions);
  const text = stored === undefined ? undefined : fromUtf8(stored);
  return text === undefined ? [] : (parseJson(text) as readonly KeptVersion[]);
}
