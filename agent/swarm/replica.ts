/**
 * One share's machine: composes heads, announce, reconcile, schedule and serve. Owns their order and the timer;
 * never does I/O. Time and randomness are arguments, so a run can be repeated from its seed.
 */
import { unreachable } from '../base/assert.ts';
import { wholeFileBytesMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { SignedHead } from '../core/head.ts';
import type { PeerId } from '../core/keys.ts';
import { compareVersions, sameVersion, type Version } from '../core/version.ts';
import { createAnnounce, type Situation } from './announce.ts';
import type { Effect, Event, Library, Progress } from './events.ts';
import { createHeads } from './heads.ts';
import type { HeadMessage, Message } from './messages.ts';
import { createNeighbours, type Neighbour } from './neighbours.ts';
import { createReconcile } from './reconcile.ts';
import { createReveal } from './reveal.ts';
import { createSchedule } from './schedule.ts';
import { createServe } from './serve.ts';

export type ReplicaOptions = {
  readonly self: PeerId;
  /** True where this agent makes the share's versions: it never syncs to another's. */
  readonly writer: boolean;
  /** What was applied when the agent stopped. */
  readonly applied: { readonly version: Version; readonly root: Digest } | null;
  /** Highest head that was stored. */
  readonly head: SignedHead | null;
  /** The epoch that two heads of one version halted, before the agent stopped. */
  readonly haltedEpoch?: number | null;
  readonly library: Library;
  /** In [0, 1). */
  readonly random: () => number;
  /** What may come in a millisecond; 0, and by default: without limit. */
  readonly downloadBytesPerMs?: () => number;
};

export type NeighbourView = {
  readonly peer: PeerId;
  readonly applied: Version | null;
  readonly head: Version | null;
  readonly strikes: number;
  /** Not asked for anything, for its strikes. */
  readonly isAside: boolean;
  readonly inFlight: number;
};

export type Replica = {
  /** Effects in the order in which they are to be performed. */
  step(event: Event, nowMs: number): readonly Effect[];
  /** The same for events of one moment: nothing new is begun before the last of them. */
  stepAll(events: readonly Event[], nowMs: number): readonly Effect[];
  progress(): Progress;
  neighbours(): readonly NeighbourView[];
  head(): SignedHead | null;
  applied(): Version | null;
};

export function createReplica(options: ReplicaOptions): Replica {
  const { library, random } = options;
  const neighbours = createNeighbours();
  const heads = createHeads(options.head, options.haltedEpoch);
  const announce = createAnnounce({ neighbours, random });
  const schedule = createSchedule({
    neighbours,
    library,
    random,
    ...(options.downloadBytesPerMs && { downloadBytesPerMs: options.downloadBytesPerMs }),
  });
  const reconcile = createReconcile({
    applied: options.applied,
    library,
    schedule,
    found: (digest) => announce.stored({ digest, holders: [], delayMs: 0 }, lastMs),
  });
  const serve = createServe();
  const reveal = createReveal({ neighbours, random });

  // Changes while running.
  let paused = false;
  /** The highest head is being stored; nothing is done about it before. */
  let isStoring = false;
  /** Version whose operations were handed to the shell already. */
  let inlined: Version | null = null;
  let lastMs = 0;
  let wakeAtMs = Number.POSITIVE_INFINITY;
  let told = { generation: 0, applied: options.applied };

  const situation = (): Situation => ({
    message: heads.message(),
    appliedFor: (peer) => reveal.appliedFor(peer, reconcile.applied()?.version ?? null),
  });

  function handle(event: Event, nowMs: number): readonly Effect[] {
    switch (event.kind) {
      case 'peerJoined':
        return join(event.peer, nowMs);
      case 'peerLeft':
        neighbours.remove(event.peer);
        announce.left(event.peer);
        reveal.left(event.peer);
        serve.left(event.peer);
        schedule.peerLeft(event.peer);
        return serve.tick(nowMs);
      case 'message': {
        const neighbour = neighbours.get(event.peer);
        return neighbour === undefined ? [] : hear(neighbour, event.message, nowMs);
      }
      case 'headGossiped':
        return offer({ message: event.message, from: event.peer, gossiped: true }, nowMs);
      case 'published':
        return publish(event, nowMs);
      case 'headStored':
        if (isHighest(event.version)) isStoring = false;
        if (event.inline !== undefined) reconcile.told({ version: event.version, ...event.inline });
        return [];
      case 'requestReceived':
        return serve.received(event.peer, event.request, nowMs);
      case 'served':
        return serve.served(event, nowMs);
      case 'stored': {
        const { want, holders, effects } = schedule.stored(event, nowMs);
        if (want?.plane === 'page') reconcile.pageArrived(event.digest);
        else reconcile.blockArrived(event.digest, want?.file ?? null);
        // The root is announced once all below it is here.
        if (event.digest !== heads.highest()?.head.root) {
          announce.stored({ digest: event.digest, holders, delayMs: schedule.haveDelayMs(nowMs) }, nowMs);
        }
        return effects;
      }
      case 'wrongBytes':
        return schedule.wrongBytes(event, nowMs);
      case 'violated':
        return schedule.violated(event, nowMs);
      case 'missing':
        return schedule.missing(event, nowMs);
      case 'busy':
        schedule.busy(event, nowMs);
        return [];
      case 'done':
      case 'requestFailed':
        return schedule.ended({ ...event, failed: event.kind === 'requestFailed' }, nowMs);
      case 'notStored':
        return schedule.notStored(event, nowMs);
      case 'applied':
        reconcile.whenApplied(event);
        announce.complete();
        return [];
      case 'applyFailed':
        reconcile.whenFailed(event, nowMs);
        return [];
      case 'drifted':
        return reconcile.drifted(event.paths);
      case 'pause':
        paused = event.paused;
        return [];
      case 'tick':
        wakeAtMs = Number.POSITIVE_INFINITY;
        return serve.tick(nowMs);
      default:
        return unreachable(event);
    }
  }

  function join(peer: PeerId, nowMs: number): readonly Effect[] {
    if (!neighbours.add(peer)) {
      return [
        { kind: 'note', text: 'more neighbours than are kept; this one is left out', fields: { peer } },
      ];
    }
    serve.joined(peer);
    announce.joined(peer);
    reveal.joined(peer, nowMs);
    return [];
  }

  function hear(neighbour: Neighbour, message: Message, nowMs: number): readonly Effect[] {
    switch (message.kind) {
      case 'head':
        return offer({ message, from: neighbour.peer, gossiped: false }, nowMs);
      case 'status':
        if (!sameVersion(neighbour.applied, message.applied)) schedule.moved(neighbour.peer);
        neighbour.heard = true;
        neighbour.applied = message.applied;
        neighbour.head = message.head;
        announce.heard(neighbour, situation(), nowMs);
        return [];
      case 'have': {
        const root = heads.highest()?.head.root;
        if (root !== undefined && message.digests.includes(root)) neighbour.pagesOf = root;
        schedule.announced(neighbour.peer, message.digests);
        reveal.announced(neighbour.peer, message.digests, nowMs);
        return [];
      }
      case 'paused':
        neighbour.paused = message.paused;
        return [];
      default:
        return unreachable(message);
    }
  }

  function offer(
    { message, from, gossiped }: { message: HeadMessage; from: PeerId; gossiped: boolean },
    nowMs: number,
  ): readonly Effect[] {
    const verdict = heads.offer(message);
    switch (verdict.kind) {
      case 'old':
        return [];
      case 'refreshed':
        // Where gossip does not reach, neighbours keep one another's heads fresh.
        return gossiped ? [] : tellOthers({ ...message, operations: null }, from);
      case 'equivocation':
        reconcile.stop(nowMs);
        // Whoever it came from, and through it the writer, is to know of the other one.
        return [
          ...verdict.effects,
          ...tellOthers(message, from),
          { kind: 'send', peer: from, message: { kind: 'head', head: verdict.known, operations: null } },
        ];
      case 'news':
        announce.news({ gossiped, small: message.operations !== null }, nowMs);
        noteHolders(message);
        isStoring = true;
        return [store(message)];
      default:
        return unreachable(verdict);
    }
  }

  function noteHolders({ head }: HeadMessage): void {
    for (const neighbour of neighbours.all()) {
      if (schedule.holds(neighbour.peer, head.head.root)) neighbour.pagesOf = head.head.root;
    }
  }

  function store(message: HeadMessage): Effect {
    const inline = canInline(message);
    if (inline) inlined = message.head.head.version;
    return { kind: 'storeHead', message, inline };
  }

  function canInline({ head, operations }: HeadMessage): boolean {
    if (options.writer || paused || reconcile.isApplying() || sameVersion(inlined, head.head.version))
      return false;
    return operations !== null && operations.baseRoot === reconcile.applied()?.root;
  }

  function tellOthers(message: HeadMessage, from: PeerId): readonly Effect[] {
    const others = [...neighbours.all()].filter(({ peer }) => peer !== from);
    return others.map(({ peer }) => ({ kind: 'send', peer, message }));
  }

  function publish(
    { message, newBlocks, newBytes }: Event & { kind: 'published' },
    nowMs: number,
  ): readonly Effect[] {
    const verdict = heads.offer(message);
    if (verdict.kind === 'equivocation') return verdict.effects;
    if (verdict.kind === 'old') return [];
    if (verdict.kind === 'news') {
      const { version, root } = message.head.head;
      const before = reconcile.applied()?.version ?? null;
      const bytes = newBytes ?? newBlocks.length * wholeFileBytesMax;
      reveal.published({ version, before, blocks: newBlocks, bytes });
      reconcile.adopt({ version, root }, nowMs);
      announce.hasPagesOf(root, nowMs);
      announce.news({ gossiped: true, small: message.operations !== null }, nowMs);
    }
    const direct =
      verdict.kind === 'refreshed' ? tellOthers({ ...message, operations: null }, options.self) : [];
    return [{ kind: 'gossip', message }, ...direct];
  }

  function isHighest(version: Version): boolean {
    return sameVersion(heads.highest()?.head.version ?? null, version);
  }

  /** Starts what is due: the newest head, or what drifted. */
  function begin(nowMs: number): readonly Effect[] {
    const message = heads.message();
    if (message === null || options.writer || paused || isStoring || reconcile.isApplying()) return [];
    const { version } = message.head.head;
    if (heads.isHalted(version.epoch) || isTarget(version) || reconcile.isUnreadable(version)) return [];
    const applied = reconcile.applied();
    const order = applied === null ? 1 : compareVersions(version, applied.version);
    if (order < 0 || (order === 0 && !reconcile.hasDrifted()) || nowMs < reconcile.restartMs()) return [];
    if (order > 0 && canInline(message)) {
      isStoring = true;
      return [store(message)];
    }
    reconcile.start(message.head, nowMs);
    return [];
  }

  function isTarget(version: Version | null): boolean {
    return sameVersion(reconcile.target()?.head.version ?? null, version);
  }

  function wake(nowMs: number): readonly Effect[] {
    const restartMs = isTarget(heads.highest()?.head.version ?? null)
      ? Number.POSITIVE_INFINITY
      : reconcile.restartMs();
    const timers = Math.min(
      restartMs > nowMs ? restartMs : Number.POSITIVE_INFINITY,
      schedule.wakeMs(nowMs),
      announce.wakeMs(),
      serve.wakeMs(nowMs),
      reveal.wakeMs(),
    );
    // Only work that is left over comes back at once; a timer never makes the loop spin.
    const atMs = Math.max(nowMs, Math.min(reconcile.wakeMs(nowMs), Math.max(timers, nowMs + 1)));
    if (atMs === wakeAtMs || atMs === Number.POSITIVE_INFINITY) return [];
    wakeAtMs = atMs;
    return [{ kind: 'wake', atMs }];
  }

  function stepAll(events: readonly Event[], nowMs: number): readonly Effect[] {
    lastMs = nowMs;
    const effects = events.flatMap((event) => handle(event, nowMs));
    effects.push(...begin(nowMs));
    effects.push(...reconcile.advance(nowMs));
    const root = reconcile.target()?.head.root;
    if (root !== undefined && reconcile.hasPages()) announce.hasPagesOf(root, nowMs);
    effects.push(...schedule.fill(nowMs));
    effects.push(...reveal.step({ bytesPerMs: serve.bytesPerMs(), isIdle: serve.isIdle() }, nowMs));
    if (reveal.generation() !== told.generation || reconcile.applied() !== told.applied) {
      const soon = reveal.generation() === told.generation;
      told = { generation: reveal.generation(), applied: reconcile.applied() };
      announce.touch({ soon }, nowMs);
    }
    effects.push(...announce.flush(situation(), nowMs));
    effects.push(...wake(nowMs));
    return effects;
  }

  return {
    step: (event, nowMs) => stepAll([event], nowMs),
    stepAll,
    progress: reconcile.progress,
    neighbours: () =>
      [...neighbours.all()].map((neighbour) => {
        const { peer, applied, head, strikes, inFlight } = neighbour;
        return { peer, applied, head, strikes, inFlight, isAside: neighbours.isAside(neighbour, lastMs) };
      }),
    head: heads.highest,
    applied: () => reconcile.applied()?.version ?? null,
  };
}
