/**
 * Blocks over TLS: one connection a direction and peer, opened by who asks, with a key handed over the control stream.
 * Owns who is expected, what is asked and what is served. Says when TLS does not work; what happens then is for
 * `plane.ts` to decide.
 */
import { randomBytes } from 'node:crypto';
import { toHex } from '../../base/bytes.ts';
import { P2psyncError } from '../../base/errors.ts';
import { bulkConnectMs, bulkLookMs, bulkOfferMs, bulkStallMs, requestsOpenMax } from '../../base/limits.ts';
import type { PeerId } from '../../core/keys.ts';
import type { BlockAnswer, SharedRequest } from '../../swarm/messages.ts';
import type { BulkFrame } from '../../wire/bulk.ts';
import { type BulkSetup, pskBytes, pskIdentityBytes } from '../../wire/frames.ts';
import type { HostHandlers } from '../host.ts';
import type { TrafficMeter } from '../traffic.ts';
import { createOwed, type Owed } from './owed.ts';
import type { TlsNews } from './routes.ts';
import type { Line, LineHandlers, Lines } from './tls-lines.ts';

export type TlsOptions = {
  readonly lines: Lines;
  /** On the control stream. */
  readonly say: (peer: PeerId, frame: BulkSetup) => void;
  /** The IP at the other end of the control stream; null where it is not up. */
  readonly ipOf: (peer: PeerId) => string | null;
  /** The peer broke the rules: its connection is to be closed. */
  readonly violated: (peer: PeerId, error: P2psyncError) => void;
  readonly news: (peer: PeerId, news: TlsNews, reason: string) => void;
  readonly handlers: Pick<HostHandlers, 'blockRequest' | 'blockCancelled' | 'blockAnswer' | 'requestsLost'>;
  readonly traffic: TrafficMeter;
  /** A connection that carries nothing for so long is closed, and opened anew when it is needed. */
  readonly idleMs: () => number;
};

export type TlsBlocks = {
  /** Begins to open a connection to ask on, where there is none; `news` says what came of it. */
  want(peer: PeerId): void;
  canAsk(peer: PeerId): boolean;
  /** Only where `canAsk`. */
  request(peer: PeerId, request: SharedRequest): void;
  asks(peer: PeerId, id: number): boolean;
  cancel(peer: PeerId, id: number): void;
  hangUp(peer: PeerId): void;
  /** A request that is open here. */
  serves(peer: PeerId, id: number): boolean;
  /** Answers of one request, together; blocks are given away with their memory. */
  answer(peer: PeerId, answers: readonly BlockAnswer[]): Promise<void>;
  /** The peer is admitted and said this on its control stream. */
  setup(peer: PeerId, frame: BulkSetup): void;
  /** The peer is gone or not wanted any more: closes its connections and forgets its keys, in this turn. */
  lost(peer: PeerId): void;
  /**
   * Closes what peers opened, and takes back what was offered, in this turn: they may come from another address than that
   * of their control stream. Whoever may come opens it anew.
   */
  reviewAddresses(): void;
  /** Looks after nothing any more. */
  close(): void;
};

/** What this agent asks of a peer. */
type Asking = {
  /** Null while the offer is waited for. */
  line: Line | null;
  isUp: boolean;
  /** An answer came on it. */
  isProven: boolean;
  readonly owed: Owed;
  usedMs: number;
  /** Until it is up. */
  readonly timer: NodeJS.Timeout;
};

/** What a peer asks of this agent. */
type Serving = { readonly line: Line; readonly ids: Set<number>; usedMs: number };

