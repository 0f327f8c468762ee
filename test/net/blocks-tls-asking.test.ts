/** Who is asked and served over TLS, on connections that are made up. */

import { mock } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../agent/base/errors.ts';
import { bulkConnectMs, bulkLookMs, bulkRetryMinMs, requestsOpenMax } from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { PeerId, ShareId } from '../../agent/core/keys.ts';
import { createTlsBlocks } from '../../agent/net/blocks/tls.ts';
import type { Line, LineHandlers, Lines } from '../../agent/net/blocks/tls-lines.ts';
import type { Psk } from '../../agent/net/blocks/tls-messages.ts';
import { createTrafficMeter } from '../../agent/net/traffic.ts';
import type { BlockAnswer, SharedRequest } from '../../agent/swarm/messages.ts';
import type { BulkFrame } from '../../agent/wire/bulk.ts';
import type { BulkSetup } from '../../agent/wire/frames.ts';

const ana = 'ana' as PeerId;
const share = 'ab'.repeat(16) as ShareId;
const digest = digestOf(Uint8Array.of(1));
const request = (id: number): SharedRequest => ({ share, id, plane: 'block', digests: [digest] });
const offer: BulkSetup = {
  kind: 'bulkOffer',
  port: 4000,
  identity: new Uint8Array(16).fill(1),
  key: new Uint8Array(32).fill(2),
};

type FakeLine = {
  readonly psk: Psk;
  readonly handlers: LineHandlers;
  readonly sent: BulkFrame[];
  closed: boolean;
};

/** How long a connection may stand unused, as the test wants it; a negative one is over at once. */
const idle = { ms: Number.POSITIVE_INFINITY };

function setUp() {
  const log: string[] = [];
  const lines: FakeLine[] = [];
  const offers: BulkSetup[] = [];
  const make = (psk: Psk, handlers: LineHandlers): Line => {
    const fake: FakeLine = { psk, handlers, sent: [], closed: false };
    lines.push(fake);
    return {
      send: (frame) => void fake.sent.push(frame),
      async give(frames, isWanted) {
        if (isWanted()) fake.sent.push(...frames);
      },
      isAliveSince: () => true,
      close() {
        fake.closed = true;
      },
    };
  };
  const fakeLines: Lines = {
    port: () => 5000,
    listen: () => Promise.resolve(5000),
    expect: (psk, handlers) => ({ line: make(psk, handlers), ready: Promise.resolve() }),
    dial({ host, port, psk }, handlers) {
      log.push(`dial ${host}:${port}`);
      return make(psk, handlers);
    },
    close: () => Promise.resolve(),
  };
  const tls = createTlsBlocks({
    lines: fakeLines,
    say(_peer, frame) {
      log.push(frame.kind);
      offers.push(frame);
    },
    ipOf: () => '192.0.2.1',
    violated: (_peer, error) => log.push(`violated ${error.code}`),
    news: (_peer, news) => log.push(news),
    handlers: {
      blockRequest: (_peer, { id }) => log.push(`request ${id}`),
      blockCancelled: (_peer, id) => log.push(`cancelled ${id}`),
      blockAnswer: (_peer, { id, kind }) => void log.push(`${kind} ${id}`),
      requestsLost: () => log.push('lost'),
    },
    traffic: createTrafficMeter(),
    idleMs: () => idle.ms,
  });
  return { tls, log, lines, offers };
}

/** Line `index`, which was made. */
function lineOf(lines: readonly FakeLine[], index: number): FakeLine {
  const line = lines[index];
  assert.ok(line !== undefined, `there is a line ${index}`);
  return line as FakeLine;
}

function askingUp() {
  const rig = setUp();
  rig.tls.want(ana);
  rig.tls.setup(ana, offer);
  const line = lineOf(rig.lines, 0);
  line.handlers.opened();
  return { ...rig, line };
}

/** Somebody asks here: the promise of an offer is kept in a turn of its own. */
async function servingUp() {
  const rig = setUp();
  rig.tls.setup(ana, { kind: 'bulkWanted' });
  await setImmediate();
  const line = lineOf(rig.lines, 0);
  line.handlers.opened();
  return { ...rig, line };
}

