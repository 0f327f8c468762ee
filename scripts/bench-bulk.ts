/**
 * Measures the bulk plane: one host pulls blocks from another over loopback, each in a process of its own. Says MB/s,
 * CPU seconds a gigabyte at either end, and how late the receiver's main thread ran its timers meanwhile.
 *
 *   node scripts/bench-bulk.ts                              both ways, blocks of 64 KiB, 256 KiB and 1 MiB
 *   node scripts/bench-bulk.ts --way tls --block 262144 --gb 4
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { MIB, requestBytesMax } from '../agent/base/limits.ts';
import { digestOf } from '../agent/core/digest.ts';
import type { PeerId, ShareId } from '../agent/core/keys.ts';
import { type Host, type HostHandlers, startHost } from '../agent/net/host.ts';

type Way = 'tls' | 'libp2p';

/** To either process, and what it answers. */
type Order =
  | { readonly kind: 'befriend'; readonly peer: PeerId; readonly addresses: readonly string[] | null }
  | { readonly kind: 'pull'; readonly peer: PeerId; readonly bytes: number }
  | { readonly kind: 'usage' }
  | { readonly kind: 'stop' };
type Pulled = { readonly bytes: number; readonly seconds: number; readonly lateMs: readonly number[] };
type Usage = { readonly cpuSeconds: number; readonly peakMb: number };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    way: { type: 'string', multiple: true, default: ['tls', 'libp2p'] },
    block: { type: 'string', multiple: true, default: ['65536', '262144', '1048576'] },
    gb: { type: 'string', default: '1' },
  },
});
const share = '00'.repeat(16) as ShareId;
/** Requests in flight: as many as the swarm has to one fast neighbour and its successor. */
const lanes = 4;

if (positionals[0] === 'host')
  await actAsHost(positionals[1] === 'tls' ? 'tls' : 'libp2p', Number(positionals[2]));
else await measureAll();

async function measureAll(): Promise<void> {
  for (const block of options.block) {
    for (const way of options.way) await measure(way === 'tls' ? 'tls' : 'libp2p', Number(block));
  }
}

async function measure(way: Way, blockBytes: number): Promise<void> {
  const start = () => fork(import.meta.filename, ['host', way, String(blockBytes)]);
  const [server, asker] = [start(), start()];
  const [served, asking] = await Promise.all([answerOf<Address>(server), answerOf<Address>(asker)]);
  await told(server, { kind: 'befriend', peer: asking.peer, addresses: null });
  await told(asker, { kind: 'befriend', peer: served.peer, addresses: served.addresses });
  const usages = () => Promise.all([server, asker].map((child) => told<Usage>(child, { kind: 'usage' })));
  const before = await usages();
  const pull: Order = { kind: 'pull', peer: served.peer, bytes: Number(options.gb) * 1e9 };
  const { bytes, seconds, lateMs } = await told<Pulled>(asker, pull);
  const after = await usages();
  const perGb = [0, 1].map((end) =>
    (((after[end]?.cpuSeconds ?? 0) - (before[end]?.cpuSeconds ?? 0)) / (bytes / 1e9)).toFixed(2),
  );
  console.log(
    `${way.padEnd(6)} ${String(blockBytes / 1024).padStart(4)} KiB: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s; CPU s/GB ` +
      `${perGb.join(' + ')} (sender + receiver); receiver's main thread late ${lateMs.map((ms) => ms.toFixed(1)).join(' · ')} ms ` +
      `(p50 · p99 · most), peak memory ${after[1]?.peakMb.toFixed(0)} MB`,
  );
  for (const child of [server, asker]) child.send({ kind: 'stop' } satisfies Order);
  await Promise.all([server, asker].map((child) => once(child, 'exit')));
}

type Address = { readonly peer: PeerId; readonly addresses: readonly string[] };

async function answerOf<Answer>(child: ChildProcess): Promise<Answer> {
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

async function told<Answer>(child: ChildProcess, order: Order): Promise<Answer> {
  child.send(order);
  return await answerOf<Answer>(child);
}

async function actAsHost(way: Way, blockBytes: number): Promise<void> {
  const bytes = new Uint8Array(randomBytes(blockBytes));
  const digest = digestOf(bytes);
  const waiting = new Map<number, () => void>();
  let received = 0;
  let lastId = 0;

  const handlers: HostHandlers = {
    allow: () => true,
    allowAddress: () => true,
    connected: () => {},
    disconnected: () => {},
    control: () => {},
    blockRequest: (peer, { id, digests }) => void serve(peer, id, digests.length),
    blockAnswer(_peer, answer) {
      if (answer.kind === 'done') waiting.get(answer.id)?.();
      if (answer.kind !== 'block') return undefined;
      received += answer.bytes.byteLength;
      // As the daemon does with blocks that it has staged, once all that share their memory are here.
      const { buffer } = answer.bytes;
      if (answer.verified === true && buffer instanceof ArrayBuffer)
        queueMicrotask(() => {
          if (!buffer.detached) buffer.transfer(0);
        });
      return undefined;
    },
    requestsLost: (peer) => console.error(`requests to ${peer} were lost`),
    note: (text, fields) => console.error(text, fields),
  };
  const host: Host = await startHost(
    { seed: randomBytes(32), listen: ['127.0.0.1:0'], announce: [], connectionsMax: 10, discovery: 'static' },
    handlers,
  );

  async function serve(peer: PeerId, id: number, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await host.blocks.answer(peer, { kind: 'block', id, digest, bytes });
    }
    await host.blocks.answer(peer, { kind: 'done', id });
  }

  async function ask(peer: PeerId, count: number): Promise<void> {
    lastId += 1;
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(lastId, resolve);
    // Pages alone do not open a TLS connection.
    const plane = way === 'tls' ? 'block' : 'page';
    host.blocks.request(peer, { share, id: lastId, plane, digests: Array(count).fill(digest) });
    await promise;
  }

  async function befriend(peer: PeerId, addresses: readonly string[] | null): Promise<void> {
    host.admit(peer);
    if (addresses === null) return;
    await host.dial(addresses, { peer, signal: AbortSignal.timeout(5_000) });
    do await ask(peer, 1);
    while (way === 'tls' && host.route(peer) !== 'tls');
    await ask(peer, 1);
  }

  async function pull(peer: PeerId, total: number): Promise<Pulled> {
    const count = Math.max(1, Math.floor(requestBytesMax / blockBytes));
    const late = monitorEventLoopDelay({ resolution: 1 });
    received = 0;
    late.enable();
    const startedMs = performance.now();
    const lane = async () => {
      while (received + lanes * MIB <= total) await ask(peer, count);
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    const seconds = (performance.now() - startedMs) / 1000;
    late.disable();
    const lateMs = [late.percentile(50), late.percentile(99), late.max].map((ns) => ns / 1e6);
    return { bytes: received, seconds, lateMs };
  }

  async function perform(order: Order): Promise<object> {
    if (order.kind === 'befriend') await befriend(order.peer, order.addresses);
    if (order.kind === 'pull') return await pull(order.peer, order.bytes);
    if (order.kind === 'stop') await host.close();
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    return { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakMb: maxRSS / 1024 } satisfies Usage;
  }

  process.on('message', (order: Order) => {
    perform(order).then(
      (answer) => {
        if (order.kind === 'stop') process.disconnect?.();
        else process.send?.(answer);
      },
      (error: unknown) => {
        console.error(error);
        process.exitCode = 1;
        process.disconnect?.();
      },
    );
  });
  process.send?.({ peer: host.peer, addresses: host.addresses() } satisfies Address);
}
