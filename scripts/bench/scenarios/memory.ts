/**
 * Resident memory of source and destination with a tree that is in sync: the peak since their start (a first look at all
 * files included) and at rest. Memory that is mapped from the index on disk counts.
 */
import type { Scenario } from '../scenario.ts';
import { MIB } from '../trees.ts';
import { atRest } from './at-rest.ts';

const name = 'memory';

export const memory: Scenario = {
  name,
  summary: 'resident memory, at its peak and at rest',
  async run(bench) {
    const { files, quick } = bench.options;
    for (const size of files.length > 0 ? files : [quick ? 300 : 100_000]) {
      await atRest(bench, {
        scenario: name,
        destinations: 1,
        files: size,
        async look({ contender, processes }, subject) {
          for (const side of ['source', 'destination'] as const) {
            const row = (metric: string) => ({ scenario: name, subject, metric, unit: 'MiB' }) as const;
            const peak = processes.usage(side).peakBytes / MIB;
            bench.recorder.record(row(`${side}, peak`), contender.name, peak);
            bench.recorder.record(
              row(`${side}, at rest`),
              contender.name,
              processes.residentBytes(side) / MIB,
            );
          }
        },
      });
    }
  },
};