export function createTlsBlocks(options: TlsOptions): TlsBlocks {
  const { handlers, traffic, lines } = options;
  // Changes while running.
  const askings = new Map<PeerId, Asking>();
  const servings = new Map<PeerId, Serving>();
  const offers = new Map<PeerId, { readonly line: Line; readonly timer: NodeJS.Timeout }>();
  const looking = setInterval(look, bulkLookMs).unref();

  function endAsking(peer: PeerId, asking: Asking, news: TlsNews, reason: string): void {
    if (askings.get(peer) !== asking) return;
    askings.delete(peer);
    clearTimeout(asking.timer);
    asking.line?.close();
    options.news(peer, news, reason);
    if (!asking.owed.isEmpty()) handlers.requestsLost(peer);
  }

  function askingHandlers(peer: PeerId, asking: Asking): LineHandlers {
    return {
      ...counted(peer),
      opened() {
        clearTimeout(asking.timer);
        asking.isUp = true;
        asking.usedMs = performance.now();
        options.news(peer, 'up', '');
      },
      frame(frame) {
        if (frame.kind !== 'answer') throw wrongWay(frame);
        const { answer } = frame;
        asking.owed.answered(answer);
        asking.isProven = true;
        asking.usedMs = performance.now();
        return handlers.blockAnswer(peer, answer);
      },
      closed(reason, error) {
        // One that served and owes nothing may be closed by its other end, too: that is no break.
        const idle = asking.isProven && asking.owed.isEmpty() && error === null;
        endAsking(peer, asking, idle ? 'idle' : asking.isUp ? 'broke' : 'failed', reason);
        if (error !== null) options.violated(peer, error);
      },
    };
  }

  /** A connection may die without a word, and one that is not used is not kept. */
  function look(): void {
    const nowMs = performance.now();
    for (const [peer, asking] of askings) {
      if (!asking.isUp) continue;
      const { owed, usedMs, line } = asking;
      if (owed.isEmpty()) {
        if (nowMs - usedMs >= options.idleMs()) endAsking(peer, asking, 'idle', 'nobody asked');
      } else if (nowMs - usedMs >= bulkStallMs && line?.isAliveSince(nowMs - bulkStallMs) === false) {
        endAsking(peer, asking, 'broke', 'nothing came for too long');
      }
    }
    for (const [peer, serving] of servings) {
      if (serving.ids.size === 0 && nowMs - serving.usedMs >= options.idleMs()) endServing(peer, serving);
    }
  }

  function offered(peer: PeerId, offer: Extract<BulkSetup, { kind: 'bulkOffer' }>): void {
    const asking = askings.get(peer);
    const host = options.ipOf(peer);
    if (asking === undefined || asking.line !== null || host === null) return;
    const psk = { identity: toHex(offer.identity), key: offer.key };
    asking.line = lines.dial({ host, port: offer.port, psk }, askingHandlers(peer, asking));
  }

  /** One key at a time is good for a peer: a new one replaces one that was not used. */
  async function offer(peer: PeerId): Promise<void> {
    const port = lines.port();
    if (port === null) return;
    withdraw(peer);
    const identity = new Uint8Array(randomBytes(pskIdentityBytes));
    const key = new Uint8Array(randomBytes(pskBytes));
    const serving: { entry?: Serving } = {};
    const { line, ready } = lines.expect(
      { identity: toHex(identity), key },
      {
        ...counted(peer),
        opened() {
          if (offers.get(peer)?.line === line) forgetOffer(peer);
          const older = servings.get(peer);
          if (older !== undefined) endServing(peer, older);
          serving.entry = { line, ids: new Set(), usedMs: performance.now() };
          servings.set(peer, serving.entry);
          options.news(peer, 'used', '');
        },
        frame(frame) {
          if (frame.kind === 'answer') throw wrongWay(frame);
          if (serving.entry === undefined) return;
          if (frame.kind === 'cancel') cancelled(peer, serving.entry, frame.id);
          else requested(peer, serving.entry, frame.request);
        },
        closed(_reason, error) {
          if (offers.get(peer)?.line === line) forgetOffer(peer);
          if (serving.entry !== undefined) endServing(peer, serving.entry);
          if (error !== null) options.violated(peer, error);
        },
      },
    );
    const overdue = () => {
      withdraw(peer);
      options.news(peer, 'unused', `it did not come to port ${port}`);
    };
    offers.set(peer, { line, timer: setTimeout(overdue, bulkOfferMs).unref() });
    // Said only when the thread would let it in: on a fast network the peer is here before the thread has heard of it.
    await ready;
    if (offers.get(peer)?.line === line) options.say(peer, { kind: 'bulkOffer', port, identity, key });
  }

  function forgetOffer(peer: PeerId): void {
    clearTimeout(offers.get(peer)?.timer);
    offers.delete(peer);
  }

  function withdraw(peer: PeerId): void {
    const open = offers.get(peer);
    forgetOffer(peer);
    open?.line.close();
  }

  function requested(peer: PeerId, serving: Serving, request: SharedRequest): void {
    if (serving.ids.has(request.id)) {
      throw new P2psyncError('malformed', `request ${request.id} is open already`);
    }
    if (serving.ids.size >= requestsOpenMax) {
      throw new P2psyncError('limit-exceeded', `more than ${requestsOpenMax} requests are open`);
    }
    serving.ids.add(request.id);
    serving.usedMs = performance.now();
    handlers.blockRequest(peer, request);
  }

  function cancelled(peer: PeerId, serving: Serving, id: number): void {
    if (!serving.ids.delete(id)) return;
    // So that the requester can forget the id; blocks that are still answered to it are dropped.
    serving.line.give([{ kind: 'answer', answer: { kind: 'done', id } }], () => true).catch(() => {});
    handlers.blockCancelled?.(peer, id);
  }

  function endServing(peer: PeerId, serving: Serving): void {
    if (servings.get(peer) !== serving) return;
    servings.delete(peer);
    serving.line.close();
    for (const id of serving.ids) handlers.blockCancelled?.(peer, id);
  }

  function counted(peer: PeerId): Pick<LineHandlers, 'received' | 'sent'> {
    return {
      received: (bytes) => traffic.received(peer, bytes),
      sent: (bytes) => traffic.sent(peer, bytes),
    };
  }

  return {
    want(peer) {
      if (askings.has(peer) || options.ipOf(peer) === null) return;
      const asking: Asking = {
        line: null,
        isUp: false,
        isProven: false,
        owed: createOwed(),
        usedMs: 0,
        timer: setTimeout(
          () => endAsking(peer, asking, 'failed', 'it did not come up in time'),
          bulkConnectMs,
        ),
      };
      asking.timer.unref();
      askings.set(peer, asking);
      options.say(peer, { kind: 'bulkWanted' });
    },
    canAsk: (peer) => askings.get(peer)?.isUp === true,
    request(peer, request) {
      const asking = askings.get(peer);
      if (asking === undefined) return;
      asking.owed.asked(request);
      asking.usedMs = performance.now();
      asking.line?.send({ kind: 'request', request });
    },
    asks: (peer, id) => askings.get(peer)?.owed.has(id) === true,
    cancel(peer, id) {
      askings.get(peer)?.line?.send({ kind: 'cancel', id });
    },
    hangUp(peer) {
      const asking = askings.get(peer);
      if (asking !== undefined) endAsking(peer, asking, 'idle', 'nothing of it is wanted');
    },
    serves: (peer, id) => servings.get(peer)?.ids.has(id) === true,
    async answer(peer, answers) {
      const serving = servings.get(peer);
      if (serving === undefined) {
        throw new P2psyncError('unreachable-peer', `${peer} does not wait for blocks any more`, { peer });
      }
      const last = answers.at(-1);
      if (last === undefined) return;
      const { id, kind } = last;
      const isWanted = () =>
        kind === 'done' || kind === 'busy' ? serving.ids.delete(id) : serving.ids.has(id);
      await serving.line.give(
        answers.map((answer) => ({ kind: 'answer', answer })),
        isWanted,
      );
      serving.usedMs = performance.now();
    },
    setup(peer, frame) {
      if (frame.kind === 'bulkOffer') offered(peer, frame);
      else void offer(peer);
    },
    lost(peer) {
      withdraw(peer);
      const serving = servings.get(peer);
      if (serving !== undefined) endServing(peer, serving);
      const asking = askings.get(peer);
      if (asking !== undefined) endAsking(peer, asking, 'idle', 'the peer is gone');
    },
    reviewAddresses() {
      for (const peer of offers.keys()) withdraw(peer);
      for (const [peer, serving] of servings) endServing(peer, serving);
    },
    close: () => clearInterval(looking),
  };
}

function wrongWay(frame: BulkFrame): P2psyncError {
  return new P2psyncError('malformed', `a frame of kind ${frame.kind} that goes the wrong way`);
}
