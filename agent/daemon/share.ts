/**
 * One share of a running agent: joins the machine of `swarm/`, the disk, the store and the network. Owns the
 * order in which they start, the queue of the machine's events and the share's state.
 */
import { messageOf, P2psyncError } from '../base/errors.ts';
import { headRefreshMs, pollUnwatchedMs } from '../base/limits.ts';
import { pause } from '../base/pause.ts';
import type { SignedHead } from '../core/head.ts';
import { type PeerId, publicKeyOfPeer } from '../core/keys.ts';
import type { SharePath } from '../core/path.ts';
import type { SignedStatement } from '../core/statement.ts';
import type { ShareState } from '../http/api.ts';
import type { Event } from '../swarm/events.ts';
import type { Message } from '../swarm/messages.ts';
import { encodeStatementMessage, headsTopic, peersTopic } from '../wire/gossip.ts';
import { createEventQueue } from './event-queue.ts';
import { createFaults } from './faults.ts';
import { createGate } from './gate.ts';
import { createHousekeeper, rootsInUse } from './housekeep.ts';
import { createPeerTable } from './peers.ts';
import { createRefusals } from './refusals.ts';
import { type Running, startShare } from './share-start.ts';
import { stateOf } from './share-state.ts';
import type { Share, ShareOptions } from './share-types.ts';
import { createSpeaker, type Speaker } from './speaker.ts';
import { untilIdle } from './stall.ts';
import { tellStanding } from './standing.ts';
import { type Applied, readApplied, readHead, stateKeys } from './state.ts';
import { createStrikeTally } from './strikes.ts';
import { headsHandlers, isGranted, peersHandlers } from './topics.ts';
import { distrust } from './trust.ts';
import { openVersions } from './versions.ts';

