/**
 * Blocks and pages on their way in and out of this agent, for one share. Takes answers, checks them, stores
 * or stages them and tells the machine; answers requests from the index, the live files and staging. Decides
 * neither what is asked of whom nor who is served when.
 */

import type { Bytes } from '../base/bytes.ts';
import { hasCode, messageOf } from '../base/errors.ts';
import { applyRetryMs, contentPendingBytesMax, serveBlocksAtOnce, serveReadMs } from '../base/limits.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import type { BlockLocation, Reader } from '../disk/read.ts';
import type { Stage } from '../disk/stage.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { Event } from '../swarm/events.ts';
import type { BlockAnswer, BlockRequest } from '../swarm/messages.ts';
import type { Log } from './log.ts';

export type ContentPorts = {
  readonly store: Pick<ShareStore, 'page' | 'locations' | 'write'>;
  readonly reader: Pick<Reader, 'blocks'>;
  readonly stage: Pick<Stage, 'has' | 'put' | 'readAll'>;
  readonly log: Log;
  readonly feed: (event: Event) => void;
  readonly answer: (peer: PeerId, answer: BlockAnswer) => Promise<void>;
  /** Staging failed, for want of space or otherwise; null: it works again. */
  readonly onStageFault: (fault: { readonly code: string; readonly message: string } | null) => void;
};

export type Content = {
  /** A request that the machine sends: its answers are told apart by its plane. */
  requested(peer: PeerId, request: BlockRequest): void;
  cancelled(peer: PeerId, id: number): void;
  /** A returned promise is back-pressure. */
  answered(peer: PeerId, answer: BlockAnswer): Promise<void> | undefined;
  /** Nothing more comes from this peer for what was asked. */
  lost(peer: PeerId): void;
  serve(peer: PeerId, request: BlockRequest): Promise<void>;
  readonly received: () => number;
  readonly sent: () => number;
};

type Arrived = Extract<BlockAnswer, { kind: 'block' }> & { readonly peer: PeerId };

/** `left`: not answered yet. */
type Asked = { readonly plane: BlockRequest['plane']; readonly left: Set<Digest> };

