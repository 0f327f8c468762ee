/**
 * From root to the user of `[run]`, once ports are bound: what the agent goes on writing is handed over first, then every
 * thread gives up root for good. Never touches what is replicated.
 */
import { accessSync, chownSync, closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { agentDirectory } from '../core/path.ts';
import { keptDirectory } from '../disk/agent-paths.ts';
import { isCapable } from '../disk/capabilities.ts';
import type { Account } from './accounts.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';

/**
 * After it the whole process, worker threads included, is that user (libc tells every thread).
 * @throws {P2psyncError} permission, where something of it cannot be done; nothing may go on then.
 */
export function becomeAccount(
  account: Account,
  places: { readonly home: string; readonly shares: Config['shares']; readonly log: Log },
): void {
  const { home, shares, log } = places;
  try {
    handOver(home, account, null);
    for (const { path } of shares) handOver(join(path, agentDirectory), account, join(path, keptDirectory));
    dropTo(account);
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new P2psyncError(
      'permission',
      `cannot go on as ${account.text}: ${messageOf(error)}; check that it may enter the directories above ${home}`,
      { home },
      { cause: error },
    );
  }
  log.info({ user: account.text }, 'root is given up');
  tellWhatIsLost(account, shares, log);
}

function dropTo({ uid, gid, groupsOf }: Account): void {
  // Its type does not know `initgroups`, which every POSIX process has.
  const own: NodeJS.Process & { readonly initgroups?: (user: string, group: number) => void } = process;
  // Groups first: afterwards it takes rights that are gone.
  if (groupsOf === null) own.setgroups?.([gid]);
  else own.initgroups?.(groupsOf, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const [uidNow, gidNow] = [process.geteuid?.(), process.getegid?.()];
  if (uidNow !== uid || gidNow !== gid) throw new Error(`it is still ${uidNow}:${gidNow}`);
  if (uid !== 0 && isCapable('setuid')) throw new Error('the way back to root is still open');
}

function tellWhatIsLost(account: Account, shares: Config['shares'], log: Log): void {
  const owned = shares.filter(({ owner }) => owner.kind !== 'off').map(({ name }) => name);
  if (owned.length > 0 && !isCapable('chown')) {
    log.warn(
      { shares: owned.join(', ') },
      `as ${account.text} the agent cannot give files away: what it writes is its own, whatever the writer has. Say owner = "off" if that is meant; to keep owners, see OPERATING.md, "As another user"`,
    );
  }
  for (const { name, path } of shares) {
    if (isWritable(path)) continue;
    log.warn(
      { share: name, path },
      `${account.text} cannot write here: fine for a writer; a replica applies nothing until it can (chown)`,
    );
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Of linux/fcntl.h: a descriptor that names a file and opens nothing. */
const pathOnly = 0o10000000;

/**
 * The directory and all in it, by descriptors, so that no link leads out. A file with a second name stays as it is: it
 * may be somebody's whom the agent's user has linked here.
 * @param except a directory of which only itself is handed over.
 */
function handOver(path: string, account: Account, except: string | null, name = path): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, pathOnly | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const stat = fstatSync(descriptor);
    const itself = `/proc/self/fd/${descriptor}`;
    if (stat.isDirectory()) {
      if (name !== except) {
        for (const child of readdirSync(itself)) {
          handOver(`${itself}/${child}`, account, except, join(name, child));
        }
      }
    } else if (stat.isSymbolicLink() || stat.nlink > 1) return;
    if (stat.uid !== account.uid || stat.gid !== account.gid) chownSync(itself, account.uid, account.gid);
  } finally {
    closeSync(descriptor);
  }
}
