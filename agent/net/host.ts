/**
 * The one libp2p node of an agent: who is who, one control stream a peer, gossip, and the block transport.
 * Decides nothing about shares or members; never redials (that is `dialer.ts`).
 */
import type { Bytes } from '../base/bytes.ts';
import type { PeerId } from '../core/keys.ts';
import type { BlockAnswer, BlockRequest } from '../swarm/messages.ts';
import type { BlockTransport } from './blocks/transport.ts';

export type HostOptions = {
  /** Ed25519 seed, 32 bytes; the PeerId follows from it. */
  readonly seed: Bytes;
  /** Multiaddrs or HOST:PORT (`0.0.0.0:8873`, `[::]:8873`, `127.0.0.1:0`). */
  readonly listen: readonly string[];
  /** What others are told to dial, same forms; empty: what is listened on. */
  readonly announce: readonly string[];
  readonly connectionsMax: number;
  readonly discovery: 'static' | 'gossip' | 'mdns';
};

export type Direction = 'inbound' | 'outbound';

/** `address`: `IP:PORT` of the other end, an IPv6 one in brackets. */
export type Connected = { readonly peer: PeerId; readonly direction: Direction; readonly address: string };

export type NoteFields = Readonly<Record<string, string | number>>;

/** What the host calls; all of it synchronous, never from inside a call of the host's own methods unless it says so. */
export type HostHandlers = {
  /** First point where an identity is proven: false refuses. `address` is `IP:PORT`. Strangers may be let in to say hello (see `admit`). */
  allow(peer: PeerId, address: string, direction: Direction): boolean;
  /** Before any handshake, inbound and outbound: allow and deny lists. */
  allowAddress(address: string): boolean;
  /** The control stream is open in both directions and usable. Said once, until `disconnected`. */
  connected(connected: Connected): void;
  /** Exactly one for each `connected`. */
  disconnected(peer: PeerId, reason: string): void;
  /** One frame, at most `controlFrameBytesMax`, in order; adopted by the handler. */
  control(peer: PeerId, frame: Bytes): void;
  blockRequest(peer: PeerId, request: BlockRequest): void;
  /** The peer wants nothing more of this request; what is still answered to it is dropped. */
  blockCancelled?(peer: PeerId, id: number): void;
  /** A returned promise is back-pressure: the next answer of that peer waits for it. */
  blockAnswer(peer: PeerId, answer: BlockAnswer): void | Promise<void>;
  /** The bulk stream to this peer broke: nothing more comes for what was asked of it. */
  requestsLost(peer: PeerId): void;
  /** For the log: what a peer did wrong or what was dropped. */
  note(text: string, fields: NoteFields): void;
  /** `discovery = "mdns"` only: somebody on the LAN says to be there. Addresses are multiaddrs with /p2p/. */
  discovered?(peer: PeerId, addresses: readonly string[]): void;
};

export type TopicHandlers = {
  /** Synchronous, before anything is relayed: `reject` counts against `from`, who relayed it (not who made it). */
  validate(bytes: Bytes, from: PeerId): 'accept' | 'ignore' | 'reject';
  /** Accepted messages of others, each once; never our own. */
  deliver(bytes: Bytes, from: PeerId): void;
};

export type Traffic = { readonly sentBytes: number; readonly receivedBytes: number };

export type Host = {
  readonly peer: PeerId;
  /** Multiaddrs with /p2p/, announced ones first. */
  addresses(): readonly string[];
  /**
   * Multiaddrs or HOST:PORT, tried in order. Resolves when the control stream is usable; at once for a peer that is connected.
   * @throws {P2psyncError} unreachable-peer, cancelled, not-a-member (refused by `allow` or `allowAddress`), config (no such address).
   */
  dial(
    addresses: readonly string[],
    options: { readonly peer: PeerId | null; readonly signal: AbortSignal },
  ): Promise<PeerId>;
  hangUp(peer: PeerId, reason: string): Promise<void>;
  /**
   * Until admitted a peer has the control stream alone, for at most `strangerDeadlineMs` and within a budget of
   * strangers: gossip ignores it and the block protocol refuses it. Admission is by PeerId and outlives connections.
   */
  admit(peer: PeerId): void;
  /** Takes admission back and closes every connection of the peer at once. */
  expel(peer: PeerId): void;
  /** False: not connected, or it has not read for so long that its queue is full (then it is disconnected, with a note). */
  send(peer: PeerId, frame: Bytes): boolean;
  joinTopic(topic: string, handlers: TopicHandlers): void;
  leaveTopic(topic: string): void;
  /** Fire and forget, also with nobody subscribed. @throws {P2psyncError} limit-exceeded, above `gossipBytesMax`. */
  publish(topic: string, bytes: Bytes): void;
  readonly blocks: BlockTransport;
  /** Payload of control and bulk, kept after a disconnect; null for a peer never met. */
  traffic(peer: PeerId): Traffic | null;
  close(): Promise<void>;
};

/** @throws {P2psyncError} config (an address that cannot be read or listened on). */
export async function startHost(options: HostOptions, handlers: HostHandlers): Promise<Host> {
  throw new Error(`not yet: ${options.listen.join(' ')} ${typeof handlers}`);
}
