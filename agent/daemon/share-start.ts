/**
 * Brings one share up, once its directory is there: recovery first, then the machine, its effects, the writer's
 * side where this agent writes, and the observer, which is not started yet. Decides nothing.
 */
import { messageOf, P2psyncError } from '../base/errors.ts';
import { replicaPatienceMs } from '../base/limits.ts';
import type { SignedHead } from '../core/head.ts';
import type { SharePath } from '../core/path.ts';
import type { Event } from '../swarm/events.ts';
import { createReplica, type Replica } from '../swarm/replica.ts';
import { createApplier } from './apply.ts';
import { readHalted } from './blame.ts';
import type { DiskChange } from './compare.ts';
import type { ShareConfig } from './config.ts';
import { type Content, createContent } from './content.ts';
import { openDisk, ownerPolicy, type ShareDisk } from './disk.ts';
import { findUnindexed, handleDrift, mends } from './drift.ts';
import type { Faults } from './faults.ts';
import type { Gate } from './gate.ts';
import { forgottenFault, isForgotten, readForgotten, writeForgotten } from './halt.ts';
import { checkMarker } from './marker.ts';
import { createObserver, type Observer } from './observe.ts';
import { createPerformer, type Performer } from './perform.ts';
import type { Moved } from './renames.ts';
import type { ShareOptions } from './share-types.ts';
import { type Applied, readHead } from './state.ts';
import type { StrikeTally } from './strikes.ts';
import { distrust } from './trust.ts';
import { createWriter, type Writer } from './writer.ts';

/** Everything that exists once the share's directory is open. */
export type Running = {
  readonly disk: ShareDisk;
  readonly replica: Replica;
  readonly performer: Performer;
  readonly content: Content;
  readonly observer: Observer;
  readonly writer: Writer | null;
  /** False for a head that this agent signed and does not know: then it signs no other one, also after a restart. */
  takes(head: SignedHead): boolean;
  /** The grant may be of a higher epoch than the one that was halted. */
  reviewHalt(): void;
};

export type StartPorts = Omit<ShareOptions, 'config'> & {
  readonly config: () => ShareConfig;
  readonly signal: AbortSignal;
  readonly gate: Gate;
  readonly faults: Faults;
  readonly strikes: StrikeTally;
  readonly paused: () => boolean;
  readonly applied: () => Applied | null;
  /** Paths that are to be put right whatever `local_changes` says. */
  readonly asked: () => ReadonlySet<SharePath>;
  readonly feed: (...events: readonly Event[]) => void;
  readonly onApplied: (applied: Applied) => void;
};

/** @throws what keeps the directory from being opened; nothing stays open then. */
export async function startShare(ports: StartPorts): Promise<Running> {
  const { record } = ports;
  await checkMarker(record.path, record.id);
  const disk = await openDisk(record.path, ports.config(), { writes: isWriter(ports) });
  try {
    return await startOn(disk, ports);
  } catch (error) {
    await disk.close();
    throw error;
  }
}

function isWriter({ membership, agent }: StartPorts): boolean {
  return membership.grant()?.grant.writer === agent.keyPair.publicKey;
}

