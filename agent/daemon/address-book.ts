/** Where members were last heard of, over restarts: the roster has only what they said when they joined. */

import { fromUtf8, utf8 } from '../base/bytes.ts';
import { parseJson } from '../base/json.ts';
import { addressBookPeersMax } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import type { ShareStore } from '../store/share-store.ts';
import { stateKeys } from './state.ts';

export type AddressBook = {
  /** Best first; replaces what was known of that peer. An empty list is no news. */
  learn(peer: PeerId, addresses: readonly string[]): void;
  of(peer: PeerId): readonly string[];
  load(store: ShareStore): void;
  /** Writes what is new since the last time; failures are left to the next one. */
  save(store: ShareStore): void;
};

export function createAddressBook(): AddressBook {
  // Changes while running.
  const known = new Map<PeerId, readonly string[]>();
  const saved = new Map<ShareStore, string>();

  return {
    learn(peer, addresses) {
      if (addresses.length === 0) return;
      known.delete(peer);
      known.set(peer, addresses);
      for (const oldest of known.keys()) {
        if (known.size <= addressBookPeersMax) break;
        known.delete(oldest);
      }
    },
    of: (peer) => known.get(peer) ?? [],
    load(store) {
      const stored = store.state(stateKeys.addresses);
      const text = stored === undefined ? undefined : fromUtf8(stored);
      if (text === undefined) return;
      for (const [peer, addresses] of parseJson(text) as [PeerId, string[]][]) {
        if (!known.has(peer)) known.set(peer, addresses);
      }
    },
    save(store) {
      const text = JSON.stringify([...known]);
      if (saved.get(store) === text) return;
      saved.set(store, text);
      store.write({ state: new Map([[stateKeys.addresses, utf8(text)]]) }).catch(() => saved.delete(store));
    },
  };
}
