/** What connections cost that never say who they are, on the port of libp2p; that of blocks is in blocks-tls-keys. */
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inboundPendingMax, inboundPendingPerAddressMax } from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import { befriend, closeAll, connect, failureOf, ofKind, startTestHost, type TestHost } from './hosts.ts';

const share = 'ab'.repeat(16) as ShareId;
const digest = digestOf(new Uint8Array(1));

function portOf(host: TestHost): number {
  return Number(/tcp\/(\d+)/.exec(host.addresses()[0] ?? '')?.[1]);
}

/** From an address of the machine's own: the whole of 127.0.0.0/8 is. */
function knock(host: TestHost, localAddress: string): Socket {
  const socket = connectTcp({ port: portOf(host), host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  socket.resume();
  return socket;
}

function closed(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('close', () => resolve());
  if (socket.closed) resolve();
  return promise;
}

/** Asks for something over libp2p, and goes on when there is a connection for blocks. */
async function untilTls(asker: TestHost, server: TestHost): Promise<void> {
  asker.blocks.request(server.peer, { share, id: 1, plane: 'block', digests: [digest] });
  for (let round = 0; asker.route(server.peer) !== 'tls'; round += 1) {
    const before = server.count('control', asker.peer);
    asker.send(server.peer, Uint8Array.of(1));
    await server.until(() => server.count('control', asker.peer) > before);
    assert.ok(round < 20_000);
  }
}

// Started first and looked at last: the deadline runs meanwhile.
const overdue: { host?: TestHost; socket?: Socket } = {};
test.before(async () => {
  overdue.host = await startTestHost();
  overdue.socket = knock(overdue.host, '127.0.0.1');
});

test('one address holds so many handshakes open and no more; others still come in, and a place that is left is free', async () => {
  const asked: string[] = [];
  const bo = await startTestHost(
    {},
    {
      allowAddress(address) {
        asked.push(address.split(':')[0] ?? '');
        return true;
      },
    },
  );
  const idlers = Array.from({ length: inboundPendingPerAddressMax }, () => knock(bo, '127.0.0.9'));
  const late = knock(bo, '127.0.0.9');
  // It is the last to come, and the only one that is closed.
  await closed(late);
  assert.is(idlers.filter((idler) => idler.closed).length, 0);
  assert.is(asked.filter((ip) => ip === '127.0.0.9').length, inboundPendingPerAddressMax + 1);
  assert.ok(inboundPendingPerAddressMax * 3 < inboundPendingMax, 'three addresses leave places to others');
  const ana = await startTestHost();
  await befriend(ana, bo);
  assert.is(bo.count('connected', ana.peer), 1);
  for (const idler of idlers) idler.destroy();
  await Promise.all(idlers.map(closed));
  // Handshakes that were done gave their place back, too.
  for (let round = 0; round < inboundPendingPerAddressMax; round += 1) {
    await ana.hangUp(bo.peer, 'next round');
    await bo.until(() => bo.count('disconnected', ana.peer) === round + 1);
    await connect(ana, bo);
  }
  await closeAll(ana, bo);
});

test('an address that the lists refuse is closed before a byte of a handshake, and is not dialled', async () => {
  const bo = await startTestHost({}, { allowAddress: (address) => !address.startsWith('127.0.0.66:') });
  let heard = 0;
  const refused = knock(bo, '127.0.0.66');
  refused.on('data', (bytes) => {
    heard += bytes.length;
  });
  await closed(refused);
  assert.is(heard, 0);

  let arrived = 0;
  const there = createServer((socket) => {
    arrived += 1;
    socket.destroy();
  });
  there.listen(0, '127.0.0.66');
  await once(there, 'listening');
  const address = `127.0.0.66:${(there.address() as AddressInfo).port}`;
  const dialled = bo.dial([address], { peer: null, signal: AbortSignal.timeout(8_000) });
  assert.is(await failureOf(dialled), 'not-a-member');
  assert.is(arrived, 0);
  there.close();
  await bo.close();
});

test('lists that refuse a peer meanwhile hold for the port of blocks as well, both ways', async () => {
  const lists = { refuse: false };
  const ana = await startTestHost({}, { allowAddress: () => !lists.refuse });
  const bo = await startTestHost();
  await befriend(ana, bo);
  lists.refuse = true;
  const ask = (from: TestHost, to: TestHost, id: number) =>
    from.blocks.request(to.peer, { share, id, plane: 'block', digests: [digest] });
  ask(ana, bo, 1);
  ask(bo, ana, 1);
  await bo.until(ofKind('request'));
  await ana.until(ofKind('request'));
  // Whoever would let TLS come up has done so when frames have gone there and back for a while.
  for (let round = 0; round < 200; round += 1) {
    ana.send(bo.peer, Uint8Array.of(1));
    await bo.until(() => bo.count('control') > round);
    bo.send(ana.peer, Uint8Array.of(1));
    await ana.until(() => ana.count('control') > round);
  }
  assert.is.not(ana.route(bo.peer), 'tls');
  assert.is.not(bo.route(ana.peer), 'tls');
  lists.refuse = false;
  ask(ana, bo, 2);
  for (let round = 200; ana.route(bo.peer) !== 'tls'; round += 1) {
    ana.send(bo.peer, Uint8Array.of(1));
    await bo.until(() => bo.count('control') > round);
    assert.ok(round < 20_000);
  }
  await closeAll(ana, bo);
});

test('lists that were changed cut what stands on both ports in that turn, and nobody whom they allow', async () => {
  const refused = new Set<string>();
  const bo = await startTestHost({}, { allowAddress: (address) => !refused.has(address) });
  const [ana, carl] = [await startTestHost(), await startTestHost()];
  for (const other of [ana, carl]) {
    await befriend(other, bo);
    await untilTls(other, bo);
    other.blocks.request(bo.peer, { share, id: 7, plane: 'block', digests: [digest] });
    await bo.until(
      (event) => event.kind === 'request' && event.peer === other.peer && event.request.id === 7,
    );
  }
  const there = bo.events.find(ofKind('connected', ana.peer));
  assert.ok(there?.kind === 'connected');
  refused.add(there?.kind === 'connected' ? there.address : '');
  const before = bo.events.length;
  bo.reviewAddresses();
  assert.is(bo.count('disconnected', ana.peer), 1);
  assert.is(bo.count('disconnected', carl.peer), 0);
  // Their connections for blocks have addresses of their own: nothing is served on any that stood.
  const cut = bo.events.slice(before).filter(ofKind('cancelled'));
  assert.equal(new Set(cut.map((event) => 'peer' in event && event.peer)), new Set([ana.peer, carl.peer]));
  for (const other of [ana, carl]) await other.until(ofKind('lost', bo.peer));
  await ana.until(ofKind('disconnected', bo.peer));
  assert.is(carl.count('disconnected'), 0);
  carl.blocks.request(bo.peer, { share, id: 8, plane: 'block', digests: [digest] });
  await bo.until((event) => event.kind === 'request' && event.peer === carl.peer && event.request.id === 8);
  await closeAll(ana, bo, carl);
});

test('lists that are changed during a handshake hold for whom it makes known', async () => {
  let asked = 0;
  // The first question comes before the handshake.
  const bo = await startTestHost({}, { allowAddress: () => asked++ === 0 });
  const ana = await startTestHost();
  assert.is(await failureOf(connect(ana, bo)), 'unreachable-peer');
  assert.is(bo.count('connected'), 0);
  await closeAll(ana, bo);
});

test('a handshake that is never made is cut off', async () => {
  const { host, socket } = overdue;
  assert.ok(host !== undefined && socket !== undefined);
  await closed(socket);
  await host.close();
});

test.run();
