/**
 * The sockets of the bulk plane: listens, dials, and lets in who has a key. TLS 1.3 with an external PSK that is good for
 * one connection, and no certificates (RFC 8446, 2.2). Runs in a worker thread; who gets a key is decided outside.
 */
import {
  type AddressInfo,
  createServer,
  type Server,
  type Socket,
  type SocketConstructorOpts,
} from 'node:net';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContextOptions,
  TLSSocket,
  type TLSSocketOptions,
  type TlsOptions,
} from 'node:tls';
import { unreachable } from '../../base/assert.ts';
import { messageOf } from '../../base/errors.ts';
import {
  bulkArrivalsMax,
  bulkArrivalsPerAddressMax,
  bulkHandshakeMs,
  bulkReadBytes,
} from '../../base/limits.ts';
import { createPlaces } from '../places.ts';
import type { Pace } from './pace.ts';
import { createLink, type Link, type LinkPaces, type Post } from './tls-link.ts';
import type { LinkId, Psk, ToSockets } from './tls-messages.ts';

export type Sockets = {
  handle(message: ToSockets): void;
  /** Ends everything, so that the thread could end. */
  close(): void;
};

const protocol: SecureContextOptions = {
  ciphers: 'TLS_AES_128_GCM_SHA256',
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
};

/** Answers are paced, those that are given and those that come; requests are small. */
export type SocketPaces = { readonly upload: Pace; readonly download: Pace };

