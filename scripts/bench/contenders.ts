/** Everybody who takes part, in the order of the table. */
import type { Contender } from './contender.ts';
import { p2psync } from './contenders/p2psync.ts';

export const contenders: readonly Contender[] = [p2psync];
