/**
 * Turns differences on the writer's disk into edits of the tree and of the index. Reads files through the
 * reader; never writes. Hard links: of one inode's paths the first in byte order is the file.
 */
import type { Bytes } from '../base/bytes.ts';
import { messageOf, systemCode } from '../base/errors.ts';
import { inlineEditsMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { Content, Edit, Entry } from '../core/entry.ts';
import { comparePaths, type SharePath } from '../core/path.ts';
import { type DiskStat, isSparse, mtimeUsOf, sameStat } from '../core/stat.ts';
import type { Owners } from '../disk/owner.ts';
import type { LinkRead, Reader, ReadItem } from '../disk/read.ts';
import type { Scanner } from '../disk/scan.ts';
import type { PathRecord } from '../store/record.ts';
import type { IndexEdit, ShareStore } from '../store/share-store.ts';
import type { DiskChange } from './compare.ts';
import { isAsGrouped, linkGroups, type Present } from './link-groups.ts';

export type EntryPorts = {
  readonly store: ShareStore;
  readonly reader: Reader;
  readonly scanner: Scanner;
  readonly owners: Owners;
  /** Files whose names went a moment ago, by inode: where the same comes back, its bytes are known. */
  readonly departed: ReadonlyMap<bigint, PathRecord>;
};

export type Observed = {
  /** In byte order of path. */
  readonly edits: readonly Edit[];
  readonly index: readonly IndexEdit[];
  readonly listPages: readonly (readonly [Digest, Bytes])[];
  /** Blocks of what was read, and the bytes of the small ones. */
  readonly blocks: ReadonlyMap<Digest, Bytes | null>;
  /** Sum of the lengths of the blocks of what was read. */
  readonly blockBytes: number;
  /** These moved under our hands: look again. */
  readonly again: readonly SharePath[];
  readonly faults: readonly { readonly path: SharePath; readonly code: string; readonly message: string }[];
};

export async function observeEntries(
  changes: readonly DiskChange[],
  ports: EntryPorts,
  options: { readonly signal: AbortSignal },
): Promise<Observed> {
  const gone = new Map<SharePath, PathRecord>();
  const present = new Map<SharePath, Present>();
  for (const change of changes) {
    if (change.kind === 'gone') gone.set(change.path, change.before);
    else {
      const { path, stat, before, restless } = change;
      present.set(path, { stat, before, restless });
    }
  }
  for (const path of present.keys()) gone.delete(path);

  const { links, names, again: doubtful } = await linkGroups(gone, present, ports);
  const edits = new Map<SharePath, Entry | null>();
  const index = new Map<SharePath, PathRecord | null>();
  const faults: { path: SharePath; code: string; message: string }[] = [];
  const again = [...doubtful];
  const files = new Map<SharePath, Present>();

  for (const path of gone.keys()) {
    edits.set(path, null);
    index.set(path, null);
  }
  for (const [path, { stat, before, restless }] of present) {
    const owner = ports.owners.nameOf(stat.uid, stat.gid);
    const common = { path, owner, mtimeUs: mtimeUsOf(stat) };
    if (stat.kind === 'directory') {
      edits.set(path, { kind: 'directory', ...common, mode: stat.mode });
      index.set(path, { stat, content: null });
    } else if (stat.kind === 'symlink') {
      const link = await readLink(path, ports.reader);
      if (link.kind === 'gone') again.push(path);
      else if (link.kind === 'target') {
        edits.set(path, { kind: 'symlink', ...common, target: link.target });
        index.set(path, { stat, content: null });
      } else {
        faults.push({ path, code: link.code, message: link.message });
        // What was here before is not here any more.
        if (before !== undefined && (before.stat.kind !== 'symlink' || link.code === 'not-utf8')) {
          edits.set(path, null);
          index.set(path, null);
        }
      }
    } else if (!links.has(path)) files.set(path, { stat, before, restless });
  }

  const read = await readFiles({ files, gone, names }, ports, options);
  again.push(...read.again);
  faults.push(...read.faults);
  const targets = new Set([...links.values()].map(({ target }) => target));
  for (const [path, { stat, content }] of read.contents) {
    const looked = files.get(path)?.stat;
    if (looked !== undefined && !isAsGrouped(looked, stat, targets.has(path))) {
      read.contents.delete(path);
      again.push(path);
      continue;
    }
    const owner = ports.owners.nameOf(stat.uid, stat.gid);
    edits.set(path, {
      kind: 'file',
      path,
      mode: stat.mode,
      owner,
      mtimeUs: mtimeUsOf(stat),
      size: stat.size,
      sparse: isSparse(stat),
      content,
    });
    index.set(path, { stat, content });
  }
  for (const [path, { target }] of links) {
    const first = read.contents.get(target);
    if (first === undefined) {
      // A first name that moved under our hands is read again, and its further names with it.
      const fault = read.faults.find((one) => one.path === target);
      if (fault === undefined) again.push(path);
      else faults.push({ ...fault, path });
    } else {
      edits.set(path, { kind: 'hardlink', path, target });
      index.set(path, { stat: first.stat, content: first.content });
    }
  }

  return {
    edits: [...edits]
      .sort(([left], [right]) => comparePaths(left, right))
      .map(([path, entry]) => ({ path, entry })),
    index: [...index].map(([path, record]) => ({ path, record })),
    listPages: read.listPages,
    blocks: read.blocks,
    blockBytes: read.blockBytes,
    again,
    faults,
  };
}

type LinkFound =
  | Exclude<LinkRead, { readonly kind: 'not-utf8' }>
  | { readonly kind: 'fault'; readonly code: string; readonly message: string };

async function readLink(path: SharePath, reader: Reader): Promise<LinkFound> {
  try {
    const link = await reader.readLink(path);
    if (link.kind !== 'not-utf8') return link;
    return {
      kind: 'fault',
      code: 'not-utf8',
      message: 'the target of this symlink is not UTF-8; it is skipped',
    };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return { kind: 'fault', code, message: messageOf(error) };
  }
}

type Contents = {
  readonly contents: Map<SharePath, { readonly stat: DiskStat; readonly content: Content }>;
  readonly listPages: (readonly [Digest, Bytes])[];
  readonly blocks: Map<Digest, Bytes | null>;
  blockBytes: number;
  readonly again: SharePath[];
  readonly faults: { path: SharePath; code: string; message: string }[];
};

type ToRead = {
  readonly files: ReadonlyMap<SharePath, Present>;
  readonly gone: ReadonlyMap<SharePath, PathRecord>;
  /** Of `linkGroups`. */
  readonly names: ReadonlyMap<bigint, readonly SharePath[]>;
};

async function readFiles(
  { files, gone, names }: ToRead,
  ports: EntryPorts,
  options: { readonly signal: AbortSignal },
): Promise<Contents> {
  const found: Contents = {
    contents: new Map(),
    listPages: [],
    blocks: new Map(),
    blockBytes: 0,
    again: [],
    faults: [],
  };
  const moved = new Map(ports.departed);
  for (const record of gone.values()) if (record.content !== null) moved.set(record.stat.ino, record);

  const items: Omit<ReadItem, 'keepBytes'>[] = [];
  for (const [path, { stat, before, restless }] of files) {
    // A file of a renamed directory, or a name that joined for its inode's sake: its bytes are known.
    const namesakes = before === undefined ? (names.get(stat.ino) ?? []) : [];
    // What the index knows of an inode whose other names may be gone without our knowledge.
    const elsewhere = namesakes.map((name) => ports.store.record(name));
    const candidates = [before, moved.get(stat.ino), ...elsewhere];
    const known = candidates.find((record) => record !== undefined && sameStat(record.stat, stat));
    if (known !== undefined && known.content !== null)
      found.contents.set(path, { stat, content: known.content });
    else {
      const cut = before?.content?.kind === 'list' ? before.content.cut : null;
      items.push({ path, cut, restless, size: stat.size });
    }
  }
  // More than that no head has room for.
  const keepBytes = items.length <= inlineEditsMax;
  const wanted = items.map((item): ReadItem => ({ ...item, keepBytes }));
  for await (const results of ports.reader.read(wanted, options)) {
    for (const result of results) {
      switch (result.kind) {
        case 'ok':
          found.contents.set(result.path, { stat: result.stat, content: result.content });
          found.listPages.push(...result.listPages);
          for (const { digest, length } of result.blocks) {
            found.blockBytes += length;
            const whole = result.content.kind === 'block' ? result.bytes : null;
            found.blocks.set(digest, whole ?? found.blocks.get(digest) ?? null);
          }
          break;
        case 'changed':
        case 'gone':
          found.again.push(result.path);
          break;
        case 'failed':
          found.faults.push({ path: result.path, code: result.code, message: result.message });
      }
    }
  }
  return found;
}
