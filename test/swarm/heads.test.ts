import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rememberedRootsMax } from '../../agent/base/limits.ts';
import { createHeads } from '../../agent/swarm/heads.ts';
import type { HeadMessage } from '../../agent/swarm/messages.ts';
import { createRandom } from '../sim/random.ts';
import { createShare } from '../sim/share.ts';
import { small } from './bench.ts';

function versions(count: number) {
  const share = createShare(createRandom(5));
  const messages = Array.from({ length: count }, (_, at) => share.publish([small('a', at + 1)], at).message);
  return { share, messages, first: messages[0] as HeadMessage, last: messages.at(-1) as HeadMessage };
}

const resigned = (message: HeadMessage, timeMs: number): HeadMessage => ({
  ...message,
  head: { ...message.head, head: { ...message.head.head, timeMs } },
});

test('only a higher version is news', () => {
  const { first, last } = versions(2);
  const heads = createHeads(null);
  assert.is(heads.offer(last).kind, 'news');
  assert.is(heads.offer(first).kind, 'old');
  assert.is(heads.offer(last).kind, 'old');
  // Nor one that is signed again later than what is here: the version counts, not the time.
  assert.is(heads.offer(resigned(first, last.head.head.timeMs + 60_000)).kind, 'old');
  assert.is(heads.highest(), last.head);
});

test('the highest head that was stored before a restart still counts', () => {
  const { first, last } = versions(2);
  const heads = createHeads(last.head);
  assert.is(heads.offer(first).kind, 'old');
});

test('the same version signed again later only moves its time', () => {
  const { first } = versions(1);
  const heads = createHeads(first.head);
  assert.is(heads.offer(resigned(first, 5000)).kind, 'refreshed');
  assert.is(heads.highest()?.head.timeMs, 5000);
  assert.is(heads.offer(resigned(first, 4000)).kind, 'old');
});

test('two heads of one version halt the epoch, also when the version is no longer the newest', () => {
  const { share, messages, first, last } = versions(3);
  const heads = createHeads(null);
  for (const message of messages) heads.offer(message);
  const verdict = heads.offer(share.forge(first.head));
  assert.is(verdict.kind, 'equivocation');
  assert.ok(heads.isHalted(1));
  assert.is(heads.offer(share.publish([small('b', 1)], 9).message).kind, 'old');
  assert.is(heads.highest(), last.head);
  assert.is(heads.offer(share.forge(first.head)).kind, 'old');
});

test('the evidence holds both signatures', () => {
  const { share, first } = versions(1);
  const heads = createHeads(first.head);
  const verdict = heads.offer(share.forge(first.head));
  const note = verdict.kind === 'equivocation' ? verdict.effects[0] : undefined;
  assert.ok(
    note?.kind === 'note' &&
      typeof note.fields['signatureA'] === 'string' &&
      typeof note.fields['bodyB'] === 'string',
  );
});

test('an epoch that was halted before a restart stays so', () => {
  const { first, last } = versions(2);
  const heads = createHeads(first.head, 1);
  assert.is(heads.offer(last).kind, 'old');
  assert.is(heads.highest(), first.head);
});

test('a higher epoch goes on where a lower one is halted', () => {
  const { share, first } = versions(1);
  const heads = createHeads(first.head);
  heads.offer(share.forge(first.head));
  const head = { ...first.head, head: { ...first.head.head, version: { epoch: 2, sequence: 1 } } };
  assert.is(heads.offer({ kind: 'head', head, operations: null }).kind, 'news');
});

test('remembers a bounded number of versions', () => {
  const { share, messages, first } = versions(rememberedRootsMax + 1);
  const heads = createHeads(null);
  for (const message of messages) heads.offer(message);
  assert.is(heads.offer(share.forge(first.head)).kind, 'old');
});

test.run();
