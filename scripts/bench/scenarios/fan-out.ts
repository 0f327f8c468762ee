/**
 * One file to eight nodes, each in a network namespace that sends and receives at a limited rate. S/B is the time in which
 * one copy passes one node's line: nobody can be faster. Copies: what left the source, by its interface, through the file's size.
 */
import { join } from 'node:path';
import type { Contender } from '../contender.ts';
import { namespacesRefused } from '../fabric.ts';
import { withLab } from '../lab.ts';
import { expectedOf, seen, showsAll } from '../look.ts';
import { masterTree } from '../master.ts';
import type { Question } from '../results.ts';
import type { Bench, Scenario } from '../scenario.ts';
import { MIB, makeLargeFile } from '../trees.ts';

const name = 'fan-out';
const nodes = 8;
const mbit = 100;
/** As a multiple of S/B: the loop sends to one after the other. */
const patience = 20;
const lookEveryMs = 10;

export const fanOut: Scenario = {
  name,
  summary: `one file to ${nodes} nodes of ${mbit} Mbit/s each`,
  async run(bench) {
    const refused = namespacesRefused();
    if (refused !== undefined) {
      for (const { name: contender } of bench.contenders)
        bench.recorder.remark({ scenario: name, contender, text: `not measured: ${refused}` });
      return;
    }
    const bytes = (bench.options.size ?? (bench.options.quick ? 4 : 256)) * MIB;
    const master = masterTree(bench, `file-${bytes}`, (top) => void makeLargeFile(top, bytes));
    for (let run = 1; run <= (bench.options.runs ?? 1); run += 1) {
      for (const contender of bench.contenders) {
        bench.say(`${name}: ${contender.name}, run ${run}`);
        await spread(bench, contender, { master, bytes });
      }
    }
  },
};

type Task = { readonly master: string; readonly bytes: number };

async function spread(bench: Bench, contender: Contender, { master, bytes }: Task): Promise<void> {
  const { recorder } = bench;
  const question = (metric: string, unit: Question['unit'], charted = false): Question => ({
    scenario: name,
    subject: `${bytes / MIB} MiB to ${nodes} nodes`,
    metric,
    unit,
    charted,
  });
  const idealSeconds = (bytes * 8) / (mbit * 1_000_000);
  const network = { kind: 'namespaces', mbit } as const;
  await withLab(bench, name, contender, { destinations: nodes, network }, async (lab) => {
    const session = await lab.prepare();
    await session.startDestinations();
    session.startSource();
    // Everybody has met everybody: what is measured is the file, not the start.
    await lab.ready(session);
    const appear = lab.stage(join(master, 'large.bin'));
    await lab.rest();
    const before = lab.fabric.wire()?.get(lab.source);
    const startedMs = performance.now();
    appear();
    const expected = expectedOf(lab.source.directory);
    const pushed = session.push?.();
    const checks = lab.destinations.map((place) => showsAll(place.directory, expected));
    const timeoutMs = idealSeconds * patience * 1_000;
    const seenMs = await seen(checks, { timeoutMs, everyMs: lookEveryMs });
    if (seenMs === undefined) {
      recorder.note(question('time', 's'), contender.name, `never (${Math.round(timeoutMs / 1000)} s)`);
      return;
    }
    await pushed;
    const after = lab.fabric.wire()?.get(lab.source);
    const seconds = (seenMs - startedMs) / 1_000;
    recorder.record(question('time', 's'), contender.name, seconds);
    recorder.record(question('time ÷ S/B', '×', true), contender.name, seconds / idealSeconds);
    const sent = (after?.sentBytes ?? 0) - (before?.sentBytes ?? 0);
    recorder.record(question('copies sent by the source', '×', true), contender.name, sent / bytes);
    await lab.judge(name);
  });
}