export function createContent(ports: ContentPorts): Content {
  // Changes while running.
  const asked = new Map<PeerId, Map<number, Asked>>();
  let pages: Arrived[] = [];
  let blocks: Arrived[] = [];
  let pendingBytes = 0;
  let flushing: Promise<void> | undefined;
  let received = 0;
  let sent = 0;
  /** What came last could not be stored. */
  let failing = false;

  /** Everything that came while the last flush ran goes in one transaction and one call of the worker. */
  async function flush(): Promise<void> {
    while (pages.length > 0 || blocks.length > 0) {
      const pagesNow = pages;
      const blocksNow = blocks;
      pages = [];
      blocks = [];
      await Promise.all([storePages(pagesNow), stageBlocks(blocksNow)]);
      for (const one of [...pagesNow, ...blocksNow]) pendingBytes -= one.bytes.byteLength;
      for (const one of blocksNow) release(one);
    }
  }

  async function storePages(arrived: readonly Arrived[]): Promise<void> {
    await keep(arrived, async () => {
      const right = arrived.filter((one) => one.verified === true || digestOf(one.bytes) === one.digest);
      await ports.store.write({ pages: right.map(({ digest, bytes }) => [digest, bytes]) });
      return new Set(right);
    });
  }

  async function stageBlocks(arrived: readonly Arrived[]): Promise<void> {
    // Of one digest one at a time: where one peer's bytes are wrong, another's may be right.
    const first = new Map<Digest, Arrived>();
    for (const one of arrived) if (!first.has(one.digest)) first.set(one.digest, one);
    const now = [...first.values()];
    await keep(now, async () => {
      const wrong = new Set(await ports.stage.put(now));
      return new Set(now.filter(({ digest }) => !wrong.has(digest)));
    });
    if (now.length < arrived.length)
      await stageBlocks(arrived.filter((one) => first.get(one.digest) !== one));
  }

  /** @param work gives those whose bytes were right, when they are stored. */
  async function keep(arrived: readonly Arrived[], work: () => Promise<ReadonlySet<Arrived>>): Promise<void> {
    if (arrived.length === 0) return;
    try {
      report(arrived, await work());
      if (failing) ports.log.info({}, 'what comes can be stored again');
      failing = false;
      ports.onStageFault(null);
    } catch (error) {
      const code = hasCode(error, 'disk-full') ? 'disk-full' : 'io';
      if (!failing) ports.log.error({ err: error }, 'what comes cannot be stored; it is tried again');
      failing = true;
      ports.onStageFault({ code, message: messageOf(error) });
      for (const { peer, id } of arrived) {
        if (asked.get(peer)?.delete(id) !== true) continue;
        ports.feed({ kind: 'notStored', peer, id, retryMs: applyRetryMs });
      }
    }
  }

  function report(arrived: readonly Arrived[], right: ReadonlySet<Arrived>): void {
    for (const one of arrived) {
      const { peer, id, digest, bytes } = one;
      if (right.has(one)) ports.feed({ kind: 'stored', peer, id, digest, bytes: bytes.byteLength });
      else ports.feed({ kind: 'wrongBytes', peer, id, digest });
    }
  }

  function fail(peer: PeerId, id: number): void {
    if (asked.get(peer)?.delete(id) === true) ports.feed({ kind: 'requestFailed', peer, id });
  }

  function take(peer: PeerId, answer: BlockAnswer): Promise<void> | undefined {
    const request = asked.get(peer)?.get(answer.id);
    // Late, or never asked for: nobody waits for it.
    if (request === undefined) return undefined;
    const { plane, left } = request;
    switch (answer.kind) {
      case 'block':
        // Whatever it is, it is not what was asked: nobody fills our disk with what we did not want.
        if (!left.delete(answer.digest)) {
          ports.feed({ kind: 'wrongBytes', peer, id: answer.id, digest: answer.digest });
          return undefined;
        }
        received += answer.bytes.byteLength;
        pendingBytes += answer.bytes.byteLength;
        (plane === 'page' ? pages : blocks).push({ peer, ...answer });
        flushing ??= flush().finally(() => {
          flushing = undefined;
        });
        return pendingBytes > contentPendingBytesMax ? flushing : undefined;
      case 'missing':
        ports.feed({ kind: 'missing', peer, id: answer.id, digest: answer.digest });
        return undefined;
      case 'busy':
        asked.get(peer)?.delete(answer.id);
        ports.feed({ kind: 'busy', peer, id: answer.id, retryMs: answer.retryMs });
        return undefined;
      case 'done':
        return settleDone(peer, answer.id);
    }
  }

  /** The end of a request is told after its last block. */
  async function settleDone(peer: PeerId, id: number): Promise<void> {
    await flushing;
    if (asked.get(peer)?.delete(id) === true) ports.feed({ kind: 'done', peer, id });
  }

  /** Staged ones with one call of the worker, those in live files with another; a copy that is gone may not be the only one. */
  async function find(plane: BlockRequest['plane'], digests: readonly Digest[]): Promise<Map<Digest, Bytes>> {
    const found = new Map<Digest, Bytes>();
    if (plane === 'page') {
      for (const digest of digests) {
        const page = ports.store.page(digest);
        if (page !== undefined) found.set(digest, page);
      }
      return found;
    }
    const note = (wanted: readonly Digest[], read: readonly (Bytes | null)[]): void => {
      for (const [at, digest] of wanted.entries()) {
        const bytes = read[at] ?? null;
        if (bytes !== null) found.set(digest, bytes);
      }
    };
    const staged = digests.filter((digest) => ports.stage.has(digest));
    if (staged.length > 0) note(staged, await ports.stage.readAll(staged));
    for (let copy = 0; ; copy += 1) {
      const places = digests.flatMap((digest) => {
        const location = found.has(digest) ? undefined : ports.store.locations(digest)[copy];
        return location === undefined ? [] : [{ ...location, digest }];
      });
      if (places.length === 0) return found;
      note(
        places.map(({ digest }) => digest),
        await readPlaces(places),
      );
    }
  }

  /** Files that cannot be read in time are as good as gone: others may hold the same. */
  async function readPlaces(places: readonly BlockLocation[]): Promise<readonly (Bytes | null)[]> {
    try {
      return await ports.reader.blocks(places, { signal: AbortSignal.timeout(serveReadMs) });
    } catch (error) {
      ports.log.debug({ first: places[0]?.path, err: error }, 'blocks could not be read for a peer');
      return [];
    }
  }

  /** @returns bytes of blocks that the peer was given. */
  async function answerAll(peer: PeerId, request: BlockRequest, digests: readonly Digest[]): Promise<number> {
    const { id, plane } = request;
    const found = await find(plane, digests);
    let bytesSent = 0;
    await Promise.all(
      digests.map(async (digest) => {
        const bytes = found.get(digest);
        if (bytes === undefined) return ports.answer(peer, { kind: 'missing', id, digest });
        await ports.answer(peer, { kind: 'block', id, digest, bytes });
        bytesSent += bytes.byteLength;
        sent += bytes.byteLength;
      }),
    );
    return bytesSent;
  }

  return {
    requested(peer, { id, plane, digests }) {
      const requests = asked.get(peer) ?? new Map<number, Asked>();
      asked.set(peer, requests.set(id, { plane, left: new Set(digests) }));
    },
    cancelled(peer, id) {
      asked.get(peer)?.delete(id);
    },
    answered: take,
    lost(peer) {
      for (const id of asked.get(peer)?.keys() ?? []) fail(peer, id);
      asked.delete(peer);
    },
    async serve(peer, request) {
      const { id, digests } = request;
      let bytesSent = 0;
      try {
        for (let at = 0; at < digests.length; at += serveBlocksAtOnce) {
          bytesSent += await answerAll(peer, request, digests.slice(at, at + serveBlocksAtOnce));
        }
        await ports.answer(peer, { kind: 'done', id });
      } catch (error) {
        ports.log.debug({ peer, id, err: error }, 'a request could not be answered to its end');
      }
      ports.feed({ kind: 'served', peer, id, bytes: bytesSent });
    },
    received: () => received,
    sent: () => sent,
  };
}

/** Gives the memory of a staged block back now: left to the garbage collector, a gigabyte costs a collection each 50 MB. */
function release({ bytes, verified }: Arrived): void {
  // Those that the network hashed came in memory of their own; others may lie in a pool.
  if (verified === true && bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
}
