/** Everything that is measured, in the order it is run. */
import type { Scenario } from './scenario.ts';
import { cold } from './scenarios/cold.ts';
import { delta } from './scenarios/delta.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { idle } from './scenarios/idle.ts';
import { latency } from './scenarios/latency.ts';
import { memory } from './scenarios/memory.ts';
import { restart } from './scenarios/restart.ts';

export const scenarios: readonly Scenario[] = [latency, cold, fanOut, delta, restart, memory, idle];
