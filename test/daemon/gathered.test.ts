/** What a scan found is handed over in large lots, and soon. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SharePath } from '../../agent/core/path.ts';
import { createGathered } from '../../agent/daemon/gathered.ts';

const change = (path: string) => ({ kind: 'there', path: path as SharePath }) as never;

function check(
  steps: readonly (readonly [names: string, nowMs: number])[],
  expected: readonly string[],
): void {
  const gathered = createGathered({ paths: 4, waitMs: 100 });
  const textOf = (changes: readonly { readonly path: string }[]): string =>
    changes.map(({ path }) => path).join('');
  const told = steps.map(([names, nowMs]) => textOf(gathered.add(names.split('').map(change), nowMs)));
  assert.equal([...told, textOf(gathered.rest())], expected);
  assert.equal(gathered.rest(), []);
}

test('few are kept until there are enough, and none is lost or told of twice', () => {
  check(
    [
      ['ab', 0],
      ['c', 1],
      ['def', 2],
      ['g', 3],
    ],
    ['', '', 'abcdef', '', 'g'],
  );
});

test('the first waits no longer than it may, also where nothing follows', () => {
  check(
    [
      ['a', 50],
      ['', 149],
      ['', 150],
      ['b', 160],
      ['', 259],
    ],
    ['', '', 'a', '', '', 'b'],
  );
});

test('the time before the first counts for nothing', () => {
  check(
    [
      ['', 0],
      ['a', 500],
    ],
    ['', '', 'a'],
  );
});

test.run();
