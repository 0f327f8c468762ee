import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blockBytesMax, KIB, MIB, requestDigestsMax, requestsOpenMax } from '../../../agent/base/limits.ts';
import { digestOf } from '../../../agent/core/digest.ts';
import type { ShareId } from '../../../agent/core/keys.ts';
import type { BlockAnswer, SharedRequest } from '../../../agent/swarm/messages.ts';
import { befriend, closeAll, failureOf, ofKind, startTestHost, type TestHost } from '../hosts.ts';

const share = 'ab'.repeat(16) as ShareId;
const digest = digestOf(new Uint8Array(1));
/** @param answers how many may come. */
const request = (id: number, answers: number = 3): SharedRequest => ({
  share,
  id,
  plane: 'block',
  digests: Array.from({ length: answers }, () => digest),
});
const block = (id: number, bytes: number): BlockAnswer => ({
  kind: 'block',
  id,
  digest,
  bytes: new Uint8Array(bytes).fill(id),
});
const done = (id: number): BlockAnswer => ({ kind: 'done', id });

async function pair(
  handlers: Parameters<typeof startTestHost>[1] = {},
): Promise<readonly [requester: TestHost, server: TestHost]> {
  const [ana, bo] = [await startTestHost({}, handlers), await startTestHost()];
  await befriend(ana, bo);
  return [ana, bo];
}

test('a request is answered in order, with blocks up to the largest', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  const asked = await bo.until(ofKind('request'));
  assert.equal(asked, { kind: 'request', peer: ana.peer, request: request(1) });
  const answers: BlockAnswer[] = [
    block(1, 1),
    block(1, blockBytesMax),
    { kind: 'missing', id: 1, digest },
    done(1),
  ];
  for (const answer of answers) await bo.blocks.answer(ana.peer, answer);
  await ana.until((event) => event.kind === 'answer' && event.answer.kind === 'done');
  const got = ana.events.flatMap((event) => (event.kind === 'answer' ? [event.answer] : []));
  assert.equal(
    got.map((answer) => answer.kind),
    ['block', 'block', 'missing', 'done'],
  );
  const largest = got[1];
  assert.ok(
    largest?.kind === 'block' &&
      largest.bytes.byteLength === blockBytesMax &&
      largest.bytes.every((byte) => byte === 1),
  );
  await closeAll(ana, bo);
  assert.is(ana.count('lost'), 0, 'nothing was open');
});

test('both ask each other at the same time, each on a stream of its own', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  bo.blocks.request(ana.peer, request(1));
  await Promise.all([ana.until(ofKind('request')), bo.until(ofKind('request'))]);
  await Promise.all([
    ana.blocks.answer(bo.peer, done(1)),
    bo.blocks.answer(ana.peer, { kind: 'busy', id: 1, retryMs: 7 }),
  ]);
  const [left, right] = [await ana.until(ofKind('answer')), await bo.until(ofKind('answer'))];
  assert.ok(left.kind === 'answer' && left.answer.kind === 'busy' && left.answer.retryMs === 7);
  assert.ok(right.kind === 'answer' && right.answer.kind === 'done');
  await closeAll(ana, bo);
});

test('a cancelled request is said, and what is still answered to it goes nowhere', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  await bo.until(ofKind('request'));
  ana.blocks.cancel(bo.peer, 1);
  await bo.until((event) => event.kind === 'cancelled' && event.id === 1);
  await bo.blocks.answer(ana.peer, block(1, 100));
  await bo.blocks.answer(ana.peer, done(1));
  ana.blocks.request(bo.peer, request(2));
  await bo.until((event) => event.kind === 'request' && event.request.id === 2);
  await bo.blocks.answer(ana.peer, done(2));
  await ana.until((event) => event.kind === 'answer' && event.answer.id === 2);
  const got = ana.events.flatMap((event) => (event.kind === 'answer' ? [event.answer] : []));
  assert.equal(got, [done(1), done(2)]);
  await closeAll(ana, bo);
});

