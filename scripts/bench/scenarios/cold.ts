/**
 * An empty destination is filled: one large file, many small ones, an npm tree. What runs on the destination answers already;
 * the time is from starting the source's program to the moment when the destination shows every file, CPU and memory those of
 * both sides until then. Contenders take turns within a run.
 */
import type { Contender } from '../contender.ts';
import { withLab } from '../lab.ts';
import { expectedOf, seen, showsAll } from '../look.ts';
import { masterTree } from '../master.ts';
import type { Question } from '../results.ts';
import type { Bench, Scenario } from '../scenario.ts';
import { grouped } from '../table.ts';
import { MIB, makeLargeFile, makeNpmTree, makeSmallFiles } from '../trees.ts';

const name = 'cold';
const fillTimeoutMs = 600_000;
/** Between two looks: nothing here is so short that more often would be worth its price, ms. */
const lookEveryMs = 5;

type Load = { readonly title: string; readonly master: () => string };

export const cold: Scenario = {
  name,
  summary: 'an empty destination is filled',
  async run(bench) {
    for (const load of loadsOf(bench)) {
      load.master();
      for (let run = 1; run <= (bench.options.runs ?? (bench.options.quick ? 1 : 3)); run += 1) {
        for (const contender of bench.contenders) {
          bench.say(`${name}: ${contender.name}, ${load.title}, run ${run}`);
          await fill(bench, contender, load);
        }
      }
    }
  },
};

function loadsOf(bench: Bench): Load[] {
  const { files, quick } = bench.options;
  const largeBytes = quick ? 32 * MIB : 1_024 * MIB;
  const small = files.length > 0 ? files : [quick ? 500 : 50_000];
  const npm = quick ? 500 : 11_104;
  return [
    {
      title: `${grouped(largeBytes / MIB)} MiB file`,
      master: () => masterTree(bench, 'large', (top) => void makeLargeFile(top, largeBytes)),
    },
    ...small.map((count) => ({
      title: `${grouped(count)} × 4 KiB`,
      master: () => masterTree(bench, `small-${count}`, (top) => makeSmallFiles(top, count)),
    })),
    {
      title: `npm tree of ${grouped(npm)} files`,
      master: () => masterTree(bench, 'npm', (top) => makeNpmTree(top, npm)),
    },
  ];
}

async function fill(bench: Bench, contender: Contender, load: Load): Promise<void> {
  const question = (metric: string, unit: Question['unit']): Question => ({
    scenario: name,
    subject: load.title,
    metric,
    unit,
    charted: unit === 's' && metric === 'time',
  });
  const { recorder } = bench;
  await withLab(bench, name, contender, { destinations: 1, network: { kind: 'loopback' } }, async (lab) => {
    const session = await lab.prepare();
    lab.fill(load.master(), 'source');
    const symlinks = contender.misses?.symlinks;
    const all = expectedOf(lab.source.directory);
    const expected = symlinks === undefined ? all : all.filter(({ kind }) => kind !== 'symlink');
    if (expected.length < all.length)
      recorder.remark({
        scenario: name,
        contender: contender.name,
        text: `${symlinks}; they were not waited for`,
      });
    await session.startDestinations();
    await lab.rest();
    lab.processes.resetUsage();
    const startedMs = performance.now();
    session.startSource();
    const pushed = session.push?.();
    const checks = lab.destinations.map((place) => showsAll(place.directory, expected));
    const seenMs = await seen(checks, { timeoutMs: fillTimeoutMs, everyMs: lookEveryMs });
    if (seenMs === undefined) {
      recorder.note(question('time', 's'), contender.name, `never (${fillTimeoutMs / 1000} s)`);
      return;
    }
    await pushed;
    const source = lab.processes.usage('source');
    const destination = lab.processes.usage('destination');
    recorder.record(question('time', 's'), contender.name, (seenMs - startedMs) / 1_000);
    recorder.record(question('CPU of both', 's'), contender.name, source.cpuSeconds + destination.cpuSeconds);
    recorder.record(question('peak memory of source', 'MiB'), contender.name, source.peakBytes / MIB);
    recorder.record(
      question('peak memory of destination', 'MiB'),
      contender.name,
      destination.peakBytes / MIB,
    );
    await lab.judge(name);
  });
}
