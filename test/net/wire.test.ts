/** What somebody on the way between two agents reads and can change: a relay that keeps what passes, and may flip a bit. */
import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { utf8 } from '../../agent/base/bytes.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { FromSockets } from '../../agent/net/blocks/tls-messages.ts';
import { closeAll, ofKind, startTestHost } from './hosts.ts';
import { freshPsk, startRig } from './rig.ts';

type Relay = {
  readonly port: number;
  /** Everything that passed, both ways, as text of one character a byte. */
  seen(): string;
  /** From now on one bit of each chunk that passes is another one. */
  tamper(): void;
  close(): void;
};

async function startRelay(targetPort: number): Promise<Relay> {
  const passed: Buffer[] = [];
  const sockets = new Set<Socket>();
  let tampers = false;
  const pass = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.on('data', (chunk: Buffer) => {
      passed.push(Buffer.from(chunk));
      const last = chunk.length - 1;
      if (tampers) chunk[last] = (chunk[last] ?? 0) ^ 1;
      to.write(chunk);
    });
  };
  const server = createServer((near) => {
    const far = connectTcp({ host: '127.0.0.1', port: targetPort });
    pass(near, far);
    pass(far, near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => Buffer.concat(passed).toString('latin1'),
    tamper() {
      tampers = true;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Two agents that know each other; `left` has dialled `right` through the relay. */
async function hostsApart() {
  const [left, right] = await Promise.all([startTestHost(), startTestHost()]);
  left.admit(right.peer);
  right.admit(left.peer);
  const port = Number(/\/tcp\/(\d+)\//.exec(right.addresses()[0] ?? '')?.[1]);
  const relay = await startRelay(port);
  const address = `/ip4/127.0.0.1/tcp/${relay.port}/p2p/${right.peer}`;
  await left.dial([address], { peer: right.peer, signal: AbortSignal.timeout(8_000) });
  await right.until(ofKind('connected', left.peer));
  return { left, right, relay };
}

const isKind = (kind: FromSockets['kind']) => (said: FromSockets) => said.kind === kind;

/** Two ends of a connection for blocks, with the relay between them. */
async function endsApart() {
  const [holder, asker] = await Promise.all([startRig(), startRig()]);
  const psk = freshPsk();
  const relay = await startRelay(holder.port);
  holder.tell({ kind: 'expect', link: 1, psk });
  asker.tell({ kind: 'dial', link: 1, host: '127.0.0.1', port: relay.port, psk });
  await Promise.all([holder.until(isKind('open')), asker.until(isKind('open'))]);
  const close = (): void => {
    for (const end of [holder, asker, relay]) end.close();
  };
  return { holder, asker, relay, identity: psk.identity, close };
}

const secret = 'what nobody on the way is to read';
const bytes = utf8(secret.repeat(100));
/** A block in memory of its own: once it is written, that is given back. */
const given = () =>
  ({
    kind: 'answer',
    answer: { kind: 'block', id: 1, digest: digestOf(bytes), bytes: bytes.slice() },
  }) as const;

test('whoever is on the way sees that agents talk, and nothing of what they say on the control stream', async () => {
  const { left, right, relay } = await hostsApart();
  assert.ok(left.send(right.peer, bytes));
  const event = await right.until(ofKind('control', left.peer));
  assert.equal(event.kind === 'control' ? Buffer.from(event.frame).toString() : '', secret.repeat(100));
  const seen = relay.seen();
  // What goes before the handshake shows that the relay does see what passes.
  assert.ok(seen.includes('/multistream/1.0.0') && seen.length > bytes.byteLength);
  assert.not.ok(seen.includes(secret));
  for (const { peer } of [left, right]) assert.not.ok(seen.includes(peer));
  await closeAll(left, right);
  relay.close();
});

test('a bit that is changed on the way ends the control stream, and nothing of it is heard', async () => {
  const { left, right, relay } = await hostsApart();
  relay.tamper();
  left.send(right.peer, bytes);
  await right.until(ofKind('disconnected', left.peer));
  assert.is(right.count('control'), 0);
  await closeAll(left, right);
  relay.close();
});

test('whoever is on the way sees the name of a key that is spent, and nothing of the blocks', async () => {
  const { holder, asker, relay, identity, close } = await endsApart();
  holder.tell({ kind: 'send', link: 1, frames: [given()] });
  const said = await asker.until(isKind('frames'));
  assert.is(said.kind === 'frames' ? said.frames.length : 0, 1);
  const seen = relay.seen();
  assert.ok(seen.includes(identity) && seen.length > bytes.byteLength);
  assert.not.ok(seen.includes(secret));
  close();
});

test('a bit that is changed on the way ends a connection for blocks, and nothing of it is taken', async () => {
  const { holder, asker, relay, close } = await endsApart();
  relay.tamper();
  holder.tell({ kind: 'send', link: 1, frames: [given()] });
  const said = await asker.until(
    (one) => one.kind === 'closed' || (one.kind === 'frames' && one.frames.length > 0),
  );
  assert.is(said.kind, 'closed');
  close();
});

test.run();
