/** Trees by hand, and a file system in memory on which the steps of a plan are done. */
import * as assert from 'uvu/assert';
import type { Digest } from '../../agent/core/digest.ts';
import type { Change, Entry, FileEntry, HardlinkEntry } from '../../agent/core/entry.ts';
import { comparePaths, parentOf, type SharePath } from '../../agent/core/path.ts';
import type { Step } from '../../agent/core/plan.ts';

const owner = { uid: 0, gid: 0, user: '', group: '' };
export const path = (text: string) => text as SharePath;
export type Tree = ReadonlyMap<SharePath, Entry>;

export function file(at: string, content: string, mode = 0o644): FileEntry {
  const digest = content as Digest;
  return {
    kind: 'file',
    path: path(at),
    mode,
    owner,
    mtimeUs: mode,
    size: content.length,
    sparse: false,
    content: content === '' ? { kind: 'empty' } : { kind: 'block', digest },
  };
}
export const directory = (at: string, mode = 0o755): Entry => ({
  kind: 'directory',
  path: path(at),
  mode,
  owner,
  mtimeUs: mode,
});
export const symlink = (at: string, target: string): Entry => ({
  kind: 'symlink',
  path: path(at),
  owner,
  mtimeUs: 1,
  target,
});
export const hardlink = (at: string, target: string): Entry => ({
  kind: 'hardlink',
  path: path(at),
  target: path(target),
});
export const tree = (...entries: Entry[]): Tree =>
  new Map(
    entries
      .toSorted((left, right) => comparePaths(left.path, right.path))
      .map((entry) => [entry.path, entry]),
  );

