/** Answers on their way out: in order, and no more at a time than allowed. */
import { setImmediate } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createOutbox } from '../../../agent/net/blocks/outbox.ts';
import { failureOf } from '../hosts.ts';

const always = () => true;

test('what fits goes at once, the rest in order as the kernel takes it', async () => {
  const sent: number[] = [];
  const outbox = createOutbox(10);
  const given = [6, 4, 7, 1].map((bytes) => outbox.give(bytes, always, () => sent.push(bytes)));
  await Promise.all(given.slice(0, 2));
  await setImmediate();
  assert.equal(sent, [6, 4]);
  outbox.written(6);
  await setImmediate();
  assert.equal(sent, [6, 4], 'a small one does not overtake a large one');
  outbox.written(4);
  await Promise.all(given);
  assert.equal(sent, [6, 4, 7, 1]);
});

test('one that is larger than the bound goes alone', async () => {
  const sent: number[] = [];
  const outbox = createOutbox(10);
  await outbox.give(100, always, () => sent.push(100));
  const next = outbox.give(1, always, () => sent.push(1));
  await setImmediate();
  assert.equal(sent, [100]);
  outbox.written(100);
  await next;
  assert.equal(sent, [100, 1]);
});

test('what is not wanted any more when its turn comes is not sent', async () => {
  const sent: number[] = [];
  let wanted = true;
  const outbox = createOutbox(10);
  await outbox.give(10, always, () => sent.push(10));
  const next = outbox.give(
    5,
    () => wanted,
    () => sent.push(5),
  );
  wanted = false;
  outbox.written(10);
  await next;
  assert.equal(sent, [10]);
});

test('who waits when it is closed is told', async () => {
  const outbox = createOutbox(10);
  await outbox.give(10, always, () => {});
  const waiting = [outbox.give(1, always, () => {}), outbox.give(1, always, () => {})];
  const failures = Promise.all(waiting.map(failureOf));
  outbox.close();
  assert.equal(await failures, ['unreachable-peer', 'unreachable-peer']);
  assert.is(await failureOf(outbox.give(1, always, () => {})), 'unreachable-peer');
});

test.run();
