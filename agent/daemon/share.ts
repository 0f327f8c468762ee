/**
 * One share of a running agent: joins the machine of `swarm/`, the disk, the store and the network. Owns the
 * order in which they start, the queue of the machine's events and the share's state.
 */

import type { Bytes } from '../base/bytes.ts';
import { messageOf, P2psyncError } from '../base/errors.ts';
import { durableDelayMs, headRefreshMs, headStaleMs, pollUnwatchedMs } from '../base/limits.ts';
import type { SignedHead } from '../core/head.ts';
import type { KeyPair, PeerId } from '../core/keys.ts';
import { type SharePath } from '../core/path.ts';
import type { SignedStatement } from '../core/statement.ts';
import type { ShareState } from '../http/api.ts';
import type { Host } from '../net/host.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { Event } from '../swarm/events.ts';
import type { BlockAnswer, BlockRequest, Message } from '../swarm/messages.ts';
import { type Replica } from '../swarm/replica.ts';
import { encodeStatementMessage, headsTopic, peersTopic } from '../wire/gossip.ts';
import type { ShareConfig } from './config.ts';
import { type ShareDisk } from './disk.ts';
import { createFaults, type Faults } from './faults.ts';
import { createGate } from './gate.ts';
import type { ShareRecord } from './home.ts';
import type { ShareSide } from './judge.ts';
import type { Log } from './log.ts';
import type { Membership } from './membership.ts';
import { createPeerTable, type PeerTable } from './peers.ts';
import { type ShareBlocks } from './perform.ts';
import type { Sessions } from './session.ts';
import { type Running, startShare } from './share-start.ts';
import { createSpeaker, type Speaker } from './speaker.ts';
import { type Applied, readApplied, readHead, stateKeys } from './state.ts';
import { headsHandlers, isGranted, peersHandlers } from './topics.ts';
import { distrust } from './trust.ts';
import { openVersions, type Versions } from './versions.ts';

export type ShareOptions = {
  readonly record: ShareRecord;
  readonly config: ShareConfig;
  readonly agent: { readonly name: string; readonly version: string; readonly keyPair: KeyPair };
  readonly salt: Bytes;
  readonly store: ShareStore;
  readonly membership: Membership;
  readonly host: Host;
  readonly blocks: ShareBlocks;
  readonly sessions: Sessions;
  readonly log: Log;
  /** Something that `status` or `peers` shows has changed. */
  readonly onChange: () => void;
  readonly onMembers: () => void;
};

export type Share = ShareSide & {
  readonly record: ShareRecord;
  readonly config: () => ShareConfig;
  readonly store: ShareStore;
  readonly peers: PeerTable;
  readonly faults: Faults;
  readonly versions: Versions;
  state(): ShareState;
  writes(): boolean;
  head(): SignedHead | null;
  applied(): Applied | null;
  progress(): ReturnType<Replica['progress']> | null;
  traffic(): { readonly sent: number; readonly received: number };
  neighbours(): ReturnType<Replica['neighbours']>;
  /** The disk side; null before the directory could be opened. */
  disk(): ShareDisk | null;
  pause(paused: boolean): Promise<void>;
  /** Lets a publish go that was held back. */
  allow(): Promise<void>;
  rescan(): Promise<void>;
  /** Differences that `verify` found: they are put right like any drift. Resolves when that is done or has failed. */
  repair(paths: readonly SharePath[]): Promise<void>;
  reconfigure(config: ShareConfig): void;
  blockRequest(peer: PeerId, request: BlockRequest): void;
  /** A returned promise is back-pressure. */
  blockAnswer(peer: PeerId, answer: BlockAnswer): Promise<void> | undefined;
  requestsLost(peer: PeerId): void;
  close(): Promise<void>;
};

