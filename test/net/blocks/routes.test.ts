/** When TLS is tried with a peer, and when it is given up for a while. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bulkRetryMaxMs, bulkRetryMinMs, linkProvenMs } from '../../../agent/base/limits.ts';
import type { PeerId } from '../../../agent/core/keys.ts';
import { createRoutes } from '../../../agent/net/blocks/routes.ts';

const ana = 'ana' as PeerId;

test('nothing is known at first, and TLS may be tried', () => {
  const routes = createRoutes();
  assert.equal([routes.of(ana), routes.mayTry(ana, 0)], [null, true]);
  routes.note(ana, 'idle', 0);
  assert.is(routes.of(ana), null);
});

test('a connection that does not come up is tried again after ever longer pauses', () => {
  const routes = createRoutes();
  assert.ok(routes.note(ana, 'failed', 0), 'the first time it is news');
  assert.is(routes.of(ana), 'libp2p');
  let nowMs = 0;
  for (let pauseMs = bulkRetryMinMs; pauseMs < bulkRetryMaxMs; pauseMs *= 2) {
    assert.not(routes.mayTry(ana, nowMs + pauseMs - 1));
    assert.ok(routes.mayTry(ana, nowMs + pauseMs));
    nowMs += pauseMs;
    assert.not(routes.note(ana, 'failed', nowMs), 'and no news after that');
  }
  assert.not(routes.mayTry(ana, nowMs + bulkRetryMaxMs - 1));
  assert.ok(routes.mayTry(ana, nowMs + bulkRetryMaxMs));
  routes.forget(ana);
  assert.ok(routes.mayTry(ana, 0));
});

test('the second break in a row is one too many, unless the connection had proven itself', () => {
  const routes = createRoutes();
  routes.note(ana, 'up', 0);
  assert.not(routes.note(ana, 'broke', 10));
  assert.ok(routes.mayTry(ana, 10));
  routes.note(ana, 'up', 20);
  assert.ok(routes.note(ana, 'broke', 30));
  assert.equal([routes.of(ana), routes.mayTry(ana, 31)], ['libp2p', false]);

  routes.note(ana, 'up', 100_000);
  assert.is(routes.of(ana), 'tls');
  assert.not(routes.note(ana, 'broke', 100_000 + linkProvenMs));
  assert.ok(routes.mayTry(ana, 100_000 + linkProvenMs));
});

test('a peer that comes to us does not hide that we cannot come to it', () => {
  const routes = createRoutes();
  routes.note(ana, 'used', 0);
  assert.is(routes.of(ana), 'tls');
  routes.note(ana, 'failed', 1);
  routes.note(ana, 'used', 2);
  assert.is(routes.of(ana), 'libp2p');
  routes.note(ana, 'up', 3);
  assert.is(routes.of(ana), 'tls');
  assert.ok(routes.note(ana, 'unused', 4), 'a key that the peer could not use');
  assert.is(routes.of(ana), 'libp2p');
});

test.run();
