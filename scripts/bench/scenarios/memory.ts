/**
 * Resident memory of source and destination with a tree that is in sync: the peak since their start (a first look at all
 * files included) and when they have been at rest for a while. Memory that is mapped from an index on disk counts, and is
 * told by itself as well.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../scenario.ts';
import { MIB } from '../trees.ts';
import { atRest } from './at-rest.ts';

const name = 'memory';
/** What a contender does once it is at rest, for example to give memory back, it has done by then, ms. */
const afterRestMs = 10_000;

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
          await delay(afterRestMs);
          for (const side of ['source', 'destination'] as const) {
            const row = (metric: string) => ({ scenario: name, subject, metric, unit: 'MiB' }) as const;
            const peak = processes.usage(side).peakBytes / MIB;
            bench.recorder.record(row(`${side}, peak`), contender.name, peak);
            bench.recorder.record(
              row(`${side}, at rest`),
              contender.name,
              processes.residentBytes(side) / MIB,
            );
            bench.recorder.record(
              row(`${side}, of it mapped files`),
              contender.name,
              processes.mappedBytes(side) / MIB,
            );
          }
        },
      });
    }
  },
};
