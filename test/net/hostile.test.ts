import { randomBytes } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import type { Stream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  strangerDeadlineMs,
  strangersPerAddressMax,
  streamsPerConnectionMax,
} from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import { encodePreamble } from '../../agent/net/election.ts';
import { encodeFrame } from '../../agent/net/frames.ts';
import { type Bare, closed, startBare } from './bare.ts';
import { befriend, closeAll, connect, ofKind, startTestHost, type TestHost } from './hosts.ts';

const control = '/p2psync/control/1';
const blocks = '/p2psync/blocks/1';
const share = 'ab'.repeat(16) as ShareId;
const digest = digestOf(new Uint8Array(1));

// Started first and looked at last: the deadline runs meanwhile.
const overdue: { host?: TestHost; bare?: Bare; stream?: Stream } = {};
test.before(async () => {
  overdue.host = await startTestHost();
  overdue.bare = await startBare();
  overdue.stream = await openControl(overdue.bare, overdue.host);
});

/** Three hosts, of which two are friends that must not notice anything. */
async function withFriends(run: (bo: TestHost, ana: TestHost) => Promise<void>): Promise<void> {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  await befriend(ana, bo);
  await run(bo, ana);
  assert.ok(ana.send(bo.peer, Uint8Array.of(42)));
  await bo.until((event) => event.kind === 'control' && event.frame[0] === 42);
  assert.is(bo.count('disconnected', ana.peer), 0);
  await closeAll(ana, bo);
}

async function openControl(bare: Bare, bo: TestHost): Promise<Stream> {
  const connection = await bare.dial(bo);
  const stream = await connection.newStream(control);
  stream.send(encodeFrame(encodePreamble({ kind: 'open', stamp: 1 }), 100));
  await bo.until(ofKind('connected', bare.peer));
  return stream;
}

test('garbage on the raw port is closed and hurts nobody', async () => {
  await withFriends(async (bo) => {
    const port = Number(/tcp\/(\d+)/.exec(bo.addresses()[0] ?? '')?.[1]);
    for (const bytes of [
      randomBytes(100_000),
      Buffer.alloc(100_000, 0xff),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      const socket = connectTcp(port, '127.0.0.1');
      const { promise, resolve } = Promise.withResolvers<void>();
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.end(bytes);
      socket.resume();
      await promise;
    }
  });
});

test('garbage, an endless frame and a wrong first word on the control stream close that connection with a note', async () => {
  await withFriends(async (bo) => {
    const openings: readonly Uint8Array[] = [
      Buffer.alloc(64, 0xff),
      encodeFrame(randomBytes(9), 100),
      encodeFrame(encodePreamble({ kind: 'accept', stamp: 1 }), 100),
      encodeFrame(randomBytes(500), 1000),
    ];
    for (const bytes of openings) {
      const bare = await startBare();
      const connection = await bare.dial(bo);
      const stream = await connection.newStream(control);
      stream.send(bytes);
      await closed(connection);
      await bo.until(
        (event) => event.kind === 'note' && 'peer' in event.fields && event.fields.peer === bare.peer,
      );
      assert.is(bo.count('connected', bare.peer), 0);
      await bare.node.stop();
    }
  });
});

test('an oversize frame after the opening disconnects, once', async () => {
  await withFriends(async (bo) => {
    const bare = await startBare();
    const stream = await openControl(bare, bo);
    stream.send(encodeFrame(Uint8Array.of(5), 100));
    await bo.until(ofKind('control', bare.peer));
    stream.send(Uint8Array.of(0x7f, 0, 0, 0, 1));
    await bo.until(ofKind('disconnected', bare.peer));
    assert.ok(bo.events.some((event) => event.kind === 'note' && event.text === 'control stream refused'));
    await bare.node.stop();
    assert.is(bo.count('disconnected', bare.peer), 1);
  });
});

test('garbage and frames that go the wrong way on the bulk stream close that connection with a note', async () => {
  const wrongWay = Buffer.from([0, 0, 0, 5, 5, 0, 0, 0, 1]);
  await withFriends(async (bo) => {
    for (const bytes of [randomBytes(1000), Buffer.alloc(64, 0xff), wrongWay]) {
      const bare = await startBare();
      bo.admit(bare.peer);
      const { node } = bare;
      await openControl(bare, bo);
      const [connection] = node.getConnections();
      const stream = await connection?.newStream(blocks);
      stream?.send(bytes);
      await bo.until(ofKind('disconnected', bare.peer));
      assert.ok(bo.events.some((event) => event.kind === 'note' && event.text === 'bulk stream refused'));
      assert.is(bo.count('request'), 0);
      await node.stop();
    }
  });
});

test('a muxer frame of 4 GiB closes the connection before it is buffered', async () => {
  await withFriends(async (bo) => {
    // One who is connected in every form, and whose muxer then announces more than any window, and sends on.
    const raw: { connection?: Parameters<StreamMuxerFactory['createStreamMuxer']>[0] } = {};
    const factory: StreamMuxerFactory = {
      protocol: '/yamux/1.0.0',
      createStreamMuxer(connection) {
        raw.connection = connection;
        return yamux()().createStreamMuxer(connection);
      },
    };
    const bare = await startBare(() => factory);
    await openControl(bare, bo);
    const header = Buffer.alloc(12);
    header.writeUInt32BE(1, 4);
    header.writeUInt32BE(0xffff_ffff, 8);
    raw.connection?.send(header);
    const gone = await bo.until(ofKind('disconnected', bare.peer));
    assert.match(gone.kind === 'disconnected' ? gone.reason : '', 'a muxer frame of 4294967295 bytes');
    await bare.node.stop();
  });
});

test('streams beyond the bound of a connection are reset', async () => {
  await withFriends(async (bo) => {
    const made: { muxer?: StreamMuxer } = {};
    const factory: StreamMuxerFactory = {
      protocol: '/yamux/1.0.0',
      createStreamMuxer(connection) {
        made.muxer = yamux()().createStreamMuxer(connection);
        return made.muxer;
      },
    };
    const bare = await startBare(() => factory);
    await openControl(bare, bo);
    // One that belongs, so that nobody hangs up on it meanwhile.
    bo.admit(bare.peer);
    // None of them says what it is for; the control stream is one, too.
    const streams: Stream[] = [];
    const closings: Promise<void>[] = [];
    while (streams.length < 3 * streamsPerConnectionMax) {
      const stream = await made.muxer?.createStream();
      if (stream === undefined) throw new Error('there is a muxer');
      const { promise, resolve } = Promise.withResolvers<void>();
      stream.addEventListener('close', () => resolve());
      closings.push(promise);
      streams.push(stream);
    }
    const within = streamsPerConnectionMax - 1;
    await Promise.all(closings.slice(within));
    assert.ok(streams.slice(0, within).every(({ status }) => status === 'open'));
    await bare.node.stop();
  });
});

test('strangers get a place each until there is none, and the next is refused', async () => {
  await withFriends(async (bo) => {
    const bares = await Promise.all(Array.from({ length: strangersPerAddressMax }, () => startBare()));
    for (const bare of bares) await openControl(bare, bo);
    const late = await startBare();
    const connection = await late.dial(bo);
    await closed(connection);
    await bo.until((event) => event.kind === 'note' && event.text === 'too many strangers');
    // One who is admitted needs no place, and leaves his to the next.
    const [first] = bares;
    if (first !== undefined) bo.admit(first.peer);
    await openControl(late, bo);
    await Promise.all([...bares, late].map(async (bare) => await bare.node.stop()));
  });
});

/** Whatever was on its way has arrived when frames have gone there and back. */
async function arrived(ana: TestHost, bo: TestHost): Promise<void> {
  for (let round = 0; round < 20; round += 1) {
    const before = ana.count('control');
    bo.send(ana.peer, Uint8Array.of(round));
    await ana.until(() => ana.count('control') > before);
  }
}

test('a stranger has the control stream and nothing else: blocks and gossip wait for admission', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  // Ana trusts bo already, bo does not know ana yet.
  ana.admit(bo.peer);
  await connect(ana, bo);
  const heard: number[] = [];
  const news = Promise.withResolvers<void>();
  bo.joinTopic('t', {
    admits: () => true,
    validate: () => 'accept',
    deliver: (bytes) => {
      heard.push(bytes[0] ?? 0);
      news.resolve();
    },
  });
  ana.joinTopic('t', { admits: () => true, validate: () => 'accept', deliver: () => {} });
  ana.blocks.request(bo.peer, { share, id: 1, plane: 'block', digests: [digest] });
  ana.publish('t', Uint8Array.of(1));
  ana.send(bo.peer, Uint8Array.of(1));
  await bo.until(ofKind('control'));
  await arrived(ana, bo);
  assert.equal([bo.count('request'), heard.length], [0, 0]);
  bo.admit(ana.peer);
  await bo.until(ofKind('request'));
  const timer = setInterval(() => ana.publish('t', randomBytes(8)), 20);
  await news.promise;
  clearInterval(timer);
  await closeAll(ana, bo);
});

