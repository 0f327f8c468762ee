/** Hosts on 127.0.0.1 whose blocks travel over TLS. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { blockBytesMax, bulkPagesMin, KIB, MIB, requestDigestsMax } from '../../agent/base/limits.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import type { BlockAnswer, SharedRequest } from '../../agent/swarm/messages.ts';
import { befriend, closeAll, ofKind, startTestHost, type TestHost } from './hosts.ts';

const share = 'ab'.repeat(16) as ShareId;
const firstDigest = digestOf(new Uint8Array(1));
/** As many answers as a request can have. */
const manyDigests: readonly Digest[] = Array.from({ length: requestDigestsMax }, () => firstDigest);
const request = (id: number, digests: readonly Digest[] = [firstDigest]): SharedRequest => ({
  share,
  id,
  plane: 'block',
  digests,
});
const block = (id: number, bytes: Bytes): BlockAnswer => ({
  kind: 'block',
  id,
  digest: digestOf(bytes),
  bytes,
});
const done = (id: number): BlockAnswer => ({ kind: 'done', id });

/** Asks for something once, over libp2p, and waits until `asker` can ask `server` over TLS. */
async function untilTls(asker: TestHost, server: TestHost): Promise<void> {
  lastFirst += 1;
  const id = lastFirst;
  asker.blocks.request(server.peer, request(id));
  await asked(server, id);
  await server.blocks.answer(asker.peer, done(id));
  await untilRoute(asker, server, 'tls');
  await untilRoute(server, asker, 'tls');
}

let lastFirst = 1_000_000;

/** Frames go there and back until it is so; the hosts' own deadline ends the wait. */
async function untilRoute(left: TestHost, right: TestHost, route: string): Promise<void> {
  for (let round = 0; left.route(right.peer) !== route; round += 1) {
    const before = right.count('control');
    left.send(right.peer, Uint8Array.of(1));
    await right.until(() => right.count('control') > before);
    assert.ok(round < 20_000, `the route is ${left.route(right.peer)}`);
  }
}

async function pair(
  handlers: Parameters<typeof startTestHost>[1] = {},
): Promise<readonly [asker: TestHost, server: TestHost]> {
  const [ana, bo] = [await startTestHost({}, handlers), await startTestHost()];
  await befriend(ana, bo);
  await untilTls(ana, bo);
  return [ana, bo];
}

const asked = (host: TestHost, id: number) =>
  host.until((event) => event.kind === 'request' && event.request.id === id);

test('blocks of every size arrive whole and hashed, and both ends count them', async () => {
  const [ana, bo] = await pair();
  const contents = [0, 1, 4095, 70_000, MIB, blockBytesMax].map((size) => new Uint8Array(randomBytes(size)));
  const before = ana.traffic(bo.peer)?.receivedBytes ?? 0;
  ana.blocks.request(bo.peer, request(1, [...contents.map(digestOf), firstDigest]));
  await asked(bo, 1);
  for (const bytes of contents) {
    await bo.blocks.answer(ana.peer, block(1, bytes));
    assert.ok(bytes.byteLength === 0 || bytes.buffer.byteLength > 0, 'the bytes stay with who answers');
  }
  await bo.blocks.answer(ana.peer, { kind: 'missing', id: 1, digest: firstDigest });
  await bo.blocks.answer(ana.peer, done(1));
  await ana.until(
    (event) => event.kind === 'answer' && event.answer.id === 1 && event.answer.kind === 'done',
  );
  const answers = ana.events.flatMap((event) =>
    event.kind === 'answer' && event.answer.id === 1 ? [event.answer] : [],
  );
  const blocks = answers.flatMap((answer) => (answer.kind === 'block' ? [answer] : []));
  assert.equal(
    blocks.map(({ digest, verified }) => [digest, verified]),
    contents.map((bytes) => [digestOf(bytes), true]),
  );
  assert.equal(
    blocks.map(({ bytes }) => digestOf(bytes)),
    contents.map(digestOf),
  );
  assert.equal(
    answers.slice(-2).map(({ kind }) => kind),
    ['missing', 'done'],
  );
  const sum = contents.reduce((total, { byteLength }) => total + byteLength, 0);
  assert.ok((ana.traffic(bo.peer)?.receivedBytes ?? 0) - before > sum);
  assert.is(bo.route(ana.peer), 'tls');
  await closeAll(ana, bo);
});

test('wrong bytes are handed on, and not called verified', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  await asked(bo, 1);
  await bo.blocks.answer(ana.peer, { kind: 'block', id: 1, digest: firstDigest, bytes: Uint8Array.of(9) });
  const event = await ana.until((one) => one.kind === 'answer' && one.answer.kind === 'block');
  assert.ok(event.kind === 'answer' && event.answer.kind === 'block' && event.answer.verified === undefined);
  await closeAll(ana, bo);
});

