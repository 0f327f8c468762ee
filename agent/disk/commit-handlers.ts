/** The calls of the committer's worker, on its session. Synchronous. */
import { assert } from '../base/assert.ts';
import type { Begin, CommitCalls, Tidied, Whole } from './commit.ts';
import type { Preparation, Task } from './commit-prepare.ts';
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

  function tidy({ sync }: { readonly sync: boolean }): Tidied {
    session.run().tidy();
    if (sync) session.syncDirectories(session.works());
    const { kept, failed, taken } = session.run();
    return { kept, failed: [...failed.values()], taken };
  }

  /** @returns what keeps the journal from being sealed; null: it is. */
  function prepareAll(begin: Begin, tasks: readonly Task[]): Whole | null {
    try {
      const prepared = session.begin(begin);
      const result = prepared.prepare(tasks);
      if (result.lost.length > 0 || result.needBytes.length > 0) {
        preparation = prepared;
        return { kind: 'prepared', result };
      }
      session.seal();
      return null;
    } catch (error) {
      session.abandon();
      throw error;
    }
  }

  function whole({ tasks, ...begin }: Begin & { readonly tasks: readonly Task[] }): Whole {
    const open = prepareAll(begin, tasks);
    if (open !== null) return open;
    const shape = session.shape();
    const run = session.run();
    const works = session.works();
    const renames = works.slice(0, shape.finishesAt);
    const finishes = works.slice(shape.finishesAt);
    if (shape.moves) run.link(works);
    run.carryOut(renames);
    if (run.blocked.length > 0) return { kind: 'renamed', shape };
    const done = run.results(renames);
    run.carryOut(finishes);
    return { kind: 'done', done: [...done, ...run.results(finishes)], tidied: tidy(begin) };
  }

  return {
    belowMove: explained((move) => session.belowMove(move)),
    whole: explained(whole),
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
    tidy,
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
