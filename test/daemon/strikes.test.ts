import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { membersMax } from '../../agent/base/limits.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { createStrikeTally } from '../../agent/daemon/strikes.ts';

const [ana, bo] = ['ana', 'bo'] as PeerId[] as [PeerId, PeerId];

test('adds up what each peer did, and says what was last', () => {
  const tally = createStrikeTally();
  tally.strike({ peer: ana, added: 3, reason: 'wrong bytes' }, 10);
  tally.strike({ peer: ana, added: 1, reason: 'late' }, 20);
  assert.equal(tally.of(ana), { strikes: 4, reason: 'late', atMs: 20 });
  assert.is(tally.of(bo), null);
});

test('forgets who was struck longest ago', () => {
  const tally = createStrikeTally();
  tally.strike({ peer: ana, added: 1, reason: 'late' }, 0);
  tally.strike({ peer: bo, added: 1, reason: 'late' }, 1);
  tally.strike({ peer: ana, added: 1, reason: 'late' }, 2);
  for (let at = 0; at < membersMax - 1; at += 1)
    tally.strike({ peer: `other${at}` as PeerId, added: 1, reason: 'late' }, 3);
  assert.is(tally.of(bo), null);
  assert.is(tally.of(ana)?.strikes, 2);
});

test.run();
