/**
 * A simulated agent: performs the effects of the real machine over the simulated network. Owns what survives a
 * restart (head, applied version, pages and blocks); checks every rule that a replica must keep.
 */
import { blockBytesMax } from '../../agent/base/limits.ts';
import { diffFromEmpty } from '../../agent/core/diff.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { Change, Entry } from '../../agent/core/entry.ts';
import type { SignedHead } from '../../agent/core/head.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { compareVersions, formatVersion } from '../../agent/core/version.ts';
import type { Effect, Event } from '../../agent/swarm/events.ts';
import type { BlockRequest, HeadMessage, Message } from '../../agent/swarm/messages.ts';
import type { Applied } from '../../agent/swarm/reconcile.ts';
import { createReplica, type Replica } from '../../agent/swarm/replica.ts';
import type { Clock } from './clock.ts';
import { createDurable, lostOf, storeInline } from './durable.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { Published, SimShare } from './share.ts';

/**
 * What a lying or broken agent does when it is asked: sends wrong bytes, sends as much as a frame holds and does not stop
 * when told to, sends a block every few seconds, nothing at all; or says that it has applied what it has not (boastful), or
 * that it has every block there is (pretender), and then has not.
 */
export type Fault = 'none' | 'wrong-bytes' | 'too-many' | 'slow' | 'silent' | 'boastful' | 'pretender';

export type AgentOptions = {
  readonly peer: PeerId;
  readonly writer: boolean;
  readonly fault: Fault;
  readonly clock: Clock;
  readonly network: Network;
  readonly share: SimShare;
  readonly random: Random;
  /** The agent of a peer that runs now. */
  readonly agentOf: (peer: PeerId) => SimAgent | undefined;
  /** Peers that a gossip message is passed on to. */
  readonly gossipTo: (peer: PeerId) => readonly PeerId[];
  readonly violated: (what: string) => void;
};

export type SimAgent = {
  readonly peer: PeerId;
  readonly fault: Fault;
  isUp(): boolean;
  start(): void;
  /** Like kill -9: what is durable stays. */
  stop(): void;
  dispatch(event: Event): void;
  gossiped(from: PeerId, message: HeadMessage): void;
  publish(published: Published): void;
  /** A block of a request of ours arrived whole; `isTrue` where its digest is right. */
  received(arrival: { from: PeerId; id: number; digest: Digest; isTrue: boolean }): void;
  /** A request of ours is answered to its end, or refused. */
  ended(event: Extract<Event, { kind: 'done' | 'busy' }>): void;
  hasCancelled(peer: PeerId, id: number): boolean;
  /** The connection on which this was asked is closed: nothing more comes on it. */
  hasHungUp(peer: PeerId, id: number): boolean;
  /** Strikes it gave that peer. */
  strikesOf(peer: PeerId): number;
  /** Blocks vanish behind the index, as when somebody deletes a file. */
  lose(digests: readonly Digest[]): void;
  appliedAtMs(sequence: number): number | undefined;
  disk(): ReadonlyMap<SharePath, Entry>;
  replica(): Replica;
  receivedBytes(): number;
  duplicateBytes(): number;
  notes(): readonly string[];
};

/** Between two blocks of a slow one, ms. */
const slowBlockMs = 3000;
const storeHeadMs = 0.3;
const applyMs = 1;