export function openShare(options: ShareOptions): Share {
  const { record, store, membership, host, sessions, log } = options;
  const { keyPair } = options.agent;

  // Fixed at start.
  const closing = new AbortController();
  const gate = createGate();
  const faults = createFaults();
  const peers = createPeerTable();
  const versions = openVersions(store);
  const joined = new Set<PeerId>();

  // Changes while running.
  let config = options.config;
  let running: Running | null = null;
  let scanned = false;
  let paused = store.state(stateKeys.paused) !== undefined;
  let applied = readApplied(store);
  const queue: Event[] = [];
  let draining = false;
  let durable: NodeJS.Timeout | undefined;

  const speaker: Speaker = createSpeaker({
    keyPair,
    members: () => membership.rows().length,
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
    if (faults.isBroken()) return 'error';
    if (paused) return 'paused';
    if (running === null) return 'starting';
    if (!scanned) return 'scanning';
    const current = head();
    if (current === null || applied === null) return writes() ? 'scanning' : 'syncing';
    if (!writes() && (applied.root !== current.head.root || running.replica.progress().phase !== 'idle'))
      return 'syncing';
    return Date.now() - current.head.timeMs > headStaleMs ? 'stale' : 'in-sync';
  }

  function feed(event: Event): void {
    queue.push(event);
    if (draining || running === null) return;
    draining = true;
    // An effect may feed the next event: it waits in the queue until this one's effects are all begun.
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (next.kind === 'headStored') versions.heard(next.version);
      for (const effect of running.replica.step(next, performance.now())) running.performer.perform(effect);
    }
    draining = false;
  }

  function onApplied(now: Applied): void {
    applied = now;
    const current = head()?.head;
    if (current?.root === now.root) {
      run('noting a version', store.write({ state: new Map([versions.applied(current)]) }));
    }
    clearTimeout(durable);
    durable = setTimeout(() => {
      running?.disk.committer
        .durable({ signal: closing.signal })
        .catch((error: unknown) =>
          log.warn({ err: error }, 'making files durable failed; it is tried again later'),
        );
    }, durableDelayMs);
    changed();
  }

  async function start(): Promise<void> {
    const started = await startShare({
      ...options,
      config: () => config,
      signal: closing.signal,
      gate,
      faults,
      paused: () => paused,
      applied: () => applied,
      feed,
      onApplied,
      onChange: changed,
    });
    running = started;
    const isFirst = applied === null;
    feed({ kind: 'pause', paused });
    // What lies in the directory already is indexed before the first version comes, so that it can be reused.
    if (!isFirst) for (const peer of joined) feed({ kind: 'peerJoined', peer });
    await started.observer.start();
    scanned = true;
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
        await running?.observer.close();
        await running?.disk.close();
        running = null;
        await waitFor(pollUnwatchedMs, closing.signal);
      }
    }
  }

  host.joinTopic(
    headsTopic(record.id),
    headsHandlers(record.id, membership, (peer, message) => {
      if (running !== null) feed({ kind: 'headGossiped', peer, message });
    }),
  );
  host.joinTopic(peersTopic(record.id), peersHandlers(record.id, membership, takeStatement));

  function takeStatement(signed: SignedStatement): void {
    const { member } = signed.statement;
    if (member === keyPair.publicKey || !membership.isMember(member)) return;
    if (peers.take(signed, Date.now())) options.onChange();
  }

  const refresh = setInterval(() => {
    running?.writer
      ?.refresh()
      .catch((error: unknown) => log.error({ err: error }, 'signing the head again failed'));
    changed();
  }, headRefreshMs);
  refresh.unref();
  const started = startWhenPossible();

  return {
    id: record.id,
    record,
    membership,
    store,
    peers,
    faults,
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
    joined(peer) {
      joined.add(peer);
      peers.seen(peer, Date.now());
      sessions.sendFrame(peer, { kind: 'statement', statement: speaker.latest() });
      faults.setShare('refused', null);
      if (running !== null && (scanned || applied !== null)) feed({ kind: 'peerJoined', peer });
      options.onChange();
    },
    left(peer) {
      if (!joined.delete(peer)) return;
      peers.seen(peer, Date.now());
      running?.content.lost(peer);
      if (running !== null) feed({ kind: 'peerLeft', peer });
      options.onChange();
    },
    message(peer: PeerId, message: Message) {
      peers.seen(peer, Date.now());
      if (message.kind === 'status') {
        peers.noteApplied(peer, message.applied);
        options.onChange();
      }
      if (message.kind === 'head' && !isGranted(message, membership)) return;
      if (running !== null) feed({ kind: 'message', peer, message });
    },
    statement: takeStatement,
    documentsChanged() {
      running?.writer
        ?.refresh()
        .catch((error: unknown) => log.error({ err: error }, 'signing the head again failed'));
      options.onMembers();
      options.onChange();
    },
    refused(peer, code, text) {
      faults.setShare('refused', { code, message: `${peer} does not take this agent as a member: ${text}` });
      log.error({ peer, code }, `refused: ${text}`);
      options.onChange();
    },
    async pause(value) {
      paused = value;
      await store.write({ state: new Map([[stateKeys.paused, value ? new Uint8Array([1]) : null]]) });
      running?.writer?.pause(value);
      if (running !== null) feed({ kind: 'pause', paused: value });
      if (!value) await running?.writer?.seal();
      changed();
    },
    async allow() {
      running?.writer?.allow();
      await running?.writer?.seal();
    },
    async rescan() {
      await running?.observer.rescan();
    },
    async repair(paths) {
      await distrust(store, paths);
      await running?.observer.rescan();
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
      clearTimeout(durable);
      speaker.stop();
      host.leaveTopic(headsTopic(record.id));
      host.leaveTopic(peersTopic(record.id));
      await started;
      running?.performer.stop();
      await running?.observer.close();
      await gate.run(async () => undefined);
      await running?.disk.close();
    },
  };
}

async function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