export function createSockets(post: Post, paces: SocketPaces): Sockets {
  // Fixed at start.
  const secureContext = createSecureContext(protocol);
  // Changes while running.
  const servers: Server[] = [];
  const expected = new Map<string, { readonly link: LinkId; readonly psk: Psk }>();
  /** Handshakes of our own, and connections that stand. */
  const dialling = new Map<LinkId, TLSSocket>();
  const links = new Map<LinkId, Link>();
  /** Connections that have not shown a key yet. */
  const arrivals = new Map<Socket, NodeJS.Timeout>();
  const places = createPlaces<Socket>({
    max: bulkArrivalsMax,
    perAddressMax: bulkArrivalsPerAddressMax,
    evict: (socket) => socket.destroy(),
  });
  const knocks = new Map<number, Socket>();
  let lastKnock = 0;
  let closed = false;
  void tellRates();

  /** What is on its way would else come at the old rate to its end. */
  async function tellRates(): Promise<void> {
    for (let rate = paces.download.rate(); !closed; ) {
      await paces.download.changedFrom(rate);
      rate = paces.download.rate();
      for (const link of links.values()) link.reviewRate();
    }
  }

  async function listen(hosts: readonly string[], wantedPort: number): Promise<void> {
    let port = wantedPort;
    for (const host of hosts) {
      const server = await listenOn(host, port).catch((error: unknown) => {
        // Only the first address chooses: all have the same port.
        if (servers.length > 0 || port === 0) throw error;
        return listenOn(host, 0);
      });
      servers.push(server);
      port = (server.address() as AddressInfo).port;
    }
    post({ kind: 'listening', port });
  }

  async function listenOn(host: string, port: number): Promise<Server> {
    const server = createServer({ pauseOnConnect: true }, arrived);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ host, port, ipv6Only: host.includes(':') }, resolve);
    await promise;
    server.off('error', reject);
    // A descriptor that could not be had for a newcomer: the others go on.
    server.on('error', () => {});
    return server;
  }

  function arrived(socket: Socket): void {
    const address = addressOf(socket.remoteAddress ?? '', socket.remotePort ?? 0);
    socket.on('error', () => socket.destroy());
    if (expected.size === 0 || !places.take(socket, address)) return void socket.destroy();
    arrivals.set(
      socket,
      setTimeout(() => socket.destroy(), bulkHandshakeMs),
    );
    lastKnock += 1;
    const knock = lastKnock;
    knocks.set(knock, socket);
    socket.once('close', () => {
      knocks.delete(knock);
      settled(socket);
    });
    post({ kind: 'knock', knock, address });
  }

  /** It has shown its key, or is gone: its place is free. */
  function settled(socket: Socket): void {
    clearTimeout(arrivals.get(socket));
    arrivals.delete(socket);
    places.leave(socket);
  }

  function shakeHands(socket: Socket): void {
    let link: LinkId | null = null;
    // Its type does not know the callback, which every server's socket has.
    const options: TLSSocketOptions & Pick<TlsOptions, 'pskCallback'> = {
      isServer: true,
      secureContext,
      pskCallback(_socket: TLSSocket, identity: string) {
        const entry = expected.get(identity);
        // Spent by being shown: a second handshake with it, also a copied one, finds nothing.
        expected.delete(identity);
        link = entry?.link ?? null;
        return entry?.psk.key ?? null;
      },
    };
    const tls = new TLSSocket(socket, options);
    const lost = (error: Error | boolean) => {
      tls.destroy();
      socket.destroy();
      const reason = error instanceof Error ? error.message : 'it closed the connection';
      if (link !== null) post({ kind: 'closed', link, reason, code: null });
      link = null;
    };
    tls.once('error', lost);
    tls.once('close', lost);
    tls.once('secure', () => {
      // Without our callback there was no key of ours: a resumed session is none.
      if (link === null) return lost(false);
      tls.off('error', lost);
      tls.off('close', lost);
      settled(socket);
      tls.on('data', opened(link, tls, { write: paces.upload, read: null }).receive);
    });
  }

  function opened(link: LinkId, socket: TLSSocket, linkPaces: LinkPaces): Link {
    const say: Post = (message, transfer) => {
      if (message.kind === 'closed') links.delete(link);
      post(message, transfer);
    };
    const open = createLink(link, socket, say, linkPaces);
    links.set(link, open);
    post({ kind: 'open', link });
    return open;
  }

  function dial({ link, host, port, psk }: Extract<ToSockets, { kind: 'dial' }>): void {
    let open: Link | undefined;
    // Their type does not know `onread`, which every socket that is dialled has.
    const options: ConnectionOptions & Pick<SocketConstructorOpts, 'onread'> = {
      host,
      port,
      ...protocol,
      // Always the same memory: one of its own for each record of 16 KiB costs a third of all the work.
      onread: {
        buffer: Buffer.allocUnsafeSlow(bulkReadBytes),
        callback(length, bytes) {
          open?.receive(bytes.subarray(0, length));
          return true;
        },
      },
      pskCallback: () => ({ psk: psk.key, identity: psk.identity }),
      // Asked only where the other side answered with a certificate instead of the key: not who we look for.
      checkServerIdentity: () => new Error('it does not have the key'),
    };
    const socket = connect(options);
    dialling.set(link, socket);
    const lost = (error: Error | boolean) => {
      socket.destroy();
      if (!dialling.delete(link)) return;
      const reason = error instanceof Error ? error.message : 'it closed the connection';
      post({ kind: 'closed', link, reason, code: null });
    };
    socket.once('error', lost);
    socket.once('close', lost);
    socket.once('secureConnect', () => {
      socket.off('error', lost);
      socket.off('close', lost);
      dialling.delete(link);
      open = opened(link, socket, { write: null, read: paces.download });
    });
  }

  function close(link: LinkId): void {
    for (const [identity, one] of expected) if (one.link === link) expected.delete(identity);
    dialling.get(link)?.destroy();
    dialling.delete(link);
    links.get(link)?.close();
    links.delete(link);
  }

  return {
    handle(message) {
      switch (message.kind) {
        case 'listen':
          listen(message.hosts, message.port).catch((error: unknown) =>
            post({ kind: 'deaf', reason: messageOf(error) }),
          );
          return;
        case 'expect':
          expected.set(message.psk.identity, message);
          return post({ kind: 'expecting', link: message.link });
        case 'dial':
          return dial(message);
        case 'knockAnswer': {
          const socket = knocks.get(message.knock);
          knocks.delete(message.knock);
          if (message.allowed && socket !== undefined) shakeHands(socket);
          else socket?.destroy();
          return;
        }
        case 'send':
          return links.get(message.link)?.send(message.frames);
        case 'handled':
          return links.get(message.link)?.handled(message.costBytes);
        case 'close':
          return close(message.link);
        default:
          return unreachable(message);
      }
    },
    close() {
      closed = true;
      for (const server of servers) server.close();
      for (const socket of arrivals.keys()) socket.destroy();
      for (const link of [...links.keys(), ...dialling.keys()]) close(link);
    },
  };
}

/** `IP:PORT`, an IPv6 in brackets, an IPv4 inside IPv6 as IPv4. */
function addressOf(ip: string, port: number): string {
  const plain = ip.replace(/^::ffff:(?=\d+\.)/i, '');
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}
