/**
 * What neighbours are told and when: status as heartbeat and at once on news, what a partial holder has, and heads
 * that gossip failed to bring. Owns what each was told last; decides nothing about heads or blocks.
 */
import { haveDigestsMax, havesMax, heartbeatMs, restAfterMs, restHeartbeatMs } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { SignedHead } from '../core/head.ts';
import type { PeerId } from '../core/keys.ts';
import { compareVersions, sameVersion, type Version } from '../core/version.ts';
import type { Effect } from './events.ts';
import type { HeadMessage } from './messages.ts';
import type { Neighbour, Neighbours } from './neighbours.ts';

/** What is true of this agent now. */
export type Situation = {
  readonly message: HeadMessage | null;
  /** What this neighbour is told that we serve completely. */
  readonly appliedFor: (peer: PeerId) => Version | null;
};

export type Announce = {
  joined(peer: PeerId): void;
  left(peer: PeerId): void;
  /** A head became the highest: it is pushed to those that do not show it soon. `gossiped`: gossip is bringing it to them; `small`: with all its content. */
  news(input: { gossiped: boolean; small: boolean }, nowMs: number): void;
  /** The situation changed: neighbours are told now, or `soon` where they need not hurry. */
  touch(options: { readonly soon: boolean }, nowMs: number): void;
  heard(neighbour: Neighbour, situation: Situation, nowMs: number): void;
  /** A page or block is here; `holders` need not be told, the others are within `delayMs`. */
  stored(input: { digest: Digest; holders: readonly PeerId[]; delayMs: number }, nowMs: number): void;
  /** All pages below this root are here. */
  hasPagesOf(root: Digest, nowMs: number): void;
  /** Everything is here: from now on the status tells. */
  complete(): void;
  flush(situation: Situation, nowMs: number): readonly Effect[];
  wakeMs(): number;
};

/** What was said to one neighbour. */
type Told = {
  applied: Version | null | undefined;
  head: Version | null | undefined;
  statusMs: number;
  /** Index into the log of what was stored, counted from the first ever. */
  told: number;
  pagesOf: Digest | null;
  pushAtMs: number;
};

type Stored = { readonly digest: Digest; readonly holders: readonly PeerId[] };

/** So many stored digests are told at once, fewer after a wait that the caller chooses. */
const haveBatch = 1024;
/** Gossip brings a head within the first, ms; the spread keeps neighbours from pushing it together. */
const gossipedPush = { afterMs: 100, spreadMs: 300 };
const smallPush = { afterMs: 200, spreadMs: 300 };
/**
 * What is said of a head that brought all its content waits, ms: that it is applied goes with it, and while a small change is on its
 * way nobody's time goes into telling where it is. Who has shown it in a status by then needs not be told where its blocks are.
 */
const smallStatusMs = 100;
const smallHaveMs = 180;
const unheardPush = { afterMs: 0, spreadMs: 20 };

