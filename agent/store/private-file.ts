/**
 * Files that only their owner may read: keys and salts in the agent's home, one line of text each. Owns their format,
 * their modes and how they come to be: whole or not at all, and durable before anything depends on them.
 */
import { hash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type Bytes, fromHex, toHex } from '../base/bytes.ts';
import { P2psyncError, systemCode } from '../base/errors.ts';

/**
 * @returns undefined where there is no such file.
 * @throws {P2psyncError} permission, where others may read it; malformed, where it is damaged.
 */
export function readPrivateFile(path: string, kind: string): Bytes | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new P2psyncError(
      'io',
      `cannot read ${path} (${systemCode(error)}): check who owns it`,
      { path },
      { cause: error },
    );
  }
  try {
    const mode = fstatSync(descriptor).mode & 0o7777;
    if ((mode & 0o077) !== 0) {
      throw new P2psyncError(
        'permission',
        `others can read or write ${path} (mode 0${mode.toString(8)}); if nobody has copied it, type: chmod 600 ${path}`,
        { path, mode },
      );
    }
    return parsePrivateLine(readFileSync(descriptor, 'latin1'), { path, kind });
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Durable when it returns.
 * @returns false, and changes nothing, where the file is there already.
 */
export function createPrivateFile(path: string, kind: string, secret: Bytes): boolean {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const draft = `${path}.${toHex(randomBytes(6))}.new`;
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, formatLine(kind, secret));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    // A link, not a rename: of two that make the same file one wins and the other reads it.
    linkSync(draft, path);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    unlinkSync(draft);
  }
  fsyncDirectory(directory);
  return true;
}

/**
 * A copy outside the home, durable when it returns; also on file systems without links and modes, as sticks have.
 * @throws {P2psyncError} conflict, where the file is there already; not-found, where its directory is not; io.
 */
export function exportPrivateFile(path: string, kind: string, secret: Bytes): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o600);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === 'EEXIST')
      throw new P2psyncError(
        'conflict',
        `${path} is there already: nothing is overwritten, say another file`,
        { path },
      );
    const what = code === 'ENOENT' ? 'its directory is not there' : String(code);
    throw new P2psyncError(
      code === 'ENOENT' ? 'not-found' : 'io',
      `cannot write ${path}: ${what}`,
      { path },
      { cause },
    );
  }
  try {
    writeSync(descriptor, formatLine(kind, secret));
    fsyncSync(descriptor);
    fsyncDirectory(dirname(path));
  } catch (cause) {
    unlinkSync(path);
    throw new P2psyncError('io', `cannot write ${path}: ${systemCode(cause)}`, { path }, { cause });
  } finally {
    closeSync(descriptor);
  }
}

/** Durable when it returns; what is not there is no fault. */
export function removePrivateFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  fsyncDirectory(dirname(path));
}

function fsyncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** `p2psync-identity 1 SECRET CHECK`, in hex; the check tells a damaged file from another secret. */
function formatLine(kind: string, secret: Bytes): string {
  return `p2psync-${kind} 1 ${toHex(secret)} ${checkOf(secret)}\n`;
}

function checkOf(secret: Bytes): string {
  return hash('sha256', secret, 'hex').slice(0, 16);
}

/** `path` is for messages. @throws {P2psyncError} malformed. */
export function parsePrivateLine(
  text: string,
  { path, kind }: { readonly path: string; readonly kind: string },
): Bytes {
  const [name, format, hex, check, ...rest] = text.trimEnd().split(' ');
  const secret = fromHex(hex ?? '');
  const whole = name === `p2psync-${kind}` && format === '1' && rest.length === 0;
  if (!whole || secret === undefined || secret.byteLength === 0 || checkOf(secret) !== check) {
    throw new P2psyncError(
      'malformed',
      `${path} is damaged: put it back from a backup; it cannot be made again`,
      { path },
    );
  }
  return secret;
}
