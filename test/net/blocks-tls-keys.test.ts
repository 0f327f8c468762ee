/** The sockets of the bulk plane, without a thread: who gets in, and what strangers can do. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TLSSocket,
} from 'node:tls';
import { zstdCompressSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blockBytesMax, bulkArrivalsPerAddressMax, MIB } from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { Psk } from '../../agent/net/blocks/tls-messages.ts';
import { encodeBulk } from '../../agent/wire/bulk.ts';
import { freshPsk, ofLink, type Rig, startRig } from './rig.ts';

/** Made for this test, of nobody. */
const nobodysKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4GNbrZl8MeGCngZi
IJu5NKmcRA5u3769cN2NZzEeu3ihRANCAAQy1m47rD0qFQmxPeUXAGeqW3Iq8ayz
XXGdjVu/YemNqMBxcYqEgTlyorY83Jj/+YALmGJdVI7DOPa0LCfU74vy
-----END PRIVATE KEY-----`;
const nobodysCertificate = `-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUHZ/y9wftk8fNB1WHQzuGuup//rcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODAyMTQzN1oYDzIxMjYxMTA0
MDIxNDM3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQy1m47rD0qFQmxPeUXAGeqW3Iq8ayzXXGdjVu/YemNqMBxcYqEgTly
orY83Jj/+YALmGJdVI7DOPa0LCfU74vyo2QwYjAdBgNVHQ4EFgQU7L4vzbgcZErn
s0TBpiYUvHL6sRIwHwYDVR0jBBgwFoAU7L4vzbgcZErns0TBpiYUvHL6sRIwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQDLPXAWp70wBCTUiVdK3DGDp5X/BITvyUBoP+FPBPJh3wIgGrsACmJ+CwTypE7O
DIW5VTvTwhClBkaQD7M5iXb5r7A=
-----END CERTIFICATE-----`;

/** As a stranger's program would; its errors are its own. */
function dial(port: number, psk: Psk, more: ConnectionOptions = {}): TLSSocket {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    ciphers: 'TLS_AES_128_GCM_SHA256',
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: psk.key, identity: psk.identity }),
    ...more,
  });
  socket.on('error', () => {});
  return socket;
}

const closed = async (socket: Socket): Promise<void> => {
  socket.resume();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('it stays open')), 8_000);
  socket.once('close', () => resolve());
  if (socket.closed) resolve();
  await promise.finally(() => clearTimeout(timer));
};

// Started first and looked at last: the deadline runs meanwhile.
const overdue: { rig?: Rig; socket?: Socket } = {};
test.before(async () => {
  overdue.rig = await startRig();
  overdue.rig.tell({ kind: 'expect', link: 1, psk: freshPsk() });
  overdue.socket = connectTcp(overdue.rig.port, '127.0.0.1');
  overdue.socket.on('error', () => {});
});

test('who has the key gets in, once', async () => {
  const rig = await startRig();
  const psk = freshPsk();
  rig.tell({ kind: 'expect', link: 1, psk });
  // Somebody else is expected, too: else a replay would be closed unheard.
  rig.tell({ kind: 'expect', link: 2, psk: freshPsk() });
  const first = dial(rig.port, psk);
  let session: Buffer | undefined;
  first.on('session', (one) => {
    session = one;
  });
  await once(first, 'secureConnect');
  assert.equal([first.getProtocol(), first.getCipher().name], ['TLSv1.3', 'TLS_AES_128_GCM_SHA256']);
  assert.is.not(first.getEphemeralKeyInfo(), null, 'the key exchange is ephemeral');
  await rig.until(ofLink('open', 1));
  await closed(dial(rig.port, psk));
  // The session that TLS hands out is no key either.
  if (session === undefined) await once(first, 'session');
  await closed(dial(rig.port, freshPsk(), session === undefined ? {} : { session }));
  assert.is(rig.said.filter(({ kind }) => kind === 'open').length, 1);
  rig.tell({ kind: 'close', link: 1 });
  await closed(first);
  rig.close();
});

test('a wrong key and an unknown identity are refused, and a wrong key spends the right one', async () => {
  const rig = await startRig();
  const psk = freshPsk();
  rig.tell({ kind: 'expect', link: 1, psk });
  rig.tell({ kind: 'expect', link: 2, psk: freshPsk() });
  await closed(dial(rig.port, { ...freshPsk(), key: psk.key }));
  await closed(dial(rig.port, { ...psk, key: new Uint8Array(32) }));
  await rig.until(ofLink('closed', 1));
  await closed(dial(rig.port, psk));
  assert.not(rig.said.some(({ kind }) => kind === 'open'));
  rig.close();
});

test('a key that was taken back is refused', async () => {
  const rig = await startRig();
  const psk = freshPsk();
  rig.tell({ kind: 'expect', link: 1, psk });
  rig.tell({ kind: 'expect', link: 2, psk: freshPsk() });
  rig.tell({ kind: 'close', link: 1 });
  await closed(dial(rig.port, psk));
  assert.not(rig.said.some(({ kind }) => kind === 'open'));
  rig.close();
});

test('TLS 1.2 is refused, and so is a plain connection', async () => {
  const rig = await startRig();
  const psk = freshPsk();
  rig.tell({ kind: 'expect', link: 1, psk });
  await closed(dial(rig.port, psk, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'PSK' }));
  for (const bytes of [
    randomBytes(100_000),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.alloc(100_000, 0x16),
  ]) {
    const socket = connectTcp(rig.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(bytes);
    await closed(socket);
  }
  // Nobody was hurt: who has the key still gets in.
  const friend = dial(rig.port, psk);
  await rig.until(ofLink('open', 1));
  rig.tell({ kind: 'close', link: 1 });
  await closed(friend);
  rig.close();
});

test('while nobody is expected, and from an address that is not allowed, the door stays shut', async () => {
  let allowed = false;
  const rig = await startRig((address) => /^127\.0\.0\.1:\d+$/.test(address) && allowed);
  const psk = freshPsk();
  await closed(dial(rig.port, psk));
  assert.not(rig.said.some(({ kind }) => kind === 'knock'));
  rig.tell({ kind: 'expect', link: 1, psk });
  await closed(dial(rig.port, psk));
  allowed = true;
  const friend = dial(rig.port, psk);
  await rig.until(ofLink('open', 1));
  friend.destroy();
  await rig.until(ofLink('closed', 1));
  rig.close();
});

test('connections that show no key fill their own places only', async () => {
  const rig = await startRig();
  rig.tell({ kind: 'expect', link: 1, psk: freshPsk() });
  const idlers = Array.from({ length: bulkArrivalsPerAddressMax }, () => connectTcp(rig.port, '127.0.0.1'));
  for (const idler of idlers) idler.on('error', () => {});
  const knocks = () => rig.said.filter(({ kind }) => kind === 'knock').length;
  await rig.until(() => knocks() === bulkArrivalsPerAddressMax);
  const late = connectTcp(rig.port, '127.0.0.1');
  late.on('error', () => {});
  await closed(late);
  assert.is(knocks(), bulkArrivalsPerAddressMax);
  // A place that is given back is free.
  idlers[0]?.destroy();
  if (idlers[0] !== undefined) await closed(idlers[0]);
  for (;;) {
    const next = connectTcp(rig.port, '127.0.0.1');
    next.on('error', () => {});
    idlers.push(next);
    const before = knocks();
    await Promise.race([closed(next), rig.until(() => knocks() > before)]);
    if (knocks() > before) break;
  }
  for (const idler of idlers) idler.destroy();
  rig.close();
});

test('a server that answers with anything but the key is not talked to', async () => {
  const rig = await startRig();
  const other = await startRig();
  // It knows another key under the same name.
  const psk = freshPsk();
  other.tell({ kind: 'expect', link: 1, psk: { ...psk, key: new Uint8Array(32) } });
  rig.tell({ kind: 'dial', link: 5, host: '127.0.0.1', port: other.port, psk });
  await rig.until(ofLink('closed', 5));
  // It hangs up, or there is nobody.
  const rude = createServer((socket) => socket.destroy());
  rude.listen(0, '127.0.0.1');
  await once(rude, 'listening');
  const address = rude.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  rig.tell({ kind: 'dial', link: 6, host: '127.0.0.1', port, psk });
  await rig.until(ofLink('closed', 6));
  rude.close();
  await once(rude, 'close');
  rig.tell({ kind: 'dial', link: 7, host: '127.0.0.1', port, psk });
  await rig.until(ofLink('closed', 7));
  assert.not(rig.said.some(({ kind }) => kind === 'open'));
  rig.close();
  other.close();
});

test('a server that answers with a certificate instead of the key is not talked to', async () => {
  const rig = await startRig();
  const server = createTlsServer({ key: nobodysKey, cert: nobodysCertificate, minVersion: 'TLSv1.3' });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  // It is one that others would talk to.
  const other = connectTls({ host: '127.0.0.1', port, ca: nobodysCertificate });
  await once(other, 'secureConnect');
  other.destroy();
  rig.tell({ kind: 'dial', link: 5, host: '127.0.0.1', port, psk: freshPsk() });
  await rig.until((said) => said.kind === 'closed' || said.kind === 'open');
  assert.not(rig.said.some(({ kind }) => kind === 'open'));
  rig.close();
  server.close();
});

/** A rig that has dialled another: frames go from link 2 of `server` to link 1 of `asker`. */
async function connected(): Promise<{ asker: Rig; server: Rig; end(): void }> {
  const [asker, server] = [await startRig(), await startRig()];
  const psk = freshPsk();
  server.tell({ kind: 'expect', link: 2, psk });
  asker.tell({ kind: 'dial', link: 1, host: '127.0.0.1', port: server.port, psk });
  await Promise.all([asker.until(ofLink('open', 1)), server.until(ofLink('open', 2))]);
  return {
    asker,
    server,
    end() {
      asker.close();
      server.close();
    },
  };
}

test('a packed block arrives as the block it was', async () => {
  const { asker, server, end } = await connected();
  const bytes = Buffer.from('all work and no play\n'.repeat(20_000));
  const digest = digestOf(bytes);
  const packed = zstdCompressSync(bytes);
  const frame = { kind: 'packed', id: 7, digest, blockBytes: bytes.byteLength, bytes: packed } as const;
  server.tell({ kind: 'send', link: 2, frames: [frame] });
  const message = await asker.until(ofLink('frames', 1));
  const [first] = message.kind === 'frames' ? message.frames : [];
  assert.ok(first?.kind === 'answer' && first.answer.kind === 'block');
  if (first?.kind === 'answer' && first.answer.kind === 'block') {
    assert.equal([first.answer.id, first.answer.digest, first.answer.verified], [7, digest, true]);
    assert.is(digestOf(first.answer.bytes), digest);
  }
  assert.ok(message.kind === 'frames' && message.wireBytes < packed.byteLength + 100);
  end();
});

test('a block that unpacks to more than it says ends the connection, and so does one that is none', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(64 * MIB));
  const cases = [
    { blockBytes: 1000, bytes: bomb },
    { blockBytes: blockBytesMax, bytes: bomb },
    { blockBytes: 0, bytes: bomb },
    { blockBytes: 10, bytes: randomBytes(100) },
    { blockBytes: 100, bytes: zstdCompressSync(Buffer.alloc(99)) },
  ];
  for (const { blockBytes, bytes } of cases) {
    const { asker, server, end } = await connected();
    const digest = digestOf(Uint8Array.of(1));
    server.tell({ kind: 'send', link: 2, frames: [{ kind: 'packed', id: 1, digest, blockBytes, bytes }] });
    const message = await asker.until(ofLink('closed', 1));
    assert.ok(message.kind === 'closed' && message.code === 'malformed');
    assert.not(asker.said.some(({ kind }) => kind === 'frames'));
    end();
  }
});

test('frames that make no sense end the connection', async () => {
  const { asker, server, end } = await connected();
  server.tell({ kind: 'send', link: 2, frames: [{ kind: 'answer', answer: { kind: 'done', id: 3 } }] });
  const good = await asker.until(ofLink('frames', 1));
  assert.ok(good.kind === 'frames' && good.frames.length === 1);
  end();

  const rig = await startRig();
  const psk = freshPsk();
  rig.tell({ kind: 'expect', link: 1, psk });
  const socket = dial(rig.port, psk);
  await once(socket, 'secureConnect');
  socket.write(
    Buffer.concat([...encodeBulk({ kind: 'cancel', id: 1 }), Buffer.from([0, 0, 0, 5, 99, 0, 0, 0, 0])]),
  );
  const message = await rig.until(ofLink('closed', 1));
  assert.ok(message.kind === 'closed' && message.code === 'malformed');
  await closed(socket);
  rig.close();
});

test('what is not handled is read no further, and read on when it is', async () => {
  const { asker, server, end } = await connected();
  const bytes = new Uint8Array(randomBytes(256 * 1024));
  const answer = { kind: 'block', id: 1, digest: digestOf(bytes) } as const;
  const count = 100;
  for (let sent = 0; sent < count; sent += 1) {
    // A copy each: what was written is given back.
    const frame = { kind: 'answer', answer: { ...answer, bytes: bytes.slice() } } as const;
    server.tell({ kind: 'send', link: 2, frames: [frame] });
  }
  const got = () =>
    asker.said.reduce((sum, message) => sum + (message.kind === 'frames' ? message.frames.length : 0), 0);
  // 4 MiB and what one read brings: 16 blocks, and what fits one message more.
  await asker.until(() => got() >= 16);
  for (let round = 0; round < 50; round += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(got() <= 22, `${got()} blocks`);
  let handled = 0;
  while (got() < count) {
    const now = got();
    asker.tell({ kind: 'handled', link: 1, costBytes: (now - handled) * (bytes.byteLength + 512) });
    handled = now;
    await asker.until(() => got() > now);
  }
  end();
});

test('a connection that shows no key is cut off in the end', async () => {
  const { rig, socket } = overdue;
  assert.ok(rig !== undefined && socket !== undefined);
  await closed(socket);
  rig.close();
});

test.run();
