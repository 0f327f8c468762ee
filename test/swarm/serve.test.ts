import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { requestDigestsMax, serveQueuePerNeighbourMax, servesAtOnceMax } from '../../agent/base/limits.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import type { Effect } from '../../agent/swarm/events.ts';
import { createServe, type Serve } from '../../agent/swarm/serve.ts';
import { ana, bo, cy, lines } from './bench.ts';

const digest = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const blocks = (id: number, count = 1) => ({
  id,
  plane: 'block' as const,
  digests: Array.from({ length: count }, (_, index) => digest(`${id}/${index}`)),
});
const page = (id: number) => ({ id, plane: 'page' as const, digests: [digest(`page ${id}`)] });

/** A server whose places are all taken by `filler`. */
function taken(...peers: PeerId[]): Serve {
  const serve = createServe();
  const fillers = Array.from({ length: servesAtOnceMax }, (_, index) => `filler${index}` as PeerId);
  for (const peer of [...fillers, ...peers]) serve.joined(peer);
  for (const [index, peer] of fillers.entries()) serve.received(peer, blocks(1000 + index), 0);
  return serve;
}

test('answers at once while there is place', () => {
  const serve = createServe();
  serve.joined(ana);
  assert.equal(lines(serve.received(ana, blocks(1), 0)), ['serve ana 1']);
});

test('says busy to the third that waits, at once', () => {
  const serve = taken(ana);
  for (let id = 1; id <= serveQueuePerNeighbourMax; id += 1)
    assert.equal(serve.received(ana, blocks(id), 0), []);
  assert.equal(lines(serve.received(ana, blocks(9), 0)), ['answer ana busy 9']);
});

test('takes turns between those that wait', () => {
  const serve = taken(ana, bo);
  for (const [peer, id] of [
    [ana, 1],
    [ana, 2],
    [bo, 3],
    [bo, 4],
  ] as const)
    serve.received(peer, blocks(id), 0);
  const order: Effect[] = [];
  for (let index = 0; index < servesAtOnceMax; index += 1) {
    order.push(...serve.served({ peer: `filler${index}` as PeerId, id: 1000 + index, bytes: 65_536 }, 1));
  }
  assert.equal(
    lines(order).map((each) => each.split(' ')[1]),
    ['ana', 'bo', 'ana', 'bo'],
  );
});

test('who asks for much at a time waits for as many bytes as others get', () => {
  const serve = taken(ana, bo);
  serve.received(ana, blocks(1, 16), 0);
  serve.received(bo, blocks(2), 0);
  serve.received(bo, blocks(3), 0);
  assert.equal(lines(serve.served({ peer: 'filler0' as PeerId, id: 1000, bytes: 65_536 }, 1)), [
    'serve bo 2',
  ]);
});

test('pages do not wait behind blocks', () => {
  const serve = taken(ana);
  assert.equal(lines(serve.received(ana, page(5), 0)), ['serve ana 5']);
});

test('a reader that takes far too long loses its place to those that wait', () => {
  const serve = taken(ana);
  serve.received(ana, blocks(1), 0);
  assert.equal(serve.tick(10), []);
  const atMs = serve.wakeMs(10);
  assert.ok(atMs < 60_000);
  assert.equal(lines(serve.tick(atMs)), ['serve ana 1']);
});

test('a request beyond its limit is refused, an empty one is done, a stranger is turned away', () => {
  const serve = createServe();
  serve.joined(ana);
  assert.equal(lines(serve.received(ana, blocks(1, requestDigestsMax + 1), 0)), ['answer ana busy 1']);
  assert.equal(lines(serve.received(ana, blocks(2, 0), 0)), ['answer ana done 2']);
  assert.equal(lines(serve.received(cy, blocks(3), 0)), ['answer cy busy 3']);
});

test('who is gone no longer holds a place', () => {
  const serve = taken(ana);
  serve.received(ana, blocks(1), 0);
  serve.left('filler0' as PeerId);
  assert.equal(lines(serve.tick(1)), ['serve ana 1']);
});

test.run();
