/** The first version comes in parts: what is held at one time, what counts when, what a later part's failure leaves. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { firstPartChanges } from '../../agent/base/limits.ts';
import type { Change } from '../../agent/core/entry.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { Outcome } from '../../agent/daemon/apply.ts';
import { applyInParts } from '../../agent/daemon/apply-parts.ts';

const path = (number: number): SharePath => `path ${String(number).padStart(5, '0')}` as SharePath;

type Commit = { readonly paths: number; readonly isLast: boolean };

/** @param fails which commit, counted from 0, finds a block missing. */
async function apply(count: number, { fails = Number.NaN } = {}) {
  const commits: Commit[] = [];
  const told: number[] = [];
  let taken = 0;
  let committed = 0;
  let heldMax = 0;
  function* changes(): Generator<Change> {
    for (; taken < count; ) {
      taken += 1;
      heldMax = Math.max(heldMax, taken - committed);
      yield { path: path(taken), before: null, after: null };
    }
  }
  const outcome = await applyInParts(changes(), {
    async commit(part, { isLast }): Promise<Outcome> {
      if (commits.push({ paths: part.length, isLast }) - 1 === fails) return { kind: 'lost', digests: [] };
      committed += part.length;
      const failed = part.slice(0, 1).map((one) => ({ path: one.path, code: 'EIO', message: 'failed' }));
      return { kind: 'applied', result: { done: [], kept: [], failed, lost: [] } };
    },
    onPart: (part) => void told.push(part.length),
    partChanges: firstPartChanges,
  });
  return { outcome, commits, told, heldMax };
}

test('a large tree is committed in parts that bound what is held, and counts with the last', async () => {
  const { outcome, commits, told, heldMax } = await apply(2 * firstPartChanges + 1);
  assert.equal(commits, [
    { paths: firstPartChanges, isLast: false },
    { paths: firstPartChanges, isLast: false },
    { paths: 1, isLast: true },
  ]);
  assert.equal(told, [firstPartChanges, firstPartChanges, 1]);
  assert.is(heldMax, firstPartChanges + 1);
  assert.equal(outcome.kind === 'applied' ? outcome.result.failed.map((failure) => failure.path) : outcome, [
    path(1),
    path(firstPartChanges + 1),
    path(2 * firstPartChanges + 1),
  ]);
});

test('a tree that fits one commit is one, and so is an empty one', async () => {
  assert.equal((await apply(firstPartChanges)).commits, [{ paths: firstPartChanges, isLast: true }]);
  assert.equal((await apply(0)).commits, [{ paths: 0, isLast: true }]);
});

test('after a part that could not be done nothing more is', async () => {
  const { outcome, commits, told } = await apply(3 * firstPartChanges, { fails: 1 });
  assert.equal(outcome, { kind: 'lost', digests: [] });
  assert.is(commits.length, 2);
  assert.equal(told, [firstPartChanges]);
});

test.run();
