import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { revealBlocksMax } from '../../agent/base/limits.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { Effect } from '../../agent/swarm/events.ts';
import { createNeighbours } from '../../agent/swarm/neighbours.ts';
import { createReveal } from '../../agent/swarm/reveal.ts';
import { createRandom } from '../sim/random.ts';
import { ana, bo, cy, lines } from './bench.ts';

const v = (sequence: number) => ({ epoch: 1, sequence });
const blocks = (count: number): Digest[] =>
  Array.from({ length: count }, (_, index) => digestOf(new TextEncoder().encode(`b${index}`)));
const busy = { bytesPerMs: 1000, isIdle: false };

function origin() {
  const neighbours = createNeighbours();
  const reveal = createReveal({ neighbours, random: createRandom(2).next });
  for (const peer of [ana, bo, cy]) {
    neighbours.add(peer);
    const neighbour = neighbours.get(peer);
    if (neighbour !== undefined) neighbour.heard = true;
    reveal.joined(peer, -1000);
  }
  return { neighbours, reveal };
}

const shownOf = (effects: readonly Effect[]) =>
  effects.flatMap((effect) =>
    effect.kind === 'send' && effect.message.kind === 'have' ? effect.message.digests : [],
  );

test('each run of a large publish is shown to one neighbour, two runs each', () => {
  const { reveal } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(100), bytes: 100 * 65_536 });
  const effects = reveal.step(busy, 0);
  assert.is(effects.length, 6);
  assert.is(new Set(shownOf(effects)).size, 6);
  assert.equal(reveal.appliedFor(ana, v(2)), v(1));
});

test('a small publish is served to all at once', () => {
  const { reveal } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(3), bytes: 3 * 65_536 });
  assert.equal(reveal.step(busy, 0), []);
  assert.equal(reveal.appliedFor(ana, v(2)), v(2));
});

test('a small publish while a large one spreads is shown to all at once', () => {
  const { reveal } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(100), bytes: 100 * 65_536 });
  reveal.step(busy, 0);
  const small = digestOf(new Uint8Array([1]));
  reveal.published({ version: v(3), before: v(2), blocks: [small], bytes: 10 });
  assert.equal(lines(reveal.step(busy, 1)), ['send ana have 1', 'send bo have 1', 'send cy have 1']);
});

test('another run follows when one was announced by its first holder', () => {
  const { reveal } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(100), bytes: 100 * 65_536 });
  const [first] = reveal.step(busy, 0);
  if (first?.kind !== 'send' || first.message.kind !== 'have') return assert.unreachable('a run was shown');
  reveal.announced(first.peer, first.message.digests, 5);
  assert.equal(lines(reveal.step(busy, 5)), [`send ${first.peer} have 1`]);
});

test('a run that nobody announces in time is shown to one more', () => {
  const { reveal } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(6), bytes: 6 * 65_536 });
  const first = shownOf(reveal.step(busy, 0));
  assert.equal(reveal.step(busy, 50), []);
  const again = shownOf(reveal.step(busy, reveal.wakeMs()));
  assert.equal([...again].sort(), [...first].sort());
});

test('once all runs are announced everything is served to all', () => {
  const { reveal } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(6), bytes: 6 * 65_536 });
  reveal.step(busy, 0);
  reveal.announced(ana, blocks(6), 1);
  reveal.step(busy, 1);
  assert.equal(reveal.appliedFor(bo, v(2)), v(2));
});

test('once a neighbour has the version nothing is hidden any more', () => {
  const { reveal, neighbours } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(100), bytes: 100 * 65_536 });
  reveal.step(busy, 0);
  const neighbour = neighbours.get(cy);
  if (neighbour !== undefined) neighbour.applied = v(2);
  reveal.step(busy, 1);
  assert.equal(reveal.appliedFor(bo, v(2)), v(2));
});

test('with one or two neighbours nothing is hidden', () => {
  const { reveal, neighbours } = origin();
  neighbours.remove(cy);
  reveal.left(cy);
  reveal.published({ version: v(2), before: v(1), blocks: blocks(100), bytes: 100 * 65_536 });
  assert.equal(reveal.step(busy, 0), []);
  assert.equal(reveal.appliedFor(ana, v(2)), v(2));
});

test('what idle neighbours do not ask for is not hidden for long', () => {
  const { reveal } = origin();
  reveal.published({ version: v(2), before: v(1), blocks: blocks(100), bytes: 100 * 65_536 });
  const idle = { bytesPerMs: 0, isIdle: true };
  reveal.step(idle, 0);
  reveal.step(idle, 1);
  reveal.step(idle, 499);
  assert.equal(reveal.appliedFor(ana, v(2)), v(1));
  reveal.step(idle, 500);
  assert.equal(reveal.appliedFor(ana, v(2)), v(2));
});

test('what idle neighbours were shown and do not ask for is shown to others as soon as sending it to all would have taken', () => {
  for (const [count, waitMs] of [
    [4, 20],
    [100, 300],
  ] as const) {
    const { reveal } = origin();
    reveal.published({ version: v(2), before: v(1), blocks: blocks(count), bytes: count * 65_536 });
    const idle = { bytesPerMs: 0, isIdle: true };
    const first = reveal.step(idle, 0);
    assert.ok(first.length > 0);
    assert.equal(reveal.step(idle, waitMs / 10), []);
    assert.is(reveal.wakeMs(), waitMs);
    const again = reveal.step(idle, waitMs);
    assert.is(again.length, first.length);
    assert.equal(reveal.appliedFor(ana, v(2)), v(1));
  }
});

test('a publish of more blocks than are remembered is served to all at once', () => {
  const { reveal } = origin();
  const many = Array.from({ length: revealBlocksMax + 1 }, () => 'x' as Digest);
  reveal.published({ version: v(2), before: v(1), blocks: many, bytes: many.length * 100 });
  assert.equal(reveal.appliedFor(ana, v(2)), v(2));
});

test.run();
