/**
 * Blocks over libp2p: one long-lived stream a direction and peer, opened by who asks; requests on it one way, answers
 * back. The only file that knows that the bulk plane is a libp2p stream.
 */
import { setTimeout } from 'node:timers/promises';
import type { Stream } from '@libp2p/interface';
import type { Bytes } from '../../base/bytes.ts';
import { P2psyncError } from '../../base/errors.ts';
import { KIB, requestsOpenMax } from '../../base/limits.ts';
import type { PeerId } from '../../core/keys.ts';
import type { BlockAnswer, SharedRequest } from '../../swarm/messages.ts';
import { type BulkFrame, createBulkDecoder, encodeBulk } from '../../wire/bulk.ts';
import type { HostHandlers } from '../host.ts';
import { createPullReader, untilWritable } from '../streams.ts';
import type { TrafficMeter } from '../traffic.ts';
import { createOwed, type Owed } from './owed.ts';
import { type Pace, slicesOf } from './pace.ts';
import type { BlockTransport } from './transport.ts';

export const blocksProtocol = '/p2psync/blocks/1';

/** Up to this many bytes a copy is cheaper than a frame. */
const joinBytesMax = 64 * KIB;

export type BlocksOptions = {
  /** A new stream to the peer. @throws where it cannot be had. */
  readonly open: (peer: PeerId) => Promise<Stream>;
  /** The peer broke the rules: its connection is to be closed. */
  readonly violated: (peer: PeerId, error: P2psyncError) => void;
  readonly handlers: Pick<HostHandlers, 'blockRequest' | 'blockCancelled' | 'blockAnswer' | 'requestsLost'>;
  readonly traffic: TrafficMeter;
  readonly upload: Pace;
  readonly download: Pace;
};

export type Libp2pBlocks = BlockTransport & {
  /** A stream that an admitted peer opened to ask on it; a newer one replaces an older. */
  accept(peer: PeerId, stream: Stream): void;
  /** The peer is gone: ends both streams, in this turn. */
  lost(peer: PeerId): void;
};

/** What this agent asked of a peer. */
type Asking = {
  readonly stream: Promise<Stream>;
  readonly owed: Owed;
};

/** What a peer asked of this agent. */
type Serving = { readonly stream: Stream; readonly ids: Set<number>; turn: Promise<void> };

export function createLibp2pBlocks(options: BlocksOptions): Libp2pBlocks {
  const { handlers, traffic } = options;
  // Changes while running.
  const askings = new Map<PeerId, Asking>();
  const servings = new Map<PeerId, Serving>();

  const received = (peer: PeerId) => (bytes: number) => traffic.received(peer, bytes);

  function ask(peer: PeerId): Asking {
    const asking: Asking = { stream: options.open(peer), owed: createOwed() };
    askings.set(peer, asking);
    asking.stream.then(
      (stream) => readAnswers(peer, asking, stream),
      () => endAsking(peer, asking),
    );
    return asking;
  }

  function endAsking(peer: PeerId, asking: Asking): void {
    if (askings.get(peer) !== asking) return;
    askings.delete(peer);
    asking.stream.then(
      (stream) => stream.abort(new Error('nobody asks on it any more')),
      () => {},
    );
    if (!asking.owed.isEmpty()) handlers.requestsLost(peer);
  }

  function stopAsking(peer: PeerId): void {
    const asking = askings.get(peer);
    if (asking !== undefined) endAsking(peer, asking);
  }

  function write(peer: PeerId, asking: Asking, frame: BulkFrame): void {
    asking.stream
      .then((stream) => traffic.sent(peer, sendAll(stream, encodeBulk(frame))))
      .catch(() => endAsking(peer, asking));
  }

  async function readAnswers(peer: PeerId, asking: Asking, stream: Stream): Promise<void> {
    try {
      for await (const frame of framesOf(stream, received(peer), options.download)) {
        if (askings.get(peer) !== asking) return;
        if (frame.kind !== 'answer') throw wrongWay(frame);
        asking.owed.answered(frame.answer);
        const taken = handlers.blockAnswer(peer, frame.answer);
        if (taken !== undefined) await taken;
      }
    } catch (error) {
      report(peer, error);
    }
    endAsking(peer, asking);
  }

  async function readRequests(peer: PeerId, serving: Serving): Promise<void> {
    try {
      for await (const frame of framesOf(serving.stream, received(peer), null)) {
        if (servings.get(peer) !== serving) return;
        if (frame.kind !== 'request' && frame.kind !== 'cancel') throw wrongWay(frame);
        if (frame.kind === 'cancel') cancelled(peer, serving, frame.id);
        else requested(peer, serving, frame.request);
      }
    } catch (error) {
      report(peer, error);
    }
    endServing(peer, serving);
  }

  function requested(peer: PeerId, serving: Serving, request: SharedRequest): void {
    if (serving.ids.has(request.id))
      throw new P2psyncError('malformed', `request ${request.id} is open already`);
    if (serving.ids.size >= requestsOpenMax) {
      throw new P2psyncError('limit-exceeded', `more than ${requestsOpenMax} requests are open`);
    }
    serving.ids.add(request.id);
    handlers.blockRequest(peer, request);
  }

  function cancelled(peer: PeerId, serving: Serving, id: number): void {
    if (!serving.ids.delete(id)) return;
    // So that the requester can forget the id; blocks that are still answered to it are dropped.
    inTurn(serving, options.upload, { kind: 'done', id }, () => true).then(
      (bytes) => traffic.sent(peer, bytes),
      () => {},
    );
    handlers.blockCancelled?.(peer, id);
  }

  function endServing(peer: PeerId, serving: Serving): void {
    if (servings.get(peer) !== serving) return;
    servings.delete(peer);
    serving.stream.abort(new Error('nobody answers on it any more'));
    for (const id of serving.ids) handlers.blockCancelled?.(peer, id);
  }

  async function answer(peer: PeerId, one: BlockAnswer): Promise<void> {
    const serving = servings.get(peer);
    if (serving === undefined) {
      throw new P2psyncError('unreachable-peer', `${peer} does not wait for blocks any more`, { peer });
    }
    if (!serving.ids.has(one.id)) return;
    traffic.sent(peer, await inTurn(serving, options.upload, one, () => serving.ids.has(one.id)));
  }

  /** @throws what is no fault of the peer. */
  function report(peer: PeerId, error: unknown): void {
    if (!(error instanceof P2psyncError)) throw error;
    if (error.code !== 'unreachable-peer') options.violated(peer, error);
  }

  return {
    request(peer, request) {
      const asking = askings.get(peer) ?? ask(peer);
      asking.owed.asked(request);
      write(peer, asking, { kind: 'request', request });
    },
    cancel(peer, id) {
      const asking = askings.get(peer);
      if (asking?.owed.has(id) !== true) return;
      write(peer, asking, { kind: 'cancel', id });
    },
    hangUp: stopAsking,
    answer,
    async give(peer, answers) {
      for (const one of answers) await answer(peer, one);
    },
    accept(peer, stream) {
      const older = servings.get(peer);
      if (older !== undefined) endServing(peer, older);
      const serving: Serving = { stream, ids: new Set(), turn: Promise.resolve() };
      servings.set(peer, serving);
      void readRequests(peer, serving);
    },
    lost(peer) {
      const serving = servings.get(peer);
      if (serving !== undefined) endServing(peer, serving);
      stopAsking(peer);
    },
  };
}

