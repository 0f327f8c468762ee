import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../agent/base/errors.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import {
  decodePreamble,
  encodePreamble,
  judgeOpen,
  nextStamp,
  type Standing,
} from '../../agent/net/election.ts';

const low = 'a' as PeerId;
const high = 'b' as PeerId;

/**
 * Two ends that may each open once; messages travel on two connections, so in any order between them.
 *
 *   low ---- OPEN ----> high        low <--- OPEN ---- high
 *       <-- ACCEPT ----                 ---- REFUSE -->
 */
function elect(
  order: readonly boolean[],
  lowOpens: boolean,
  highOpens: boolean,
): { low: string[]; high: string[] } {
  type End = {
    readonly self: PeerId;
    readonly peer: PeerId;
    standing: Standing;
    stamp: number;
    up: string[];
  };
  const ends = {
    low: { self: low, peer: high, standing: { kind: 'none' }, stamp: 0, up: [] } as End,
    high: { self: high, peer: low, standing: { kind: 'none' }, stamp: 0, up: [] } as End,
  };
  const wires: Record<'fromLow' | 'fromHigh', (() => void)[]> = { fromLow: [], fromHigh: [] };
  function open(from: End, to: End, wire: (() => void)[], name: string): void {
    from.standing = { kind: 'opening' };
    from.stamp = nextStamp(from.stamp, 0);
    const { stamp } = from;
    wire.push(() => {
      const verdict = judgeOpen(to.standing, { self: to.self, peer: to.peer, stamp });
      if (verdict === 'refuse') {
        wire.push(() => {
          if (from.standing.kind === 'opening') from.standing = { kind: 'none' };
        });
        return;
      }
      to.standing = { kind: 'up', stamp };
      to.up.push(name);
      to.stamp = nextStamp(to.stamp, 0);
      const answer = to.stamp;
      wire.push(() => {
        // An opening that was given up for an accepted one does not hear its answer.
        if (from.standing.kind !== 'opening') return;
        from.standing = { kind: 'up', stamp: answer };
        from.up.push(name);
      });
    });
  }
  if (lowOpens) open(ends.low, ends.high, wires.fromLow, 'of low');
  if (highOpens) open(ends.high, ends.low, wires.fromHigh, 'of high');
  for (const first of order) (first ? wires.fromLow : wires.fromHigh).shift()?.();
  for (const wire of [wires.fromLow, wires.fromHigh])
    for (let run = wire.shift(); run; run = wire.shift()) run();
  return { low: ends.low.up, high: ends.high.up };
}

test('in every order of arrival both ends keep the same single stream', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 4, maxLength: 8 }), (order) => {
      const both = elect(order, true, true);
      assert.equal(both, { low: ['of low'], high: ['of low'] });
    }),
  );
  assert.equal(elect([], true, false), { low: ['of low'], high: ['of low'] });
  assert.equal(elect([], false, true), { low: ['of high'], high: ['of high'] });
});

test('a newer opening replaces a link that the peer has lost, an older one that comes late does not', () => {
  const up: Standing = { kind: 'up', stamp: 5 };
  assert.is(judgeOpen(up, { self: low, peer: high, stamp: 6 }), 'replace');
  assert.is(judgeOpen(up, { self: low, peer: high, stamp: 4 }), 'refuse');
});

test('stamps rise, also within a millisecond and when the clock goes back', () => {
  const first = nextStamp(0, 1000);
  const second = nextStamp(first, 1000);
  assert.ok(second > first);
  assert.ok(nextStamp(second, 1) > second);
});

test('decodes what was encoded, and refuses everything else with an error', () => {
  for (const kind of ['open', 'accept', 'refuse'] as const) {
    assert.equal(decodePreamble(encodePreamble({ kind, stamp: 1_700_000_000_000_000 })), {
      kind,
      stamp: 1_700_000_000_000_000,
    });
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      try {
        assert.is(bytes.byteLength, 9);
        decodePreamble(bytes);
      } catch (error) {
        assert.ok(error instanceof P2psyncError || bytes.byteLength !== 9);
      }
    }),
  );
});

test.run();
