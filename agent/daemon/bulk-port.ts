/** On which TCP port blocks travel over TLS. Pure: a firewall has to be told, so it follows from the configuration alone. */
import type { Config } from './config.ts';

/** The port after the one that is listened on, passing over those that this agent serves people on; 0: the system chooses. */
export function bulkPortOf({ listen, http, ready }: Pick<Config, 'listen' | 'http' | 'ready'>): number {
  const port = portOf(listen[0] ?? '');
  if (port === 0) return 0;
  const taken = [...listen.map(portOf), http.listen?.port, ready.agentCheck?.port];
  let next = port + 1;
  while (taken.includes(next)) next += 1;
  return next > 65_535 ? 0 : next;
}

/** Of HOST:PORT or a multiaddr. */
function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)/.exec(address)?.[1] ?? /:(\d+)$/.exec(address)?.[1] ?? 0);
}
