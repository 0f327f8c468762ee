/**
 * Ids of block requests on the wire: the machines of several shares number theirs from one each, and answers
 * name no share. Owns the mapping while a request is open.
 */
import type { PeerId, ShareId } from '../core/keys.ts';

export type OpenRequest = { readonly share: ShareId; readonly id: number };

export type RequestIds = {
  /** @returns the id to send. */
  open(peer: PeerId, request: OpenRequest): number;
  find(peer: PeerId, wireId: number): OpenRequest | undefined;
  /** By what the share calls it. @returns the id on the wire, where it was open. */
  close(peer: PeerId, request: OpenRequest): number | undefined;
  closeAll(peer: PeerId): void;
};

const wireIds = 2 ** 32;

export function createRequestIds(): RequestIds {
  // Changes while running.
  let last = 0;
  const open = new Map<PeerId, Map<number, OpenRequest>>();

  function wireIdOf(peer: PeerId, request: OpenRequest): number | undefined {
    for (const [wireId, one] of open.get(peer) ?? []) {
      if (one.id === request.id && one.share === request.share) return wireId;
    }
    return undefined;
  }

  return {
    open(peer, request) {
      const requests = open.get(peer) ?? new Map<number, OpenRequest>();
      open.set(peer, requests);
      // After four thousand million requests one may still be open under the next number.
      do last = (last + 1) % wireIds;
      while (requests.has(last));
      requests.set(last, request);
      return last;
    },
    find: (peer, wireId) => open.get(peer)?.get(wireId),
    close(peer, request) {
      const wireId = wireIdOf(peer, request);
      if (wireId !== undefined) open.get(peer)?.delete(wireId);
      return wireId;
    },
    closeAll: (peer) => void open.delete(peer),
  };
}
