/** Hashes the disk again and compares it with the signed tree. Reads only; what differs is the share's to repair. */
import { P2psyncError } from '../base/errors.ts';
import { verifyBatchPathsMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { Entry, FileEntry } from '../core/entry.ts';
import { joinPath, type SharePath, topDirectory } from '../core/path.ts';
import { type DiskStat, mtimeUsOf } from '../core/stat.ts';
import { iterate, lookup } from '../core/tree.ts';
import { isCapable } from '../disk/capabilities.ts';
import type { DiffRequest, DiffRow, VerifyRow } from '../http/api.ts';
import type { ShareConfig } from './config.ts';
import { ownerPolicy, type ShareDisk } from './disk.ts';
import { asFound, sameBytes } from './found.ts';
import { isUnder, resolveRoot, whatDiffers } from './listing.ts';
import type { Share } from './share-types.ts';

export type Difference = Extract<VerifyRow, { kind: 'difference' }>;
export type Verified = { entries: number; bytes: number; differences?: number };

export type VerifyOptions = {
  readonly root: Digest;
  readonly path: string | undefined;
  readonly signal: AbortSignal;
};

/** Differences as they are found; `seen` counts along. */
export async function* findDifferences(
  share: Share,
  disk: ShareDisk,
  seen: Verified,
  options: VerifyOptions,
): AsyncGenerator<Difference> {
  const pages = (digest: Digest) => share.store.page(digest);
  let batch: Entry[] = [];
  for (const entry of iterate(pages, options.root)) {
    if (!isUnder(entry.path, options.path)) continue;
    seen.entries += 1;
    if (entry.kind === 'file') seen.bytes += entry.size;
    batch.push(entry);
    if (batch.length < verifyBatchPathsMax) continue;
    yield* compareBatch(share, disk, batch, options.signal);
    batch = [];
  }
  yield* compareBatch(share, disk, batch, options.signal);
  yield* findExtras(share, disk, options);
}

async function* compareBatch(
  share: Share,
  disk: ShareDisk,
  entries: readonly Entry[],
  signal: AbortSignal,
): AsyncGenerator<Difference> {
  const stats = await disk.scanner.stat(entries.map((entry) => entry.path));
  const toRead = new Map<SharePath, FileEntry>();
  for (const [at, entry] of entries.entries()) {
    const stat = stats[at] ?? null;
    if (stat === null) yield difference(share, entry.path, 'missing', []);
    else if (stat === 'unreadable') yield difference(share, entry.path, 'unreadable', []);
    else {
      const what = await comparePath(share, disk, entry, stat);
      if (what.length > 0) yield difference(share, entry.path, 'changed', what);
      else if (entry.kind === 'file') toRead.set(entry.path, entry);
    }
  }
  const items = [...toRead.values()].map(({ path, content }) => ({
    path,
    cut: content.kind === 'list' ? content.cut : null,
    keepBytes: false,
  }));
  for await (const results of disk.reader.read(items, { signal })) {
    for (const result of results) {
      const entry = toRead.get(result.path);
      if (entry === undefined) continue;
      if (result.kind === 'ok' && sameBytes(result.content, entry.content)) continue;
      if (result.kind === 'failed') yield difference(share, result.path, 'unreadable', []);
      else yield difference(share, result.path, result.kind === 'gone' ? 'missing' : 'changed', ['content']);
    }
  }
}

/** Everything but a file's bytes. */
async function comparePath(share: Share, disk: ShareDisk, entry: Entry, stat: DiskStat): Promise<string[]> {
  if (entry.kind === 'hardlink') {
    const [target = null] = await disk.scanner.stat([entry.target]);
    const same =
      target !== null && target !== 'unreadable' && target.ino === stat.ino && target.dev === stat.dev;
    return same ? [] : ['target'];
  }
  const found = asFound(entry, stat, disk.owners.nameOf(stat.uid, stat.gid));
  if (found === null) return ['kind'];
  const what = whatDiffers(withLocalRules(entry, stat, disk, share.config()), found);
  if (entry.kind === 'file' && stat.size !== entry.size) what.push('size');
  if (entry.kind === 'symlink') {
    const link = await disk.reader.readLink(entry.path);
    if (link.kind !== 'target' || link.target !== entry.target) what.push('target');
  }
  return what;
}

/** The entry as this agent's settings have it put on the disk. */
function withLocalRules(entry: Entry, stat: DiskStat, disk: ShareDisk, config: ShareConfig): Entry {
  if (entry.kind === 'hardlink') return entry;
  // Whoever may not give files away leaves them to who runs the agent, as rsync does.
  const ids = isCapable('chown') ? disk.owners.idsOf(entry.owner, ownerPolicy(config.owner)) : null;
  const owner = ids === null ? disk.owners.nameOf(stat.uid, stat.gid) : disk.owners.nameOf(ids.uid, ids.gid);
  // Node sets times as doubles: a microsecond more or less is the same time.
  const close = Math.abs(mtimeUsOf(stat) - entry.mtimeUs) <= 2;
  const mtimeUs = close || !config.times ? mtimeUsOf(stat) : entry.mtimeUs;
  if (entry.kind === 'symlink') return { ...entry, owner, mtimeUs };
  return { ...entry, owner, mtimeUs, mode: config.perms ? entry.mode : stat.mode };
}

async function* findExtras(
  share: Share,
  disk: ShareDisk,
  options: VerifyOptions,
): AsyncGenerator<Difference> {
  const pages = (digest: Digest) => share.store.page(digest);
  for await (const listings of disk.scanner.tree(topDirectory, { signal: options.signal })) {
    for (const { directory, entries } of listings) {
      for (const { name } of entries()) {
        const path = joinPath(directory, name);
        if (!isUnder(path, options.path) || lookup(pages, options.root, path) !== undefined) continue;
        yield difference(share, path, 'extra', []);
      }
    }
  }
}

function difference(
  share: Share,
  path: SharePath,
  state: Difference['state'],
  what: readonly string[],
): Difference {
  return { kind: 'difference', share: share.record.name, path, state, what, repaired: false };
}

/** `verify` of one share: every difference, then the summary; with `repair`, what the share could put right. */
export async function* verifyShare(
  share: Share,
  request: { readonly path?: string; readonly repair: boolean; readonly mustExist: boolean },
  signal: AbortSignal,
): AsyncGenerator<VerifyRow> {
  const disk = openedDisk(share);
  if (request.repair && share.writes()) {
    throw new P2psyncError(
      'usage',
      `this agent is the writer of ${share.record.name}, where the disk is the truth: p2psync rescan publishes what differs`,
    );
  }
  const root = resolveRoot(share, undefined);
  const seen: Verified = { entries: 0, bytes: 0 };
  const differences: Difference[] = [];
  for await (const one of findDifferences(share, disk, seen, { root, path: request.path, signal })) {
    if (request.repair) differences.push(one);
    else yield one;
    seen.differences = (seen.differences ?? 0) + 1;
  }
  if (
    request.mustExist &&
    seen.entries === 0 &&
    seen.differences === undefined &&
    request.path !== undefined
  ) {
    throw new P2psyncError(
      'not-found',
      `${request.path} is neither in the signed tree of ${share.record.name} nor on the disk`,
    );
  }
  let repaired = 0;
  if (request.repair && differences.length > 0) {
    const paths = differences.map((one) => one.path as SharePath);
    await share.repair(paths, { signal });
    const left = new Set<string>();
    const again: Verified = { entries: 0, bytes: 0 };
    const now = { root: resolveRoot(share, undefined), path: request.path, signal };
    for await (const one of findDifferences(share, disk, again, now)) left.add(one.path);
    for (const one of differences) {
      const isRepaired = !left.has(one.path);
      if (isRepaired) repaired += 1;
      yield { ...one, repaired: isRepaired };
    }
  }
  const { entries, bytes } = seen;
  yield {
    kind: 'summary',
    share: share.record.name,
    entries,
    bytes,
    differences: seen.differences ?? 0,
    repaired,
  };
}

/** `diff --disk`: paths whose content the disk has otherwise than the tree. */
export async function* diffDisk(
  share: Share,
  request: DiffRequest,
  signal: AbortSignal,
): AsyncGenerator<DiffRow> {
  const disk = openedDisk(share);
  const root = resolveRoot(share, request.from);
  for await (const { path, state, what } of findDifferences(
    share,
    disk,
    { entries: 0, bytes: 0 },
    { root, path: request.path, signal },
  )) {
    const change = state === 'extra' ? 'added' : state === 'missing' ? 'removed' : 'changed';
    yield { path, change, what };
  }
}

function openedDisk(share: Share): ShareDisk {
  const disk = share.disk();
  if (disk !== null) return disk;
  throw new P2psyncError('io', share.faults.list()[0]?.message ?? `share ${share.record.name} is starting`);
}