async function startOn(disk: ShareDisk, ports: StartPorts): Promise<Running> {
  const { record, store, membership, host, log, faults, feed, notes } = ports;
  const content = createContent({
    store,
    reader: disk.reader,
    stage: disk.stage,
    log,
    feed(...events) {
      for (const event of events) notes.heard(event, (digest) => disk.stage.has(digest));
      feed(...events);
    },
    answer: (peer, answer) => host.blocks.answer(peer, answer),
    give: (peer, answers) => host.blocks.give(peer, answers),
    onStageFault: (fault) => faults.setShare('stage', fault),
  });
  const plain = createApplier({
    store,
    committer: disk.committer,
    gate: ports.gate,
    owners: disk.owners,
    ignored: (path, isDirectory) => disk.ignore.ignores(path, isDirectory),
    options() {
      const { owner, perms, times } = ports.config();
      return { owner: ownerPolicy(owner), perms, times };
    },
    marker: record.id,
    checkDirectory: () => checkMarker(record.path, record.id),
    faults,
    log,
  });
  const applier = notes.watching(plain);
  const { applied: finished, recovered } = await applier.recover();
  if (finished !== null) ports.onApplied(finished);
  await distrust(store, recovered.rehashAll ? null : recovered.rehash);

  // Asked anew: a grant may have come while the disk was put in order.
  const writes = isWriter(ports);
  const epoch = membership.grant()?.grant.epoch ?? null;
  let forgotten = readForgotten(store, { epoch, head: readHead(store) });
  const replica = createReplica({
    self: host.peer,
    writer: writes,
    applied: ports.applied(),
    head: readHead(store),
    haltedEpoch: readHalted(store),
    library: {
      page: (digest) => store.page(digest),
      hasBlock: (digest) => disk.stage.has(digest) || store.hasBlock(digest),
    },
    random: Math.random,
    downloadBytesPerMs: () => ports.limits.download.rate() / 1000,
  });
  const inner = createPerformer({
    ...ports,
    share: record.id,
    stage: disk.stage,
    content,
    applier,
    onHalted: () => writer?.halt(),
  });
  const performer: Performer = {
    ...inner,
    perform(effect) {
      notes.performs(effect);
      inner.perform(effect);
    },
  };
  const writer = writes ? startWriter(ports, disk) : null;
  const onChanges =
    writer === null ? driftHandler(ports, disk, applier) : writerHandler(ports.gate, writer, touch);
  const observer = createObserver({
    scanner: disk.scanner,
    store,
    log,
    watch: disk.watch,
    // On a replica nearly all hints are of its own commits, and the other replicas are not done with theirs yet.
    patienceMs: writes ? 0 : replicaPatienceMs,
    onChanges,
    ...(writer === null ? {} : { onMoved: (moved: Moved) => ports.gate.run(() => writer.takeMove(moved)) }),
    onGone(paths) {
      for (const path of paths) faults.set(path, null);
    },
    async onScanned() {
      await forgetGone(faults, disk);
      await writer?.scanned();
      const applied = ports.applied();
      if (writes || applied === null) return;
      const { localChanges } = ports.config();
      if (localChanges !== 'revert' && ports.asked().size === 0) return;
      const unindexed = await findUnindexed(store, applied.root);
      const paths = unindexed.filter((path) => mends(path, { localChanges, asked: ports.asked() }));
      if (paths.length > 0) feed({ kind: 'drifted', paths });
    },
    async onQuiet() {
      faults.setShare('directory', null);
      await writer?.seal();
      ports.onChange();
    },
    onSkipped(scope) {
      faults.setSkipped(scope, scope.skipped);
      ports.onChange();
    },
    onFailed(error) {
      const code = error instanceof P2psyncError ? error.code : 'io';
      faults.setShare('directory', { code, message: messageOf(error) });
      ports.onChange();
    },
  });

  function touch(paths: readonly SharePath[]): void {
    observer.touch(paths);
  }

  function takes(heard: SignedHead): boolean {
    if (heard.head.writer !== ports.agent.keyPair.publicKey || !isForgotten(heard, replica.head()))
      return true;
    // Neighbours tell it again with each heartbeat.
    if (forgotten !== null) return false;
    stop(heard);
    store.writeDurably(writeForgotten(heard)).catch((error: unknown) => {
      if (!ports.signal.aborted) log.error({ err: error }, 'a head that was forgotten could not be stored');
    });
    return false;
  }

  function reviewHalt(): void {
    if (forgotten !== null && forgotten.head.version.epoch < (membership.grant()?.grant.epoch ?? 0))
      faults.setShare('halted', null);
  }

  function stop(heard: SignedHead): void {
    forgotten = heard;
    writer?.halt();
    const fault = forgottenFault(heard, readHead(store));
    log.error({ code: fault.code }, fault.message);
    faults.setShare('halted', fault);
    ports.onChange();
  }

  if (forgotten !== null) stop(forgotten);
  // Two heads of one version were seen: of that epoch nothing more is signed.
  if (readHalted(store) !== null && readHalted(store) === epoch) writer?.halt();
  return { disk, replica, performer, content, observer, writer, takes, reviewHalt };
}

/** Faults of paths that went without anybody being told. */
async function forgetGone(faults: Faults, { scanner }: ShareDisk): Promise<void> {
  const paths = faults.paths();
  const stats = await scanner.stat(paths);
  for (const [at, path] of paths.entries()) if (stats[at] === null) faults.set(path, null);
}

type ChangesHandler = (changes: readonly DiskChange[]) => Promise<void>;

function writerHandler(
  gate: Gate,
  writer: Writer,
  touch: (paths: readonly SharePath[]) => void,
): ChangesHandler {
  return async (changes) => touch(await gate.run(() => writer.take(changes)));
}

function driftHandler(
  ports: StartPorts,
  disk: ShareDisk,
  applier: ReturnType<typeof createApplier>,
): ChangesHandler {
  const drift = {
    store: ports.store,
    reader: disk.reader,
    scanner: disk.scanner,
    applier,
    gate: ports.gate,
    log: ports.log,
    onDrifted: (paths: readonly SharePath[]) => ports.feed({ kind: 'drifted', paths }),
  };
  return (changes) =>
    handleDrift(changes, drift, {
      signal: ports.signal,
      localChanges: ports.config().localChanges,
      asked: ports.asked(),
    });
}

function startWriter(ports: StartPorts, disk: ShareDisk): Writer {
  const { membership, faults } = ports;
  const grant = membership.grant();
  if (grant === null) throw new P2psyncError('bad-grant', 'a writer without a grant');
  return createWriter({
    share: ports.record.id,
    keyPair: ports.agent.keyPair,
    epoch: grant.grant.epoch,
    salt: ports.salt,
    store: ports.store,
    disk,
    maxDelete: ports.config().maxDelete,
    paused: ports.paused(),
    rosterVersion: () => membership.roster()?.roster.version ?? 0,
    faults,
    log: ports.log,
    signal: ports.signal,
    onPublished({ head, operations, newBlocks, newBytes }) {
      const { version, root } = head.head;
      ports.feed({ kind: 'published', message: { kind: 'head', head, operations }, newBlocks, newBytes });
      ports.onApplied({ version, root });
      ports.notes.published(head);
    },
    onHeld(why) {
      faults.setShare('held', why === null ? null : { code: 'held-back', message: why });
      ports.onChange();
    },
  });
}
