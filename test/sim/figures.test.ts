import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareFigures, type Figures, keepFigures } from './figures.ts';

const kept: Figures = {
  nodes: 10,
  seed: 1,
  bytes: 100,
  time: 1.05,
  writerCopies: 1.01,
  busiestCopies: 0.9,
  duplicates: 0.001,
  control: 0.004,
  p50Ms: 2,
  p99Ms: 3,
};

test('tells what is clearly worse from what merely moved', () => {
  const now = { ...kept, time: 1.2, writerCopies: 1.04, p50Ms: 1 };
  assert.equal(compareFigures([kept], now), [
    { title: 'time', kept: 1.05, now: 1.2, isWorse: true },
    { title: 'writer', kept: 1.01, now: 1.04, isWorse: false },
    { title: 'p50', kept: 2, now: 1, isWorse: false },
  ]);
});

test('every figure can be found worse', () => {
  const now = { ...kept, time: 2, writerCopies: 2, duplicates: 0.1, p50Ms: 9, p99Ms: 9 };
  assert.is(compareFigures([kept], now).filter(({ isWorse }) => isWorse).length, 5);
});

test('says nothing where nothing of the kind was kept', () => {
  const worse = { ...kept, time: 9 };
  for (const now of [
    { ...worse, nodes: 11 },
    { ...worse, seed: 2 },
    { ...worse, bytes: 1 },
  ])
    assert.equal(compareFigures([kept], now), []);
});

test('keeps what was measured, and of other sizes what there was', () => {
  const other = { ...kept, nodes: 2 };
  const now = { ...kept, time: 1 };
  assert.equal(keepFigures([kept, other], [now]), [other, now]);
});

test.run();
