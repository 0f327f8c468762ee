/** Whether what is to be listened on is free, or held by our own agent. Binds for a moment, and lets go. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { messageOf, systemCode } from '../../base/errors.ts';
import { formatHostPort, type HostPort, parseHostPort } from '../../daemon/config-values.ts';
import { type Check, fail, ok } from './check.ts';

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

/** `listen` in config.toml: HOST:PORT, or a multiaddr of an IP address. */
export function listenHostPort(address: string): HostPort {
  const match = /^\/ip[46]\/([^/]+)\/tcp\/(\d+)/.exec(address);
  return match === null ? parseHostPort(address) : { host: match[1] ?? '', port: Number(match[2]) };
}
