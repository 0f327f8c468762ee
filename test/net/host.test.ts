import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { controlFrameBytesMax } from '../../agent/base/limits.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { befriend, closeAll, connect, failureOf, ofKind, startTestHost, type TestHost } from './hosts.ts';

const dialOf = (from: TestHost, to: TestHost) =>
  from.dial(to.addresses(), { peer: to.peer, signal: AbortSignal.timeout(8_000) });

test('a dial resolves with the peer, and both ends say connected once, with direction and address', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  assert.is(await dialOf(ana, bo), bo.peer);
  await bo.until(ofKind('connected', ana.peer));
  assert.is(await dialOf(ana, bo), bo.peer, 'a second dial finds the first connection');
  assert.is(await dialOf(bo, ana), ana.peer);
  assert.equal([ana.count('connected'), bo.count('connected')], [1, 1]);
  const seen = ana.events[0];
  assert.ok(seen?.kind === 'connected' && seen.direction === 'outbound');
  assert.ok(
    bo.addresses().some((address) => address.startsWith(`/ip4/127.0.0.1/tcp/${seen.address.split(':')[1]}/`)),
  );
  await closeAll(ana, bo);
});

test('a dial without a peer id learns who answers', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  const port = /tcp\/(\d+)/.exec(bo.addresses()[0] ?? '')?.[1];
  assert.is(
    await ana.dial([`127.0.0.1:${port}`], { peer: null, signal: AbortSignal.timeout(8_000) }),
    bo.peer,
  );
  await closeAll(ana, bo);
});

test('control frames arrive whole and in order, up to the largest', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  await befriend(ana, bo);
  const frames = [1, 70_000, controlFrameBytesMax, 3].map((length, index) =>
    new Uint8Array(length).fill(index + 1),
  );
  for (const frame of frames) assert.ok(ana.send(bo.peer, frame));
  await bo.until(() => bo.count('control') === frames.length);
  const got = bo.events.flatMap((event) => (event.kind === 'control' ? [event.frame] : []));
  assert.equal(
    got.map((frame) => [frame.byteLength, frame[0], frame.at(-1)]),
    frames.map((frame) => [frame.byteLength, frame[0], frame.at(-1)]),
  );
  assert.throws(
    () => ana.send(bo.peer, new Uint8Array(controlFrameBytesMax + 1)),
    (error: unknown) => hasCode(error, 'limit-exceeded'),
  );
  const bytes = frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  assert.equal(ana.traffic(bo.peer), { sentBytes: bytes, receivedBytes: 0 });
  assert.equal(bo.traffic(ana.peer), { sentBytes: 0, receivedBytes: bytes });
  await closeAll(ana, bo);
  assert.equal(ana.traffic(bo.peer), { sentBytes: bytes, receivedBytes: 0 }, 'kept after the disconnect');
});

test('hanging up says disconnected once at both ends, with the reason here, and send then says no', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  await connect(ana, bo);
  await ana.hangUp(bo.peer, 'enough');
  const [left, right] = [await ana.until(ofKind('disconnected')), await bo.until(ofKind('disconnected'))];
  assert.ok(left.kind === 'disconnected' && left.reason === 'enough');
  assert.ok(right.kind === 'disconnected' && right.peer === ana.peer);
  assert.not.ok(ana.send(bo.peer, Uint8Array.of(1)));
  await connect(ana, bo);
  assert.equal([ana.count('connected'), bo.count('connected')], [2, 2]);
  await closeAll(ana, bo);
  assert.equal([ana.count('disconnected'), bo.count('disconnected')], [2, 2]);
});

test('what a peer is told last before it is hung up on or put out is heard, also where it is much', async () => {
  for (const end of ['hangUp', 'expel'] as const) {
    for (const bytes of [300, 80_000]) {
      const [ana, bo] = [await startTestHost(), await startTestHost()];
      await befriend(ana, bo);
      for (const fill of [1, 2, 3]) ana.send(bo.peer, new Uint8Array(bytes).fill(fill));
      if (end === 'hangUp') await ana.hangUp(bo.peer, 'enough');
      else ana.expel(bo.peer);
      await bo.until(ofKind('disconnected'));
      const heard = bo.events.flatMap((event) => (event.kind === 'control' ? [event.frame[0]] : []));
      assert.equal(heard, [1, 2, 3], `${end}, ${bytes} bytes`);
      await closeAll(ana, bo);
    }
  }
});

test('dials of both sides at once end in one usable control stream, again and again', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  for (let round = 1; round <= 25; round += 1) {
    await Promise.all([dialOf(ana, bo), dialOf(bo, ana)]);
    await ana.until(() => ana.count('connected') >= round);
    await bo.until(() => bo.count('connected') >= round);
    assert.ok(ana.send(bo.peer, Uint8Array.of(round)));
    assert.ok(bo.send(ana.peer, Uint8Array.of(round)));
    await bo.until((event) => event.kind === 'control' && event.frame[0] === round);
    await ana.until((event) => event.kind === 'control' && event.frame[0] === round);
    assert.equal([ana.count('connected'), bo.count('connected')], [round, round]);
    assert.equal([ana.count('disconnected'), bo.count('disconnected')], [round - 1, round - 1]);
    await (round % 2 === 0 ? ana : bo).hangUp(round % 2 === 0 ? bo.peer : ana.peer, 'next round');
    await ana.until(() => ana.count('disconnected') === round);
    await bo.until(() => bo.count('disconnected') === round);
  }
  await closeAll(ana, bo);
});

