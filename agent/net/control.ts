/**
 * One control stream a peer: opens, accepts, elects, frames and watches it. Says `up` and `down` in strict turns.
 * Knows nothing of admission, members or what the frames mean.
 */
import type { Connection, Stream } from '@libp2p/interface';
import type { Bytes } from '../base/bytes.ts';
import { hasCode, messageOf, P2psyncError } from '../base/errors.ts';
import { closeMs, controlFrameBytesMax, controlOpenMs, controlQueueBytesMax } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import {
  decodePreamble,
  encodePreamble,
  judgeOpen,
  nextStamp,
  type Preamble,
  type Standing,
} from './election.ts';
import { createFrameSplitter, encodeFrame } from './frames.ts';
import type { NoteFields } from './host.ts';
import { createPullReader, openStream } from './streams.ts';

export const controlProtocol = '/p2psync/control/1';

export type ControlHandlers = {
  up(peer: PeerId, connection: Connection): void;
  /** Exactly one for each `up`; its connection is closed or about to be. */
  down(peer: PeerId, reason: string): void;
  frame(peer: PeerId, frame: Bytes): void;
  sent(peer: PeerId, bytes: number): void;
  received(peer: PeerId, bytes: number): void;
  note(text: string, fields: NoteFields): void;
};

export type Control = {
  /** The connection whose control stream stands, or null. */
  linkOf(peer: PeerId): Connection | null;
  peers(): PeerId[];
  /** For a connection that this end dialed; fulfils in every case. */
  open(connection: Connection): Promise<void>;
  /** For a stream that the other end opened. */
  accept(stream: Stream, connection: Connection): Promise<void>;
  /** Resolves when the peer is up; rejects when `connection` closes and there are no `others` to it. */
  untilUp(connection: Connection, others: () => boolean, signal: AbortSignal): Promise<void>;
  send(peer: PeerId, frame: Bytes): boolean;
  /** Says `down` now, where the peer is up. Its connections are the caller's to close. */
  drop(peer: PeerId, reason: string): void;
};

type Link = { readonly connection: Connection; readonly stream: Stream; readonly stamp: number };
type Opening = { readonly connection: Connection };

/** A dial whose connection closes waits this long for another's control stream, and for word that there is one, ms. */
const electedGraceMs = 2_000;
const closedGraceMs = 100;