test('it is wanted once, dialled with the offered key, and asked on when it is up', () => {
  const { tls, log, lines } = setUp();
  tls.want(ana);
  tls.want(ana);
  assert.not(tls.canAsk(ana));
  tls.setup(ana, offer);
  // A second offer changes nothing.
  tls.setup(ana, offer);
  assert.not(tls.canAsk(ana));
  const line = lineOf(lines, 0);
  assert.equal(line.psk, { identity: '01'.repeat(16), key: new Uint8Array(32).fill(2) });
  line.handlers.opened();
  assert.ok(tls.canAsk(ana));
  tls.request(ana, request(1));
  assert.equal(line.sent, [{ kind: 'request', request: request(1) }]);
  assert.equal(log, ['bulkWanted', 'dial 192.0.2.1:4000', 'up']);
  tls.lost(ana);
});

test('an offer that nobody asked for is not dialled', () => {
  const { tls, log } = setUp();
  tls.setup(ana, offer);
  assert.equal(log, []);
});

test('a connection that breaks loses what was asked, and is told from one that never came up', () => {
  const { tls, log, line } = askingUp();
  tls.request(ana, request(1));
  line.handlers.closed('reset', null);
  assert.equal(log.slice(-2), ['broke', 'lost']);
  assert.not(tls.canAsk(ana));
  tls.want(ana);
  tls.setup(ana, offer);
  tls.lost(ana);
  assert.equal(log.slice(-3), ['bulkWanted', 'dial 192.0.2.1:4000', 'idle']);

  const other = setUp();
  other.tls.want(ana);
  other.tls.setup(ana, offer);
  lineOf(other.lines, 0).handlers.closed('refused', null);
  assert.equal(other.log.slice(-1), ['failed']);
});

test('answers are handed on while their request is open, and anything else is a breach', () => {
  const { tls, log, line } = askingUp();
  const say = (answer: BlockAnswer): void => void line.handlers.frame({ kind: 'answer', answer });
  const isBreach = (error: unknown): boolean => error instanceof P2psyncError && error.code === 'malformed';
  tls.request(ana, request(1));
  tls.request(ana, request(3));
  log.length = 0;
  assert.throws(() => say({ kind: 'missing', id: 2, digest }), isBreach);
  say({ kind: 'missing', id: 1, digest });
  // Each digest has one answer: more of them would be without end.
  assert.throws(() => say({ kind: 'missing', id: 1, digest }), isBreach);
  say({ kind: 'done', id: 1 });
  assert.equal(log, ['missing 1', 'done 1']);
  assert.throws(() => say({ kind: 'done', id: 1 }), isBreach);
  // What was on its way when it was cancelled may come, and no more than was asked for.
  tls.cancel(ana, 3);
  say({ kind: 'missing', id: 3, digest });
  assert.throws(() => say({ kind: 'missing', id: 3, digest }), isBreach);
  assert.throws(() => void line.handlers.frame({ kind: 'cancel', id: 1 }), isBreach);
  line.handlers.closed('it was wrong', new P2psyncError('malformed', 'it was wrong'));
  assert.equal(log.slice(-3), ['broke', 'lost', 'violated malformed']);
});

test('an offer has a fresh key each time, and a new one takes the old one back', async () => {
  const { tls, lines, offers } = setUp();
  tls.setup(ana, { kind: 'bulkWanted' });
  tls.setup(ana, { kind: 'bulkWanted' });
  await setImmediate();
  const [first, second] = [lineOf(lines, 0), lineOf(lines, 1)];
  assert.equal([first.closed, second.closed], [true, false]);
  assert.not.equal(first.psk, second.psk);
  const [said, more] = offers;
  assert.is(more, undefined, 'the first is not even said any more');
  assert.ok(
    said?.kind === 'bulkOffer' && Buffer.compare(said.key, second.psk.key) === 0 && said.port === 5000,
  );
  tls.lost(ana);
  assert.ok(second.closed);
});

