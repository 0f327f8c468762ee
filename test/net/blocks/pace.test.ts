/** A pace on a clock that the test holds: never more than the rate allows, in any window, and no less where somebody always waits. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KIB, MIB, paceBurstMs, paceBytesPerSecondMin, paceSliceMs } from '../../../agent/base/limits.ts';
import { createPace, slicesOf, slowerOf } from '../../../agent/net/blocks/pace.ts';
import { createRandom } from '../../sim/random.ts';

function onClock(rate: number, memory?: SharedArrayBuffer) {
  const clock = { nowMs: 1_000_000 };
  const pace = createPace(memory, () => BigInt(Math.round(clock.nowMs * 1e6)));
  if (memory === undefined) pace.setRate(rate);
  return { clock, pace };
}

test('without a limit nothing waits', () => {
  const { pace } = onClock(0);
  for (let round = 0; round < 1000; round += 1) assert.is(pace.take(MIB), 0);
});

test('a slice and what may be caught up are less than a twentieth of a second', () => {
  assert.ok(paceSliceMs + paceBurstMs < 50);
  for (const rate of [paceBytesPerSecondMin, 100 * KIB, 5 * MIB, 1024 * MIB]) {
    const { pace } = onClock(rate);
    assert.ok(pace.sliceBytes() >= 1 && pace.sliceBytes() <= rate / 50, `${pace.sliceBytes()} of ${rate}`);
  }
});

test('who asks first goes first, each behind the one before', () => {
  const { pace } = onClock(1000 * KIB);
  const waits = Array.from({ length: 8 }, () => pace.take(10 * KIB));
  assert.equal(waits, [0, 0, 0, 0, 10, 20, 30, 40]);
});

test('of two paces the slower one counts, and both are taken from', () => {
  const [fast, slow, none] = [onClock(1000 * KIB).pace, onClock(10 * KIB).pace, onClock(0).pace];
  const both = slowerOf(fast, slow);
  assert.equal([both.rate(), both.sliceBytes()], [10 * KIB, slow.sliceBytes()]);
  assert.equal([both.take(KIB), both.take(KIB), fast.take(40 * KIB), fast.take(KIB)], [0, 70, 0, 12]);
  assert.equal(
    [slowerOf(none, slow).rate(), slowerOf(slow, none).rate(), slowerOf(none, none).rate()],
    [10 * KIB, 10 * KIB, 0],
  );
  assert.is(slowerOf(none, none).take(MIB), 0);
});

test('who waits for another rate hears of it, also where it came before', async () => {
  const { pace } = onClock(KIB);
  const other = onClock(KIB, pace.memory).pace;
  const heard = other.changedFrom(KIB);
  pace.setRate(MIB);
  await heard;
  await other.changedFrom(KIB);
  assert.is(other.rate(), MIB);
});

test('a new rate holds at once, and what was taken before weighs nothing', () => {
  const { pace } = onClock(KIB);
  pace.take(100 * KIB);
  assert.ok(pace.take(1) > 90_000);
  pace.setRate(MIB);
  assert.equal([pace.rate(), pace.take(1)], [MIB, 0]);
  pace.setRate(0);
  assert.is(pace.take(MIB), 0);
});

test('paces of two threads over one memory are one', () => {
  const { clock, pace } = onClock(1000 * KIB);
  const other = createPace(pace.memory, () => BigInt(Math.round(clock.nowMs * 1e6)));
  assert.is(other.rate(), 1000 * KIB);
  pace.take(130 * KIB);
  assert.is(other.take(KIB), 100);
  assert.is(pace.take(KIB), 101);
});

test('slices are the whole, in order, none larger than what may be taken', () => {
  const { pace } = onClock(100 * KIB);
  const bytes = Uint8Array.from({ length: 10_000 }, (_, index) => index);
  const slices = [...slicesOf(bytes, pace)];
  assert.ok(slices.length > 1 && slices.every((slice) => slice.byteLength <= pace.sliceBytes()));
  assert.equal(Buffer.concat(slices), Buffer.from(bytes));
  assert.equal([...slicesOf(new Uint8Array(0), pace)], []);
});

/** Connections that always have something, and some that now and then have nothing; timers that are late. */
function simulate(rate: number, connections: number, random: () => number, forMs: number) {
  const { clock, pace } = onClock(rate);
  const startMs = clock.nowMs;
  const moved: { readonly atMs: number; readonly bytes: number; readonly who: number }[] = [];
  const next = Array.from({ length: connections }, () => ({ atMs: startMs, bytes: 0 }));
  while (clock.nowMs < startMs + forMs) {
    const at = next.reduce((least, one, index) => (one.atMs < (next[least]?.atMs ?? 0) ? index : least), 0);
    const one = next[at];
    if (one === undefined) break;
    clock.nowMs = Math.max(clock.nowMs, one.atMs);
    if (one.bytes > 0) moved.push({ atMs: clock.nowMs - startMs, bytes: one.bytes, who: at });
    // Now and then one has nothing to move and takes nothing, but never all.
    if (at > 0 && random() < 0.01) {
      next[at] = { atMs: clock.nowMs + 300, bytes: 0 };
      continue;
    }
    one.bytes = Math.max(1, Math.ceil(pace.sliceBytes() * (random() < 0.2 ? random() : 1)));
    // A timer is up to 5 ms late.
    const waitMs = pace.take(one.bytes);
    one.atMs = clock.nowMs + waitMs + (waitMs > 0 ? random() * 5 : 0);
  }
  return moved;
}

test('in any window no more than the rate and a twentieth of a second go, and in the whole no less than all but that', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 50 * KIB, max: 20 * MIB }),
      fc.integer({ min: 1, max: 24 }),
      fc.nat(),
      (rate, connections, seed) => {
        const moved = simulate(rate, connections, createRandom(seed).next, 5_000);
        let first = 0;
        let bytes = 0;
        for (const last of moved) {
          bytes += last.bytes;
          while ((moved[first]?.atMs ?? 0) < last.atMs - 1000) {
            bytes -= moved[first]?.bytes ?? 0;
            first += 1;
          }
          assert.ok(bytes <= rate * 1.05 + 1, `${bytes} in a second at ${rate}`);
        }
        const all = moved.reduce((sum, one) => sum + one.bytes, 0);
        assert.ok(all >= rate * 5 * 0.95, `${all} in 5 s at ${rate}`);
      },
    ),
    { numRuns: 30 },
  );
});

test('connections that always have something get the same', () => {
  const moved = simulate(5 * MIB, 6, () => 0.5, 5_000);
  const shares = Array.from({ length: 6 }, (_, who) =>
    moved.filter((one) => one.who === who).reduce((sum, one) => sum + one.bytes, 0),
  );
  const mean = shares.reduce((sum, one) => sum + one, 0) / 6;
  // Whoever comes first has what may be caught up.
  const allowed = 0.01 * mean + (5 * MIB * paceBurstMs) / 1000;
  for (const share of shares) assert.ok(Math.abs(share - mean) < allowed, shares.join());
});

test.run();
