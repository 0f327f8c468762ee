/** What is open with a peer on one connection, so that nothing is taken from it that nobody asked for. Pure state. */
import { P2psyncError } from '../../base/errors.ts';
import type { BlockAnswer, BlockRequest } from '../../swarm/messages.ts';

export type Owed = {
  asked(request: BlockRequest): void;
  /** Asked here, and not at its end: a cancelled one is, until the peer says `done`, for what was on its way may still come. */
  has(id: number): boolean;
  isEmpty(): boolean;
  /**
   * Each digest of a request is answered once, cancelled or not; which they are is for who asked.
   * @throws {P2psyncError} malformed, where it is to no request, or more than was asked for.
   */
  answered(answer: BlockAnswer): void;
};

export function createOwed(): Owed {
  // Changes while running.
  /** How many digests of each are not answered. */
  const requests = new Map<number, { left: number }>();
  return {
    asked: ({ id, digests }) => void requests.set(id, { left: digests.length }),
    has: (id) => requests.has(id),
    isEmpty: () => requests.size === 0,
    answered({ id, kind }) {
      const request = requests.get(id);
      if (request === undefined) throw unasked(`request ${id}, which is not open`);
      if (kind === 'done' || kind === 'busy') requests.delete(id);
      else if (request.left === 0) throw unasked(`request ${id}, which has all it asked for`);
      else request.left -= 1;
    },
  };
}

function unasked(what: string): P2psyncError {
  return new P2psyncError('malformed', `the bulk stream has an answer to ${what}`);
}
