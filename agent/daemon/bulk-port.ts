/** On which TCP port blocks travel over TLS. Pure: a firewall has to be told, so it follows from the configuration alone. */
import { bulkPortStep } from '../base/limits.ts';
import type { Config } from './config.ts';

/** A thousand above the port that is listened on (below it, where there are none above); 0: the system chooses. */
export function bulkPortOf({ listen }: Pick<Config, 'listen'>): number {
  const port = portOf(listen[0] ?? '');
  if (port === 0) return 0;
  return port + bulkPortStep <= 65_535 ? port + bulkPortStep : port - bulkPortStep;
}

/** Of HOST:PORT or a multiaddr. */
function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)/.exec(address)?.[1] ?? /:(\d+)$/.exec(address)?.[1] ?? 0);
}
