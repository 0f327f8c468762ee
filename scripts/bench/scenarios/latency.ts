/**
 * From just before a system call on the source to the moment when all replicas show what it did: create, edit, delete, chmod,
 * and the rename of a directory with 1,000 files. Each change waits until the contender is at rest after the one before.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Change, type ChangeKind, changeKinds, createChanges } from '../changes.ts';
import type { Session } from '../contender.ts';
import { type Lab, withLab } from '../lab.ts';
import { seen } from '../look.ts';
import { masterTree } from '../master.ts';
import type { Question } from '../results.ts';
import type { Bench, Scenario } from '../scenario.ts';
import { grouped } from '../table.ts';
import { makeFiles, type Random, randomFrom } from '../trees.ts';

const name = 'latency';
const replicas = 4;
const changeTimeoutMs = 20_000;
/** Changes come at no fixed distance, so that nobody's timer is always met or always missed, ms. */
const pauseMs = 100;
/** After this many that never came nobody waits for more. */
const timeoutsMax = 2;

/** What goes into the chart, of trees of more than the smallest size. */
const charted: ReadonlySet<ChangeKind> = new Set(['edit 4 KiB', 'rename of 1,000 files']);
/** A rename of a thousand files is done less often. */
const renameShare = 0.25;

export const latency: Scenario = {
  name,
  summary: `a change until all ${replicas} replicas show it`,
  async run(bench) {
    const { files, quick, runs } = bench.options;
    const sizes = files.length > 0 ? files : quick ? [300] : [1_000, 10_000, 100_000];
    for (const size of sizes) {
      const master = masterTree(bench, `${size}-files`, (top) => makeFiles(top, size));
      for (const contender of bench.contenders) {
        bench.say(`${name}: ${contender.name}, ${grouped(size)} files`);
        await withLab(
          bench,
          name,
          contender,
          { destinations: replicas, network: { kind: 'loopback' } },
          (lab) => measure(bench, lab, { master, size, runs: runs ?? (quick ? 2 : 20) }),
        );
      }
    }
  },
};

type Task = { readonly master: string; readonly size: number; readonly runs: number };

async function measure(bench: Bench, lab: Lab, { master, size, runs }: Task): Promise<void> {
  lab.fill(master, 'everywhere');
  const session = await lab.prepare();
  await session.startDestinations();
  session.startSource();
  await lab.ready(session);
  const random = randomFrom(size);
  const makeChange = createChanges(lab.source.directory, size, random);
  for (const kind of changeKinds) {
    const question: Question = {
      scenario: name,
      subject: `${grouped(size)} files: ${kind}`,
      metric: 'all replicas',
      unit: 'ms',
      charted: charted.has(kind) && size > 1_000,
    };
    const times = kind === 'rename of 1,000 files' ? Math.max(1, Math.round(runs * renameShare)) : runs;
    let late = 0;
    for (let run = 0; run < times && late < timeoutsMax; run += 1) {
      const tookMs = await once(lab, session, makeChange(kind), random);
      if (tookMs === undefined) late += 1;
      else bench.recorder.record(question, lab.contender.name, tookMs);
    }
    if (late === 0) continue;
    const note = late >= timeoutsMax ? `never (${changeTimeoutMs / 1000} s)` : 'one never';
    bench.recorder.note(question, lab.contender.name, note);
  }
  // Another change of another kind: who missed one may catch up by it.
  await lab.ready(session);
  await lab.judge(name);
}

/** @returns ms; undefined where it was not everywhere in time. */
async function once(lab: Lab, session: Session, change: Change, random: Random): Promise<number | undefined> {
  await lab.rest();
  await delay(pauseMs + (random() % pauseMs));
  const checks = lab.destinations.map((place) => change.isSeen(place.directory));
  // Looked at once before, so that what they look at is in memory alike.
  for (const check of checks) check();
  const startedMs = performance.now();
  change.apply();
  const pushed = session.push?.();
  const seenMs = await seen(checks, { timeoutMs: changeTimeoutMs });
  await pushed;
  return seenMs === undefined ? undefined : seenMs - startedMs;
}
