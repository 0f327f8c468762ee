/** Runs a share's commits in a worker thread. */

import type { CommitCalls } from './commit.ts';
import { commitHandlers } from './commit-handlers.ts';
import { createSession } from './commit-session.ts';
import { openConfined } from './confined.ts';
import { createOwners } from './owner.ts';
import { poolData, serveCalls } from './pool-worker.ts';

const root = String(poolData());
const session = createSession(openConfined(root), createOwners(), { nowMs: () => Date.now() });
serveCalls<CommitCalls>(commitHandlers(session, root));
