/** Runs the stage's files in a worker thread. */
import { openConfined } from './confined.ts';
import { poolData, serveCalls } from './pool-worker.ts';
import type { StageCalls } from './stage.ts';
import { stageHandlers } from './stage-handlers.ts';

const root = String(poolData());
serveCalls<StageCalls>(stageHandlers(openConfined(root), root));
