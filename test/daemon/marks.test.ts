/** What waits to be looked at: gathered by directory, and bounded. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { markedNamesMax } from '../../agent/base/limits.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { createMarks, type Marked } from '../../agent/daemon/marks.ts';

const at = (path: string): SharePath => path as SharePath;
const texts = (marks: readonly Marked[]): string[] =>
  marks.map(([directory, names]) => `${directory}: ${names === null ? 'all' : [...names].join()}`);

test('names are gathered by directory, and a whole directory takes in its names', () => {
  const marks = createMarks();
  assert.ok(marks.isEmpty());
  marks.add([
    { directory: at('a'), names: ['x'] },
    { directory: at('b'), names: ['y'] },
    { directory: at('a'), names: ['z', 'x'] },
    { directory: at('b'), names: null },
    { directory: at('b'), names: ['w'] },
  ]);
  assert.not(marks.isEmpty());
  assert.equal(texts(marks.take()), ['a: x,z', 'b: all']);
  assert.ok(marks.isEmpty());
});

test('beyond the bound of names their directories are marked whole, and what comes then is remembered by name again', () => {
  const marks = createMarks();
  const names = Array.from({ length: markedNamesMax - 1 }, (_, number) => `${number}`);
  marks.add([
    { directory: at('few'), names: ['one'] },
    { directory: at('many'), names },
  ]);
  // The same again is no more than there was.
  marks.add([{ directory: at('many'), names }]);
  marks.add([
    { directory: at('few'), names: ['two'] },
    { directory: at('later'), names: ['three'] },
  ]);
  assert.equal(texts(marks.take()), ['few: all', 'many: all', 'later: three']);
});

test('what is taken or cleared does not count any more', () => {
  const marks = createMarks();
  const names = Array.from({ length: markedNamesMax }, (_, number) => `${number}`);
  for (const forget of [() => marks.take(), () => marks.clear()]) {
    marks.add([{ directory: at('many'), names }]);
    forget();
  }
  marks.add([{ directory: at('many'), names }]);
  marks.add([{ directory: at('many'), names: null }]);
  marks.add([{ directory: at('other'), names }]);
  assert.is(marks.take().filter(([, all]) => all === null).length, 1);
});

test.run();
