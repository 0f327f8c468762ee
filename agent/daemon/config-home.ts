/** Where an agent's home is and what it is made of. Reads the disk no further than to see whether a file is there. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export type HomeHints = {
  /** `--home`, as typed. */
  readonly flag: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the user that runs this; 0 is root. */
  readonly uid: number;
  readonly userHome: string;
};

/** Absolute: `--home`, else `$P2PSYNC_HOME`, else `/var/lib/p2psync` for root and the user's state directory for others. */
export function resolveHome(hints: HomeHints): string {
  const named = hints.flag ?? hints.env.P2PSYNC_HOME;
  if (named !== undefined && named !== '') return resolve(named);
  if (hints.uid === 0) return '/var/lib/p2psync';
  const state = hints.env.XDG_STATE_HOME;
  // The XDG specification: a relative path there is to be ignored.
  const base = state?.startsWith('/') ? state : join(hints.userHome, '.local/state');
  return join(base, 'p2psync');
}

/** One configuration for a machine, where the home has none. */
export const systemConfigFile = '/etc/p2psync/config.toml';

/** The file that configures this home, or undefined where there is none yet. */
export function findConfigFile(home: string, systemFile: string = systemConfigFile): string | undefined {
  const own = join(home, 'config.toml');
  if (existsSync(own)) return own;
  return existsSync(systemFile) ? systemFile : undefined;
}
