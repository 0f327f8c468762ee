/**
 * How many versions came since the pages of old ones were swept. Kept over a clean stop, so that a start does not go through
 * all pages; after a kill nobody knows, and the next sweep is due.
 */
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { sweepAfterVersions } from '../base/limits.ts';
import type { ShareStore } from '../store/share-store.ts';
import { stateKeys } from './state.ts';

export type Unswept = {
  applied(): void;
  isDue(): boolean;
  swept(): void;
  /** Before anything depends on the count: what an earlier run noted is not true any more. */
  forget(): Promise<void>;
  /** For the next run. */
  keep(): Promise<void>;
};

export function createUnswept(store: Pick<ShareStore, 'state' | 'write'>): Unswept {
  // Changes while running.
  const known = read(store);
  let versions = known ?? sweepAfterVersions;
  let isNoted = known !== null;

  return {
    applied() {
      versions += 1;
    },
    isDue: () => versions >= sweepAfterVersions,
    swept() {
      versions = 0;
    },
    async forget() {
      if (!isNoted) return;
      await store.write({ state: new Map([[stateKeys.unswept, null]]) });
      isNoted = false;
    },
    async keep() {
      await store.write({ state: new Map([[stateKeys.unswept, utf8(String(versions))]]) });
      isNoted = true;
    },
  };
}

function read(store: Pick<ShareStore, 'state'>): number | null {
  const stored = store.state(stateKeys.unswept);
  const count = Number(stored === undefined ? Number.NaN : fromUtf8(stored));
  return Number.isSafeInteger(count) && count >= 0 ? count : null;
}
