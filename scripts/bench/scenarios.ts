/** Everything that is measured, in the order it is run. */
import type { Scenario } from './scenario.ts';
import { latency } from './scenarios/latency.ts';

export const scenarios: readonly Scenario[] = [latency];
