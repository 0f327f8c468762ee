/** The home and the shares' directories: permissions, owners, space. Changes nothing. */
import { access, constants, opendir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, systemCode } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { agentDirectory } from '../../core/path.ts';
import { checkShareDirectories, type SharePlace } from '../../daemon/config-shares.ts';
import { formatBytes } from '../render/format.ts';
import { type Check, fail, ok, warn } from './check.ts';
import type { DirectoryCount } from './system.ts';

/** Below these, bytes: staging and the index need room beside the files. */
const freeWarnBytes = 1024 ** 3;
const freeFailBytes = 64 * 1024 ** 2;
/** Directories are counted up to here, so that the answer comes soon; by then the limit is the question anyway. */
const directoriesCounted = 200_000;

export async function checkHome(home: string, uid: number): Promise<readonly Check[]> {
  const name = printable(home);
  const look = await stat(home).catch((error: unknown) => systemCode(error) ?? messageOf(error));
  if (look === 'ENOENT')
    return [warn('home', `${name} is not there yet`, 'p2psync init DIR, or p2psync join INVITATION DIR')];
  if (typeof look === 'string')
    return [fail('home', `${name} cannot be looked at (${look})`, `ls -ld ${name}`)];
  if (!look.isDirectory())
    return [fail('home', `${name} is not a directory`, 'give another one with --home')];
  const checks: Check[] = [];
  if (uid !== 0 && look.uid !== uid) {
    checks.push(
      fail(
        'home',
        `${name} belongs to user ${look.uid}, this is ${uid}`,
        'run this as the user that runs the agent',
      ),
    );
  } else if ((look.mode & 0o077) !== 0) {
    checks.push(warn('home', `${name} is open to others (mode ${octal(look.mode)})`, `chmod 700 ${name}`));
  } else checks.push(ok('home', name));
  checks.push(await checkIdentity(join(home, 'identity.key')));
  checks.push(await checkSpace('home-space', home));
  return checks;
}

async function checkIdentity(file: string): Promise<Check> {
  const look = await stat(file).catch((error: unknown) => systemCode(error) ?? messageOf(error));
  if (look === 'ENOENT')
    return warn('identity', 'there is no identity.key yet', 'p2psync init, or p2psync join');
  if (typeof look === 'string')
    return fail('identity', `${printable(file)} cannot be looked at (${look})`, `ls -l ${file}`);
  if ((look.mode & 0o077) === 0) return ok('identity', `identity.key is private (mode ${octal(look.mode)})`);
  return fail(
    'identity',
    `${printable(file)} is open to others (mode ${octal(look.mode)}) and will be refused`,
    `chmod 600 ${printable(file)}`,
  );
}

export async function checkShares(shares: readonly SharePlace[], home: string): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const share of shares) {
    const name = `share-${share.name}`;
    try {
      await checkShareDirectories([share, ...shares.filter((other) => other !== share)], home);
      await access(share.path, constants.R_OK | constants.W_OK | constants.X_OK);
      checks.push(ok(name, `${printable(share.path)} can be read and written`));
      checks.push(...(await checkStaging(share)));
      checks.push(await checkSpace(`${name}-space`, share.path));
    } catch (error) {
      const denied = systemCode(error) === 'EACCES' || systemCode(error) === 'EROFS';
      checks.push(
        denied
          ? fail(
              name,
              `${printable(share.path)} cannot be written`,
              `ls -ld ${printable(share.path)}, and run the agent as its owner`,
            )
          : fail(name, messageOf(error), 'put [[share]] path in config.toml right'),
      );
    }
  }
  return checks;
}

/** Files are renamed out of it, which no two file systems allow. */
async function checkStaging(share: SharePlace): Promise<readonly Check[]> {
  const staging = join(share.path, agentDirectory);
  const inner = await stat(staging).catch(() => undefined);
  if (inner === undefined) return [];
  if (inner.dev === (await stat(share.path)).dev) return [];
  return [
    fail(
      `share-${share.name}-staging`,
      `${printable(staging)} is on another file system than the share`,
      `umount ${printable(staging)}`,
    ),
  ];
}

async function checkSpace(name: string, path: string): Promise<Check> {
  try {
    const { bavail, bsize, blocks } = await statfs(path);
    const free = bavail * bsize;
    const message = `${formatBytes(free)} of ${formatBytes(blocks * bsize)} are free in ${printable(path)}`;
    const remedy = `df -h ${printable(path)}`;
    if (free < freeFailBytes) return fail(name, message, remedy);
    return free < freeWarnBytes ? warn(name, message, remedy) : ok(name, message);
  } catch (error) {
    return warn(
      name,
      `free space in ${printable(path)} is not known: ${messageOf(error)}`,
      `df -h ${printable(path)}`,
    );
  }
}

/** Of all shares together; symbolic links are not followed. */
export async function countDirectories(paths: readonly string[]): Promise<DirectoryCount> {
  const waiting = [...paths];
  let count = 0;
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    count += 1;
    if (count >= directoriesCounted) return { count, isComplete: false };
    try {
      for await (const entry of await opendir(path)) {
        if (entry.isDirectory() && entry.name !== agentDirectory) waiting.push(join(path, entry.name));
      }
    } catch {
      // Gone meanwhile, or not ours to read: `checkShares` speaks of those that matter.
    }
  }
  return { count, isComplete: true };
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
