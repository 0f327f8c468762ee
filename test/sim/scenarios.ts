/**
 * What may happen to a swarm, each from a seed: a run that ends with every honest agent at the newest version and no
 * rule broken, or with the list of what went wrong.
 */
import { createRandom } from './random.ts';
import { type FileEdit, filesOf } from './share.ts';
import { createSwarm, type Swarm } from './swarm.ts';

export type Outcome = {
  readonly scenario: string;
  readonly seed: number;
  readonly violations: readonly string[];
};

export type Scenario = {
  readonly name: string;
  readonly nodes: number;
  readonly play: (seed: number, nodes: number) => Swarm;
};

export function play(scenario: Scenario, seed: number, nodes = scenario.nodes): Outcome {
  const swarm = scenario.play(seed, nodes);
  return { scenario: scenario.name, seed, violations: swarm.violations() };
}

/** Longest a swarm of this size may take to agree, ms of simulated time. */
const patienceMs = 120_000;

export const scenarios: readonly Scenario[] = [
  {
    name: 'a small edit rides inside the head',
    nodes: 8,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      for (let round = 0; round < 10; round += 1) {
        swarm.publish(smallEdit(swarm));
        swarm.runFor(swarm.random.below(40));
      }
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'gossip is lost and comes out of order',
    nodes: 10,
    play(seed, nodes) {
      const swarm = started({ seed, nodes, gossipLoss: 0.6, jitter: 50 });
      for (let round = 0; round < 15; round += 1) {
        swarm.publish(round % 3 === 0 ? someFiles(swarm, 300) : smallEdit(swarm));
        swarm.runFor(swarm.random.below(60));
      }
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'a partition comes and heals',
    nodes: 9,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      swarm.publish(someFiles(swarm, 3000));
      swarm.runFor(swarm.random.below(25));
      swarm.partition((index) => index % 3);
      swarm.runFor(500);
      swarm.publish(someFiles(swarm, 500));
      swarm.runFor(swarm.random.below(2000));
      swarm.partition(null);
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'agents restart in the middle of a sync and keep their blocks',
    nodes: 8,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      swarm.publish(someFiles(swarm, 6000));
      for (let round = 0; round < 12; round += 1) {
        swarm.runFor(swarm.random.below(12));
        const index = 1 + swarm.random.below(nodes - 1);
        swarm.stop(index);
        swarm.at(swarm.nowMs() + swarm.random.below(300), () => swarm.start([index]));
      }
      swarm.runFor(400);
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'a newcomer gets everything from replicas while the writer is down',
    nodes: 6,
    play(seed, nodes) {
      const swarm = started({ seed, nodes, without: [nodes - 1] });
      swarm.publish(someFiles(swarm, 4000));
      swarm.publish(smallEdit(swarm));
      swarm.converge(patienceMs);
      swarm.stop(0);
      swarm.start([nodes - 1]);
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'the writer goes down while only some have what it published',
    nodes: 7,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      swarm.publish(someFiles(swarm, 5000));
      swarm.runFor(5 + swarm.random.below(40));
      swarm.stop(0);
      swarm.runFor(3000);
      swarm.start([0]);
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'a newcomer arrives while the writer never rests',
    nodes: 7,
    play(seed, nodes) {
      const swarm = started({ seed, nodes, without: [nodes - 1], latencyMs: 20 });
      swarm.publish(someFiles(swarm, 4000));
      swarm.converge(patienceMs);
      swarm.start([nodes - 1]);
      for (let round = 0; round < 100; round += 1) {
        swarm.publish(round % 2 === 0 ? smallEdit(swarm) : someFiles(swarm, 100));
        swarm.runFor(30);
      }
      const behind = swarm.agents[nodes - 1]?.replica().applied();
      if (behind === undefined || behind === null) swarm.report('the newcomer got nothing in 3 seconds');
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'the writer is gone and replicas that restart complete one another',
    nodes: 5,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      swarm.publish(someFiles(swarm, 3000));
      // Until all blocks have left the writer, and nobody may have all of them.
      while (swarm.network.sentBytes(swarm.writer.peer) < 3_300_000 && swarm.nowMs() < patienceMs)
        swarm.runFor(1);
      swarm.stop(0);
      swarm.runFor(2);
      swarm.stop(1);
      swarm.start([1]);
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'newer heads come while a sync is going on',
    nodes: 8,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      for (let round = 0; round < 8; round += 1) {
        swarm.publish(someFiles(swarm, 200 + swarm.random.below(3000)));
        swarm.runFor(swarm.random.below(30));
      }
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'files of many blocks change in the middle',
    nodes: 6,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      swarm.publish([bigFile('video', 700), bigFile('archive', 90), ...someFiles(swarm, 400)]);
      swarm.runFor(swarm.random.below(50));
      swarm.publish([bigFile('video', 650), { path: 'archive', blocks: null }]);
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'liars send wrong bytes, never answer, or claim what they lack',
    nodes: 10,
    play(seed, nodes) {
      const faults = ['none', 'none', 'wrong-bytes', 'silent', 'boastful'] as const;
      const swarm = started({ seed, nodes, faultOf: (index) => faults[index % faults.length] ?? 'none' });
      swarm.publish(someFiles(swarm, 3000));
      swarm.converge(patienceMs);
      swarm.publish(someFiles(swarm, 40));
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'some links are twenty times slower',
    nodes: 9,
    play(seed, nodes) {
      const swarm = started({ seed, nodes, slownessOf: (index) => (index % 4 === 3 ? 20 : 1) });
      swarm.publish(someFiles(swarm, 4000));
      swarm.converge(patienceMs);
      return swarm;
    },
  },
  {
    name: 'a slow line of one megabit is no offence',
    nodes: 3,
    play(seed, nodes) {
      const swarm = started({ seed, nodes, bytesPerMs: 125, latencyMs: 80 });
      swarm.publish(someFiles(swarm, 1500));
      swarm.converge(patienceMs);
      for (const agent of swarm.agents) {
        for (const { strikes } of agent.replica().neighbours()) {
          if (strikes >= 3) swarm.report(`${agent.peer} put a slow neighbour aside`);
        }
      }
      return swarm;
    },
  },
  {
    name: 'blocks vanish behind the index and are fetched again',
    nodes: 5,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      const { newBlocks } = swarm.publish(someFiles(swarm, 800));
      swarm.runFor(3);
      swarm.agents[2]?.lose(newBlocks.filter((_, index) => index % 5 === 0));
      swarm.converge(patienceMs);
      swarm.agents[3]?.lose(newBlocks.slice(0, 4));
      const paths = [...(swarm.agents[3]?.disk().keys() ?? [])].slice(0, 200);
      swarm.agents[3]?.dispatch({ kind: 'drifted', paths });
      swarm.runFor(2000);
      if (swarm.agents[3]?.replica().progress().phase !== 'idle')
        swarm.report('what drifted was not put right');
      return swarm;
    },
  },
  {
    name: 'a writer that signs two heads of one version is found out',
    nodes: 8,
    play(seed, nodes) {
      const swarm = started({ seed, nodes });
      const { message } = swarm.publish(someFiles(swarm, 100));
      swarm.converge(patienceMs);
      const forged = swarm.share.forge(message.head);
      const first = swarm.agents[1 + swarm.random.below(nodes - 1)];
      first?.gossiped(swarm.writer.peer, forged);
      swarm.runFor(2000);
      for (const agent of swarm.agents) {
        if (agent.replica().head()?.head.root === forged.head.head.root)
          swarm.report(`${agent.peer} took the second head`);
        if (!agent.notes().some((note) => note.includes('two heads')))
          swarm.report(`${agent.peer} says nothing of two heads`);
      }
      return swarm;
    },
  },
  {
    name: 'everything at once',
    nodes: 14,
    play(seed, nodes) {
      const plan = createRandom(seed ^ 0x5eed);
      const faults = ['none', 'none', 'none', 'wrong-bytes', 'none', 'silent', 'boastful'] as const;
      const swarm = started({
        seed,
        nodes,
        gossipLoss: 0.3,
        jitter: 20,
        latencyMs: 1 + plan.below(20),
        faultOf: (index) => (index < 3 ? 'none' : (faults[index % faults.length] ?? 'none')),
        slownessOf: (index) => (index % 5 === 4 ? 8 : 1),
      });
      for (let round = 0; round < 12; round += 1) {
        const draw = plan.below(5);
        const index = 1 + plan.below(nodes - 1);
        if (draw === 0) swarm.stop(index);
        else if (draw === 1) swarm.partition((each) => (each * 7 + round) % 2);
        else if (draw === 2) swarm.partition(null);
        else swarm.publish(someFiles(swarm, 20 + plan.below(1500)));
        if (draw === 0) swarm.at(swarm.nowMs() + plan.below(1500), () => swarm.start([index]));
        swarm.runFor(plan.below(150));
      }
      swarm.partition(null);
      swarm.runFor(2000);
      swarm.publish(smallEdit(swarm));
      swarm.converge(patienceMs);
      return swarm;
    },
  },
];

type Start = Parameters<typeof createSwarm>[0] & { readonly without?: readonly number[] };

/** A swarm that agrees on a first small version. */
function started(options: Start): Swarm {
  const swarm = createSwarm(options);
  const all = Array.from({ length: options.nodes }, (_, index) => index);
  swarm.start(all.filter((index) => options.without?.includes(index) !== true));
  swarm.publish(filesOf({ bytes: 30_000, fileBytes: 1000, prefix: 'first' }));
  swarm.converge(patienceMs);
  return swarm;
}

function smallEdit(swarm: Swarm): FileEdit[] {
  return [{ path: `first/small${swarm.random.below(5)}`, blocks: [200 + swarm.random.below(5000)] }];
}

/** About `kib` KiB of new files of all sizes, over some that were there before. */
function someFiles(swarm: Swarm, kib: number): FileEdit[] {
  const edits = new Map<string, FileEdit>();
  for (let left = kib * 1024; left > 0; ) {
    const bytes = 1 + swarm.random.below(60_000);
    const path = `d${swarm.random.below(9)}/f${swarm.random.below(400)}`;
    edits.set(path, { path, blocks: [bytes] });
    left -= bytes;
  }
  for (const path of swarm.share.files().keys()) {
    if (!edits.has(path) && swarm.random.chance(0.03)) edits.set(path, { path, blocks: null });
  }
  return [...edits.values()];
}

function bigFile(path: string, blocks: number): FileEdit {
  return { path, blocks: Array.from({ length: blocks }, (_, index) => 3000 + (index % 7) * 900) };
}