export function diff(before: Tree, after: Tree): Change[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort(comparePaths);
  return paths
    .map((at) => ({ path: at, before: before.get(at) ?? null, after: after.get(at) ?? null }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}

export type Inode = { readonly kind: 'file' | 'directory' | 'symlink'; content: string; metadata: string };
const metadataOf = (entry: Exclude<Entry, HardlinkEntry>) =>
  `${entry.kind === 'symlink' ? '' : entry.mode} ${entry.mtimeUs}`;

/** Names to inodes, with the refusals of a real one. */
export class Disk {
  names = new Map<string, Inode>();

  constructor(from: Tree) {
    for (const [at, entry] of from) {
      if (entry.kind === 'hardlink') this.names.set(at, this.need(entry.target));
      else
        this.names.set(at, {
          kind: entry.kind,
          content: entry.kind === 'file' ? contentOf(entry) : entry.kind === 'symlink' ? entry.target : '',
          metadata: metadataOf(entry),
        });
    }
  }
  need(at: string): Inode {
    const inode = this.names.get(at);
    assert.ok(inode, `ENOENT ${at}`);
    return inode;
  }
  put(at: string, inode: Inode): void {
    assert.is.not(this.names.get(at)?.kind, 'directory', `EISDIR ${at}`);
    this.disturb(at);
    this.names.set(at, inode);
  }
  disturb(at: string): void {
    const parent = parentOf(path(at));
    if (parent === '') return;
    assert.is(this.need(parent).kind, 'directory', `ENOTDIR ${at}`);
    this.need(parent).metadata = 'disturbed';
  }
  below(at: string): string[] {
    return [...this.names.keys()].filter((name) => name.startsWith(`${at}/`));
  }
}

const contentOf = (entry: FileEntry) => (entry.content.kind === 'empty' ? '' : entry.content.digest);
const fresh = (entry: Exclude<Entry, HardlinkEntry>, content: string): Inode => ({
  kind: entry.kind,
  content,
  metadata: metadataOf(entry),
});

/** What the commit does, as operations that can be cut short anywhere and begun again from the first. */
export function operations(steps: readonly Step[], disk: Disk): (() => void)[] {
  const staged = new Map<Step, Inode>();
  const sources = new Map<Step, Inode>();
  const asides = new Map<string, Disk>();
  const at = (where: string): { disk: Disk; where: string } => {
    for (const [aside, moved] of asides) if (where.startsWith(`${aside}/`)) return { disk: moved, where };
    return { disk, where };
  };
  for (const step of steps) {
    if (step.kind === 'moveDirectory') sources.set(step, disk.need(step.from));
    if (step.kind === 'symlink') staged.set(step, fresh(step.entry, step.entry.target));
    if (step.kind !== 'place') continue;
    if (step.from === null) staged.set(step, fresh(step.entry, contentOf(step.entry)));
    else sources.set(step, disk.need(step.from));
  }
  const links = steps.map((step) => () => {
    if (step.kind !== 'place' || step.from === null) return;
    if (disk.names.get(step.entry.path) === sources.get(step)) return;
    if (!staged.has(step)) {
      assert.is(disk.need(step.from), sources.get(step));
      staged.set(step, disk.need(step.from));
    }
  });
  const runs = steps.map((step) => () => {
    switch (step.kind) {
      case 'setAside': {
        const inode = disk.names.get(step.path);
        if (inode === undefined) return;
        if (inode.kind === 'directory') {
          const after = steps.some((other) => other.kind === 'mkdir' && other.path === step.path);
          if (after) return;
          const moved = new Disk(new Map());
          for (const name of disk.below(step.path)) {
            moved.names.set(name, disk.need(name));
            disk.names.delete(name);
          }
          moved.names.set(step.path, inode);
          asides.set(step.path, moved);
        } else if (!steps.some((other) => other.kind === 'mkdir' && other.path === step.path)) return;
        disk.disturb(step.path);
        disk.names.delete(step.path);
        return;
      }
      case 'mkdir':
        if (disk.names.get(step.path)?.kind !== 'directory') {
          assert.not(disk.names.has(step.path), `EEXIST ${step.path}`);
          disk.put(step.path, { kind: 'directory', content: '', metadata: 'private' });
        }
        return;
      case 'moveDirectory': {
        const inode = sources.get(step);
        assert.ok(inode);
        if (disk.names.get(step.path) === inode) return;
        const place = at(step.from);
        assert.is(place.disk.need(step.from), inode);
        assert.not(disk.names.has(step.path), `EEXIST ${step.path}`);
        for (const name of [step.from, ...place.disk.below(step.from)]) {
          const moved = place.disk.need(name);
          place.disk.names.delete(name);
          disk.names.set(`${step.path}${name.slice(step.from.length)}`, moved);
        }
        place.disk.disturb(step.from);
        return disk.disturb(step.path);
      }
      case 'place':
      case 'symlink': {
        const inode = staged.get(step);
        if (inode === undefined) {
          assert.is(disk.need(step.entry.path), sources.get(step));
          return;
        }
        if (disk.names.get(step.entry.path) !== inode) disk.put(step.entry.path, inode);
        inode.metadata = metadataOf(step.entry);
        return;
      }
      case 'metadata':
        disk.need(step.entry.path).metadata = metadataOf(step.entry);
        return;
      case 'hardlink':
        disk.put(step.entry.path, disk.need(step.entry.target));
        return;
      case 'remove':
      case 'rmdir': {
        const place = at(step.path);
        const inode = place.disk.names.get(place.where);
        if (inode === undefined) return;
        assert.is(inode.kind === 'directory', step.kind === 'rmdir', `${step.kind} ${step.path}`);
        assert.equal(place.disk.below(place.where), [], `ENOTEMPTY ${step.path}`);
        place.disk.disturb(place.where);
        place.disk.names.delete(place.where);
        return;
      }
      case 'finish':
        disk.need(step.entry.path).metadata = metadataOf(step.entry);
        return;
      case 'look':
        disk.need(step.path);
    }
  });
  const sweep = () => {
    for (const [aside, moved] of asides) assert.equal(moved.below(aside), [], 'nothing known is left aside');
  };
  return [...links, ...runs, sweep];
}

/** By path, with names of one inode told apart from equal ones. */
export function shown(disk: Disk): string[] {
  const first = new Map<Inode, string>();
  return [...disk.names]
    .sort(([left], [right]) => comparePaths(left, right))
    .map(([at, inode]) => {
      const sharedWith = first.get(inode);
      if (sharedWith === undefined) first.set(inode, at);
      return sharedWith === undefined
        ? `${at} ${inode.kind} ${inode.content} ${inode.metadata}`
        : `${at} is ${sharedWith}`;
    });
}
