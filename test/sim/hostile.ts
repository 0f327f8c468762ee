/** What members that misbehave cost the others: a release among some of them, and among honest ones, in simulated time. */
import { MIB } from '../../agent/base/limits.ts';
import type { Fault } from './agent.ts';
import { filesOf } from './share.ts';
import { createSwarm, type Swarm } from './swarm.ts';

/** What a strike is given for, and what it is not: who says that it has what it has not is found out as well. */
export const faults: readonly Exclude<Fault, 'none'>[] = [
  'wrong-bytes',
  'too-many',
  'slow',
  'silent',
  'boastful',
  'pretender',
];

export type Hostile = {
  readonly fault: Fault;
  /** Until the last honest agent had it, through the same where all are honest. */
  readonly slowdown: number;
  /** That the honest ones gave those who misbehave, and one another. */
  readonly strikes: number;
  readonly wrongStrikes: number;
  readonly violations: readonly string[];
};

type Options = {
  readonly nodes: number;
  readonly bad: number;
  readonly seed: number;
  readonly bytes?: number;
};

export function measureHostile(fault: Fault, { bytes = 32 * MIB, ...options }: Options): Hostile {
  const honest = spread('none', { ...options, bytes });
  const { swarm, elapsedMs } = spread(fault, { ...options, bytes });
  const good = swarm.agents.slice(0, options.nodes - options.bad);
  const bad = swarm.agents.slice(options.nodes - options.bad);
  const given = (to: typeof good) =>
    good.reduce((sum, agent) => sum + to.reduce((all, { peer }) => all + agent.strikesOf(peer), 0), 0);
  return {
    fault,
    slowdown: elapsedMs / honest.elapsedMs,
    strikes: given(bad),
    wrongStrikes: given(good),
    violations: swarm.violations(),
  };
}

function spread(
  fault: Fault,
  { nodes, bad, seed, bytes }: Required<Options>,
): { swarm: Swarm; elapsedMs: number } {
  const swarm = createSwarm({ nodes, seed, faultOf: (index) => (index >= nodes - bad ? fault : 'none') });
  swarm.start(Array.from({ length: nodes }, (_, index) => index));
  swarm.publish(filesOf({ bytes: 30_000, fileBytes: 1000, prefix: 'first' }));
  swarm.converge(60_000);
  swarm.runFor(1000);
  const fromMs = swarm.nowMs();
  const { message } = swarm.publish(filesOf({ bytes, fileBytes: 65_536, prefix: 'release' }));
  swarm.converge(600_000);
  const { sequence } = message.head.head.version;
  const ends = swarm.agents
    .slice(0, nodes - bad)
    .map((agent) => agent.appliedAtMs(sequence) ?? swarm.nowMs());
  const elapsedMs = Math.max(...ends) - fromMs;
  // Who is late is struck when its patience is over, also where nobody waits for it any more.
  swarm.runFor(60_000);
  return { swarm, elapsedMs };
}
