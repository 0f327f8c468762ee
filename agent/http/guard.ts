/**
 * Keeps web pages of strangers from reading the TCP listener through a browser on this machine (DNS rebinding:
 * a name of theirs that resolves to our address). Pure.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * A sentence why the request is refused, or undefined. Addresses, names without a dot and `names` are answered to;
 * so is a request without a host (HTTP/1.0 health checks), which no browser sends.
 */
export function refusalOf(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  const host = headers.host;
  if (host !== undefined && !isTrusted(hostNameOf(host), names)) {
    return 'this server answers to its addresses and its own name; for another one set [http] hosts in config.toml';
  }
  const origin = headers.origin;
  if (origin !== undefined && origin !== `http://${host}`) return 'requests from another origin are refused';
  return undefined;
}

function hostNameOf(host: string): string {
  return (/^\[(.*)\](?::\d+)?$/.exec(host)?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}

/** Nobody can own a public name without a dot. */
function isTrusted(name: string, names: readonly string[]): boolean {
  return isIP(name) !== 0 || !name.includes('.') || names.some((own) => own.toLowerCase() === name);
}