/** One answer after the other, each when the stream takes it. @returns bytes written: 0 where no longer wanted. */
function inTurn(serving: Serving, pace: Pace, answer: BlockAnswer, wanted: () => boolean): Promise<number> {
  const sent = serving.turn.then(async () => {
    await untilWritable(serving.stream);
    if (!wanted()) return 0;
    if (answer.kind === 'done' || answer.kind === 'busy') serving.ids.delete(answer.id);
    const parts = encodeBulk({ kind: 'answer', answer });
    return pace.rate() === 0 ? sendAll(serving.stream, parts) : await sendPaced(serving.stream, parts, pace);
  });
  serving.turn = sent.then(
    () => {},
    () => {},
  );
  return sent;
}

/** Small parts travel as one: each `send` is a frame of the muxer and one of the cipher. */
function sendAll(stream: Stream, parts: readonly Bytes[]): number {
  const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (bytes <= joinBytesMax) stream.send(Buffer.concat(parts));
  else for (const part of parts) stream.send(part);
  return bytes;
}

async function sendPaced(stream: Stream, parts: readonly Bytes[], pace: Pace): Promise<number> {
  let bytes = 0;
  for (const part of parts) {
    for (const slice of slicesOf(part, pace)) {
      await turnOf(slice, pace);
      await untilWritable(stream);
      stream.send(slice);
      bytes += slice.byteLength;
    }
  }
  return bytes;
}

async function turnOf(bytes: Bytes, pace: Pace): Promise<void> {
  const waitMs = pace.take(bytes.byteLength);
  if (waitMs > 0) await setTimeout(waitMs);
}

/** @param pace of what comes; null: it is small, and not held back. */
async function* framesOf(
  stream: Stream,
  count: (bytes: number) => void,
  pace: Pace | null,
): AsyncGenerator<BulkFrame> {
  const reader = createPullReader(stream);
  const decoder = createBulkDecoder();
  for (;;) {
    const chunk = await reader.read();
    if (chunk === null) return decoder.end();
    for (const part of chunk instanceof Uint8Array ? [chunk] : chunk) {
      for (const bytes of pace === null || pace.rate() === 0 ? [part] : slicesOf(part, pace)) {
        if (pace !== null) await turnOf(bytes, pace);
        count(bytes.byteLength);
        yield* decoder.push(bytes);
      }
    }
  }
}

function wrongWay(frame: BulkFrame): P2psyncError {
  return new P2psyncError('malformed', `a frame of kind ${frame.kind} that goes the wrong way`);
}
