/** One at a time, in the order of asking: keeps a share's commits and looks at its disk apart. */

export type Gate = {
  /** Runs when everything asked before is done; passes on what it returns or throws. */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
};

export function createGate(): Gate {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run(work) {
      const mine = last.then(work);
      // The next in line waits for our end, however it ends; the error is the caller's.
      last = mine.then(
        () => undefined,
        () => undefined,
      );
      return mine;
    },
  };
}
