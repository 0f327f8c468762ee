/** What `[limits]` says now of rates and idleness: read anew by whoever acts on it, changed by a reload. */
import { createPace, type Pace } from '../net/blocks/pace.ts';
import type { Config } from './config.ts';

export type LiveLimits = {
  /** Of all shares and peers together, in all threads. */
  readonly upload: Pace;
  readonly download: Pace;
  /** How long a connection may carry nothing, ms. */
  idleMs(): number;
  change(limits: Config['limits']): void;
};

export function createLiveLimits(first: Config['limits']): LiveLimits {
  const upload = createPace();
  const download = createPace();
  // Changes while running.
  let idleMs = Number.POSITIVE_INFINITY;

  function change(limits: Config['limits']): void {
    if (upload.rate() !== limits.uploadRate) upload.setRate(limits.uploadRate);
    if (download.rate() !== limits.downloadRate) download.setRate(limits.downloadRate);
    idleMs = limits.idleTimeoutMs === 0 ? Number.POSITIVE_INFINITY : limits.idleTimeoutMs;
  }

  change(first);
  return { upload, download, idleMs: () => idleMs, change };
}
