/** CPU of everybody together while nothing changes, a node, as a part of one core. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Scenario } from '../scenario.ts';
import { atRest } from './at-rest.ts';

const name = 'idle';
const replicas = 4;

export const idle: Scenario = {
  name,
  summary: `CPU of a node while nothing changes, ${replicas} replicas`,
  async run(bench) {
    const { files, quick } = bench.options;
    const windowMs = quick ? 3_000 : 60_000;
    for (const size of files.length > 0 ? files : [quick ? 300 : 10_000]) {
      await atRest(bench, {
        scenario: name,
        destinations: replicas,
        files: size,
        async look({ contender, processes }, subject) {
          const before = processes.cpuSeconds();
          const startedMs = performance.now();
          await delay(windowMs);
          const cores = ((processes.cpuSeconds() - before) * 1_000) / (performance.now() - startedMs);
          const question = { scenario: name, subject, metric: 'of a core, a node', unit: '%' } as const;
          bench.recorder.record(question, contender.name, (cores * 100) / (replicas + 1));
        },
      });
    }
  },
};
