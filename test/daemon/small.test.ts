/** The small states of a running agent: who was heard of, what is open, what is told, how fast. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addressBookPeersMax,
  faultsShownMax,
  headStaleMs,
  heardHeadsMax,
  massDeleteEntriesMin,
  massDeleteWindowMs,
  membersMax,
  rateWindowMs,
  statementDelayMs,
  statementIntervalMs,
  versionsKeptMax,
} from '../../agent/base/limits.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import { signHead } from '../../agent/core/head.ts';
import { generateKeyPair, type PeerId, peerIdOf, shareIdOf } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { type Statement, signStatement } from '../../agent/core/statement.ts';
import type { Version } from '../../agent/core/version.ts';
import { createAddressBook } from '../../agent/daemon/address-book.ts';
import { createFaults } from '../../agent/daemon/faults.ts';
import { createGate } from '../../agent/daemon/gate.ts';
import { createGuard } from '../../agent/daemon/guard.ts';
import { createPeerTable } from '../../agent/daemon/peers.ts';
import { createRates } from '../../agent/daemon/rates.ts';
import { createRefusals } from '../../agent/daemon/refusals.ts';
import { createRequestIds } from '../../agent/daemon/request-ids.ts';
import { createSpeaker } from '../../agent/daemon/speaker.ts';
import { writeHead } from '../../agent/daemon/state.ts';
import { openVersions } from '../../agent/daemon/versions.ts';
import type { ShareStore } from '../../agent/store/share-store.ts';

const keyPair = generateKeyPair();
const share = shareIdOf(keyPair.publicKey);
const root = digestOf(new Uint8Array());
const ana = 'ana' as PeerId;
const bo = 'bo' as PeerId;
const path = (text: string): SharePath => text as SharePath;
const version = (sequence: number): Version => ({ epoch: 1, sequence });

function memoryStore(): ShareStore {
  const state = new Map<string, Uint8Array>();
  const write = async ({ state: changes }: Parameters<ShareStore['write']>[0]): Promise<void> => {
    for (const [key, bytes] of changes ?? []) if (bytes !== null) state.set(key, bytes);
  };
  return { state: (key: string) => state.get(key), write } as unknown as ShareStore;
}

function headOf(sequence: number, timeMs: number, of: Digest = root) {
  const counts = { entries: 0, files: 0, bytes: 0 };
  const rest = { previous: null, root: of, counts, timeMs, rosterVersion: 1, writer: keyPair.publicKey };
  return signHead({ share, version: version(sequence), ...rest }, keyPair);
}

function statement(more: Partial<Statement>): Statement {
  const { publicKey: member } = keyPair;
  return {
    share,
    member,
    name: 'ana',
    agentVersion: '1',
    applied: null,
    state: 'in-sync',
    progressPermille: 1000,
    addresses: [],
    timeMs: 1,
    ...more,
  };
}

test('a version keeps the time at which it was first signed', () => {
  const versions = openVersions(memoryStore());
  versions.applied(headOf(1, 1000).head);
  versions.applied(headOf(1, 99_000).head);
  assert.equal(
    versions.recent().map((kept) => kept.timeMs),
    [1000],
  );
});

test('as many versions are kept as may be, the newest first, over restarts', async () => {
  const store = memoryStore();
  const versions = openVersions(store);
  for (let sequence = 1; sequence <= versionsKeptMax + 2; sequence += 1)
    await store.write({ state: new Map([versions.applied(headOf(sequence, sequence).head)]) });
  const kept = openVersions(store).recent();
  assert.is(kept.length, versionsKeptMax);
  assert.equal([kept[0]?.version.sequence, kept.at(-1)?.version.sequence], [versionsKeptMax + 2, 3]);
});

test('lag is the time since the first version above, however many came since', () => {
  mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
  try {
    const versions = openVersions(memoryStore());
    for (let sequence = 1; sequence <= 3 * heardHeadsMax; sequence += 1) {
      versions.heard(version(sequence));
      mock.timers.tick(100);
    }
    assert.is(versions.lagSeconds(null), (3 * heardHeadsMax) / 10);
    assert.is(versions.lagSeconds(version(3 * heardHeadsMax)), 0);
    const middle = versions.lagSeconds(version(heardHeadsMax));
    assert.ok(Math.abs(middle - (2 * heardHeadsMax) / 10) < 10, `${middle} s`);
    versions.heard(version(1));
    assert.is(versions.lagSeconds(version(3 * heardHeadsMax)), 0, 'an old head is no news');
  } finally {
    mock.timers.reset();
  }
});

test('one who restarts behind a head knows that it is behind', async () => {
  const store = memoryStore();
  await store.write(writeHead(headOf(9, Date.now() - headStaleMs)));
  const versions = openVersions(store);
  assert.ok(versions.lagSeconds(version(8)) >= headStaleMs / 1000);
  assert.is(versions.lagSeconds(version(9)), 0);
});

test('of two statements the later holds, and a version that was applied is never less', () => {
  const table = createPeerTable();
  const peer = peerIdOf(keyPair.publicKey);
  const applied = (sequence: number) => ({ version: version(sequence), root });
  assert.ok(table.take(signStatement(statement({ timeMs: 2, applied: applied(5) }), keyPair), 10));
  assert.not(table.take(signStatement(statement({ timeMs: 2, applied: applied(9) }), keyPair), 20));
  assert.not(table.take(signStatement(statement({ timeMs: 1, applied: applied(9) }), keyPair), 30));
  assert.equal([table.appliedBy(peer)?.sequence, table.lastSeenMs(peer)], [5, 10]);
  assert.ok(table.noteApplied(peer, version(6)));
  assert.not(table.noteApplied(peer, version(6)));
  assert.not(table.noteApplied(peer, version(4)));
  assert.not(table.noteApplied(peer, null));
  assert.is(table.appliedBy(peer)?.sequence, 6);
  assert.is(table.appliedBy(bo), null);
});

test('one whose connection broke is silent until it speaks again, and one who says nothing for long is, too', () => {
  const table = createPeerTable();
  const at = (timeMs: number) => signStatement(statement({ timeMs }), keyPair);
  const peer = peerIdOf(keyPair.publicKey);
  assert.ok(table.isSilent(peer, 0));
  table.take(at(1), 1_000);
  assert.not.ok(table.isSilent(peer, 1_000 + headStaleMs));
  assert.ok(table.isSilent(peer, 1_001 + headStaleMs));
  table.left(peer, 2_000);
  assert.is(table.lastSeenMs(peer), 2_000);
  assert.ok(table.isSilent(peer, 2_000));
  // What it said before comes once more by a detour: no sign of life.
  table.take(at(1), 2_001);
  assert.ok(table.isSilent(peer, 2_001));
  table.take(at(2), 2_002);
  assert.not.ok(table.isSilent(peer, 2_002));
});

test('requests of two shares under one number are two on the wire', () => {
  const ids = createRequestIds();
  const other = shareIdOf(generateKeyPair().publicKey);
  const first = ids.open(ana, { share, id: 1 });
  const second = ids.open(ana, { share: other, id: 1 });
  assert.is.not(first, second);
  assert.equal(ids.find(ana, first), { share, id: 1 });
  assert.is(ids.find(bo, first), undefined);
  assert.is(ids.close(ana, { share, id: 1 }), first);
  assert.is(ids.close(ana, { share, id: 1 }), undefined);
  assert.equal(ids.find(ana, second), { share: other, id: 1 });
  ids.closeAll(ana);
  assert.is(ids.find(ana, second), undefined);
});

test('rates are over the last few seconds, and fall to nothing', () => {
  const rates = createRates();
  const sample = (bytes: number, atMs: number): void =>
    rates.sample([[ana, { sentBytes: bytes, receivedBytes: 2 * bytes }]], atMs);
  assert.equal(rates.of(ana), { sent: 0, received: 0 });
  sample(0, 0);
  sample(4000, 2000);
  assert.equal(rates.of(ana), { sent: 2000, received: 4000 });
  for (let at = 3000; at <= 3000 + 2 * rateWindowMs; at += 1000) sample(4000, at);
  assert.equal(rates.of(ana), { sent: 0, received: 0 });
});

test('many removals within a minute are held back, however they are parcelled out', () => {
  const guard = createGuard(0.5);
  const entries = 2 * massDeleteEntriesMin;
  assert.not(guard.holds({ removed: massDeleteEntriesMin, entries }, 0));
  assert.ok(guard.holds({ removed: 1, entries }, 1000), 'more than half in a minute');
  assert.not(guard.holds({ removed: 0, entries }, massDeleteWindowMs + 1));
  assert.not(guard.holds({ removed: massDeleteEntriesMin, entries }, massDeleteWindowMs + 2));
  const small = createGuard(0.5);
  assert.not(small.holds({ removed: massDeleteEntriesMin, entries: massDeleteEntriesMin }, 0), 'never few');
  const open = createGuard(1);
  assert.not(open.holds({ removed: 1000, entries: 1000 }, 0), 'all of it, where that was allowed');
  assert.not(open.holds({ removed: 1000, entries: 1000 }, 1), 'and all that came since');
});

test('works go through a gate one at a time, in order, whatever becomes of them', async () => {
  const gate = createGate();
  const order: string[] = [];
  const work = (name: string, fails: boolean) => () =>
    new Promise<string>((resolve, reject) => {
      order.push(`begin ${name}`);
      setImmediate(() => {
        order.push(`end ${name}`);
        if (fails) reject(new Error(name));
        else resolve(name);
      });
    });
  const results = await Promise.allSettled([gate.run(work('a', true)), gate.run(work('b', false))]);
  assert.equal(
    results.map((result) => result.status),
    ['rejected', 'fulfilled'],
  );
  assert.equal(order, ['begin a', 'end a', 'begin b', 'end b']);
});

test('faults are told by path, bounded, and what was skipped is replaced by directory', () => {
  const faults = createFaults();
  const fault = { code: 'io', message: 'x' };
  faults.set(path('b'), fault);
  faults.set(path('a'), fault);
  const skipped = (text: string) => ({ path: text, ...fault });
  faults.setSkipped({ directory: '', whole: true }, [
    skipped('d/one'),
    skipped('d/deep/two'),
    skipped('top'),
  ]);
  const told = (): string[] => faults.list().map((one) => one.path);
  assert.equal(told(), ['a', 'b', 'd/deep/two', 'd/one', 'top']);
  assert.not(faults.isBroken());
  faults.setSkipped({ directory: path('d'), whole: false }, []);
  assert.equal(told(), ['a', 'b', 'd/deep/two', 'top']);
  faults.setSkipped({ directory: path('d'), whole: true }, []);
  assert.equal(told(), ['a', 'b', 'top']);
  faults.setShare('stage', fault);
  assert.ok(faults.isBroken());
  assert.is(told()[0], '');
  faults.setShare('stage', null);
  // Told of, and no reason to stop serving.
  faults.setShare('grants', fault);
  assert.equal([faults.isBroken(), told().length], [false, 4]);
  faults.setShare('grants', null);
  faults.set(path('a'), null);
  assert.equal(told(), ['b', 'top']);
  for (let number = 0; number < 2 * faultsShownMax; number += 1) faults.set(path(`many ${number}`), fault);
  assert.is(faults.paths().length, faultsShownMax);
  assert.is(told().length, faultsShownMax);
});

test('to be refused stands in the way only where nobody who is connected takes us', () => {
  const refusals = createRefusals();
  const no = (message: string) => ({ code: 'expired', message });
  assert.is(refusals.fault([ana]), null);
  refusals.refused(ana, no('ana says no'));
  assert.equal(refusals.fault([ana]), no('ana says no'));
  assert.equal(refusals.fault([]), no('ana says no'));
  assert.is(refusals.fault([ana, bo]), null);
  refusals.refused(bo, no('bo says no'));
  assert.equal(refusals.fault([ana, bo]), no('bo says no'));
  refusals.welcomed(ana);
  assert.is(refusals.fault([ana, bo]), null);
  for (let index = 0; index <= membersMax; index += 1) refusals.refused(`${index}` as PeerId, no('no'));
  assert.is(refusals.fault([bo]), null, 'the oldest is forgotten');
});

test('addresses outlive a restart, the latest are known, and the oldest peers go first', async () => {
  const store = memoryStore();
  const book = createAddressBook();
  book.learn(ana, ['/one']);
  book.learn(ana, []);
  book.learn(ana, ['/two']);
  book.save(store);
  await Promise.resolve();
  const next = createAddressBook();
  next.learn(bo, ['/bo']);
  next.load(store);
  assert.equal([next.of(ana), next.of(bo), next.of('cy' as PeerId)], [['/two'], ['/bo'], []]);
  for (let number = 0; number < addressBookPeersMax; number += 1) next.learn(`${number}` as PeerId, ['/x']);
  assert.equal(next.of(bo), []);
  assert.equal(next.of('0' as PeerId), ['/x']);
});

test('a change is said soon, what follows at once with it, the next when everybody has had time, progress only now and then, and nothing after the end', () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  try {
    const said: string[] = [];
    let now: Partial<Statement> = { state: 'scanning' };
    let membersNow = 1;
    const speaker = createSpeaker({
      keyPair,
      statement: () => statement(now),
      // So many that the pause is longer than this test takes.
      members: () => membersNow,
      say: (signed) => void said.push(`${signed.statement.state} ${signed.statement.progressPermille}`),
    });
    speaker.changed();
    now = { state: 'syncing' };
    speaker.changed();
    assert.equal(said, []);
    mock.timers.tick(statementDelayMs);
    assert.equal(said, ['syncing 1000']);
    membersNow = 1_000_000;
    now = { state: 'syncing', progressPermille: 10 };
    speaker.changed();
    now = { state: 'in-sync' };
    speaker.changed();
    assert.is(said.length, 1);
    mock.timers.tick(statementIntervalMs);
    assert.equal(said.slice(1), ['in-sync 1000']);
    const [first, second] = [speaker.latest(), speaker.latest()];
    assert.ok(first.statement.timeMs < second.statement.timeMs);
    speaker.stop();
    now = { state: 'error' };
    speaker.changed();
    mock.timers.tick(10 * statementIntervalMs);
    assert.is(said.length, 2);
  } finally {
    mock.timers.reset();
  }
});

test.run();
