/**
 * TLS connections as the main thread sees them: frames in one by one, with back-pressure; frames out within a bound.
 * Owns the thread of sockets. Knows neither peers nor requests.
 */
import { unreachable } from '../../base/assert.ts';
import { P2psyncError } from '../../base/errors.ts';
import { bulkSendBytesMax } from '../../base/limits.ts';
import type { BulkFrame } from '../../wire/bulk.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import type { Pace } from './pace.ts';
import { costOf, type FromSockets, type LinkId, type Psk } from './tls-messages.ts';
import { startTlsThread } from './tls-thread.ts';

type ReceivedFrame = Extract<FromSockets, { kind: 'frames' }>['frames'][number];

export type LineHandlers = {
  /** Both sides have shown the key. */
  opened(): void;
  /** A returned promise is back-pressure: what comes after the frames of one message waits for it. @throws {P2psyncError} what the peer did wrong. */
  frame(frame: ReceivedFrame): void | Promise<void>;
  /** Once, after the last frame; not where it was closed from here. `error`: the peer broke the rules. */
  closed(reason: string, error: P2psyncError | null): void;
  received(bytes: number): void;
  sent(bytes: number): void;
};

export type Line = {
  /** At once: for small frames whose number is bounded. */
  send(frame: BulkFrame): void;
  /** In turn and under back-pressure, together. The memory of blocks is given away. @throws {P2psyncError} unreachable-peer. */
  give(frames: readonly BulkFrame[], isWanted: () => boolean): Promise<void>;
  /** Something came, or waits here to be handled, since then. */
  isAliveSince(ms: number): boolean;
  close(): void;
};

export type Lines = {
  /** The port that is listened on; null where there is none, and before `listening`. */
  port(): number | null;
  /** @returns null where nothing can be listened on, with a note. */
  listen(hosts: readonly string[], port: number): Promise<number | null>;
  /** Resolves when a peer with this key would be let in. */
  expect(psk: Psk, handlers: LineHandlers): { readonly line: Line; readonly ready: Promise<void> };
  dial(
    target: { readonly host: string; readonly port: number; readonly psk: Psk },
    handlers: LineHandlers,
  ): Line;
  close(): Promise<void>;
};

export type LinesOptions = {
  readonly upload: Pace;
  readonly download: Pace;
  readonly allowAddress: (address: string) => boolean;
  readonly note: (text: string, fields: Readonly<Record<string, string | number>>) => void;
};

type Entry = {
  readonly link: LinkId;
  readonly handlers: LineHandlers;
  readonly outbox: Outbox;
  readonly queue: (
    | { readonly kind: 'frames'; readonly frames: readonly ReceivedFrame[] }
    | { readonly kind: 'end'; readonly reason: string; readonly error: P2psyncError | null }
  )[];
  readonly expecting: PromiseWithResolvers<void>;
  handling: boolean;
  heardMs: number;
};

