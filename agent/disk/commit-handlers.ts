/** The calls of the committer's worker, on its session. Synchronous. */
import { assert } from '../base/assert.ts';
import type { CommitCalls } from './commit.ts';
import type { Preparation } from './commit-prepare.ts';
import type { Session } from './commit-session.ts';
import type { Handlers } from './pool-worker.ts';
import { explainFull } from './system-errors.ts';

/** @param root named in errors. */
export function commitHandlers(session: Session, root: string): Handlers<CommitCalls> {
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

  return {
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
      preparation = null;
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
      const { kept, failed, taken } = session.run();
      return { kept, failed: [...failed.values()], taken };
    },
    results: ({ from, to }) => session.run().results(session.works().slice(from, to)),
    settle: explained((options) => {
      session.settle(options);
      return session.undurable().length;
    }),
    recover: explained(() => session.recover()),
    shape: () => session.shape(),
    undurable: () => session.undurable(),
    makeDurable: explained((next) => session.makeDurable(next)),
  };
}
