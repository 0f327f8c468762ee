import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { gossipBytesMax } from '../../agent/base/limits.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { befriend, closeAll, startTestHost, type TestHost } from './hosts.ts';

type Verdict = 'accept' | 'ignore' | 'reject';

/** What one host hears on topic `t`; `until(n)` waits for n messages that differ. */
function listen(host: TestHost, judge: (bytes: Uint8Array) => Verdict = () => 'accept') {
  const heard = new Map<string, PeerId>();
  const judged: string[] = [];
  let repeats = 0;
  const waiting = new Set<() => void>();
  host.joinTopic('t', {
    admits: () => true,
    validate(bytes) {
      judged.push(Buffer.from(bytes).toString());
      return judge(bytes);
    },
    deliver(bytes, from) {
      const text = Buffer.from(bytes).toString();
      if (heard.has(text)) repeats += 1;
      heard.set(text, from);
      for (const wake of waiting) wake();
    },
  });
  return {
    heard,
    judged,
    repeats: () => repeats,
    async until(text: string): Promise<void> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(
        () => reject(new Error(`did not hear ${text}, only ${[...heard.keys()].join(', ')}`)),
        8_000,
      );
      const check = () => heard.has(text) && resolve();
      waiting.add(check);
      check();
      await promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(check);
      });
    },
  };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Publishes until everyone has heard one of these: after a connect, subscriptions take a moment. */
async function warmUp(publisher: TestHost, listeners: readonly ReturnType<typeof listen>[]): Promise<void> {
  await republish(publisher, 'warm', listeners);
}

/** Publishes `text 1`, `text 2` … until each listener has heard one; fails after 8 s. */
async function republish(
  publisher: TestHost,
  text: string,
  listeners: readonly ReturnType<typeof listen>[],
): Promise<void> {
  const deaf = () =>
    listeners.filter((listener) => ![...listener.heard.keys()].some((found) => found.startsWith(`${text} `)));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let round = 0;
  const timer = setInterval(() => {
    if (deaf().length === 0) return resolve();
    publisher.publish('t', bytesOf(`${text} ${++round}`));
  }, 20);
  const deadline = setTimeout(() => reject(new Error(`${deaf().length} did not hear any of ${text}`)), 8_000);
  try {
    await promise;
  } finally {
    clearInterval(timer);
    clearTimeout(deadline);
  }
}

test('a message reaches everyone on a line of three, once, through whom relayed it', async () => {
  const [ana, bo, cleo] = [await startTestHost(), await startTestHost(), await startTestHost()];
  const [atAna, atBo, atCleo] = [listen(ana), listen(bo), listen(cleo)];
  await befriend(ana, bo);
  await befriend(bo, cleo);
  await warmUp(ana, [atBo, atCleo]);
  ana.publish('t', bytesOf('news'));
  await atCleo.until('news');
  assert.is(atBo.heard.get('news'), ana.peer);
  assert.is(atCleo.heard.get('news'), bo.peer);
  assert.is(atAna.heard.size, 0, 'never our own');
  ana.publish('t', bytesOf('news'));
  ana.publish('t', bytesOf('more'));
  await atCleo.until('more');
  assert.equal([atBo.repeats(), atCleo.repeats()], [0, 0]);
  await closeAll(ana, bo, cleo);
});

test('what is rejected or ignored is not relayed, what is accepted still is', async () => {
  const [ana, bo, cleo] = [await startTestHost(), await startTestHost(), await startTestHost()];
  const judge = (bytes: Uint8Array): Verdict => {
    const text = Buffer.from(bytes).toString();
    return text.startsWith('bad') ? 'reject' : text.startsWith('old') ? 'ignore' : 'accept';
  };
  listen(ana);
  const [atBo, atCleo] = [listen(bo, judge), listen(cleo)];
  await befriend(ana, bo);
  await befriend(bo, cleo);
  await warmUp(ana, [atBo, atCleo]);
  for (const text of ['bad 1', 'old 1', 'good 1']) ana.publish('t', bytesOf(text));
  await atCleo.until('good 1');
  assert.equal(
    atCleo.judged.filter((text) => !text.startsWith('warm')),
    ['good 1'],
  );
  assert.equal(
    [...atBo.heard.keys()].filter((text) => !text.startsWith('warm')),
    ['good 1'],
  );
  await closeAll(ana, bo, cleo);
});

