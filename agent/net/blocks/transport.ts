/** The port of the bulk plane: requests for blocks and pages one way, answers back. Knows no socket and no stream. */
import type { PeerId } from '../../core/keys.ts';
import type { BlockAnswer, SharedRequest } from '../../swarm/messages.ts';

/** How blocks travel: over TLS connections of their own, or over a stream beside the control stream, slower. */
export type BlockRoute = 'tls' | 'libp2p';

/**
 * What comes in goes to `HostHandlers.blockRequest`, `blockAnswer`, `blockCancelled` and `requestsLost`.
 * Nothing here throws because a peer is gone: a request to one that cannot be reached ends in `requestsLost`.
 */
export interface BlockTransport {
  /** Ids are chosen by the requester and must not be reused while one is open. Answers come in the order of requests' serving, not of asking. */
  request(peer: PeerId, request: SharedRequest): void;
  /** Nothing more is wanted for this request; answers that are on their way may still come. */
  cancel(peer: PeerId, id: number): void;
  /** Closes what is asked of this peer on, with all that is still coming; the next request opens it anew. */
  hangUp(peer: PeerId): void;
  /**
   * Resolves when the answer is accepted under back-pressure, or dropped because its request was cancelled.
   * Await it before the next answer to the same peer: that is the bound of memory.
   * @throws {P2psyncError} unreachable-peer, where the stream that asked is gone.
   */
  answer(peer: PeerId, answer: BlockAnswer): Promise<void>;
  /**
   * The same for some answers of one request, together. The memory in which the bytes of their blocks lie is given
   * away, whole: nobody reads it or writes to it any more.
   */
  give(peer: PeerId, answers: readonly BlockAnswer[]): Promise<void>;
}
