/** The figures that the design promises, in simulated time, which is the same on every machine. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MIB } from '../../agent/base/limits.ts';
import { measureSpread, measureStaleness } from './measure.ts';

test('thirty agents have a release within 1.25 times what one link needs, and the writer sends it 1.2 times at most', () => {
  const { time, writerCopies, duplicates, violations } = measureSpread({ nodes: 30, seed: 1 });
  assert.equal(violations, []);
  assert.ok(time <= 1.25, `time ${time}`);
  assert.ok(writerCopies <= 1.2, `writer ${writerCopies}`);
  assert.ok(duplicates <= 0.05, `duplicates ${duplicates}`);
});

test('a second agent has a release in the time of one link', () => {
  const { time, violations } = measureSpread({ nodes: 2, seed: 1, bytes: 16 * MIB });
  assert.equal(violations, []);
  assert.ok(time <= 1.05, `time ${time}`);
});

test('small edits reach every agent in milliseconds, and a lost gossip message costs less than a heartbeat', () => {
  const { p50Ms, p99Ms, violations } = measureStaleness({ nodes: 12, seed: 1 });
  assert.equal(violations, []);
  assert.ok(p50Ms < 10, `p50 ${p50Ms}`);
  assert.ok(p99Ms < 500, `p99 ${p99Ms}`);
});

test.run();
