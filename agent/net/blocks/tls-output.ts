/**
 * What goes out of one TLS socket, one write at a time and each in one piece: what waits in a socket together, Node copies
 * into new memory before it encrypts it. Owns what waits.
 */
import type { TLSSocket } from 'node:tls';
import { type Bytes, joinedTo } from '../../base/bytes.ts';
import { bulkJoinBytesMax } from '../../base/limits.ts';

export type Output = {
  /** In order; the bytes must not change until then. `done` once all of it is with the system; never, where it fails. */
  write(parts: readonly Bytes[], done: () => void): void;
};

type Waiting = { readonly bytes: Bytes; readonly done: (() => void) | null };

export function createOutput(socket: Pick<TLSSocket, 'write'>): Output {
  // Changes while running.
  const queue: Waiting[] = [];
  let isWriting = false;

  function next(): void {
    const now = takeSome(queue);
    isWriting = now.length > 0;
    const [first] = now;
    if (first === undefined) return;
    const bytes = now.length === 1 ? first.bytes : Buffer.concat(now.map((one) => one.bytes));
    socket.write(bytes, (error) => {
      if (error) return;
      for (const { done } of now) done?.();
      next();
    });
  }

  return {
    write(parts, done) {
      const whole = neighboursAsOne(parts);
      for (const [at, bytes] of whole.entries())
        queue.push({ bytes, done: at === whole.length - 1 ? done : null });
      if (!isWriting) next();
    },
  };
}

/** One part, or some small ones. */
function takeSome(queue: Waiting[]): readonly Waiting[] {
  let count = 0;
  let sum = 0;
  for (const { bytes } of queue) {
    sum += bytes.byteLength;
    if (count > 0 && sum > bulkJoinBytesMax) break;
    count += 1;
  }
  return queue.splice(0, count);
}

/** Those that follow each other in one memory are one. */
function neighboursAsOne(parts: readonly Bytes[]): readonly Bytes[] {
  const joined: Bytes[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const both = last === undefined ? null : joinedTo(last, part);
    if (both === null) joined.push(part);
    else joined[joined.length - 1] = both;
  }
  return joined;
}
