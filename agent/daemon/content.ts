/**
 * Blocks and pages on their way in and out of this agent, for one share. Takes answers, checks them, stores
 * or stages them and tells the machine; answers requests from the index, the live files and staging. Decides
 * neither what is asked of whom nor who is served when.
 */

import type { Bytes } from '../base/bytes.ts';
import { hasCode, messageOf } from '../base/errors.ts';
import { contentPendingBytesMax, serveReadMs } from '../base/limits.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import type { Reader } from '../disk/read.ts';
import type { Stage } from '../disk/stage.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { Event } from '../swarm/events.ts';
import type { BlockAnswer, BlockRequest } from '../swarm/messages.ts';
import type { Log } from './log.ts';

export type ContentPorts = {
  readonly store: ShareStore;
  readonly reader: Reader;
  readonly stage: Stage;
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

export function createContent(ports: ContentPorts): Content {
  // Changes while running.
  const asked = new Map<PeerId, Map<number, BlockRequest['plane']>>();
  let pages: Arrived[] = [];
  let blocks: Arrived[] = [];
  let pendingBytes = 0;
  let flushing: Promise<void> | undefined;
  let received = 0;
  let sent = 0;

  /** Everything that came while the last flush ran goes in one transaction and one call of the worker. */
  async function flush(): Promise<void> {
    while (pages.length > 0 || blocks.length > 0) {
      const pagesNow = pages;
      const blocksNow = blocks;
      pages = [];
      blocks = [];
      await Promise.all([storePages(pagesNow), stageBlocks(blocksNow)]);
      for (const one of [...pagesNow, ...blocksNow]) pendingBytes -= one.bytes.byteLength;
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
    await keep(arrived, async () => {
      const wrong = new Set(await ports.stage.put(arrived));
      return new Set(arrived.filter(({ digest }) => !wrong.has(digest)));
    });
  }

  /** @param work gives those whose bytes were right, when they are stored. */
  async function keep(arrived: readonly Arrived[], work: () => Promise<ReadonlySet<Arrived>>): Promise<void> {
    if (arrived.length === 0) return;
    try {
      report(arrived, await work());
      ports.onStageFault(null);
    } catch (error) {
      const code = hasCode(error, 'disk-full') ? 'disk-full' : 'io';
      ports.onStageFault({ code, message: messageOf(error) });
      // Not stored, so not had: the machine asks again when the request fails.
      for (const { peer, id } of arrived) fail(peer, id);
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
    const plane = asked.get(peer)?.get(answer.id);
    // Late, or never asked for: nobody waits for it.
    if (plane === undefined) return undefined;
    switch (answer.kind) {
      case 'block':
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

  async function find(request: BlockRequest, digest: Digest): Promise<Bytes | null> {
    if (request.plane === 'page') return ports.store.page(digest) ?? null;
    if (ports.stage.has(digest)) {
      const staged = await ports.stage.read(digest);
      if (staged !== null) return staged;
    }
    for (const location of ports.store.locations(digest)) {
      const bytes = await ports.reader.block(
        { ...location, digest },
        { signal: AbortSignal.timeout(serveReadMs) },
      );
      if (bytes !== null) return bytes;
    }
    return null;
  }

  return {
    requested(peer, { id, plane }) {
      const requests = asked.get(peer);
      if (requests === undefined) asked.set(peer, new Map([[id, plane]]));
      else requests.set(id, plane);
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
      const { id } = request;
      let bytesSent = 0;
      try {
        for (const digest of request.digests) {
          const bytes = await find(request, digest);
          if (bytes === null) await ports.answer(peer, { kind: 'missing', id, digest });
          else {
            await ports.answer(peer, { kind: 'block', id, digest, bytes });
            bytesSent += bytes.byteLength;
            sent += bytes.byteLength;
          }
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