export function openShare(options: ShareOptions): Share {
  const { record, store, membership, host, sessions, log } = options;
  const { keyPair } = options.agent;

  // Fixed at start.
  const closing = new AbortController();
  const gate = createGate();
  const faults = createFaults();
  const strikes = createStrikeTally();
  const peers = createPeerTable();
  const refusals = createRefusals();
  const versions = openVersions(store);
  const joined = new Set<PeerId>();

  // Changes while running.
  let config = options.config;
  let running: Running | null = null;
  let scanned = false;
  let paused = store.state(stateKeys.paused) !== undefined;
  let applied = readApplied(store);
  /** Paths whose repair was asked for and is under way. */
  let asked: ReadonlySet<SharePath> = new Set<SharePath>();

  const speaker: Speaker = createSpeaker({
    keyPair,
    members: membership.count,
    statement: () => ({
      share: record.id,
      member: keyPair.publicKey,
      name: options.agent.name,
      agentVersion: options.agent.version,
      applied,
      state: state(),
      progressPermille: Math.round((running?.replica.progress().done ?? 0) * 1000),
      addresses: host.addresses().slice(0, 8),
    }),
    say: (statement) => host.publish(peersTopic(record.id), encodeStatementMessage(statement)),
  });

  const isPaused = (): boolean => paused || membership.isOut();
  const writes = (): boolean => membership.grant()?.grant.writer === keyPair.publicKey;
  const head = (): SignedHead | null => running?.replica.head() ?? readHead(store);

  function run(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!closing.signal.aborted) log.error({ err: error }, `${what} failed`);
    });
  }

  function changed(): void {
    speaker.changed();
    options.onChange();
  }

  function state(): ShareState {
    const standing = {
      isBroken: faults.isBroken(),
      isPaused: isPaused(),
      isRunning: running !== null,
      isScanned: scanned,
      writes: writes(),
      head: head(),
      applied,
      isIdle: running?.replica.progress().phase === 'idle',
    };
    return stateOf(standing, Date.now());
  }

  const queue = createEventQueue({
    machine: () => running?.replica ?? null,
    perform: (effect) => running?.performer.perform(effect),
    onHeadStored: versions.heard,
    log,
  });
  const feed = (...events: readonly Event[]): void => {
    if (!closing.signal.aborted) queue.feed(...events);
  };

  const isIdle = (): boolean =>
    running !== null && running.replica.progress().phase === 'idle' && !running.performer.isStoring();

  const housekeeper = createHousekeeper({
    store,
    log,
    signal: closing.signal,
    // Before the first scan, paths that were not durable at a crash may not be hashed again yet.
    disk: () => (scanned ? (running?.disk ?? null) : null),
    isIdle,
    traffic: () => (running?.content.sent() ?? 0) + (running?.content.received() ?? 0),
    roots: () => rootsInUse(store, [applied?.root, head()?.head.root], versions.recent()),
    exclusively: (work) =>
      gate.run(async () => {
        if (!isIdle()) return false;
        await queue.hold(work);
        return true;
      }),
  });

  function onApplied(now: Applied): void {
    applied = now;
    const current = head()?.head;
    if (current?.root === now.root) {
      run('noting a version', store.write({ state: new Map([versions.applied(current)]) }));
    }
    housekeeper.applied();
    changed();
  }

  async function start(): Promise<void> {
    const started = await startShare({
      ...options,
      // One who was removed keeps what it has: nobody would bring back what is put right.
      config: () => (membership.isOut() ? { ...config, localChanges: 'alert' } : config),
      signal: closing.signal,
      gate,
      faults,
      strikes,
      paused: isPaused,
      applied: () => applied,
      asked: () => asked,
      feed,
      onApplied,
      onChange: changed,
    });
    running = started;
    if (closing.signal.aborted) return;
    const isFirst = applied === null;
    feed({ kind: 'pause', paused: isPaused() });
    // What lies in the directory already is indexed before the first version comes, so that it can be reused.
    if (!isFirst) for (const peer of joined) feed({ kind: 'peerJoined', peer });
    await started.observer.start();
    // Where nothing was published after a long pause, the head would read as stale until the next turn of the timer.
    const signed = readHead(store);
    if (signed !== null && Date.now() - signed.head.timeMs >= headRefreshMs) await started.writer?.refresh();
    scanned = true;
    housekeeper.applied();
    if (isFirst) for (const peer of joined) feed({ kind: 'peerJoined', peer });
    faults.setShare('directory', null);
    changed();
  }

  /** Until the directory is there, and says that it is the share's. */
  async function startWhenPossible(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        return await start();
      } catch (error) {
        if (closing.signal.aborted) return;
        const code = error instanceof P2psyncError ? error.code : 'io';
        if (!faults.isBroken()) log.error({ err: error }, 'the share cannot start; it is tried again');
        faults.setShare('directory', { code, message: messageOf(error) });
        changed();
        running?.performer.stop();
        await running?.observer.close();
        await gate.run(async () => undefined);
        await running?.disk.close();
        running = null;
        scanned = false;
        queue.clear();
        await pause(pollUnwatchedMs, closing.signal);
      }
    }
  }

  const topics = { share: record.id, membership, admits: (peer: PeerId) => joined.has(peer) };
  host.joinTopic(
    headsTopic(record.id),
    headsHandlers(topics, (peer, message) => {
      if (running?.takes(message.head)) feed({ kind: 'headGossiped', peer, message });
    }),
  );
  host.joinTopic(peersTopic(record.id), peersHandlers(topics, takeStatement));

  function takeStatement(signed: SignedStatement): void {
    const { member } = signed.statement;
    if (member === keyPair.publicKey || !membership.isMember(member)) return;
    if (peers.take(signed, Date.now())) options.onChange();
  }

  const refresh = setInterval(() => {
    run('signing the head again', running?.writer?.refresh() ?? Promise.resolve());
    tellStanding(record.name, membership, faults);
    changed();
  }, headRefreshMs);
  refresh.unref();
  tellStanding(record.name, membership, faults);
  const started = startWhenPossible();

  return {
    id: record.id,
    record,
    membership,
    store,
    peers,
    faults,
    strikes,
    versions,
    config: () => config,
    state,
    writes,
    head,
    applied: () => applied,
    progress: () => running?.replica.progress() ?? null,
    traffic: () => ({ sent: running?.content.sent() ?? 0, received: running?.content.received() ?? 0 }),
    neighbours: () => running?.replica.neighbours() ?? [],
    disk: () => running?.disk ?? null,
    blockRequest(peer, request) {
      if (running !== null && joined.has(peer)) feed({ kind: 'requestReceived', peer, request });
    },
    blockAnswer: (peer, answer) => running?.content.answered(peer, answer),
    requestsLost: (peer) => running?.content.lost(peer),
    violated(peer, reason) {
      if (running !== null && joined.has(peer)) feed({ kind: 'violated', peer, reason });
    },
    joined(peer) {
      joined.add(peer);
      host.review(peer);
      peers.seen(peer, Date.now());
      sessions.sendFrame(peer, { kind: 'statement', statement: speaker.latest() });
      faults.setShare('refused', refusals.fault(joined));
      if (running !== null && (scanned || applied !== null)) feed({ kind: 'peerJoined', peer });
      options.onChange();
    },
    left(peer) {
      if (!joined.delete(peer)) return;
      host.review(peer);
      peers.left(peer, Date.now());
      running?.content.lost(peer);
      if (running !== null) feed({ kind: 'peerLeft', peer });
      options.onChange();
    },
    message(peer: PeerId, message: Message) {
      peers.seen(peer, Date.now());
      if (message.kind === 'status') {
        if (peers.noteApplied(peer, message.applied)) options.onChange();
      }
      if (message.kind === 'head' && !(isGranted(message, membership) && running?.takes(message.head)))
        return;
      if (running !== null) feed({ kind: 'message', peer, message });
    },
    statement: takeStatement,
    documentsChanged() {
      tellStanding(record.name, membership, faults);
      if (running !== null && membership.isOut()) feed({ kind: 'pause', paused: true });
      running?.reviewHalt();
      run('signing the head again', running?.writer?.refresh() ?? Promise.resolve());
      options.onMembers();
      options.onChange();
    },
    refused(peer, code, text) {
      log.error({ peer, code }, `refused: ${text}`);
      // Strangers say what they like, and one of many may know less than the others.
      const isAuthority = membership.roster() === null || membership.isMember(publicKeyOfPeer(peer));
      if (!isAuthority || membership.isOut()) return;
      const name = membership.certificateOf(publicKeyOfPeer(peer))?.certificate.name ?? peer;
      refusals.refused(peer, { code, message: `${name} does not take this agent as a member: ${text}` });
      faults.setShare('refused', refusals.fault(joined));
      options.onChange();
    },
    welcomed(peer) {
      refusals.welcomed(peer);
      faults.setShare('refused', refusals.fault(joined));
    },
    async pause(value) {
      paused = value;
      await store.write({ state: new Map([[stateKeys.paused, value ? new Uint8Array([1]) : null]]) });
      running?.writer?.pause(value);
      if (running !== null) feed({ kind: 'pause', paused: isPaused() });
      if (!value) await running?.writer?.seal();
      changed();
    },
    async allow() {
      running?.writer?.allow();
      await running?.writer?.seal();
    },
    rescan: async () => await running?.observer.rescan(),
    async repair(paths, { signal }) {
      const now = new Set(paths);
      asked = asked.union(now);
      try {
        await distrust(store, paths);
        await running?.observer.rescan();
        await untilIdle(
          { isIdle, progress: () => running?.replica.progress() },
          AbortSignal.any([signal, closing.signal]),
        );
      } finally {
        asked = asked.difference(now);
      }
    },
    reconfigure(next) {
      config = next;
      running?.disk.ignore.change({ kind: 'patterns', patterns: next.ignore });
      running?.observer
        .rescan()
        .catch((error: unknown) => log.debug({ err: error }, 'the rescan was cut short'));
    },
    async close() {
      closing.abort();
      clearInterval(refresh);
      speaker.stop();
      host.leaveTopic(headsTopic(record.id));
      host.leaveTopic(peersTopic(record.id));
      // A first scan that is under way ends now.
      await running?.observer.close();
      await started;
      running?.performer.stop();
      await running?.observer.close();
      await gate.run(async () => undefined);
      await running?.disk.close();
      await housekeeper.close();
    },
  };
}