export function createControl(self: PeerId, handlers: ControlHandlers): Control {
  // Changes while running.
  const links = new Map<PeerId, Link>();
  const openings = new Map<PeerId, Opening>();
  const waiters = new Map<PeerId, Set<() => void>>();
  /** Connections on which the peer said that another stream is elected. */
  const refused = new WeakSet<Connection>();
  let stamp = 0;

  function standing(peer: PeerId): Standing {
    const link = links.get(peer);
    if (link !== undefined) return { kind: 'up', stamp: link.stamp };
    return openings.has(peer) ? { kind: 'opening' } : { kind: 'none' };
  }

  function freshStamp(): number {
    stamp = nextStamp(stamp, Date.now());
    return stamp;
  }

  function establish(peer: PeerId, link: Link, source: FrameSource): void {
    const older = links.get(peer);
    if (older !== undefined) down(peer, older, 'the peer connected anew');
    const abandoned = openings.get(peer);
    openings.delete(peer);
    if (abandoned !== undefined && abandoned.connection !== link.connection)
      void closeSoon(abandoned.connection);
    links.set(peer, link);
    tell(() => handlers.up(peer, link.connection));
    if (links.get(peer) !== link) return;
    for (const resolve of waiters.get(peer) ?? []) resolve();
    link.connection.addEventListener('close', (event) => {
      const { error } = event;
      down(
        peer,
        link,
        error === undefined ? 'the connection closed' : `the connection broke: ${error.message}`,
      );
    });
    if (link.connection.status !== 'open') down(peer, link, 'the connection closed');
    void pump(peer, link, source);
  }

  function down(peer: PeerId, link: Link, reason: string): void {
    if (links.get(peer) !== link) return;
    links.delete(peer);
    tell(() => handlers.down(peer, reason));
    void letGo(link);
  }

  async function pump(peer: PeerId, link: Link, source: FrameSource): Promise<void> {
    try {
      for (;;) {
        const frame = await source.next();
        if (links.get(peer) !== link) return;
        if (frame === null) return down(peer, link, 'the peer closed the connection');
        handlers.received(peer, frame.byteLength);
        handlers.frame(peer, frame);
      }
    } catch (error) {
      if (!(error instanceof P2psyncError)) throw error;
      fail(peer, link.connection, error);
      down(peer, link, error.message);
    }
  }

  /** A peer that breaks the rules loses its connection, whatever else is on it. */
  function fail(peer: PeerId, connection: Connection, error: unknown): void {
    if (hasCode(error, 'malformed') || hasCode(error, 'limit-exceeded')) {
      handlers.note('control stream refused', { peer, code: error.code, reason: error.message });
    }
    connection.abort(error instanceof Error ? error : new Error(messageOf(error)));
  }

  async function open(connection: Connection): Promise<void> {
    const peer = peerIdOf(connection);
    const found = standing(peer);
    if (found.kind === 'up') void closeSoon(connection);
    if (found.kind !== 'none') return;
    const opening: Opening = { connection };
    openings.set(peer, opening);
    const forget = () => {
      if (openings.get(peer) === opening) openings.delete(peer);
    };
    connection.addEventListener('close', forget);
    await negotiate(connection, () => propose(peer, opening));
    forget();
  }

  async function propose(peer: PeerId, opening: Opening): Promise<void> {
    const { connection } = opening;
    const stream = await openStream(connection, controlProtocol);
    if (openings.get(peer) !== opening) return;
    sendPreamble(stream, { kind: 'open', stamp: freshStamp() });
    const source = createFrameSource(stream);
    const answer = await readPreamble(source);
    if (answer.kind !== 'accept') {
      refused.add(connection);
      void closeSoon(connection);
    } else if (openings.get(peer) === opening) {
      establish(peer, { connection, stream, stamp: answer.stamp }, source);
    }
  }

  async function consider(peer: PeerId, stream: Stream, connection: Connection): Promise<void> {
    const source = createFrameSource(stream);
    const first = await readPreamble(source);
    if (first.kind !== 'open') {
      throw new P2psyncError('malformed', `a control stream that starts with ${first.kind}`);
    }
    // From the verdict to the link in one turn: nothing may be opened in between.
    if (judgeOpen(standing(peer), { self, peer, stamp: first.stamp }) === 'refuse') {
      sendPreamble(stream, { kind: 'refuse', stamp: freshStamp() });
      void closeSoon(connection);
    } else {
      sendPreamble(stream, { kind: 'accept', stamp: freshStamp() });
      establish(peer, { connection, stream, stamp: first.stamp }, source);
    }
  }

  /** Within the deadline; a failure closes the connection. */
  async function negotiate(connection: Connection, work: () => Promise<void>): Promise<void> {
    const timer = setTimeout(
      () => connection.abort(new Error('its control stream did not open')),
      controlOpenMs,
    );
    try {
      await work();
    } catch (error) {
      fail(peerIdOf(connection), connection, error);
    } finally {
      clearTimeout(timer);
    }
  }

  function send(peer: PeerId, frame: Bytes): boolean {
    const bytes = encodeFrame(frame, controlFrameBytesMax);
    const link = links.get(peer);
    if (link === undefined || link.stream.writeStatus !== 'writable') return false;
    const queuedBytes = link.stream.writeBufferLength;
    if (queuedBytes + bytes.byteLength > controlQueueBytesMax) {
      handlers.note('control peer does not read', { peer, queuedBytes });
      link.connection.abort(new Error('its control queue is full'));
      down(peer, link, 'its control queue is full');
      return false;
    }
    try {
      link.stream.send(bytes);
    } catch {
      // The connection is closing; its `close` event says `down`.
      return false;
    }
    handlers.sent(peer, frame.byteLength);
    return true;
  }

  async function untilUp(connection: Connection, others: () => boolean, signal: AbortSignal): Promise<void> {
    const peer = peerIdOf(connection);
    if (links.has(peer)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = waiters.get(peer) ?? new Set();
    waiters.set(peer, waiting.add(resolve));
    let timer: NodeJS.Timeout | undefined;
    const closed = () => {
      const fail = () => reject(unreachable(peer, 'it closed the connection at once'));
      timer ??= setTimeout(() => {
        // Another connection is being made, mostly by the other end at the same time: it will be up soon.
        if (refused.has(connection) || others()) timer = setTimeout(fail, electedGraceMs);
        else fail();
      }, closedGraceMs);
    };
    const aborted = () => reject(unreachable(peer, 'its control stream did not open in time'));
    connection.addEventListener('close', closed);
    signal.addEventListener('abort', aborted);
    if (connection.status !== 'open') closed();
    if (signal.aborted) aborted();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      connection.removeEventListener('close', closed);
      signal.removeEventListener('abort', aborted);
      waiting.delete(resolve);
      if (waiting.size === 0) waiters.delete(peer);
    }
  }

  return {
    linkOf: (peer) => links.get(peer)?.connection ?? null,
    peers: () => [...links.keys()],
    open,
    accept: (stream, connection) =>
      negotiate(connection, () => consider(peerIdOf(connection), stream, connection)),
    untilUp,
    send,
    drop(peer, reason) {
      const link = links.get(peer);
      if (link !== undefined) down(peer, link, reason);
    },
  };
}

