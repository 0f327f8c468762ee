/** Which keys differ between two configurations, and which of them take effect without a restart. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.ts';

/** Of a share: what it reads anew each time it acts. */
const liveShareKeys = new Set(['ignore', 'owner', 'perms', 'times', 'localChanges']);
const liveKeys = new Set(['access', 'ready']);
/** Of `[limits]`, by the names of `config.toml`. */
const liveLimits = { upload: 'uploadRate', download: 'downloadRate', idle_timeout: 'idleTimeoutMs' } as const;

export function changedKeys(
  before: Config,
  after: Config,
): { readonly live: readonly string[]; readonly restart: readonly string[] } {
  const live: string[] = [];
  const restart: string[] = [];
  for (const key of Object.keys(after) as (keyof Config)[]) {
    if (key === 'shares' || key === 'limits' || key === 'file' || isDeepStrictEqual(before[key], after[key]))
      continue;
    (liveKeys.has(key) ? live : restart).push(key);
  }
  if (before.limits.connections !== after.limits.connections) restart.push('limits.connections');
  for (const [name, field] of Object.entries(liveLimits)) {
    if (before.limits[field] !== after.limits[field]) live.push(`limits.${name}`);
  }
  for (const share of after.shares) {
    const old = before.shares.find((one) => one.name === share.name);
    if (old === undefined) {
      restart.push(`share.${share.name}`);
      continue;
    }
    for (const key of Object.keys(share) as (keyof typeof share)[]) {
      if (isDeepStrictEqual(old[key], share[key])) continue;
      (liveShareKeys.has(key) ? live : restart).push(`share.${share.name}.${key}`);
    }
  }
  for (const share of before.shares) {
    if (!after.shares.some((one) => one.name === share.name)) restart.push(`share.${share.name}`);
  }
  return { live, restart };
}
