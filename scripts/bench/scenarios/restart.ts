/**
 * The source's program starts again over a large unchanged tree: seconds until the one file that changed while it was down is
 * on the destination, whose program went on running.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLab } from '../lab.ts';
import { holds, seen } from '../look.ts';
import { masterTree } from '../master.ts';
import type { Scenario } from '../scenario.ts';
import { grouped } from '../table.ts';
import { filePath, KIB, makeFiles, noise } from '../trees.ts';

const name = 'restart';
const arriveTimeoutMs = 120_000;
const lookEveryMs = 2;

export const restart: Scenario = {
  name,
  summary: 'the source starts again over unchanged files',
  async run(bench) {
    const { files, quick, runs } = bench.options;
    for (const size of files.length > 0 ? files : [quick ? 300 : 100_000]) {
      const master = masterTree(bench, `${size}-files`, (top) => makeFiles(top, size));
      const question = {
        scenario: name,
        subject: `${grouped(size)} unchanged files`,
        metric: 'start to first change',
        unit: 's',
        charted: true,
      } as const;
      for (const contender of bench.contenders) {
        bench.say(`${name}: ${contender.name}, ${grouped(size)} files`);
        const options = { destinations: 1, network: { kind: 'loopback' } } as const;
        await withLab(bench, name, contender, options, async (lab) => {
          lab.fill(master, 'everywhere');
          const session = await lab.prepare();
          await session.startDestinations();
          session.startSource();
          await lab.ready(session);
          for (let run = 1; run <= (runs ?? (quick ? 1 : 3)); run += 1) {
            await lab.rest();
            await session.stopSource();
            const path = filePath(run);
            const bytes = noise(4 * KIB, 4_000 + run);
            writeFileSync(join(lab.source.directory, path), bytes);
            const checks = lab.destinations.map((place) => holds(join(place.directory, path), bytes));
            const startedMs = performance.now();
            session.startSource();
            const pushed = session.push?.();
            const seenMs = await seen(checks, { timeoutMs: arriveTimeoutMs, everyMs: lookEveryMs });
            await pushed;
            if (seenMs === undefined)
              return bench.recorder.note(question, contender.name, `never (${arriveTimeoutMs / 1000} s)`);
            bench.recorder.record(question, contender.name, (seenMs - startedMs) / 1_000);
          }
          await lab.judge(name);
        });
      }
    }
  },
};