/** Connections that are being closed. Closed twice, libp2p drops what the first close still sends. */
const closings = new WeakMap<Connection, Promise<void>>();

/** It is open for its last words only. */
export function isClosing(connection: Connection): boolean {
  return closings.has(connection);
}

/** Closes politely, by force after `closeMs`; resolves when the connection is closed. */
export function closeSoon(connection: Connection): Promise<void> {
  const closing = closings.get(connection) ?? close(connection);
  closings.set(connection, closing);
  return closing;
}

/**
 * Ends the stream, and the connection once the peer has done the same: it has read all that was said then. A socket closed
 * at once would take away what the peer has not read yet. Nothing is read here meanwhile.
 */
async function letGo({ connection, stream }: Link): Promise<void> {
  if (connection.status !== 'open' || closings.has(connection)) return await closeSoon(connection);
  const { promise, resolve } = Promise.withResolvers<void>();
  closings.set(
    connection,
    promise.then(() => close(connection)),
  );
  stream.addEventListener('close', () => resolve());
  connection.addEventListener('close', () => resolve());
  const timer = setTimeout(() => connection.abort(new Error('the peer did not let go')), closeMs);
  stream.close({ signal: AbortSignal.timeout(closeMs) }).catch((error: Error) => connection.abort(error));
  await promise;
  clearTimeout(timer);
}

async function close(connection: Connection): Promise<void> {
  if (connection.status !== 'open' && connection.status !== 'closing') return;
  const { promise, resolve } = Promise.withResolvers<void>();
  connection.addEventListener('close', () => resolve());
  const timer = setTimeout(() => connection.abort(new Error('the peer did not let go')), closeMs);
  connection.close({ signal: AbortSignal.timeout(closeMs) }).catch((error: Error) => connection.abort(error));
  await promise;
  clearTimeout(timer);
}

export function peerIdOf(connection: Connection): PeerId {
  return connection.remotePeer.toString() as PeerId;
}

/** A handler that throws is a bug here, and must not pass for a fault of the peer. */
function tell(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

type FrameSource = { next(): Promise<Bytes | null> };

function createFrameSource(stream: Stream): FrameSource {
  const reader = createPullReader(stream);
  const splitter = createFrameSplitter(controlFrameBytesMax);
  const frames: Bytes[] = [];
  return {
    async next() {
      for (;;) {
        const frame = frames.shift();
        if (frame !== undefined) return frame;
        const chunk = await reader.read();
        if (chunk === null) return null;
        frames.push(...splitter.push(chunk.subarray()));
      }
    },
  };
}

async function readPreamble(source: FrameSource): Promise<Preamble> {
  const frame = await source.next();
  if (frame === null)
    throw new P2psyncError('unreachable-peer', 'the peer closed its control stream at once');
  return decodePreamble(frame);
}

function sendPreamble(stream: Stream, preamble: Preamble): void {
  stream.send(encodeFrame(encodePreamble(preamble), controlFrameBytesMax));
}

function unreachable(peer: PeerId, why: string): P2psyncError {
  return new P2psyncError('unreachable-peer', `${peer} cannot be reached: ${why}`, { peer });
}
