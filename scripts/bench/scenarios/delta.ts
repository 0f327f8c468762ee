/**
 * A large file changes a little: bytes on the wire until the destination has it, both ways and with all headers, as the
 * destination's interface in its own network namespace counts them.
 */
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { overwrite } from '../changes.ts';
import type { Contender, Session } from '../contender.ts';
import { namespacesRefused } from '../fabric.ts';
import { type Lab, moveInto, withLab } from '../lab.ts';
import { expectedOf, seen, showsAll } from '../look.ts';
import { masterTree } from '../master.ts';
import type { Question } from '../results.ts';
import type { Bench, Scenario } from '../scenario.ts';
import { KIB, MIB, makeLargeFile, noise } from '../trees.ts';

const name = 'delta';
const arriveTimeoutMs = 120_000;
const lookEveryMs = 5;

type Change = {
  readonly title: string;
  /** @returns what does it, in one call. */
  readonly stage: (path: string, spare: string) => () => void;
};

/** Seeds of what is written: none of those that the chunks of the large file have, or its bytes would be in the file already. */
const freshSeeds = { overwritten: 1_000_077, appended: 1_000_078 };

const changes: readonly Change[] = [
  {
    title: '1 MiB overwritten in the middle',
    stage: (path) => () =>
      overwrite(path, noise(MIB, freshSeeds.overwritten), Math.floor(statSync(path).size / 2)),
  },
  { title: 'one byte inserted in front', stage: insertInFront },
  {
    title: '4 KiB appended',
    stage: (path) => () => overwrite(path, noise(4 * KIB, freshSeeds.appended), statSync(path).size),
  },
];

export const delta: Scenario = {
  name,
  summary: 'a large file changes a little: bytes on the wire',
  async run(bench) {
    const refused = namespacesRefused();
    if (refused !== undefined) {
      for (const { name: contender } of bench.contenders)
        bench.recorder.remark({ scenario: name, contender, text: `not measured: ${refused}` });
      return;
    }
    const bytes = (bench.options.size ?? (bench.options.quick ? 16 : 512)) * MIB;
    const master = masterTree(bench, `file-${bytes}`, (top) => void makeLargeFile(top, bytes));
    for (let run = 1; run <= (bench.options.runs ?? 1); run += 1) {
      for (const contender of bench.contenders) {
        bench.say(`${name}: ${contender.name}, run ${run}`);
        await withOne(bench, contender, { master, bytes });
      }
    }
  },
};

type Task = { readonly master: string; readonly bytes: number };

async function withOne(bench: Bench, contender: Contender, { master, bytes }: Task): Promise<void> {
  const network = { kind: 'namespaces', mbit: null } as const;
  await withLab(bench, name, contender, { destinations: 1, network }, async (lab) => {
    lab.fill(master, 'everywhere');
    const session = await lab.prepare();
    await session.startDestinations();
    session.startSource();
    await lab.ready(session);
    for (const change of changes) await measure(bench, lab, session, change, bytes);
    await lab.judge(name);
  });
}

async function measure(
  bench: Bench,
  lab: Lab,
  session: Session,
  change: Change,
  bytes: number,
): Promise<void> {
  const question = (metric: string, unit: Question['unit']): Question => ({
    scenario: name,
    subject: `${bytes / MIB} MiB: ${change.title}`,
    metric,
    unit,
    charted: unit === 'bytes',
  });
  const { recorder } = bench;
  const contender = lab.contender.name;
  const apply = change.stage(join(lab.source.directory, 'large.bin'), join(lab.source.state, 'spare'));
  await lab.rest();
  const before = wireBytes(lab);
  const startedMs = performance.now();
  apply();
  const pushed = session.push?.();
  const expected = expectedOf(lab.source.directory);
  const checks = lab.destinations.map((place) => showsAll(place.directory, expected));
  const seenMs = await seen(checks, { timeoutMs: arriveTimeoutMs, everyMs: lookEveryMs });
  await pushed;
  if (seenMs === undefined) {
    recorder.note(question('bytes on the wire', 'bytes'), contender, `never (${arriveTimeoutMs / 1000} s)`);
    return;
  }
  // Who goes on talking about it, or sends it again for a second event, is counted too.
  await lab.rest();
  recorder.record(question('bytes on the wire', 'bytes'), contender, wireBytes(lab) - before);
  recorder.record(question('time', 's'), contender, (seenMs - startedMs) / 1_000);
}

function wireBytes(lab: Lab): number {
  const counters = lab.fabric.wire();
  return lab.destinations.reduce((sum, place) => {
    const wire = counters?.get(place);
    return sum + (wire?.sentBytes ?? 0) + (wire?.receivedBytes ?? 0);
  }, 0);
}

/** Written beside the tree and moved over the old file, so that nobody sends a half of it. */
function insertInFront(path: string, spare: string): () => void {
  const descriptor = openSync(spare, 'w');
  writeSync(descriptor, Buffer.from('x'));
  writeSync(descriptor, readFileSync(path));
  closeSync(descriptor);
  return () => moveInto(spare, path);
}
