/**
 * Blocks and pages on their way in and out of this agent, for one share. Takes answers, checks them, stores
 * or stages them and tells the machine; answers requests from the index, the live files and staging. Decides
 * neither what is asked of whom nor who is served when.
 */

import type { Bytes } from '../base/bytes.ts';
import { hasCode, messageOf } from '../base/errors.ts';
import {
  applyRetryMs,
  bulkBatchBytes,
  contentPendingBytesMax,
  KIB,
  serveBytesAtOnce,
  serveReadMs,
} from '../base/limits.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import type { BlockLocation, Reader } from '../disk/read.ts';
import type { Stage } from '../disk/stage.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { Event } from '../swarm/events.ts';
import type { BlockAnswer, BlockRequest } from '../swarm/messages.ts';
import type { Log } from './log.ts';

export type ContentPorts = {
  readonly store: Pick<ShareStore, 'page' | 'location' | 'locations' | 'write'>;
  readonly reader: Pick<Reader, 'blocks'>;
  readonly stage: Pick<Stage, 'has' | 'put' | 'readAll'>;
  readonly log: Log;
  /** In order; those that are told of together are of one moment. */
  readonly feed: (...events: readonly Event[]) => void;
  readonly answer: (peer: PeerId, answer: BlockAnswer) => Promise<void>;
  /** Some answers of one request; the memory of their blocks is given away. */
  readonly give: (peer: PeerId, answers: readonly BlockAnswer[]) => Promise<void>;
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

/** `length`: of the bytes, whose memory may be given away. */
type Arrived = Extract<BlockAnswer, { kind: 'block' }> & { readonly peer: PeerId; readonly length: number };

/** What an answer says of a block that is here. */
type Found = Pick<Extract<BlockAnswer, { kind: 'block' }>, 'bytes' | 'roomy'>;

/** A block that is to be served, and where it lies as far as the index knows. */
type Wanted = { readonly digest: Digest; readonly location: BlockLocation | undefined };

/** What is taken for the length of a block of which only the stage knows, bytes. */
const stagedBytesGuess = 32 * KIB;

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
      for (const one of [...pagesNow, ...blocksNow]) pendingBytes -= one.length;
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
    // Copies: what they lie in is about to be given away.
    const later = arrived.filter((one) => first.get(one.digest) !== one).map(copyOf);
    await keep(now, async () => {
      // Those that the network hashed came in memory that is ours; of the others some may still be used there.
      const give = now.every(({ verified }) => verified === true);
      const wrong = new Set(await ports.stage.put(now, { give }));
      return new Set(now.filter(({ digest }) => !wrong.has(digest)));
    });
    if (later.length > 0) await stageBlocks(later);
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
    const events = arrived.map((one): Event => {
      const { peer, id, digest, length } = one;
      return right.has(one)
        ? { kind: 'stored', peer, id, digest, bytes: length }
        : { kind: 'wrongBytes', peer, id, digest };
    });
    ports.feed(...events);
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
        note(plane, { ...answer, peer, length: answer.bytes.byteLength });
        // Not in this turn: what comes in it shares memory, which goes on as a whole.
        flushing ??= Promise.resolve()
          .then(flush)
          .finally(() => {
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

  function note(plane: BlockRequest['plane'], arrived: Arrived): void {
    received += arrived.length;
    pendingBytes += arrived.length;
    if (plane === 'page') pages.push(copyOf(arrived));
    else blocks.push(arrived);
  }

  /** The end of a request is told after its last block. */
  async function settleDone(peer: PeerId, id: number): Promise<void> {
    await flushing;
    if (asked.get(peer)?.delete(id) === true) ports.feed({ kind: 'done', peer, id });
  }

  /** Staged ones with one call of the worker, those in live files with another; a copy that is gone may not be the only one. */
  async function find(wanted: readonly Wanted[]): Promise<Map<Digest, Found>> {
    const found = new Map<Digest, Found>();
    const note = (
      digests: readonly Digest[],
      read: readonly (Bytes | null)[],
      room: Pick<Found, 'roomy'>,
    ): void => {
      for (const [at, digest] of digests.entries()) {
        const bytes = read[at] ?? null;
        if (bytes !== null) found.set(digest, { bytes, ...room });
      }
    };
    const staged = wanted.map(({ digest }) => digest).filter((digest) => ports.stage.has(digest));
    if (staged.length > 0) note(staged, await ports.stage.readAll(staged), {});
    for (let copy = 0; ; copy += 1) {
      const places = wanted.flatMap(({ digest, location: first }) => {
        if (found.has(digest)) return [];
        const location = copy === 0 ? first : ports.store.locations(digest)[copy];
        return location === undefined ? [] : [{ ...location, digest }];
      });
      if (places.length === 0) return found;
      note(
        places.map(({ digest }) => digest),
        await readPlaces(places),
        { roomy: true },
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

  /** @param found in memory that nobody else uses. @returns bytes of blocks that the peer was given. */
  async function answerAll(
    { peer, id }: { readonly peer: PeerId; readonly id: number },
    digests: readonly Digest[],
    found: ReadonlyMap<Digest, Found>,
  ): Promise<number> {
    let bytesSent = 0;
    const answers = digests.map((digest): BlockAnswer => {
      const one = found.get(digest);
      return one === undefined ? { kind: 'missing', id, digest } : { kind: 'block', id, digest, ...one };
    });
    for (const batch of batchesOf(answers)) {
      const bytes = batch.reduce((sum, answer) => sum + bytesOf(answer), 0);
      await ports.give(peer, batch);
      bytesSent += bytes;
      sent += bytes;
    }
    return bytesSent;
  }

  async function servePages(peer: PeerId, { id, digests }: BlockRequest): Promise<number> {
    const found = new Map<Digest, Found>();
    for (const digest of digests) {
      const page = ports.store.page(digest);
      // A copy: the store keeps the page.
      if (page !== undefined) found.set(digest, { bytes: new Uint8Array(page) });
    }
    return answerAll({ peer, id }, digests, found);
  }

  /** So many at a time as fit in memory for it. */
  async function serveBlocks(peer: PeerId, { id, digests }: BlockRequest): Promise<number> {
    let bytesSent = 0;
    let wanted: Wanted[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      const now = wanted;
      wanted = [];
      bytes = 0;
      const found = await find(now);
      bytesSent += await answerAll(
        { peer, id },
        now.map(({ digest }) => digest),
        found,
      );
    };
    for (const digest of digests) {
      const location = ports.store.location(digest);
      const length = location?.length ?? stagedBytesGuess;
      if (wanted.length > 0 && bytes + length > serveBytesAtOnce) await flush();
      wanted.push({ digest, location });
      bytes += length;
    }
    if (wanted.length > 0) await flush();
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
    async serve(peer, { id, plane, digests }) {
      // Asked for twice, it is given once: what was given is not here any more.
      const request = { id, plane, digests: [...new Set(digests)] };
      let bytesSent = 0;
      try {
        bytesSent = await (plane === 'page' ? servePages(peer, request) : serveBlocks(peer, request));
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

function bytesOf(answer: BlockAnswer): number {
  return answer.kind === 'block' ? answer.bytes.byteLength : 0;
}

/** Answers that travel together: those that share memory must, and no more than fit one message. */
function* batchesOf(answers: readonly BlockAnswer[]): Generator<readonly BlockAnswer[]> {
  const groups = Map.groupBy(answers, (answer) => (answer.kind === 'block' ? answer.bytes.buffer : null));
  let batch: BlockAnswer[] = [];
  let bytes = 0;
  for (const group of groups.values()) {
    const more = group.reduce((sum, answer) => sum + bytesOf(answer), 0);
    if (batch.length > 0 && bytes + more > bulkBatchBytes) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(...group);
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}

/** In memory of its own: pages stay here, and blocks that came with them take theirs away. */
function copyOf(arrived: Arrived): Arrived {
  return { ...arrived, bytes: new Uint8Array(arrived.bytes) };
}
