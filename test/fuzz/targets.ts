/** Every decoder that reads what is not of this process's own making, by name. */
import { documentTargets } from './documents.ts';
import type { Target } from './engine.ts';
import { storeTargets } from './store.ts';
import { textTargets } from './text.ts';
import { wireTargets } from './wire.ts';

export const targets: readonly Target[] = [
  ...wireTargets,
  ...documentTargets,
  ...storeTargets,
  ...textTargets,
];
