/** `ls`, `diff` and `verify`: the signed tree, two trees, the tree against the disk. Reads; repairs are the share's. */
import { P2psyncError } from '../base/errors.ts';
import { diffFromEmpty, diffTrees } from '../core/diff.ts';
import type { Digest } from '../core/digest.ts';
import { type Change, type Entry, sameOwner } from '../core/entry.ts';
import { isBelow, parsePath, type SharePath, topDirectory } from '../core/path.ts';
import { children, iterate, lookup } from '../core/tree.ts';
import { compareVersions, formatVersion } from '../core/version.ts';
import type { DiffRequest, DiffRow, LsRequest, LsRow } from '../http/api.ts';
import type { Share } from './share-types.ts';

/** @throws {P2psyncError} not-found, usage, bad-path. */
export function* listEntries(share: Share, request: LsRequest): Generator<LsRow> {
  const root = resolveRoot(share, request.version);
  const pages = (digest: Digest) => share.store.page(digest);
  const path = request.path.replace(/^\/+|\/+$/g, '');
  if (path === '' || path === '.') {
    yield* rows(request.recursive ? iterate(pages, root) : children(pages, root, topDirectory));
    return;
  }
  const entry = lookup(pages, root, parsePath(path));
  if (entry === undefined)
    throw new P2psyncError('not-found', `${path} is not in this version of ${share.record.name}`);
  if (entry.kind !== 'directory') yield toRow(entry);
  else
    yield* rows(
      request.recursive ? iterate(pages, root, { below: entry.path }) : children(pages, root, entry.path),
    );
}

/** @throws {P2psyncError} not-found, usage. */
export function* diffVersions(share: Share, request: DiffRequest): Generator<DiffRow> {
  const pages = (digest: Digest) => share.store.page(digest);
  const to = resolveRoot(share, request.to);
  const from = request.from === undefined ? previousRoot(share, to) : resolveRoot(share, request.from);
  const changes = from === null ? diffFromEmpty(pages, to) : diffTrees(pages, from, to);
  for (const change of changes) if (isUnder(change.path, request.path)) yield toDiffRow(change);
}

/** Of the version before the one with this root, or null where that is not known. */
function previousRoot(share: Share, root: Digest): Digest | null {
  const recent = share.versions.recent();
  return recent[recent.findIndex((kept) => kept.root === root) + 1]?.root ?? null;
}

/** The root that a person means. @throws {P2psyncError} not-found. */
export function resolveRoot(share: Share, named: string | undefined): Digest {
  const applied = share.applied();
  if (applied === null) throw new P2psyncError('not-found', `share ${share.record.name} has no version yet`);
  if (named === undefined) return applied.root;
  const known = [applied, ...share.versions.recent()].find(({ version, root }) => {
    if (named.includes('.')) return formatVersion(version) === named;
    if (/^\d{1,7}$/.test(named))
      return compareVersions(version, { epoch: applied.version.epoch, sequence: Number(named) }) === 0;
    return named.length >= 8 && root.startsWith(named.toLowerCase());
  });
  if (known === undefined) {
    const kept = [applied, ...share.versions.recent()].map(({ version }) => formatVersion(version));
    const names = [...new Set(kept)].slice(0, 8).join(', ');
    throw new P2psyncError(
      'not-found',
      `version ${named} of share ${share.record.name} is not kept here; these are: ${names}`,
    );
  }
  return known.root;
}

export function isUnder(path: SharePath, asked: string | undefined): boolean {
  const wanted = (asked ?? '').replace(/^\/+|\/+$/g, '');
  return wanted === '' || wanted === '.' || path === wanted || isBelow(path, wanted as SharePath);
}

function* rows(entries: Iterable<Entry>): Generator<LsRow> {
  for (const entry of entries) yield toRow(entry);
}

function toRow(entry: Entry): LsRow {
  const nothing = {
    size: null,
    mode: null,
    uid: null,
    gid: null,
    user: null,
    group: null,
    mtime: null,
    target: null,
  };
  if (entry.kind === 'hardlink')
    return { path: entry.path, kind: 'hardlink', ...nothing, target: entry.target };
  const { path, kind, owner, mtimeUs } = entry;
  return {
    ...nothing,
    path,
    kind,
    ...owner,
    mtime: isoOf(mtimeUs),
    mode: entry.kind === 'symlink' ? null : entry.mode,
    size: entry.kind === 'file' ? entry.size : null,
    target: entry.kind === 'symlink' ? entry.target : null,
  };
}

/** ISO 8601; a time that JavaScript's dates do not reach does not occur in safe microseconds. */
function isoOf(mtimeUs: number): string {
  return new Date(Math.floor(mtimeUs / 1000)).toISOString();
}

function toDiffRow({ path, before, after }: Change): DiffRow {
  if (before === null) return { path, change: 'added', what: [] };
  if (after === null) return { path, change: 'removed', what: [] };
  return { path, change: 'changed', what: whatDiffers(before, after) };
}

/** In the words of `DiffRow.what`. */
export function whatDiffers(before: Entry, after: Entry): string[] {
  if (before.kind !== after.kind) return ['kind'];
  if (before.kind === 'hardlink' || after.kind === 'hardlink') return ['target'];
  const what: string[] = [];
  if (before.kind === 'file' && after.kind === 'file') {
    if (JSON.stringify(before.content) !== JSON.stringify(after.content)) what.push('content');
    if (before.size !== after.size) what.push('size');
  }
  if (before.kind === 'symlink' && after.kind === 'symlink' && before.target !== after.target)
    what.push('target');
  if (before.kind !== 'symlink' && after.kind !== 'symlink' && before.mode !== after.mode) what.push('mode');
  if (!sameOwner(before.owner, after.owner)) what.push('owner');
  if (before.mtimeUs !== after.mtimeUs) what.push('time');
  return what;
}
