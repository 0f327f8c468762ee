/** Whether what is to be listened on is free, or held by our own agent. Binds for a moment, and lets go. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { messageOf, systemCode } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { bulkPortOf } from '../../daemon/bulk-port.ts';
import type { Config } from '../../daemon/config.ts';
import { formatHostPort, type HostPort, parseHostPort } from '../../daemon/config-values.ts';
import type { PeerReport } from '../../http/api.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** `isRunning`: our agent answers, so that the port is its. */
export async function checkPort(name: string, address: HostPort, isRunning: boolean): Promise<Check> {
  const shown = formatHostPort(address);
  if (address.port === 0) return ok(name, `${shown}: the system chooses the port`);
  const server = createServer();
  try {
    server.listen({ host: address.host, port: address.port, exclusive: true });
    await once(server, 'listening');
    server.close();
    return ok(name, `${shown} is free`);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EADDRINUSE') {
      if (isRunning) return ok(name, `${shown} is held by our agent`);
      return fail(name, `${shown} is taken by another program`, `ss -ltnp 'sport = :${address.port}'`);
    }
    if (code === 'EACCES') return fail(name, `${shown} is not ours to listen on`, 'take a port from 1024 on');
    if (code === 'EADDRNOTAVAIL') return fail(name, `${shown} is no address of this machine`, 'ip address');
    return fail(name, `${shown}: ${messageOf(error)}`, 'change the address in config.toml');
  }
}

/** Where blocks travel over TLS. `peers`: what our running agent says of them; null where none runs. */
export async function checkBulk(
  config: Pick<Config, 'listen' | 'http' | 'ready'>,
  peers: readonly PeerReport[] | null,
): Promise<readonly Check[]> {
  const port = bulkPortOf(config);
  const checks: Check[] = [];
  for (const listen of config.listen) {
    const check = await checkPort('bulk', { host: listenHostPort(listen).host, port }, peers !== null);
    // The agent takes another port then, so that only a firewall may be in the way.
    checks.push(check.state === 'fail' ? warn('bulk', check.message, check.remedy ?? '') : check);
  }
  const slow = new Set(peers?.filter(({ transport }) => transport === 'libp2p').map(({ name }) => name));
  if (slow.size > 0) {
    const names = [...slow].map(printable).join(', ');
    checks.push(
      warn('bulk-peers', `blocks take the slow way to or from ${names}`, `nc -vz HOST ${port} both ways`),
    );
  }
  return checks;
}

/** `listen` in config.toml: HOST:PORT, or a multiaddr of an IP address. */
export function listenHostPort(address: string): HostPort {
  const match = /^\/ip[46]\/([^/]+)\/tcp\/(\d+)/.exec(address);
  return match === null ? parseHostPort(address) : { host: match[1] ?? '', port: Number(match[2]) };
}