export function createLines(options: LinesOptions): Lines {
  // Changes while running.
  const entries = new Map<LinkId, Entry>();
  const listening = Promise.withResolvers<number | null>();
  let port: number | null = null;
  let lastLink = 0;
  const memory = { upload: options.upload.memory, download: options.download.memory };
  const thread = startTlsThread(memory, receive, (reason) => {
    options.note('the thread of bulk connections ended', { reason });
    port = null;
    listening.resolve(null);
    for (const entry of entries.values()) enqueue(entry, endOf(reason, null));
  });

  function receive(message: FromSockets): void {
    switch (message.kind) {
      case 'listening':
        port = message.port;
        return listening.resolve(port);
      case 'deaf':
        options.note('blocks cannot be asked for over TLS here', { reason: message.reason });
        return listening.resolve(null);
      case 'knock':
        thread.post({
          kind: 'knockAnswer',
          knock: message.knock,
          allowed: options.allowAddress(message.address),
        });
        return;
      default: {
        const entry = entries.get(message.link);
        if (entry !== undefined) receiveOn(entry, message);
      }
    }
  }

  function receiveOn(entry: Entry, message: Extract<FromSockets, { link: LinkId }>): void {
    entry.heardMs = performance.now();
    switch (message.kind) {
      case 'expecting':
        return entry.expecting.resolve();
      case 'open':
        return entry.handlers.opened();
      case 'frames':
        entry.handlers.received(message.wireBytes);
        return enqueue(entry, { kind: 'frames', frames: message.frames });
      case 'written':
        entry.handlers.sent(message.wireBytes);
        return entry.outbox.written(message.costBytes);
      case 'closed': {
        const { reason, code } = message;
        return enqueue(entry, endOf(reason, code === null ? null : new P2psyncError(code, reason)));
      }
      default:
        return unreachable(message);
    }
  }

  function enqueue(entry: Entry, message: Entry['queue'][number]): void {
    entry.queue.push(message);
    if (!entry.handling) void handleAll(entry);
  }

  async function handleAll(entry: Entry): Promise<void> {
    entry.handling = true;
    for (let message = entry.queue.shift(); message !== undefined; message = entry.queue.shift()) {
      if (message.kind === 'end') return finish(entry, message.reason, message.error);
      // Before they are handed over: who gets a block may give its memory away.
      const costBytes = sumOf(message.frames);
      try {
        const handled = handleFrames(entry, message.frames);
        if (handled.length > 0) await Promise.all(handled);
      } catch (error) {
        if (!(error instanceof P2psyncError)) throw error;
        return finish(entry, error.message, error);
      }
      if (!entries.has(entry.link)) return;
      thread.post({ kind: 'handled', link: entry.link, costBytes });
    }
    entry.handling = false;
  }

  /** All in one turn: their blocks share memory, which goes on as a whole. */
  function handleFrames(entry: Entry, frames: readonly ReceivedFrame[]): Promise<void>[] {
    const handled: Promise<void>[] = [];
    for (const frame of frames) {
      const one = entry.handlers.frame(frame);
      if (one !== undefined) handled.push(one);
      if (!entries.has(entry.link)) break;
    }
    return handled;
  }

  function finish(entry: Entry, reason: string, error: P2psyncError | null): void {
    if (close(entry)) entry.handlers.closed(reason, error);
  }

  /** @returns false where it was closed before. */
  function close(entry: Entry): boolean {
    if (!entries.delete(entry.link)) return false;
    entry.outbox.close();
    entry.expecting.resolve();
    thread.post({ kind: 'close', link: entry.link });
    return true;
  }

  function createEntry(handlers: LineHandlers): Entry {
    lastLink += 1;
    const entry: Entry = {
      link: lastLink,
      handlers,
      outbox: createOutbox(bulkSendBytesMax),
      queue: [],
      expecting: Promise.withResolvers(),
      handling: false,
      heardMs: performance.now(),
    };
    entries.set(entry.link, entry);
    return entry;
  }

  function lineOf(entry: Entry): Line {
    const { link, outbox } = entry;
    return {
      send: (frame) => thread.post({ kind: 'send', link, frames: [frame] }),
      give: (frames, isWanted) =>
        outbox.give(sumOf(frames), isWanted, () =>
          thread.post({ kind: 'send', link, frames }, memoryOf(frames)),
        ),
      isAliveSince: (ms) => entry.handling || entry.heardMs >= ms,
      close: () => void close(entry),
    };
  }

  return {
    port: () => port,
    listen(hosts, wanted) {
      thread.post({ kind: 'listen', hosts, port: wanted });
      return listening.promise;
    },
    expect(psk, handlers) {
      const entry = createEntry(handlers);
      thread.post({ kind: 'expect', link: entry.link, psk });
      return { line: lineOf(entry), ready: entry.expecting.promise };
    },
    dial(target, handlers) {
      const entry = createEntry(handlers);
      thread.post({ kind: 'dial', link: entry.link, ...target });
      return lineOf(entry);
    },
    async close() {
      for (const entry of entries.values()) close(entry);
      await thread.close();
    },
  };
}

function endOf(reason: string, error: P2psyncError | null): Entry['queue'][number] {
  return { kind: 'end', reason, error };
}

function sumOf(frames: readonly BulkFrame[]): number {
  return frames.reduce((sum, frame) => sum + costOf(frame), 0);
}

function memoryOf(frames: readonly BulkFrame[]): ArrayBuffer[] {
  const memory = new Set<ArrayBuffer>();
  for (const frame of frames) {
    if (frame.kind !== 'answer' || frame.answer.kind !== 'block') continue;
    const { buffer } = frame.answer.bytes;
    if (buffer instanceof ArrayBuffer) memory.add(buffer);
  }
  return [...memory];
}