export function createAnnounce(options: { neighbours: Neighbours; random: () => number }): Announce {
  const { neighbours, random } = options;

  // Changes while running.
  const table = new Map<PeerId, Told>();
  let log: Stored[] = [];
  let logStart = 0;
  let haveAtMs = Number.POSITIVE_INFINITY;
  let pagesOf: Digest | null = null;
  let pagesAtMs = Number.POSITIVE_INFINITY;
  /** The newest head brought all its content. */
  let isSmall = false;
  let newsMs = Number.NEGATIVE_INFINITY;
  /** When there was something new to say in a status. */
  let changedMs = Number.NEGATIVE_INFINITY;
  let pace = gossipedPush;
  let isTouched = true;
  let statusAtMs = Number.POSITIVE_INFINITY;
  let unflushed = 0;
  let nextMs = Number.POSITIVE_INFINITY;

  const statusDelayMs = () => (isSmall ? smallStatusMs : 0);
  const haveDelayMs = () => (isSmall ? smallHaveMs : 0);
  const beatMs = (nowMs: number) => (nowMs < changedMs + restAfterMs ? heartbeatMs : restHeartbeatMs);
  const pushMs = (nowMs: number) => nowMs + pace.afterMs + random() * pace.spreadMs;

  function touch({ soon }: { readonly soon: boolean }, nowMs: number): void {
    statusAtMs = Math.min(statusAtMs, soon ? nowMs + statusDelayMs() : nowMs);
    isTouched = true;
  }

  function status(told: Told, peer: PeerId, situation: Situation, nowMs: number): readonly Effect[] {
    const applied = situation.appliedFor(peer);
    const head = situation.message?.head.head ?? null;
    const version = head?.version ?? null;
    const isNews = !sameVersion(told.applied, applied) || !sameVersion(told.head, version);
    const isDue = isNews && (nowMs >= statusAtMs || told.head === undefined);
    if (isNews) changedMs = nowMs;
    if (!isDue && nowMs < told.statusMs + beatMs(nowMs)) return [];
    told.applied = applied;
    told.head = version;
    told.statusMs = nowMs;
    const rosterVersion = head?.rosterVersion ?? 0;
    return [{ kind: 'send', peer, message: { kind: 'status', applied, head: version, rosterVersion } }];
  }

  function haves(
    told: Told,
    neighbour: Neighbour,
    { target, isDue, nowMs }: { target: SignedHead | null; isDue: boolean; nowMs: number },
  ): readonly Effect[] {
    const effects: Effect[] = [];
    const { peer } = neighbour;
    const isDone =
      target !== null &&
      neighbour.applied !== null &&
      compareVersions(neighbour.applied, target.head.version) >= 0;
    if (isDone) {
      told.told = logStart + log.length;
      return [];
    }
    if (pagesOf !== null && told.pagesOf !== pagesOf && nowMs >= pagesAtMs) {
      told.pagesOf = pagesOf;
      effects.push({ kind: 'send', peer, message: { kind: 'have', digests: [pagesOf] } });
    }
    let at = Math.max(0, told.told - logStart);
    if (!isDue) return effects;
    while (at < log.length) {
      const part = log.slice(at, at + haveDigestsMax);
      at += part.length;
      const digests = part.filter(({ holders }) => !holders.includes(peer)).map(({ digest }) => digest);
      if (digests.length > 0) effects.push({ kind: 'send', peer, message: { kind: 'have', digests } });
    }
    told.told = logStart + log.length;
    return effects;
  }

  function push(told: Told, neighbour: Neighbour, situation: Situation, nowMs: number): readonly Effect[] {
    if (nowMs < told.pushAtMs || situation.message === null) return [];
    told.pushAtMs = Number.POSITIVE_INFINITY;
    if (!isBehind(neighbour, situation.message)) return [];
    const { operations } = situation.message;
    // Operations help only who stands at their base.
    const isOfUse = operations !== null && sameVersion(neighbour.applied, operations.base);
    const message = isOfUse ? situation.message : { ...situation.message, operations: null };
    return [{ kind: 'send', peer: neighbour.peer, message }];
  }

  return {
    joined(peer) {
      table.set(peer, {
        applied: undefined,
        head: undefined,
        statusMs: Number.NEGATIVE_INFINITY,
        told: logStart,
        pagesOf: null,
        pushAtMs: Number.POSITIVE_INFINITY,
      });
      if (log.length > 0) haveAtMs = Number.NEGATIVE_INFINITY;
      isTouched = true;
    },
    left(peer) {
      table.delete(peer);
    },
    news({ gossiped, small }, nowMs) {
      newsMs = nowMs;
      isSmall = small;
      const whole = small ? smallPush : gossipedPush;
      pace = gossiped ? whole : unheardPush;
      for (const told of table.values()) told.pushAtMs = pushMs(nowMs);
      touch({ soon: gossiped }, nowMs);
    },
    touch,
    heard(neighbour, situation, nowMs) {
      const told = table.get(neighbour.peer);
      if (told === undefined || situation.message === null) return;
      if (!isBehind(neighbour, situation.message)) told.pushAtMs = Number.POSITIVE_INFINITY;
      else if (nowMs >= newsMs + pace.afterMs + pace.spreadMs) told.pushAtMs = nowMs;
      else told.pushAtMs = Math.min(told.pushAtMs, pushMs(nowMs));
      nextMs = Math.min(nextMs, told.pushAtMs);
    },
    stored({ digest, holders, delayMs: waitMs }, nowMs) {
      log.push({ digest, holders });
      if (log.length > havesMax) {
        log = log.slice(log.length >> 1);
        logStart += havesMax + 1 - log.length;
      }
      haveAtMs = Math.min(haveAtMs, nowMs + Math.max(waitMs, haveDelayMs()));
      nextMs = Math.min(nextMs, haveAtMs);
      unflushed += 1;
    },
    hasPagesOf(root, nowMs) {
      if (pagesOf === root) return;
      pagesOf = root;
      pagesAtMs = nowMs + haveDelayMs();
      isTouched = true;
    },
    complete() {
      pagesAtMs = Number.POSITIVE_INFINITY;
      logStart += log.length;
      log = [];
      haveAtMs = Number.POSITIVE_INFINITY;
      unflushed = 0;
    },
    flush(situation, nowMs) {
      if (!isTouched && unflushed < haveBatch && nowMs < nextMs) return [];
      const isDue = unflushed >= haveBatch || nowMs >= haveAtMs;
      const target = situation.message?.head ?? null;
      const effects: Effect[] = [];
      nextMs = Number.POSITIVE_INFINITY;
      for (const neighbour of neighbours.all()) {
        const told = table.get(neighbour.peer);
        if (told === undefined) continue;
        effects.push(...status(told, neighbour.peer, situation, nowMs));
        effects.push(...haves(told, neighbour, { target, isDue, nowMs }));
        effects.push(...push(told, neighbour, situation, nowMs));
        nextMs = Math.min(nextMs, told.statusMs + beatMs(nowMs), told.pushAtMs);
      }
      isTouched = false;
      if (nowMs >= statusAtMs) statusAtMs = Number.POSITIVE_INFINITY;
      if (isDue) {
        haveAtMs = Number.POSITIVE_INFINITY;
        unflushed = 0;
      }
      if (nowMs < pagesAtMs) nextMs = Math.min(nextMs, pagesAtMs);
      nextMs = Math.min(nextMs, haveAtMs, statusAtMs);
      return effects;
    },
    wakeMs: () => nextMs,
  };
}

function isBehind(neighbour: Neighbour, { head }: HeadMessage): boolean {
  if (!neighbour.heard) return false;
  return neighbour.head === null || compareVersions(neighbour.head, head.head.version) < 0;
}
