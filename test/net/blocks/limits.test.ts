/** Hosts under a limit: each way that blocks travel, each direction. Bounds from below alone, so no machine is too slow. */
import { randomBytes } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MIB, paceBurstMs, paceSliceMs } from '../../../agent/base/limits.ts';
import { digestOf } from '../../../agent/core/digest.ts';
import type { ShareId } from '../../../agent/core/keys.ts';
import { createPace } from '../../../agent/net/blocks/pace.ts';
import { befriend, closeAll, ofKind, startTestHost, type TestHost } from '../hosts.ts';

const share = 'ab'.repeat(16) as ShareId;
const rate = 16 * MIB;
const bytes = new Uint8Array(randomBytes(2 * MIB));
const digest = digestOf(bytes);

/** How long two blocks take, ms. */
async function transfer(asker: TestHost, server: TestHost, id: number): Promise<number> {
  const startMs = performance.now();
  asker.blocks.request(server.peer, { share, id, plane: 'page', digests: [digest, digest] });
  await server.until((event) => event.kind === 'request' && event.request.id === id);
  for (let block = 0; block < 2; block += 1) {
    await server.blocks.answer(asker.peer, { kind: 'block', id, digest, bytes });
  }
  await server.blocks.answer(asker.peer, { kind: 'done', id });
  await asker.until(
    (event) => event.kind === 'answer' && event.answer.id === id && event.answer.kind === 'done',
  );
  const blocks = asker.events.flatMap((event) =>
    event.kind === 'answer' && event.answer.id === id && event.answer.kind === 'block' ? [event.answer] : [],
  );
  assert.equal(
    blocks.map((block) => digestOf(block.bytes)),
    [digest, digest],
  );
  return performance.now() - startMs;
}

async function untilTls(asker: TestHost, server: TestHost): Promise<void> {
  asker.blocks.request(server.peer, { share, id: 1_000, plane: 'block', digests: [digest] });
  await server.until((event) => event.kind === 'request' && event.request.id === 1_000);
  await server.blocks.answer(asker.peer, { kind: 'done', id: 1_000 });
  for (let round = 0; asker.route(server.peer) !== 'tls'; round += 1) {
    const before = server.count('control');
    asker.send(server.peer, Uint8Array.of(1));
    await server.until(() => server.count('control') > before);
    assert.ok(round < 20_000);
  }
}

for (const direction of ['upload', 'download'] as const) {
  test(`${direction} holds over libp2p and over TLS, and is lifted while running`, async () => {
    const pace = createPace();
    pace.setRate(rate);
    const [ana, bo] = [
      await startTestHost(direction === 'download' ? { download: pace } : {}),
      await startTestHost(direction === 'upload' ? { upload: pace } : {}),
    ];
    await befriend(ana, bo);
    const leastMs = (4 * MIB * 1000) / rate - paceBurstMs - paceSliceMs;
    const overLibp2p = await transfer(ana, bo, 1);
    assert.is(ana.route(bo.peer), null);
    assert.ok(overLibp2p >= leastMs, `${overLibp2p} ms over libp2p`);
    await untilTls(ana, bo);
    const overTls = await transfer(ana, bo, 2);
    assert.ok(overTls >= leastMs, `${overTls} ms over TLS`);
    // The other direction is nobody's business.
    bo.blocks.request(ana.peer, { share, id: 3, plane: 'page', digests: [digest] });
    await ana.until(ofKind('request'));
    pace.setRate(1024);
    await ana.blocks.answer(bo.peer, { kind: 'block', id: 3, digest, bytes });
    await bo.until((event) => event.kind === 'answer' && event.answer.kind === 'block');
    // Lifted in the middle of a transfer that would take an hour.
    const slow = transfer(ana, bo, 4);
    await bo.until((event) => event.kind === 'request' && event.request.id === 4);
    pace.setRate(0);
    await slow;
    await closeAll(ana, bo);
  });
}

test.run();
