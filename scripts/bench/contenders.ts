/** Everybody who takes part, in the order of the table. */
import type { Contender } from './contender.ts';
import { loop } from './contenders/loop.ts';
import { lsyncd } from './contenders/lsyncd.ts';
import { p2psync } from './contenders/p2psync.ts';
import { rsync } from './contenders/rsync.ts';
import { syncthing } from './contenders/syncthing.ts';

export const contenders: readonly Contender[] = [p2psync, rsync, loop, lsyncd, syncthing];
