/** Where others can dial this agent, worked out from its configuration alone. Reads the machine's interfaces. */
import { networkInterfaces } from 'node:os';
import type { PeerId } from '../core/keys.ts';
import type { Config } from './config.ts';

/** Multiaddrs with /p2p/: what is announced, else what is listened on; none for a port that is chosen at start. */
export function dialableAddresses(
  config: Pick<Config, 'listen' | 'announce'>,
  peer: PeerId,
): readonly string[] {
  const texts = config.announce.length > 0 ? config.announce : config.listen;
  return texts
    .flatMap(expand)
    .map((address) => (address.includes('/p2p/') ? address : `${address}/p2p/${peer}`));
}

function expand(text: string): string[] {
  if (text.startsWith('/')) return text.endsWith('/tcp/0') ? [] : [text];
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3];
  if (host === undefined || port === undefined || port === '0') return [];
  if (host === '0.0.0.0') return ownAddresses('IPv4').map((ip) => `/ip4/${ip}/tcp/${port}`);
  if (host === '::') {
    return [
      ...ownAddresses('IPv4').map((ip) => `/ip4/${ip}/tcp/${port}`),
      ...ownAddresses('IPv6').map((ip) => `/ip6/${ip}/tcp/${port}`),
    ];
  }
  if (host.includes(':')) return [`/ip6/${host}/tcp/${port}`];
  return [/^[\d.]+$/.test(host) ? `/ip4/${host}/tcp/${port}` : `/dns/${host}/tcp/${port}`];
}

/** Those that other machines can reach come first; loopback is for agents on this one, and all there is without a network. */
function ownAddresses(family: 'IPv4' | 'IPv6'): string[] {
  const all = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === family && !address.address.startsWith('fe80:'));
  const outside = all.filter((address) => !address.internal).map((address) => address.address);
  return outside.length > 0 ? outside : all.map((address) => address.address);
}