test('both ask each other over TLS at the same time', async () => {
  const [ana, bo] = await pair();
  await untilTls(bo, ana);
  ana.blocks.request(bo.peer, request(1));
  bo.blocks.request(ana.peer, request(1));
  await Promise.all([asked(bo, 1), asked(ana, 1)]);
  await Promise.all([
    ana.blocks.answer(bo.peer, done(1)),
    bo.blocks.answer(ana.peer, { kind: 'busy', id: 1, retryMs: 7 }),
  ]);
  await bo.until((event) => event.kind === 'answer' && event.answer.id === 1 && event.answer.kind === 'done');
  await ana.until((event) => event.kind === 'answer' && event.answer.kind === 'busy');
  await closeAll(ana, bo);
});

test('a cancelled request is said, and what is still answered to it goes nowhere', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  await asked(bo, 1);
  ana.blocks.cancel(bo.peer, 1);
  await bo.until((event) => event.kind === 'cancelled' && event.id === 1);
  await bo.blocks.answer(ana.peer, block(1, new Uint8Array(100)));
  ana.blocks.request(bo.peer, request(2));
  await asked(bo, 2);
  await bo.blocks.answer(ana.peer, done(2));
  await ana.until((event) => event.kind === 'answer' && event.answer.id === 2);
  const got = ana.events.flatMap((event) => (event.kind === 'answer' ? [event.answer] : []));
  assert.equal(got.slice(1), [done(1), done(2)]);
  await closeAll(ana, bo);
});

test('a slow consumer of 100 MB holds the server back, and little waits in between', async () => {
  const total = 100 * MIB;
  const bytes = new Uint8Array(randomBytes(256 * KIB));
  let received = 0;
  let sent = 0;
  let mostAhead = 0;
  const finished = Promise.withResolvers<void>();
  const [ana, bo] = [
    await startTestHost(
      {},
      {
        async blockAnswer(_peer, answer) {
          if (answer.kind === 'done' && answer.id === 1) return finished.resolve();
          if (answer.kind !== 'block') return;
          received += answer.bytes.byteLength;
          mostAhead = Math.max(mostAhead, sent - received);
          // The bytes are the consumer's, to give away as it likes, once all that share their memory are here.
          await Promise.resolve();
          const { buffer } = answer.bytes;
          if (answer.verified === true && buffer instanceof ArrayBuffer && !buffer.detached)
            buffer.transfer(0);
          // Slower than the network: the reader pauses again and again.
          if (received % (2 * MIB) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        },
      },
    ),
    await startTestHost(),
  ];
  await befriend(ana, bo);
  await untilTls(ana, bo);
  ana.blocks.request(bo.peer, request(1, manyDigests));
  await asked(bo, 1);
  const answer = block(1, bytes);
  while (sent < total) {
    sent += bytes.byteLength;
    await bo.blocks.answer(ana.peer, answer);
  }
  await bo.blocks.answer(ana.peer, done(1));
  await finished.promise;
  assert.is(received, total);
  // 3 MiB on the way out, 4 MiB and a batch on the way in, and what the kernel holds for both ends of a loopback.
  assert.ok(mostAhead < 24 * MIB, `${mostAhead} bytes between the ends`);
  await closeAll(ana, bo);
});

test('a consumer that stands still stops the server for itself alone, and its disconnect frees it', async () => {
  const bytes = new Uint8Array(randomBytes(256 * KIB));
  const [ana, bo] = await pair({
    blockAnswer: (_peer, { id }) => (id === 1 ? new Promise(() => {}) : undefined),
  });
  const cleo = await startTestHost();
  await befriend(cleo, bo);
  await untilTls(cleo, bo);
  ana.blocks.request(bo.peer, request(1, manyDigests));
  await bo.until((event) => event.kind === 'request' && event.peer === ana.peer && event.request.id === 1);
  let sent = 0;
  const serving = (async () => {
    for (;;) {
      await bo.blocks.answer(ana.peer, block(1, bytes));
      sent += bytes.byteLength;
    }
  })().catch((error: Error) => error);
  // Cleo gets everything, all the while.
  for (let id = 1; id <= 64; id += 1) {
    cleo.blocks.request(bo.peer, request(id));
    await bo.until(
      (event) => event.kind === 'request' && event.peer === cleo.peer && event.request.id === id,
    );
    await bo.blocks.answer(cleo.peer, block(id, bytes));
    await bo.blocks.answer(cleo.peer, done(id));
    await cleo.until(
      (event) => event.kind === 'answer' && event.answer.kind === 'done' && event.answer.id === id,
    );
  }
  assert.ok(sent > 0 && sent < 24 * MIB, `${sent} bytes`);
  await ana.hangUp(bo.peer, 'test');
  assert.match((await serving).message, 'wait for blocks');
  await closeAll(ana, bo, cleo);
});

test('a disconnect loses what was asked and cancels what was served, before it is said', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  await asked(bo, 1);
  await ana.hangUp(bo.peer, 'test');
  await bo.until(ofKind('disconnected'));
  const kinds = (host: TestHost) => host.events.map((event) => event.kind).slice(-2);
  assert.equal(kinds(ana), ['lost', 'disconnected']);
  assert.equal(kinds(bo), ['cancelled', 'disconnected']);
  assert.is(ana.route(bo.peer), null);
  // A new connection begins anew.
  await befriend(ana, bo);
  await untilTls(ana, bo);
  await closeAll(ana, bo);
});