test('the sudden death of a peer is a disconnect, of either direction', async () => {
  for (const dialedByChild of [true, false]) {
    const ana = await startTestHost();
    const child = spawn(process.execPath, ['test/net/child.ts', ...(dialedByChild ? ana.addresses() : [])], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout, 'data');
    const addresses: string[] = JSON.parse(String(line));
    if (!dialedByChild) await ana.dial(addresses, { peer: null, signal: AbortSignal.timeout(8_000) });
    const connected = await ana.until(ofKind('connected'));
    child.kill('SIGKILL');
    const gone = await ana.until(ofKind('disconnected'));
    assert.ok('peer' in connected && 'peer' in gone && connected.peer === gone.peer);
    await ana.close();
    assert.is(ana.count('disconnected'), 1);
  }
});

test('a peer that comes back before its loss was noticed is disconnected and connected, in that order', async () => {
  const seed = new Uint8Array(32).fill(7);
  const bo = await startTestHost();
  const child = spawn(process.execPath, ['test/net/twin.ts', ...bo.addresses()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await bo.until(ofKind('connected'));
  // The old process stands still, so its connection stays open.
  child.kill('SIGSTOP');
  const twin = await startTestHost({ seed });
  await dialOf(twin, bo);
  await bo.until(() => bo.count('connected', twin.peer) === 2);
  const kinds = bo.events.filter((event) => event.kind !== 'note').map((event) => event.kind);
  assert.equal(kinds, ['connected', 'disconnected', 'connected']);
  assert.ok(bo.send(twin.peer, Uint8Array.of(1)));
  await twin.until(ofKind('control'));
  child.kill('SIGKILL');
  await closeAll(bo, twin);
});

test('dials fail with a reason: nobody there, another peer, refused by lists, cancelled, itself, nonsense', async () => {
  const cleo = await startTestHost();
  const nobody = cleo.peer;
  const address = cleo.addresses();
  await cleo.close();
  const bo = await startTestHost();
  const ana = await startTestHost({}, { allowAddress: (ip) => !ip.startsWith('[') });
  const cases: [readonly string[], PeerId | null, string][] = [
    [address, nobody, 'unreachable-peer'],
    [[], nobody, 'unreachable-peer'],
    [bo.addresses(), nobody, 'unreachable-peer'],
    [['[::1]:9'], null, 'not-a-member'],
    [ana.addresses(), null, 'unreachable-peer'],
    [['nonsense'], null, 'config'],
  ];
  for (const [addresses, peer, code] of cases) {
    assert.is(await failureOf(ana.dial(addresses, { peer, signal: AbortSignal.timeout(8_000) })), code);
  }
  const cancelled = ana.dial(bo.addresses(), { peer: bo.peer, signal: AbortSignal.abort() });
  assert.is(await failureOf(cancelled), 'cancelled');
  assert.is(ana.count('connected'), 0);
  await closeAll(ana, bo);
});

test('tries the next address where the first does not answer', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  const dead = await startTestHost();
  const [deadAddress] = dead.addresses();
  await dead.close();
  const withoutPeer = deadAddress?.split('/p2p/')[0] ?? '';
  assert.is(
    await ana.dial([withoutPeer, ...bo.addresses()], { peer: bo.peer, signal: AbortSignal.timeout(8_000) }),
    bo.peer,
  );
  await closeAll(ana, bo);
});

test('the proven identity is refused by either side before anything is said', async () => {
  const bo = await startTestHost({}, { allow: (_peer, _address, direction) => direction !== 'inbound' });
  const ana = await startTestHost();
  assert.is(await failureOf(dialOf(ana, bo)), 'unreachable-peer');
  const picky = await startTestHost({}, { allow: () => false });
  assert.is(await failureOf(dialOf(picky, ana)), 'not-a-member');
  assert.equal([ana.count('connected'), bo.count('connected'), picky.count('connected')], [0, 0, 0]);
  await closeAll(ana, bo, picky);
});

test('listens on IPv6, on several addresses, and announces what it is told to', async () => {
  const ana = await startTestHost({ listen: ['[::1]:0', '127.0.0.1:0'], announce: ['web1.example:8873'] });
  const addresses = ana.addresses();
  assert.is(addresses[0], `/dns/web1.example/tcp/8873/p2p/${ana.peer}`);
  const v6 = addresses.filter((address) => address.startsWith('/ip6/::1/tcp/'));
  assert.is(v6.length, 1);
  assert.is(addresses.length, 3);
  const bo = await startTestHost({ listen: ['[::]:0'] });
  assert.is(await bo.dial(v6, { peer: ana.peer, signal: AbortSignal.timeout(8_000) }), ana.peer);
  const seen = await ana.until(ofKind('connected'));
  assert.ok(seen.kind === 'connected' && seen.address.startsWith('[::1]:'));
  await closeAll(ana, bo);
});

test('a port that is taken is refused at start by name', async () => {
  const ana = await startTestHost();
  const port = /tcp\/(\d+)/.exec(ana.addresses()[0] ?? '')?.[1];
  try {
    await startTestHost({ listen: [`127.0.0.1:${port}`] });
    assert.unreachable();
  } catch (error) {
    assert.ok(hasCode(error, 'config') && error.message.includes(`127.0.0.1:${port}`));
  }
  await ana.close();
});

test('the same seed is the same peer', async () => {
  const seed = new Uint8Array(32).fill(3);
  const [ana, bo] = [await startTestHost({ seed }), await startTestHost({ seed })];
  assert.is(ana.peer, bo.peer);
  await closeAll(ana, bo);
});

test('a full host takes nobody in', async () => {
  const bo = await startTestHost({ connectionsMax: 1 });
  const [ana, cleo] = [await startTestHost(), await startTestHost()];
  await befriend(ana, bo);
  assert.is(await failureOf(dialOf(cleo, bo)), 'unreachable-peer');
  assert.is(bo.count('connected'), 1);
  await closeAll(ana, bo, cleo);
});

test.run();
