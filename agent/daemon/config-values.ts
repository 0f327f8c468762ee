/** The notations of `config.toml` and of the command line: durations, sizes, shares of a whole, addresses. Pure. */
import { isIP } from 'node:net';
import { P2psyncError } from '../base/errors.ts';
import { paceBytesPerSecondMin } from '../base/limits.ts';

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Longest duration: ten years, so that a sum with the current time stays a valid date. */
const durationMsMax = 10 * 366 * 86_400_000;

/** `1500ms`, `10s`, `5m`, `24h`, `7d`, and sums of them (`1h30m`), in milliseconds. @throws {P2psyncError} usage. */
export function parseDuration(text: string): number {
  const parts = /^(?:\d{1,12}(?:\.\d{1,3})?(?:ms|s|m|h|d))+$/.test(text)
    ? text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)
    : undefined;
  if (parts === undefined) {
    throw usage(`${quote(text)} is not a duration; write one as 1500ms, 10s, 5m, 24h or 7d`);
  }
  let totalMs = 0;
  for (const [, count, unit] of parts) totalMs += Number(count) * (durationUnits[unit ?? ''] ?? 0);
  if (totalMs > durationMsMax) throw usage(`${quote(text)} is longer than ten years`);
  return Math.round(totalMs);
}

/** Bytes: `4096`, or `64K`, `10M`, `2G`, `1T` in powers of 1,024, as rsync counts; `1.5M` is fine. @throws {P2psyncError} usage. */
export function parseSize(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,3})?)([KMGT]?)$/.exec(text);
  const bytes = Math.round(Number(match?.[1]) * 1024 ** ' KMGT'.indexOf(match?.[2] || ' '));
  if (match === null || !Number.isSafeInteger(bytes)) {
    throw usage(`${quote(text)} is not a size; write one as 4096, 64K, 10M or 2G (1K is 1,024 bytes)`);
  }
  return bytes;
}

/**
 * Bytes a second: a size as above, `10M`, also spelled out, `10MiB/s`; `0` is no limit.
 * @throws {P2psyncError} usage, also below `paceBytesPerSecondMin`.
 */
export function parseRate(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,3})?[KMGT]?)(?:(?<=[KMGT])iB)?(?:\/s)?$/.exec(text);
  if (match === null) {
    throw usage(
      `${quote(text)} is not a rate; write one as 10M or 512K (a second; 1K is 1,024 bytes), or 0 for none`,
    );
  }
  const bytes = parseSize(match[1] ?? '');
  if (bytes > 0 && bytes < paceBytesPerSecondMin) {
    throw usage(`${quote(text)} is less than 1K a second; write 10M for ten MiB a second, or 0 for no limit`);
  }
  return bytes;
}

/** `50%` as 0.5. @throws {P2psyncError} usage. */
export function parsePercent(text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text);
  const percent = Number(match?.[1]);
  if (match === null || percent > 100) throw usage(`${quote(text)} is not a share from 0% to 100%`);
  return percent / 100;
}

export type HostPort = { readonly host: string; readonly port: number };

/** `127.0.0.1:8874`, `[::1]:8874`, `localhost:8874`; port 0 lets the system choose. @throws {P2psyncError} usage. */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^[\]:/\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  const fits = match?.[1] === undefined ? host !== undefined && isHost(host) : isIP(match[1]) === 6;
  if (host === undefined || !fits || port > 65_535) {
    throw usage(`${quote(text)} is not HOST:PORT, such as 127.0.0.1:8874 or [::1]:8874`);
  }
  return { host, port };
}

export function formatHostPort(address: HostPort): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** HOST:PORT, or `off` as null. @throws {P2psyncError} usage. */
export function parseHostPortOrOff(text: string): HostPort | null {
  return text === 'off' ? null : parseHostPort(text);
}

const multiaddr =
  /^\/(ip4|ip6|dns|dns4|dns6|dnsaddr)\/([^/\s]+)\/tcp\/(\d{1,5})(?:\/p2p\/([1-9A-HJ-NP-Za-km-z]{20,80}))?$/;

/** HOST:PORT or a TCP multiaddr, given back as it was written. @throws {P2psyncError} usage. */
export function parseDialAddress(text: string): string {
  if (!text.startsWith('/')) {
    if (parseHostPort(text).port === 0) throw usage(`${quote(text)} names port 0, which nobody can dial`);
    return text;
  }
  const match = multiaddr.exec(text);
  const [, kind = '', host = '', port = ''] = match ?? [];
  const fits = kind === 'ip4' ? isIP(host) === 4 : kind === 'ip6' ? isIP(host) === 6 : isHost(host);
  if (match === null || !fits || Number(port) > 65_535) {
    throw usage(`${quote(text)} is not a TCP multiaddr, such as /ip4/192.0.2.1/tcp/8873`);
  }
  return text;
}

/** As `parseDialAddress`, but of this machine: an IP address, port 0 allowed, and no peer named. @throws {P2psyncError} usage. */
export function parseListenAddress(text: string): string {
  if (text.startsWith('/')) {
    parseDialAddress(text);
    if (!/^\/ip[46]\//.test(text) || text.includes('/p2p/')) {
      throw usage(`${quote(text)} cannot be listened on; use an IP address, such as /ip4/0.0.0.0/tcp/8873`);
    }
  } else if (isIP(parseHostPort(text).host) === 0) {
    throw usage(`${quote(text)} cannot be listened on; use an IP address, such as 0.0.0.0:8873`);
  }
  return text;
}

/** A name for an agent or a share: 1 to 64 letters, digits, `.`, `_`, `-`, not beginning with a sign. @throws {P2psyncError} usage. */
export function parseName(text: string): string {
  if (!/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,63}$/u.test(text)) {
    throw usage(
      `${quote(text)} is not a name: 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or digit`,
    );
  }
  return text;
}

/** True for an IPv4 address and for what can be a host name. */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  // Digits and dots alone are a mistyped address, not a name.
  return (
    text.length <= 253 &&
    !/^[\d.]+$/.test(text) &&
    /^(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text)
  );
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function usage(message: string): P2psyncError {
  return new P2psyncError('usage', message);
}