test('a peer that relays nonsense again and again is not listened to any more', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  listen(ana);
  const atBo = listen(bo, (bytes) => (Buffer.from(bytes).toString().startsWith('bad') ? 'reject' : 'accept'));
  await befriend(ana, bo);
  await warmUp(ana, [atBo]);
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  // Scores are looked at once a second, so it goes on for a few of them.
  const timer = setInterval(() => {
    ana.publish('t', bytesOf(`bad ${++sent}`));
    if (sent - atBo.judged.filter((text) => text.startsWith('bad')).length > 30) resolve();
  }, 20);
  await promise;
  clearInterval(timer);
  assert.is(bo.count('disconnected'), 0, 'the daemon decides about the connection');
  await closeAll(ana, bo);
});

test('twenty agents behind one address all hear each other', async () => {
  const hosts = await Promise.all(Array.from({ length: 20 }, () => startTestHost()));
  const listeners = hosts.map((host) => listen(host));
  for (const host of hosts) for (const other of hosts) host.admit(other.peer);
  for (const [index, host] of hosts.entries()) {
    await Promise.all(
      hosts
        .slice(0, index)
        .map((other) =>
          host.dial(other.addresses(), { peer: other.peer, signal: AbortSignal.timeout(8_000) }),
        ),
    );
  }
  const [first, second] = [hosts[0], hosts[19]];
  assert.ok(first !== undefined && second !== undefined);
  await warmUp(first, listeners.slice(1));
  // A score is kept for a second; after that colocated peers would fall silent.
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 2_000 });
  try {
    for (const [index, host] of hosts.entries()) host.publish('t', bytesOf(`from ${index}`));
    for (const [index, listener] of listeners.entries()) {
      for (let from = 0; from < hosts.length; from += 1)
        if (from !== index) await listener.until(`from ${from}`);
    }
  } finally {
    mock.timers.reset();
  }
  await closeAll(...hosts);
});

test('a message that is too large is refused where it is published, and the largest arrives', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  listen(ana);
  const atBo = listen(bo);
  await befriend(ana, bo);
  await warmUp(ana, [atBo]);
  assert.throws(
    () => ana.publish('t', new Uint8Array(gossipBytesMax + 1)),
    (error: unknown) => hasCode(error, 'limit-exceeded'),
  );
  const largest = new Uint8Array(gossipBytesMax).fill(0x61);
  ana.publish('t', largest);
  await atBo.until('a'.repeat(gossipBytesMax));
  await closeAll(ana, bo);
});

test('publishing with nobody there throws nothing, and a topic that was left is quiet', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  ana.publish('t', bytesOf('alone'));
  const [atAna, atBo] = [listen(ana), listen(bo)];
  await befriend(ana, bo);
  await warmUp(ana, [atBo]);
  bo.leaveTopic('t');
  const before = atBo.heard.size;
  ana.publish('t', bytesOf('after'));
  ana.send(bo.peer, Uint8Array.of(1));
  await bo.until((event) => event.kind === 'control');
  assert.is(atBo.heard.size, before);
  assert.is(atAna.heard.size, 0);
  await closeAll(ana, bo);
});

test('gossip flows again after a reconnect, and after dials of both sides at once', async () => {
  const [ana, bo] = [await startTestHost(), await startTestHost()];
  listen(ana);
  const atBo = listen(bo);
  ana.admit(bo.peer);
  bo.admit(ana.peer);
  for (let round = 0; round < 6; round += 1) {
    await Promise.all([
      ana.dial(bo.addresses(), { peer: bo.peer, signal: AbortSignal.timeout(8_000) }),
      bo.dial(ana.addresses(), { peer: ana.peer, signal: AbortSignal.timeout(8_000) }),
    ]);
    await republish(ana, `round ${round}`, [atBo]);
    await ana.hangUp(bo.peer, 'next round');
    await bo.until(() => bo.count('disconnected') > round);
  }
  await closeAll(ana, bo);
});

test.run();
