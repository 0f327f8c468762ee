/** A swarm of simulated agents: who is linked to whom, what happens to them, and whether they came to agree. */
import { fullMeshMembersMax, neighboursWanted } from '../../agent/base/limits.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { formatVersion } from '../../agent/core/version.ts';
import { createAgent, type Fault, type SimAgent } from './agent.ts';
import { createClock } from './clock.ts';
import { createNetwork, type Network } from './network.ts';
import { createRandom, type Random } from './random.ts';
import { createShare, type FileEdit, type Published, type SimShare } from './share.ts';

export type SwarmOptions = {
  readonly seed: number;
  /** Agents, the writer included. */
  readonly nodes: number;
  readonly bytesPerMs?: number;
  readonly latencyMs?: number;
  readonly jitter?: number;
  readonly gossipLoss?: number;
  /** Of agent `index`; the writer is 0. */
  readonly faultOf?: (index: number) => Fault;
  /** How many times slower the link of agent `index` is. */
  readonly slownessOf?: (index: number) => number;
};

export type Swarm = {
  readonly agents: readonly SimAgent[];
  readonly writer: SimAgent;
  readonly share: SimShare;
  readonly network: Network;
  readonly random: Random;
  nowMs(): number;
  at(atMs: number, happen: () => void): void;
  /** Starts agents and links them. */
  start(indexes: readonly number[]): void;
  stop(index: number): void;
  publish(edits: readonly FileEdit[]): Published;
  partition(groupOf: ((index: number) => number) | null): void;
  /** Runs until all agents that are up are at the newest version, or `forMs` has passed. @returns true where they agree. */
  converge(forMs: number): boolean;
  runFor(ms: number): void;
  violations(): readonly string[];
  report(what: string): void;
};

/** How long a cut connection takes to be noticed, ms. */
const noticeMs = 20;
const gossipDegree = 8;

