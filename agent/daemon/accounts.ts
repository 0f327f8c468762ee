/** Who the agent is to become: `[run] user` and `group` as numbers. Reads /etc/passwd and /etc/group; changes nothing. */
import { readFileSync } from 'node:fs';
import { P2psyncError } from '../base/errors.ts';
import { accountNumberMax } from '../base/limits.ts';
import { isCapable } from '../disk/capabilities.ts';
import { accountRows } from '../disk/owner.ts';
import type { Config } from './config.ts';

export type Account = {
  readonly uid: number;
  readonly gid: number;
  /** Whose further groups it has; null: none but `gid`. */
  readonly groupsOf: string | null;
  /** `USER:GROUP`, for people. */
  readonly text: string;
};

type Place = { readonly uid: number; readonly gid: number; readonly mayBecome: boolean };

const here = (): Place => ({
  uid: process.geteuid?.() ?? -1,
  gid: process.getegid?.() ?? -1,
  mayBecome: isCapable('setuid') && isCapable('setgid'),
});

/**
 * Null where nothing is to be changed. As of rsyncd's `uid` and `gid`, names and numbers are fine; a user alone brings its
 * own groups.
 * @param directory where `passwd` and `group` are.
 * @throws {P2psyncError} config (no such account), permission (it takes root).
 */
export function accountOf(run: Config['run'], place: Place = here(), directory = '/etc'): Account | null {
  if (run.user === '' && run.group === '') return null;
  const found = run.user === '' ? null : findUser(run.user, directory);
  const gid = run.group === '' ? found?.gid : findGroup(run.group, directory);
  if (gid === undefined) {
    throw new P2psyncError(
      'config',
      `[run] user ${run.user} has no account on this machine that names its group: set [run] group too`,
    );
  }
  const uid = found?.uid ?? place.uid;
  const text = `${run.user === '' ? uid : run.user}:${run.group === '' ? gid : run.group}`;
  if (uid === place.uid && gid === place.gid) return null;
  if (!place.mayBecome) {
    throw new P2psyncError(
      'permission',
      `[run] only root can become ${text}: start the agent as root, or as that user with [run] left out`,
    );
  }
  return { uid, gid, groupsOf: found?.name ?? null, text };
}

function findUser(
  wanted: string,
  directory: string,
): { readonly uid: number; readonly gid: number | undefined; readonly name: string | null } {
  for (const [name = '', , uid = '', gid = ''] of rowsOf(`${directory}/passwd`)) {
    if (name === wanted || uid === wanted) return { uid: Number(uid), gid: Number(gid), name };
  }
  if (isNumber(wanted)) return { uid: Number(wanted), gid: undefined, name: null };
  throw new P2psyncError(
    'config',
    `[run] there is no user ${wanted} in ${directory}/passwd: create it, or give its number`,
  );
}

function findGroup(wanted: string, directory: string): number {
  for (const [name, , gid = ''] of rowsOf(`${directory}/group`)) {
    if (name === wanted) return Number(gid);
  }
  if (isNumber(wanted)) return Number(wanted);
  throw new P2psyncError(
    'config',
    `[run] there is no group ${wanted} in ${directory}/group: create it, or give its number`,
  );
}

function rowsOf(file: string): string[][] {
  return accountRows(readFileSync(file, 'utf8')).filter(([, , id = '']) => isNumber(id));
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < accountNumberMax;
}
