/** What the simulator measures: how fast a publish spreads, what it costs, and how stale replicas are after small edits. */
import { MIB } from '../../agent/base/limits.ts';
import { filesOf } from './share.ts';
import { createSwarm, type Swarm } from './swarm.ts';

/** 1 Gb/s, bytes a millisecond. */
const bytesPerMs = 125_000;

export type Spread = {
  readonly nodes: number;
  readonly seed: number;
  readonly bytes: number;
  /** Until the last agent had applied it, in units of bytes / link rate. */
  readonly time: number;
  /** What the writer sent, in copies. */
  readonly writerCopies: number;
  /** The busiest replica, in copies. */
  readonly busiestCopies: number;
  /** Bytes that came twice, as a share of all that had to come. */
  readonly duplicates: number;
  /** Control messages, as a share of all that had to come. */
  readonly control: number;
  readonly violations: readonly string[];
};

/** One large publish to agents that are all there, on equal links. */
export function measureSpread({
  nodes,
  seed,
  bytes = 64 * MIB,
}: {
  nodes: number;
  seed: number;
  bytes?: number;
}): Spread {
  const swarm = ready(nodes, seed, 0);
  swarm.runFor(1000);
  const sentBefore = swarm.agents.map((agent) => swarm.network.sentBytes(agent.peer));
  const controlBefore = swarm.network.controlBytes();
  const fromMs = swarm.nowMs();
  const { newBytes } = swarm.publish(filesOf({ bytes, fileBytes: 65_536, prefix: 'release' }));
  swarm.converge(600_000);
  const elapsedMs = swarm.nowMs() - fromMs;
  const copies = swarm.agents.map(
    (agent, index) => (swarm.network.sentBytes(agent.peer) - (sentBefore[index] ?? 0)) / newBytes,
  );
  const duplicateBytes = swarm.agents.reduce((sum, agent) => sum + agent.duplicateBytes(), 0);
  const dueBytes = newBytes * (nodes - 1);
  return {
    nodes,
    seed,
    bytes: newBytes,
    time: elapsedMs / (newBytes / bytesPerMs),
    writerCopies: copies[0] ?? 0,
    busiestCopies: Math.max(0, ...copies.slice(1)),
    duplicates: duplicateBytes / dueBytes,
    control: (swarm.network.controlBytes() - controlBefore) / dueBytes,
    violations: swarm.violations(),
  };
}

export type Staleness = {
  readonly nodes: number;
  readonly seed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly violations: readonly string[];
};

/** Small edits, one after another, where one gossip message in a hundred is lost: publish to applied, over all agents. */
export function measureStaleness({
  nodes,
  seed,
  edits = 40,
}: {
  nodes: number;
  seed: number;
  edits?: number;
}): Staleness {
  const swarm = ready(nodes, seed, 0.01);
  const publishedAt: number[] = [];
  let firstSequence = 0;
  for (let edit = 0; edit < edits; edit += 1) {
    publishedAt.push(swarm.nowMs());
    const { message } = swarm.publish([{ path: `first/hot${edit % 3}`, blocks: [1000 + edit] }]);
    if (edit === 0) firstSequence = message.head.head.version.sequence;
    swarm.runFor(100 + swarm.random.below(200));
  }
  swarm.converge(60_000);
  const waits: number[] = [];
  for (const agent of swarm.agents.slice(1)) {
    for (const [edit, atMs] of publishedAt.entries()) {
      // An agent that missed one has its content with the next.
      let seen: number | undefined;
      for (let later = edit; later < edits && seen === undefined; later += 1)
        seen = agent.appliedAtMs(firstSequence + later);
      if (seen !== undefined) waits.push(seen - atMs);
    }
  }
  waits.sort((left, right) => left - right);
  const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0;
  return { nodes, seed, p50Ms: at(0.5), p99Ms: at(0.99), violations: swarm.violations() };
}

function ready(nodes: number, seed: number, gossipLoss: number): Swarm {
  const swarm = createSwarm({ nodes, seed, gossipLoss, bytesPerMs });
  swarm.start(Array.from({ length: nodes }, (_, index) => index));
  swarm.publish(filesOf({ bytes: 30_000, fileBytes: 1000, prefix: 'first' }));
  swarm.converge(60_000);
  return swarm;
}