export function createSwarm(options: SwarmOptions): Swarm {
  const { nodes, bytesPerMs = 125_000, latencyMs = 0.2, jitter = 1, gossipLoss = 0 } = options;
  const random = createRandom(options.seed);
  const clock = createClock();
  const network = createNetwork({ clock, random: random.fork(), latencyMs, jitter, gossipLoss });
  const share = createShare(random.fork());
  const violations: string[] = [];
  const byPeer = new Map<PeerId, SimAgent>();
  const peers = Array.from(
    { length: nodes },
    (_, index) => `agent${String(index).padStart(4, '0')}` as PeerId,
  );
  const neighboursOf = createGraph(peers, random.fork());
  const indexOf = new Map(peers.map((peer, index) => [peer, index]));
  const agents = peers.map((peer, index) => {
    const rate = bytesPerMs / (options.slownessOf?.(index) ?? 1);
    network.addNode(peer, { upBytesPerMs: rate, downBytesPerMs: rate });
    const agent = createAgent({
      peer,
      clock,
      network,
      share,
      writer: index === 0,
      fault: options.faultOf?.(index) ?? 'none',
      random: random.fork(),
      agentOf: (other) => byPeer.get(other),
      gossipTo: (from) =>
        (neighboursOf.get(from) ?? []).slice(0, gossipDegree).filter((to) => byPeer.has(to)),
      violated: (what) => violations.push(`${clock.nowMs().toFixed(1)} ms: ${what}`),
    });
    return agent;
  });
  const writer = agents[0];
  if (writer === undefined) throw new RangeError('a swarm has a writer');

  // Changes while running.
  let newest: Published | null = null;

  function linked(agent: SimAgent): SimAgent[] {
    const others: SimAgent[] = [];
    for (const peer of neighboursOf.get(agent.peer) ?? []) {
      const other = byPeer.get(peer);
      if (other !== undefined && network.isConnected(agent.peer, peer)) others.push(other);
    }
    return others;
  }

  function isAtNewest(agent: SimAgent): boolean {
    if (newest === null) return true;
    const applied = agent.replica().applied();
    return applied !== null && formatVersion(applied) === formatVersion(newest.message.head.head.version);
  }

  function checkDisks(): void {
    for (const agent of agents) {
      if (agent === writer || !agent.isUp()) continue;
      const disk = agent.disk();
      let isSame = disk.size === share.files().size;
      for (const [path, entry] of disk)
        isSame &&= share.files().get(path) === entry || sameEntry(share.files().get(path), entry);
      if (!isSame) violations.push(`${agent.peer} applied the newest version, and its disk differs`);
    }
  }

  return {
    agents,
    writer,
    share,
    network,
    random,
    nowMs: clock.nowMs,
    at: clock.at,
    start(indexes) {
      for (const index of indexes) {
        const agent = agents[index];
        if (agent === undefined || agent.isUp()) continue;
        agent.start();
        byPeer.set(agent.peer, agent);
        for (const other of linked(agent)) {
          agent.dispatch({ kind: 'peerJoined', peer: other.peer });
          other.dispatch({ kind: 'peerJoined', peer: agent.peer });
        }
      }
    },
    stop(index) {
      const agent = agents[index];
      if (agent === undefined) return;
      const others = linked(agent);
      agent.stop();
      byPeer.delete(agent.peer);
      for (const other of others) other.dispatch({ kind: 'peerLeft', peer: agent.peer });
    },
    publish(edits) {
      const published = share.publish(edits, clock.nowMs());
      newest = published;
      writer.publish(published);
      return published;
    },
    partition(groupOf) {
      const before = new Map([...byPeer.values()].map((agent) => [agent, linked(agent)]));
      network.partition(groupOf === null ? null : (peer) => groupOf(indexOf.get(peer) ?? 0));
      clock.after(noticeMs, () => {
        for (const [agent, old] of before) {
          const now = linked(agent);
          for (const other of old)
            if (!now.includes(other)) agent.dispatch({ kind: 'peerLeft', peer: other.peer });
          for (const other of now)
            if (!old.includes(other)) agent.dispatch({ kind: 'peerJoined', peer: other.peer });
        }
      });
    },
    converge(forMs) {
      let next = 0;
      // Those that were found to be there are not looked at again, until the end.
      const isDone = () => {
        for (; next < agents.length; next += 1) {
          const agent = agents[next];
          if (agent?.isUp() === true && !isAtNewest(agent)) return false;
        }
        return agents.every((agent) => !agent.isUp() || isAtNewest(agent));
      };
      clock.run({ untilMs: clock.nowMs() + forMs, isDone });
      const isConverged = agents.every((agent) => !agent.isUp() || isAtNewest(agent));
      if (isConverged) checkDisks();
      else {
        const late = agents.filter((agent) => agent.isUp() && !isAtNewest(agent));
        violations.push(`${late.length} of ${agents.length} did not converge, ${late[0]?.peer} first`);
      }
      return isConverged;
    },
    runFor(ms) {
      clock.run({ untilMs: clock.nowMs() + ms });
    },
    violations: () => violations,
    report: (what) => violations.push(what),
  };
}

function sameEntry(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

/** All with all in a small swarm, else a random graph in which each has about `neighboursWanted`. */
function createGraph(peers: readonly PeerId[], random: Random): Map<PeerId, PeerId[]> {
  const graph = new Map<PeerId, Set<PeerId>>(peers.map((peer) => [peer, new Set()]));
  const link = (left: PeerId, right: PeerId) => {
    if (left === right) return;
    graph.get(left)?.add(right);
    graph.get(right)?.add(left);
  };
  if (peers.length <= fullMeshMembersMax) {
    for (const left of peers) for (const right of peers) link(left, right);
  } else {
    // The union of rings through all of them in random orders: connected, and nearly regular.
    for (let ring = 0; ring < neighboursWanted / 2; ring += 1) {
      const order = random.shuffle(peers);
      for (const [at, peer] of order.entries()) link(peer, order[(at + 1) % order.length] ?? peer);
    }
  }
  return new Map([...graph].map(([peer, others]) => [peer, random.shuffle([...others])]));
}
