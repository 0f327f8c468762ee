/** What `state` and `/readyz` say of a share: whoever is kept from hearing the writer says so. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { headStaleMs } from '../../agent/base/limits.ts';
import { signHead } from '../../agent/core/head.ts';
import { generateKeyPair } from '../../agent/core/keys.ts';
import { type ReadyShare, reportReady } from '../../agent/daemon/report.ts';
import { type Standing, stateOf } from '../../agent/daemon/share-state.ts';
import type { ShareState } from '../../agent/http/api.ts';
import { exampleHead } from '../core/documents.ts';

const signedMs = 1_000_000;
const keyPair = generateKeyPair();
const head = signHead({ ...exampleHead, timeMs: signedMs, writer: keyPair.publicKey }, keyPair);
const applied = { version: head.head.version, root: head.head.root };
const behind = { ...applied, root: '0'.repeat(64) as typeof applied.root };

const atHead: Standing = {
  isBroken: false,
  isPaused: false,
  isRunning: true,
  isScanned: true,
  writes: false,
  head,
  applied,
  isIdle: true,
};

function check(change: Partial<Standing>, expected: ShareState, ageMs = 0): void {
  assert.is(stateOf({ ...atHead, ...change }, signedMs + ageMs), expected, JSON.stringify(change));
}

test('a share is what keeps it from being in sync, the worst first', () => {
  check({}, 'in-sync');
  check({ isBroken: true, isPaused: true }, 'error');
  check({ isPaused: true, isRunning: false }, 'paused');
  check({ isRunning: false, isScanned: false }, 'starting');
  check({ isScanned: false }, 'scanning');
  check({ head: null, applied: null }, 'syncing');
  check({ head: null, applied: null, writes: true }, 'scanning');
  check({ applied: behind }, 'syncing');
  check({ isIdle: false }, 'syncing');
  // Whoever writes is at its head by what it is.
  check({ applied: behind, isIdle: false, writes: true }, 'in-sync');
});

test('a head that nobody signed again for 30 s is stale, however well it was applied', () => {
  assert.is(headStaleMs, 30_000);
  check({}, 'in-sync', headStaleMs);
  check({}, 'stale', headStaleMs + 1);
});

test('a node is not fit to serve while its head is stale, and says for how long', () => {
  const share = {
    record: { name: 'www' },
    state: () => 'in-sync',
    head: () => head,
    applied: () => applied,
  } as unknown as ReadyShare;
  mock.timers.enable({ apis: ['Date'], now: signedMs + headStaleMs });
  try {
    assert.equal(reportReady([share], 10_000), { ready: true, reasons: [] });
    mock.timers.tick(1_000);
    assert.equal(reportReady([share], 10_000), {
      ready: false,
      reasons: ['share www: the writer has not been heard of for 31 s'],
    });
  } finally {
    mock.timers.reset();
  }
});

test.run();
