/** Addresses as people write them and as libp2p wants them. Resolves names; never dials. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { messageOf, P2psyncError } from '../base/errors.ts';
import type { PeerId } from '../core/keys.ts';

type HostPort = { readonly host: string; readonly port: number };

/** Takes `HOST:PORT`, `[IPV6]:PORT` or a TCP multiaddr. @throws {P2psyncError} config, naming the address. */
export function parseAddress(text: string): Multiaddr {
  if (text.startsWith('/')) return parseMultiaddr(text);
  const { host, port } = parseHostPort(text);
  const version = isIP(host);
  return multiaddr(`/${version === 4 ? 'ip4' : version === 6 ? 'ip6' : 'dns'}/${host}/tcp/${port}`);
}

/** The same address with a name replaced by what it resolves to. @throws {P2psyncError} config, unreachable-peer. */
export async function resolveAddress(text: string): Promise<readonly Multiaddr[]> {
  const address = parseAddress(text);
  const [first, second] = address.getComponents();
  if (first === undefined || !first.name.startsWith('dns')) return [address];
  const name = first.value ?? '';
  const rest = `/tcp/${second?.value ?? ''}${peerSuffix(peerOf(address))}`;
  const family = first.name === 'dns4' ? 4 : first.name === 'dns6' ? 6 : 0;
  try {
    const found = await lookup(name, { all: true, family });
    return found.map((entry) => multiaddr(`/ip${entry.family}/${entry.address}${rest}`));
  } catch (error) {
    throw new P2psyncError(
      'unreachable-peer',
      `the name ${name} does not resolve (${messageOf(error)}); check it or use an IP`,
      { name },
      { cause: error },
    );
  }
}

/** The `/p2p/` part, or null where there is none. */
export function peerOf(address: Multiaddr): PeerId | null {
  const value = address.getComponents().findLast((component) => component.name === 'p2p')?.value;
  return value === undefined ? null : (value as PeerId);
}

/** The address with `/p2p/PEER`, so that whoever answers must prove to be that peer. */
export function withPeer(address: Multiaddr, peer: PeerId): Multiaddr {
  return peerOf(address) === null ? address.encapsulate(`/p2p/${peer}`) : address;
}

/** `IP:PORT`, an IPv6 in brackets, an IPv4 inside IPv6 as IPv4. */
export function formatAddress(address: Multiaddr): string {
  const [first, second] = address.getComponents();
  const host = first?.value ?? '';
  const port = second?.value ?? '';
  const mapped = mappedIpv4(host);
  if (mapped !== undefined) return `${mapped}:${port}`;
  return first?.name === 'ip6' ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The IP alone, as sockets take it: without brackets. */
export function hostOf(address: Multiaddr): string {
  return hostOfText(formatAddress(address));
}

/** Of `IP:PORT` the IP without brackets; '' of ''. */
export function hostOfText(address: string): string {
  return ipOf(address).replace(/[[\]]/g, '');
}

/** The part of `IP:PORT` that names the machine. */
export function ipOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}

export function isLoopback(address: Multiaddr): boolean {
  const ip = ipOf(formatAddress(address));
  return ip.startsWith('127.') || ip === '[::1]';
}

function peerSuffix(peer: PeerId | null): string {
  return peer === null ? '' : `/p2p/${peer}`;
}

function parseMultiaddr(text: string): Multiaddr {
  try {
    const address = multiaddr(text);
    const [first, second, third, ...more] = address.getComponents();
    const hosts = ['ip4', 'ip6', 'dns', 'dns4', 'dns6'];
    const plain = first !== undefined && hosts.includes(first.name) && second?.name === 'tcp';
    if (plain && (third === undefined || third.name === 'p2p') && more.length === 0) return address;
  } catch (error) {
    throw unreadable(text, error);
  }
  throw unreadable(text, undefined);
}

function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && isIP(host) !== 6)) {
    throw unreadable(text, undefined);
  }
  return { host, port };
}

function unreadable(text: string, cause: unknown): P2psyncError {
  const shown = JSON.stringify(text.slice(0, 200));
  return new P2psyncError(
    'config',
    `not an address: ${shown}; write HOST:PORT, [IPV6]:PORT or /ip4/…/tcp/PORT`,
    { address: text.slice(0, 200) },
    { cause },
  );
}

/** `::ffff:127.0.0.1` and `::ffff:7f00:1` as `127.0.0.1`. */
function mappedIpv4(host: string): string | undefined {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host);
  if (dotted?.[1] !== undefined) return dotted[1];
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(host);
  if (hex?.[1] === undefined || hex[2] === undefined) return undefined;
  const high = Number.parseInt(hex[1], 16);
  const low = Number.parseInt(hex[2], 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
