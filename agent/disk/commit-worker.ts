/** Runs a share's commits in a worker thread. */
import { assert } from '../base/assert.ts';
import type { CommitCalls } from './commit.ts';
import type { Preparation } from './commit-prepare.ts';
import { createSession } from './commit-session.ts';
import { openConfined } from './confined.ts';
import { createOwners } from './owner.ts';
import { type Handlers, poolData, serveCalls } from './pool-worker.ts';
import { explainFull } from './system-errors.ts';

const root = String(poolData());
const session = createSession(openConfined(root), createOwners(), { nowMs: () => Date.now() });
let preparation: Preparation | null = null;

function explained<Argument, Result>(run: (argument: Argument) => Result): (argument: Argument) => Result {
  return (argument) => {
    try {
      return run(argument);
    } catch (error) {
      throw explainFull(error, root);
    }
  };
}

serveCalls<CommitCalls>({
  begin: explained((options) => {
    preparation = session.begin(options);
  }),
  prepare: explained((tasks) => {
    assert(preparation !== null, 'a commit was begun');
    return preparation.prepare(tasks);
  }),
  fill: explained((fill) => session.fill(fill)),
  seal: explained(() => {
    session.seal();
    return session.shape();
  }),
  abandon: () => session.abandon(),
  link: ({ from, to }) => session.run().link(session.works().slice(from, to)),
  carryOut: ({ from, to }) => session.run().carryOut(session.works().slice(from, to)),
  blocked: () => session.run().blocked,
  localsIn: (directories) => session.run().localsIn(directories),
  clear: (locals) => session.run().clear(locals),
  tidy: ({ sync }) => {
    session.run().tidy();
    if (sync) session.syncDirectories(session.works());
  },
  results: ({ from, to }) => session.run().results(session.works().slice(from, to)),
  outcome() {
    const { kept, failed, taken } = session.run();
    return { kept, failed: [...failed.values()], taken };
  },
  settle: (options) => session.settle(options),
  recover: explained(() => session.recover()),
  shape: () => session.shape(),
  undurable: () => session.undurable(),
  makeDurable: explained((next) => session.makeDurable(next)),
} satisfies Handlers<CommitCalls>);
