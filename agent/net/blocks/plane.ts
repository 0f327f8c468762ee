/**
 * The bulk plane of a host: blocks over TLS where that works with a peer, over libp2p until it does and where it does not.
 * Joins both; moves no bytes itself.
 */
import type { Stream } from '@libp2p/interface';
import type { Bytes } from '../../base/bytes.ts';
import { P2psyncError } from '../../base/errors.ts';
import { bulkPagesMin } from '../../base/limits.ts';
import type { PeerId } from '../../core/keys.ts';
import type { BlockAnswer } from '../../swarm/messages.ts';
import { decodeControl, encodeControl, isBulkSetup } from '../../wire/control.ts';
import type { BulkSetup } from '../../wire/frames.ts';
import type { HostHandlers } from '../host.ts';
import type { TrafficMeter } from '../traffic.ts';
import { createLibp2pBlocks } from './libp2p.ts';
import type { Pace } from './pace.ts';
import { createRoutes, type TlsNews } from './routes.ts';
import { createTlsBlocks } from './tls.ts';
import { createLines } from './tls-lines.ts';
import type { BlockRoute, BlockTransport } from './transport.ts';

export type BlockPlaneOptions = {
  /** A new stream to the peer. @throws where it cannot be had. */
  readonly open: (peer: PeerId) => Promise<Stream>;
  /** On the control stream. */
  readonly send: (peer: PeerId, frame: Bytes) => void;
  /** The IP at the other end of the control stream of an admitted peer; null where there is none. */
  readonly ipOf: (peer: PeerId) => string | null;
  /** The peer broke the rules: its connection is to be closed. */
  readonly violated: (peer: PeerId, error: P2psyncError) => void;
  readonly handlers: Pick<
    HostHandlers,
    'allowAddress' | 'blockRequest' | 'blockCancelled' | 'blockAnswer' | 'requestsLost' | 'note'
  >;
  readonly traffic: TrafficMeter;
  /** Of all answers that are given, and of all that come, whichever way they travel. */
  readonly upload: Pace;
  readonly download: Pace;
  /** How long a connection may stand unused, ms. */
  readonly idleMs: () => number;
};

export type BlockPlane = BlockTransport & {
  /** @param hosts IPs. @param port 0, or one that is taken: the system chooses. @returns null where TLS cannot be listened on. */
  listen(hosts: readonly string[], port: number): Promise<number | null>;
  /** The TCP port of TLS; null where there is none. */
  port(): number | null;
  /** How blocks travel to and from a connected peer; null where nothing was tried yet. */
  route(peer: PeerId): BlockRoute | null;
  /** A libp2p stream that an admitted peer opened to ask on it. */
  accept(peer: PeerId, stream: Stream): void;
  /** A control frame. @returns false where it is not of the bulk plane. */
  control(peer: PeerId, frame: Bytes): boolean;
  /** The peer is connected and admitted. */
  ready(peer: PeerId): void;
  /** It is not any more: closes everything it has here, in this turn. */
  lost(peer: PeerId): void;
  /** The access lists were changed: closes what may come from an address that is refused now. */
  reviewAddresses(): void;
  close(): Promise<void>;
};

export function createBlockPlane(options: BlockPlaneOptions): BlockPlane {
  const { handlers } = options;
  const routes = createRoutes();
  const lines = createLines({
    allowAddress: (address) => handlers.allowAddress(address),
    note: (text, fields) => handlers.note(text, fields),
    upload: options.upload,
    download: options.download,
  });
  const libp2p = createLibp2pBlocks(options);
  const tls = createTlsBlocks({ ...options, lines, say, news, ipOf: ipToDial });
  // Changes while running.
  /** Peers that wanted a connection before they were admitted here: they may know so before we do. */
  const early = new Set<PeerId>();

  /** The lists hold for connections of our own, too, and may have changed since the control stream was opened. */
  function ipToDial(peer: PeerId): string | null {
    const ip = options.ipOf(peer);
    return ip !== null && handlers.allowAddress(ip) ? ip : null;
  }

  function say(peer: PeerId, frame: BulkSetup): void {
    options.send(peer, encodeControl(frame));
  }

  function news(peer: PeerId, what: TlsNews, reason: string): void {
    if (routes.note(peer, what, performance.now())) {
      handlers.note('blocks go over libp2p, slower', { peer, reason });
    }
  }

  function setup(peer: PeerId, frame: BulkSetup): void {
    if (options.ipOf(peer) !== null) tls.setup(peer, frame);
    else if (frame.kind === 'bulkWanted') early.add(peer);
  }

  return {
    listen: (hosts, port) => lines.listen(hosts, port),
    port: () => lines.port(),
    route: (peer) => routes.of(peer),
    request(peer, request) {
      if (tls.canAsk(peer)) return tls.request(peer, request);
      // Pages are small and come first: a change that needs no more than a few of them needs no connection of its own.
      const isMuch = request.plane === 'block' || request.digests.length >= bulkPagesMin;
      if (isMuch && routes.mayTry(peer, performance.now())) tls.want(peer);
      libp2p.request(peer, request);
    },
    cancel(peer, id) {
      if (tls.asks(peer, id)) tls.cancel(peer, id);
      else libp2p.cancel(peer, id);
    },
    hangUp(peer) {
      tls.hangUp(peer);
      libp2p.hangUp(peer);
    },
    answer: (peer, answer) =>
      tls.serves(peer, answer.id) ? tls.answer(peer, [ownCopy(answer)]) : libp2p.answer(peer, answer),
    give(peer, answers) {
      const first = answers[0];
      const overTls = first !== undefined && tls.serves(peer, first.id);
      return overTls ? tls.answer(peer, answers) : libp2p.give(peer, answers);
    },
    accept: (peer, stream) => libp2p.accept(peer, stream),
    control(peer, bytes) {
      if (!isBulkSetup(bytes)) return false;
      try {
        const frame = decodeControl(bytes);
        if (frame.kind === 'bulkWanted' || frame.kind === 'bulkOffer') setup(peer, frame);
      } catch (error) {
        if (!(error instanceof P2psyncError)) throw error;
        options.violated(peer, error);
      }
      return true;
    },
    ready(peer) {
      if (early.delete(peer)) tls.setup(peer, { kind: 'bulkWanted' });
    },
    lost(peer) {
      early.delete(peer);
      libp2p.lost(peer);
      tls.lost(peer);
      routes.forget(peer);
    },
    reviewAddresses: () => tls.reviewAddresses(),
    close() {
      tls.close();
      return lines.close();
    },
  };
}

/** A block's bytes may be part of a cache or of Buffer's pool: what is given away is a copy. */
function ownCopy(answer: BlockAnswer): BlockAnswer {
  if (answer.kind !== 'block') return answer;
  const { kind, id, digest, bytes } = answer;
  return { kind, id, digest, bytes: new Uint8Array(bytes) };
}