test('expelling closes at once, at both ends, and makes a stranger of the peer', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  await befriend(ana, bo);
  bo.expel(ana.peer);
  assert.is(bo.count('disconnected', ana.peer), 1, 'in the same turn');
  assert.not.ok(bo.send(ana.peer, Uint8Array.of(1)));
  await ana.until(ofKind('disconnected', bo.peer));
  await connect(ana, bo);
  ana.blocks.request(bo.peer, { share, id: 1, plane: 'block', digests: [digest] });
  ana.send(bo.peer, Uint8Array.of(1));
  await bo.until(ofKind('control'));
  await arrived(ana, bo);
  assert.is(bo.count('request'), 0);
  await closeAll(ana, bo);
});

test('a control peer that does not read is disconnected when its queue is full', async () => {
  await withFriends(async (bo) => {
    const bare = await startBare();
    const stream = await openControl(bare, bo);
    stream.addEventListener('message', () => {});
    stream.pause();
    const frame = new Uint8Array(256 * 1024);
    let sent = 0;
    while (bo.send(bare.peer, frame)) {
      sent += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(sent * frame.byteLength >= 8 * 1024 * 1024, `${sent} frames`);
    assert.ok(sent * frame.byteLength <= 16 * 1024 * 1024, `${sent} frames`);
    assert.ok(
      bo.events.some((event) => event.kind === 'note' && event.text === 'control peer does not read'),
    );
    assert.is(bo.count('disconnected', bare.peer), 1);
    await bare.node.stop();
  });
});

test('a stranger that is not admitted in time is hung up', async () => {
  const { host, bare } = overdue;
  assert.ok(host !== undefined && bare !== undefined);
  await host.until(ofKind('disconnected', bare.peer), strangerDeadlineMs);
  assert.ok(host.events.some((event) => event.kind === 'note' && event.text === 'stranger hung up'));
  await bare.node.stop();
  await host.close();
});

test.run();