test('a request to one who is not connected is lost, not thrown', async () => {
  const ana = await startTestHost();
  const bo = await startTestHost();
  ana.blocks.request(bo.peer, request(1));
  assert.is(ana.count('lost'), 0, 'not inside the call');
  await ana.until(ofKind('lost', bo.peer));
  ana.blocks.cancel(bo.peer, 1);
  assert.is(await failureOf(bo.blocks.answer(ana.peer, done(1))), 'unreachable-peer');
  await closeAll(ana, bo);
});

test('a disconnect loses what was asked and cancels what was served, before it is said', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  await bo.until(ofKind('request'));
  await ana.hangUp(bo.peer, 'test');
  await bo.until(ofKind('disconnected'));
  const kinds = (host: TestHost) => host.events.map((event) => event.kind).slice(-2);
  assert.equal(kinds(ana), ['lost', 'disconnected']);
  assert.equal(kinds(bo), ['cancelled', 'disconnected']);
  assert.is(await failureOf(bo.blocks.answer(ana.peer, done(1))), 'unreachable-peer');
  // A new connection serves anew.
  await befriend(ana, bo);
  ana.blocks.request(bo.peer, request(2));
  await bo.until((event) => event.kind === 'request' && event.request.id === 2);
  await closeAll(ana, bo);
});

test('more open requests than an honest peer has close its connection', async () => {
  const [ana, bo] = await pair();
  for (let id = 0; id <= requestsOpenMax; id += 1) ana.blocks.request(bo.peer, request(id));
  await bo.until((event) => event.kind === 'note' && event.text === 'bulk stream refused');
  await ana.until(ofKind('disconnected'));
  assert.is(bo.count('request'), requestsOpenMax);
  await closeAll(ana, bo);
});

test('a slow consumer of 200 MB holds the server back, and neither end buffers more than a few megabytes', async () => {
  const total = 200 * MIB;
  const blockBytes = 256 * KIB;
  let received = 0;
  let sent = 0;
  let mostAhead = 0;
  const finished = Promise.withResolvers<void>();
  const [ana, bo] = await pair({
    async blockAnswer(_peer, answer) {
      if (answer.kind === 'done') return finished.resolve();
      if (answer.kind !== 'block') return;
      received += answer.bytes.byteLength;
      mostAhead = Math.max(mostAhead, sent - received);
      // Slower than the network: the reader pauses again and again.
      if (received % (4 * MIB) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  });
  ana.blocks.request(bo.peer, request(1, requestDigestsMax));
  await bo.until(ofKind('request'));
  while (sent < total) {
    sent += blockBytes;
    await bo.blocks.answer(ana.peer, block(1, blockBytes));
  }
  await bo.blocks.answer(ana.peer, done(1));
  await finished.promise;
  assert.is(received, total);
  assert.ok(mostAhead < 12 * MIB, `${mostAhead} bytes between the ends`);
  await closeAll(ana, bo);
});

test('a consumer that stands still stops the server, and its disconnect frees it', async () => {
  const [ana, bo] = await pair({ blockAnswer: () => new Promise(() => {}) });
  ana.blocks.request(bo.peer, request(1, requestDigestsMax));
  await bo.until(ofKind('request'));
  let sent = 0;
  const serving = (async () => {
    for (;;) {
      await bo.blocks.answer(ana.peer, block(1, 256 * KIB));
      sent += 256 * KIB;
    }
  })();
  // Frames go there and back while the bulk stream stands.
  for (let still = 0, last = -1; still < 20; ) {
    const before = bo.count('control');
    ana.send(bo.peer, Uint8Array.of(1));
    await bo.until(() => bo.count('control') > before);
    still = sent === last ? still + 1 : 0;
    last = sent;
  }
  assert.ok(sent > 0 && sent < 12 * MIB, `${sent} bytes`);
  const failure = failureOf(serving);
  await ana.hangUp(bo.peer, 'test');
  assert.is(await failure, 'unreachable-peer');
  await closeAll(ana, bo);
});

test.run();