test('requests are served while they are open, up to as many as an honest peer has', async () => {
  const { tls, log, line } = await servingUp();
  log.length = 0;
  for (let id = 1; id <= requestsOpenMax; id += 1)
    void line.handlers.frame({ kind: 'request', request: request(id) });
  assert.is(log.length, requestsOpenMax);
  const refused = (id: number, code: string) =>
    assert.throws(
      () => void line.handlers.frame({ kind: 'request', request: request(id) }),
      (error: unknown) => error instanceof P2psyncError && error.code === code,
    );
  refused(1, 'malformed');
  refused(requestsOpenMax + 1, 'limit-exceeded');
  await tls.answer(ana, [{ kind: 'done', id: 1 }]);
  assert.not(tls.serves(ana, 1));
  await tls.answer(ana, [{ kind: 'done', id: 1 }]);
  assert.is(line.sent.length, 1, 'once');
  void line.handlers.frame({ kind: 'request', request: request(requestsOpenMax + 1) });
  void line.handlers.frame({ kind: 'cancel', id: 2 });
  await tls.answer(ana, [{ kind: 'missing', id: 2, digest }]);
  assert.equal(line.sent.slice(1), [{ kind: 'answer', answer: { kind: 'done', id: 2 } }]);
  line.handlers.closed('gone', null);
  assert.is(log.filter((what) => what.startsWith('cancelled')).length, requestsOpenMax);
  let code = '';
  await tls.answer(ana, [{ kind: 'done', id: 3 }]).catch((error: P2psyncError) => {
    code = error.code;
  });
  assert.is(code, 'unreachable-peer');
});

test('a peer that comes anew replaces what it had, and one that is lost has nothing left', async () => {
  const { tls, log, lines, line } = await servingUp();
  void line.handlers.frame({ kind: 'request', request: request(1) });
  tls.setup(ana, { kind: 'bulkWanted' });
  await setImmediate();
  const newer = lineOf(lines, 1);
  assert.not(line.closed, 'the old one serves until the new one is there');
  newer.handlers.opened();
  assert.ok(line.closed);
  assert.ok(log.includes('cancelled 1'));
  tls.lost(ana);
  assert.ok(newer.closed);
});

test('that the peer did not come is known before it tries again', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { tls, log, lines } = setUp();
    tls.setup(ana, { kind: 'bulkWanted' });
    await setImmediate();
    // It gives up, and may want the next key so soon: the first one is taken back then, and nothing can be said of it.
    mock.timers.tick(bulkConnectMs);
    assert.not(log.includes('unused'));
    mock.timers.tick(bulkRetryMinMs - 1);
    assert.is(log.at(-1), 'unused');
    assert.ok(lineOf(lines, 0).closed);
    tls.close();
  } finally {
    mock.timers.reset();
  }
});

/** Runs with timers that the test turns. */
async function withTimers(run: (look: () => void) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    await run(() => mock.timers.tick(bulkLookMs));
  } finally {
    mock.timers.reset();
    idle.ms = Number.POSITIVE_INFINITY;
  }
}

test('a connection that nobody asks on is closed after a while, not while an answer is owed, and wanted anew', async () => {
  await withTimers(async (look) => {
    const { tls, log, line } = askingUp();
    tls.request(ana, request(1));
    idle.ms = -1;
    look();
    assert.not(line.closed, 'an answer is owed');
    void line.handlers.frame({ kind: 'answer', answer: { kind: 'done', id: 1 } });
    idle.ms = 60_000;
    look();
    assert.not(line.closed, 'not so soon');
    idle.ms = -1;
    look();
    assert.ok(line.closed && !tls.canAsk(ana));
    assert.equal(log.slice(-2), ['done 1', 'idle']);
    tls.want(ana);
    assert.is(log.at(-1), 'bulkWanted');
  });
});

test('one that served and is closed by its other end while nothing is owed is idle, not broken', () => {
  const { tls, log, line } = askingUp();
  tls.request(ana, request(1));
  void line.handlers.frame({ kind: 'answer', answer: { kind: 'done', id: 1 } });
  line.handlers.closed('it closed the connection', null);
  assert.is(log.at(-1), 'idle');
  const other = askingUp();
  other.line.handlers.closed('it closed the connection', null);
  assert.is(other.log.at(-1), 'broke');
});

test('who asks nothing for a while is served on that connection no more', async () => {
  await withTimers(async (look) => {
    const { tls, line } = await servingUp();
    void line.handlers.frame({ kind: 'request', request: request(1) });
    idle.ms = -1;
    look();
    assert.not(line.closed, 'an answer is owed');
    await tls.answer(ana, [{ kind: 'done', id: 1 }]);
    look();
    assert.ok(line.closed);
    tls.close();
    idle.ms = -1;
    look();
  });
});

test.run();