export function createAgent(options: AgentOptions): SimAgent {
  const { peer, clock, network, share, fault } = options;

  // Durable.
  const durable = createDurable();
  const { pages, blocks, lostBlocks, disk } = durable;
  let applied: Applied | null = null;
  let head: SignedHead | null = null;

  // While it runs.
  let incarnation = 0;
  let isUp = false;
  let replica = create();
  let wakeMs = Number.POSITIVE_INFINITY;
  const seenGossip = new Set<string>();
  const cancelled = new Set<string>();
  const hungUp = new Set<string>();
  /** Ids of requests that are not answered to their end. */
  const open = new Map<PeerId, Set<number>>();
  let pretended: Digest | undefined;

  // Measured.
  const struck = new Map<PeerId, number>();
  const appliedAt = new Map<number, number>();
  const notes: string[] = [];
  let receivedBytes = 0;
  let duplicateBytes = 0;

  function create(): Replica {
    const random = options.random.fork();
    const library = {
      page: (digest: Digest) => pages.get(digest),
      hasBlock: (digest: Digest) => blocks.has(digest),
    };
    return createReplica({ self: peer, writer: options.writer, applied, head, library, random: random.next });
  }

  /** Runs later, unless the agent was stopped meanwhile. */
  function later(delayMs: number, happen: () => void): void {
    const mine = incarnation;
    clock.after(delayMs, () => {
      if (isUp && incarnation === mine) happen();
    });
  }

  function dispatch(event: Event): void {
    if (!isUp) return;
    for (const effect of replica.step(event, clock.nowMs())) perform(effect);
  }

  function perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return send(effect.peer, effect.message);
      case 'gossip':
        return relay(effect.message);
      case 'request': {
        const { request } = effect;
        open.set(effect.peer, (open.get(effect.peer) ?? new Set()).add(request.id));
        const bytes = 20 + 33 * request.digests.length;
        network.control(peer, effect.peer, bytes, () => {
          options.agentOf(effect.peer)?.dispatch({ kind: 'requestReceived', peer, request });
        });
        return;
      }
      case 'cancel':
        cancelled.add(`${effect.peer} ${effect.id}`);
        open.get(effect.peer)?.delete(effect.id);
        return;
      case 'serve':
        return serve(effect.peer, effect.request);
      case 'answer': {
        const { answer } = effect;
        network.control(peer, effect.peer, 20, () => {
          const requester = options.agentOf(effect.peer);
          if (answer.kind === 'busy' || answer.kind === 'done') requester?.ended({ ...answer, peer });
        });
        return;
      }
      case 'storeHead':
        return storeHead(effect.message, effect.inline);
      case 'apply':
        return apply(effect.head, effect.changes ?? everything(effect.head));
      case 'wake':
        wakeMs = effect.atMs;
        later(effect.atMs - clock.nowMs(), () => {
          if (wakeMs !== effect.atMs) return;
          wakeMs = Number.POSITIVE_INFINITY;
          dispatch({ kind: 'tick' });
        });
        return;
      case 'note':
        notes.push(effect.text);
        return;
      case 'strike':
        struck.set(effect.peer, (struck.get(effect.peer) ?? 0) + effect.added);
        return;
      case 'hangUpBlocks':
        return hangUpBlocks(effect.peer);
      case 'halted':
      case 'assemble':
        return;
    }
  }

  /** What is still asked of it comes to nothing. */
  function hangUpBlocks(of: PeerId): void {
    for (const id of open.get(of) ?? []) {
      hungUp.add(`${of} ${id}`);
      later(0, () => dispatch({ kind: 'requestFailed', peer: of, id }));
    }
    for (const key of cancelled) if (key.startsWith(`${of} `)) hungUp.add(key);
    open.delete(of);
  }

  function send(to: PeerId, message: Message): void {
    if (fault === 'pretender' && message.kind === 'status') pretend();
    let said = message;
    if (fault === 'boastful' && message.kind === 'status') said = { ...message, applied: message.head };
    const bytes = said.kind === 'have' ? 20 + 33 * said.digests.length : said.kind === 'head' ? 400 : 40;
    network.control(peer, to, bytes, () =>
      options.agentOf(to)?.dispatch({ kind: 'message', peer, message: said }),
    );
  }

  /** Says to have every block of the newest version, once. */
  function pretend(): void {
    const root = replica.head()?.head.root;
    if (root === undefined || root === pretended) return;
    pretended = root;
    const digests = [...share.files().values()].flatMap((entry) =>
      entry.kind === 'file' && entry.content.kind === 'block' ? [entry.content.digest] : [],
    );
    for (const other of replica.neighbours()) send(other.peer, { kind: 'have', digests });
  }

  function relay(message: HeadMessage): void {
    const { version, timeMs } = message.head.head;
    const key = `${formatVersion(version)} ${message.head.head.root} ${timeMs}`;
    if (seenGossip.has(key)) return;
    seenGossip.add(key);
    for (const to of options.gossipTo(peer)) {
      network.gossip(peer, to, () => options.agentOf(to)?.gossiped(peer, message));
    }
  }

  function storeHead(message: HeadMessage, inline: boolean): void {
    const { version } = message.head.head;
    if (head !== null && compareVersions(version, head.head.version) < 0) {
      options.violated(
        `${peer} stores head ${formatVersion(version)} after ${formatVersion(head.head.version)}`,
      );
    }
    later(storeHeadMs, () => {
      if (head === null || compareVersions(version, head.head.version) > 0) head = message.head;
      if (inline) storeInline(durable, message);
      dispatch({ kind: 'headStored', version });
    });
  }

  function everything({ head: { root } }: SignedHead): readonly Change[] {
    return [...diffFromEmpty((digest) => pages.get(digest), root)];
  }

  function apply(signed: SignedHead, changes: readonly Change[]): void {
    const { version, root } = signed.head;
    if (head === null || compareVersions(version, head.head.version) > 0) {
      options.violated(`${peer} applies ${formatVersion(version)} before its head is stored`);
    }
    if (applied !== null && compareVersions(version, applied.version) < 0) {
      options.violated(
        `${peer} goes back from ${formatVersion(applied.version)} to ${formatVersion(version)}`,
      );
    }
    later(applyMs, () => {
      const lost = lostOf(durable, changes, (block) =>
        options.violated(`${peer} applies without block ${block.slice(0, 8)}`),
      );
      if (lost.length > 0) {
        for (const digest of lost) blocks.delete(digest);
        return dispatch({ kind: 'applyFailed', version, lost, retryMs: 0 });
      }
      for (const { path, after } of changes) {
        if (after === null) disk.delete(path);
        else disk.set(path, after);
      }
      applied = { version, root };
      if (!appliedAt.has(version.sequence)) appliedAt.set(version.sequence, clock.nowMs());
      dispatch({ kind: 'applied', version, root });
    });
  }

  /** Blocks of one request, one after another, as a stream of its own. */
  function serve(to: PeerId, request: BlockRequest): void {
    if (fault === 'silent') return;
    let sentBytes = 0;
    let at = 0;
    const next = (): void => {
      const requester = options.agentOf(to);
      const digest = request.digests[at];
      at += 1;
      if (
        digest === undefined ||
        requester === undefined ||
        !network.isConnected(peer, to) ||
        requester.hasHungUp(peer, request.id) ||
        (requester.hasCancelled(peer, request.id) && fault !== 'too-many')
      ) {
        network.control(peer, to, 8, () =>
          options.agentOf(to)?.ended({ kind: 'done', peer, id: request.id }),
        );
        return dispatch({ kind: 'served', peer: to, id: request.id, bytes: sentBytes });
      }
      const isHere =
        (request.plane === 'page' ? pages.has(digest) : blocks.has(digest)) && !lostBlocks.has(digest);
      if (!isHere) {
        network.control(peer, to, 40, () => {
          options.agentOf(to)?.dispatch({ kind: 'missing', peer, id: request.id, digest });
        });
        return next();
      }
      const bytes = fault === 'too-many' ? blockBytesMax : share.lengthOf(digest);
      sentBytes += bytes;
      const isTrue = fault !== 'wrong-bytes' && fault !== 'too-many';
      const arrived = () => options.agentOf(to)?.received({ from: peer, id: request.id, digest, isTrue });
      const sent = () => later(fault === 'slow' ? slowBlockMs : 0, next);
      network.bulk({ from: peer, to, bytes, sent, arrived });
    };
    next();
  }

  function received({
    from,
    id,
    digest,
    isTrue,
  }: {
    from: PeerId;
    id: number;
    digest: Digest;
    isTrue: boolean;
  }): void {
    if (!isUp || hungUp.has(`${from} ${id}`)) return;
    const bytes = share.lengthOf(digest);
    receivedBytes += bytes;
    if (!isTrue) return dispatch({ kind: 'wrongBytes', peer: from, id, digest });
    if (blocks.has(digest) || pages.has(digest)) duplicateBytes += bytes;
    lostBlocks.delete(digest);
    const page = share.page(digest);
    if (page === undefined) blocks.add(digest);
    else pages.set(digest, page);
    dispatch({ kind: 'stored', peer: from, id, digest, bytes });
  }

  return {
    peer,
    fault,
    isUp: () => isUp,
    start() {
      isUp = true;
      replica = create();
      wakeMs = Number.POSITIVE_INFINITY;
      dispatch({ kind: 'tick' });
    },
    stop() {
      isUp = false;
      incarnation += 1;
      cancelled.clear();
      hungUp.clear();
      open.clear();
      seenGossip.clear();
    },
    dispatch,
    gossiped(from, message) {
      if (!isUp) return;
      relay(message);
      dispatch({ kind: 'headGossiped', peer: from, message });
    },
    publish({ message, newPages, newBlocks, newBytes }) {
      const { version, root } = message.head.head;
      for (const digest of newPages) {
        const bytes = share.page(digest);
        if (bytes !== undefined) pages.set(digest, bytes);
      }
      for (const digest of newBlocks) blocks.add(digest);
      head = message.head;
      applied = { version, root };
      appliedAt.set(version.sequence, clock.nowMs());
      dispatch({ kind: 'published', message, newBlocks, newBytes });
    },
    lose(digests) {
      for (const digest of digests) lostBlocks.add(digest);
    },
    appliedAtMs: (sequence) => appliedAt.get(sequence),
    disk: () => disk,
    replica: () => replica,
    ended(event) {
      open.get(event.peer)?.delete(event.id);
      if (!hungUp.has(`${event.peer} ${event.id}`)) dispatch(event);
    },
    hasHungUp: (from, id) => hungUp.has(`${from} ${id}`),
    strikesOf: (of) => struck.get(of) ?? 0,
    receivedBytes: () => receivedBytes,
    duplicateBytes: () => duplicateBytes,
    notes: () => notes,
    received,
    hasCancelled: (from, id) => cancelled.has(`${from} ${id}`),
  };
}
