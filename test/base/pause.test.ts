import { getEventListeners } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pause } from '../../agent/base/pause.ts';

test('a pause ends by itself and leaves nothing on the signal', async () => {
  const { signal } = new AbortController();
  await pause(1, signal);
  await pause(-5, signal);
  assert.is(getEventListeners(signal, 'abort').length, 0);
});

test('a pause without end ends at the signal, and at once where that was given before', async () => {
  const stop = new AbortController();
  const resting = pause(Number.POSITIVE_INFINITY, stop.signal);
  stop.abort();
  await resting;
  await pause(Number.POSITIVE_INFINITY, stop.signal);
  await pause(2 ** 30, stop.signal);
  assert.is(getEventListeners(stop.signal, 'abort').length, 0);
});

test.run();
