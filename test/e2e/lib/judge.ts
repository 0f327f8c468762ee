/**
 * Whether two directories are equal in everything that is replicated. Our own comparison says what differs; where rsync is
 * installed it has to agree (`P2PSYNC_JUDGE=rsync` makes it a must). The agent's own `.p2psync` at the top does not count.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type BigIntStats, chmodSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';

type Item = {
  readonly kind: string;
  readonly mode: number;
  readonly owner: string;
  readonly mtimeNs: bigint;
  /** Digest of a file's bytes, a link's target. */
  readonly content: string;
  readonly size: number;
  /** Paths that are names of the same file, this one included. */
  readonly group: string;
};

/** Node sets times as doubles: a round trip loses nanoseconds. */
const toleranceNs = 2_000n;

/** One line a path and what differs; empty where the trees are equal. */
export function differences(source: string, destination: string): string[] {
  const wanted = treeOf(source);
  const found = treeOf(destination);
  const lines: string[] = [];
  for (const [path, item] of wanted) {
    const other = found.get(path);
    if (other === undefined) lines.push(`missing: ${shown(path)}`);
    else lines.push(...compareItems(path, item, other));
  }
  for (const path of found.keys()) if (!wanted.has(path)) lines.push(`too much: ${shown(path)}`);
  return lines;
}

/** @throws with what differs; rsync is asked last. */
export async function judge(source: string, destination: string): Promise<void> {
  const own = differences(source, destination);
  const said = await rsyncDifferences(source, destination);
  const lines = [...own, ...said.map((line) => `rsync: ${shown(line)}`)];
  if (lines.length > 0)
    throw new Error(`${destination} differs from ${source}:\n${lines.slice(0, 40).join('\n')}`);
}

/** Quoted, and short enough that a report of thirty lines can be read. */
function shown(path: string): string {
  return JSON.stringify(path.length > 120 ? `${path.slice(0, 60)}…${path.slice(-60)}` : path);
}

function compareItems(path: string, left: Item, right: Item): string[] {
  const lines: string[] = [];
  for (const field of ['kind', 'mode', 'owner', 'size', 'content', 'group'] as const) {
    if (left[field] !== right[field])
      lines.push(`${field} of ${shown(path)}: ${left[field]} against ${right[field]}`);
  }
  const apart = left.mtimeNs - right.mtimeNs;
  if (apart > toleranceNs || apart < -toleranceNs) {
    lines.push(`mtime of ${shown(path)}: ${left.mtimeNs} against ${right.mtimeNs}`);
  }
  return lines;
}

/** Paths are latin1 text of their bytes, so that names that are not UTF-8 are compared too. A file that vanishes is left out. */
export function treeOf(top: string): Map<string, Item> {
  const items = new Map<string, Item>();
  const groups = new Map<bigint, string[]>();
  const visit = (directory: Buffer, prefix: string): void => {
    for (const name of namesIn(directory)) {
      const path = prefix + name.toString('latin1');
      if (path === '.p2psync') continue;
      const full = Buffer.concat([directory, Buffer.from('/'), name]);
      const item = itemAt(full);
      if (item === undefined) continue;
      const { stat, content } = item;
      const kind = kindOf(stat);
      if (kind === 'file' && stat.nlink > 1n) groups.set(stat.ino, [...(groups.get(stat.ino) ?? []), path]);
      items.set(path, {
        kind,
        mode: kind === 'symlink' ? 0 : Number(stat.mode & 0o7777n),
        owner: `${stat.uid}:${stat.gid}`,
        mtimeNs: stat.mtimeNs,
        content,
        size: kind === 'file' ? Number(stat.size) : 0,
        group: '',
      });
      if (kind === 'directory') visit(full, `${path}/`);
    }
  };
  visit(Buffer.from(top), '');
  for (const paths of groups.values()) {
    const group = paths.sort().join(' = ');
    for (const path of paths) {
      const item = items.get(path);
      if (item !== undefined) items.set(path, { ...item, group });
    }
  }
  return items;
}

function namesIn(directory: Buffer): Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' });
  } catch (error) {
    if (hasVanished(error)) return [];
    throw error;
  }
}

export function hasVanished(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function itemAt(path: Buffer): { readonly stat: BigIntStats; readonly content: string } | undefined {
  try {
    const stat = lstatSync(path, { bigint: true });
    if (stat.isSymbolicLink()) return { stat, content: readlinkSync(path, { encoding: 'latin1' }) };
    if (stat.isFile())
      return { stat, content: createHash('sha256').update(readFileSync(path)).digest('hex') };
    return { stat, content: '' };
  } catch (error) {
    if (hasVanished(error)) return undefined;
    throw error;
  }
}

function kindOf(stat: BigIntStats): string {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? 'symlink' : 'special';
}

/** What `rsync --dry-run` would still do; the top directory's own attributes are not replicated. */
async function rsyncDifferences(source: string, destination: string): Promise<string[]> {
  if (!hasRsync()) return [];
  const args = ['-naHic', '--delete', '--exclude=/.p2psync', `${source}/`, `${destination}/`];
  const { stdout } = await promisify(execFile)('rsync', args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.split('\n').filter((line) => line !== '' && !/^\.d\S* \.\/$/.test(line));
}

let rsyncIsHere: boolean | undefined;

function hasRsync(): boolean {
  if (rsyncIsHere !== undefined) return rsyncIsHere;
  try {
    execFileSync('rsync', ['--version'], { stdio: 'ignore' });
    rsyncIsHere = true;
  } catch (error) {
    if (process.env['P2PSYNC_JUDGE'] === 'rsync')
      throw new Error('rsync is missing: run scripts/test-setup', { cause: error });
    rsyncIsHere = false;
  }
  return rsyncIsHere;
}

/** Removes a tree whose directories may be closed to their owner. */
export async function removeTree(top: string): Promise<void> {
  const open = (directory: string): void => {
    chmodSync(directory, 0o700);
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) open(`${directory}/${entry.name}`);
    }
  };
  if (process.getuid?.() !== 0) open(top);
  await rm(top, { recursive: true, force: true, maxRetries: 3 });
}