test('an expelled peer loses its TLS connections in the same turn', async () => {
  const [ana, bo] = await pair();
  ana.blocks.request(bo.peer, request(1));
  await asked(bo, 1);
  bo.expel(ana.peer);
  assert.equal(
    bo.events.slice(-2).map((event) => event.kind),
    ['cancelled', 'disconnected'],
  );
  await ana.until(ofKind('lost'));
  await closeAll(ana, bo);
});

test('where the port is shut blocks go over libp2p, and it is said once', async () => {
  const door = { open: true };
  const ana = await startTestHost();
  const bo = await startTestHost({}, { allowAddress: () => door.open });
  await befriend(ana, bo);
  door.open = false;
  ana.blocks.request(bo.peer, request(1));
  await asked(bo, 1);
  await bo.blocks.answer(ana.peer, done(1));
  const note = await ana.until((event) => event.kind === 'note');
  assert.ok(note.kind === 'note' && note.text === 'blocks go over libp2p, slower');
  assert.is(ana.route(bo.peer), 'libp2p');
  const bytes = new Uint8Array(randomBytes(MIB));
  ana.blocks.request(bo.peer, request(2, [digestOf(bytes)]));
  await asked(bo, 2);
  await bo.blocks.answer(ana.peer, block(2, bytes));
  const event = await ana.until((one) => one.kind === 'answer' && one.answer.kind === 'block');
  assert.ok(event.kind === 'answer' && event.answer.kind === 'block');
  if (event.kind === 'answer' && event.answer.kind === 'block') assert.equal(event.answer.bytes, bytes);
  assert.is(ana.count('note'), 1);
  assert.is(ana.count('lost'), 0);
  await closeAll(ana, bo);
});

test('a few pages alone open no connection of their own', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  await befriend(ana, bo);
  for (let id = 1; id <= 20; id += 1) {
    ana.blocks.request(bo.peer, { ...request(id), plane: 'page' });
    await asked(bo, id);
    await bo.blocks.answer(ana.peer, done(id));
    await ana.until((event) => event.kind === 'answer' && event.answer.id === id);
  }
  assert.equal([ana.route(bo.peer), bo.route(ana.peer)], [null, null]);
  await closeAll(ana, bo);
});

test('who asks for many pages at once has a connection before it asks for blocks', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  await befriend(ana, bo);
  const pages = Array.from({ length: bulkPagesMin }, () => firstDigest);
  ana.blocks.request(bo.peer, { ...request(1, pages), plane: 'page' });
  await untilRoute(ana, bo, 'tls');
  await closeAll(ana, bo);
});

test('what a peer wanted before it was admitted is given when it is', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  ana.admit(bo.peer);
  await ana.dial(bo.addresses(), { peer: bo.peer, signal: AbortSignal.timeout(8_000) });
  await bo.until(ofKind('connected'));
  ana.blocks.request(bo.peer, request(1));
  // Whatever was on its way is there when a second frame is.
  ana.send(bo.peer, Uint8Array.of(1));
  await bo.until(ofKind('control'));
  assert.is(bo.count('request'), 0);
  bo.admit(ana.peer);
  await asked(bo, 1);
  await untilRoute(ana, bo, 'tls');
  await closeAll(ana, bo);
});

test('a port that is taken is passed over', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  assert.ok(address !== null && typeof address === 'object');
  const taken = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const ana = await startTestHost({ bulkPort: taken });
  assert.ok((ana.bulkPort() ?? taken) !== taken);
  other.close();
  await closeAll(ana);
});

test('an offer that makes no sense closes the connection', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  await befriend(ana, bo);
  // Field 13 with nothing in it: no port, no key.
  ana.send(bo.peer, Uint8Array.of(0x6a, 0));
  await bo.until(ofKind('disconnected'));
  assert.ok(bo.events.some((event) => event.kind === 'note' && event.text === 'bulk stream refused'));
  // An offer that nobody asked for is passed over.
  await closeAll(ana, bo);
});

test.run();
