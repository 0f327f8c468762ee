/** When a control connection has carried nothing for too long, on a clock that the test turns. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  neighbourIdleMsMin,
  neighbourSilentMs,
  pingMs,
  restHeartbeatMs,
  roundTripAgeMs,
} from '../../agent/base/limits.ts';
import { shareIdOf } from '../../agent/core/keys.ts';
import { addThree, withMesh } from './agents.ts';

const idleMs = 6_000;
/** The least that the configuration allows. */
const leastIdleMs = 2_000;

/** Beats come when the test says so. */
async function onTurnedClock(...[use, clock]: Parameters<typeof withMesh>): Promise<void> {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    await withMesh(use, clock);
  } finally {
    mock.timers.reset();
  }
}

test('a connection that carries signs of life alone is closed, one of neighbours is not, nor any without idle_timeout', async () => {
  const clock = { nowMs: 0, idleMs };
  await onTurnedClock(
    async (mesh) => {
      const { share, writer, ana, bo } = await addThree(mesh);
      /** As neighbours do, and the pings that go there and back. */
      async function beats(count: number): Promise<void> {
        for (let beat = 0; beat < count; beat += 1) {
          clock.nowMs += pingMs;
          const status = { kind: 'status', applied: null, head: null, rosterVersion: 1 } as const;
          ana.sessions.send(writer.peer, share, status);
          writer.sessions.send(ana.peer, share, status);
          await mesh.settle();
          mock.timers.tick(pingMs);
          await mesh.settle();
        }
      }
      clock.idleMs = Number.POSITIVE_INFINITY;
      await beats(5);
      assert.equal([writer.hungUp, ana.hungUp, bo.hungUp], [[], [], []]);
      assert.ok(5 * pingMs > idleMs && idleMs < neighbourSilentMs);
      clock.idleMs = idleMs;
      await beats(1);
      assert.equal(
        [...new Set([...writer.hungUp, ...bo.hungUp].map((line) => line.split(': ')[1]))],
        ['nothing was said on it for idle_timeout'],
      );
      await beats(8);
      assert.equal(ana.hungUp, []);
      assert.is(writer.hungUp.filter((line) => line.startsWith('ana')).length, 0);
    },
    { idleMs: () => clock.idleMs, nowMs: () => clock.nowMs },
  );
});

test('neighbours whose signs of life come more seldom than the least idle_timeout stay connected', async () => {
  const clock = { nowMs: 0 };
  await onTurnedClock(
    async (mesh) => {
      const share = shareIdOf(mesh.authority.publicKey);
      const [writer, ana] = [await mesh.add('writer'), await mesh.add('ana', mesh.invite())];
      await mesh.connect(ana, writer);
      const status = { kind: 'status', applied: null, head: null, rosterVersion: 1 } as const;
      for (let beat = 0; beat < 4; beat += 1) {
        clock.nowMs += pingMs - 2 * restHeartbeatMs;
        ana.sessions.send(writer.peer, share, status);
        writer.sessions.send(ana.peer, share, status);
        await mesh.settle();
        clock.nowMs += 2 * restHeartbeatMs;
        mock.timers.tick(pingMs);
        await mesh.settle();
      }
      assert.equal([...writer.hungUp, ...ana.hungUp], []);
      clock.nowMs += neighbourIdleMsMin + 1;
      mock.timers.tick(pingMs);
      await mesh.settle();
      assert.is(writer.hungUp.length, 1);
    },
    { idleMs: () => leastIdleMs, nowMs: () => clock.nowMs },
  );
});

test('who is heard is seldom asked for a sign of life, who is silent at each look', async () => {
  const clock = { nowMs: 0 };
  await onTurnedClock(
    async (mesh) => {
      const { share, writer, ana, bo } = await addThree(mesh);
      const looks = (2 * roundTripAgeMs) / pingMs;
      for (let look = 0; look < looks; look += 1) {
        clock.nowMs += pingMs - restHeartbeatMs;
        const status = { kind: 'status', applied: null, head: null, rosterVersion: 1 } as const;
        ana.sessions.send(writer.peer, share, status);
        await mesh.settle();
        clock.nowMs += restHeartbeatMs;
        mock.timers.tick(pingMs);
        await mesh.settle();
      }
      assert.is(ana.pings, 2);
      assert.is(bo.pings, looks);
      assert.type(writer.sessions.info(ana.peer)?.rttMs, 'number');
    },
    { nowMs: () => clock.nowMs },
  );
});

test.run();
