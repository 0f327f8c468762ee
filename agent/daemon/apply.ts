/**
 * Brings the share's directory from one tree to another: plans, commits, and stores the outcome in the index,
 * all behind the share's gate. The daemon's only way to write inside a share.
 */

import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { firstPartChanges } from '../base/limits.ts';
import { iterateBlocks } from '../core/blocklist.ts';
import { diffFromEmpty } from '../core/diff.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import { type Change, type Content, type Entry, type HardlinkEntry, sameEntry } from '../core/entry.ts';
import { type DirectoryMove, findDirectoryMoves, withoutMoved } from '../core/moved.ts';
import { comparePaths, type SharePath } from '../core/path.ts';
import { planSteps, type Step } from '../core/plan.ts';
import { iterate, lookup } from '../core/tree.ts';
import { formatVersion, parseVersion } from '../core/version.ts';
import type { CommitInput, CommitOptions, CommitResult, Committer, Recovered } from '../disk/commit.ts';
import type { Owners } from '../disk/owner.ts';
import type { IndexEdit, ShareStore } from '../store/share-store.ts';
import { applyInParts, type OnPart } from './apply-parts.ts';
import type { Faults } from './faults.ts';
import { asFound, sameBytes } from './found.ts';
import type { Gate } from './gate.ts';
import type { Log } from './log.ts';
import { movable } from './movable.ts';
import { type Applied, readApplied, writeApplied } from './state.ts';
import { findStrays } from './strays.ts';

export type ApplierPorts = {
  readonly store: ShareStore;
  readonly committer: Committer;
  readonly gate: Gate;
  readonly owners: Owners;
  readonly ignored: CommitInput['ignored'];
  readonly options: () => CommitOptions;
  /** What `.p2psync/share` must hold. */
  readonly marker: string;
  /** Asked when a commit failed: throws where the directory is not the share's, for example because its file system is not mounted. */
  readonly checkDirectory: () => Promise<void>;
  readonly faults: Pick<Faults, 'set'>;
  readonly log: Log;
  /** Of a first version, how many changes are one commit. */
  readonly partChanges?: number;
};

export type Outcome =
  | { readonly kind: 'applied'; readonly result: CommitResult }
  /** Nothing was changed: these blocks are not here after all. */
  | { readonly kind: 'lost'; readonly digests: readonly Digest[] }
  /** Nothing was changed. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

export type Applier = {
  /**
   * A change whose `before` and `after` are the same entry is a repair: what is on the disk now is what the index
   * says, or nothing we know.
   * @param changes null: nothing is applied here yet, so every entry of the tree, some at a time. The result has no `done`
   * then: `onPart` is told.
   */
  apply(
    target: Applied,
    changes: readonly Change[] | null,
    options: { readonly signal: AbortSignal; readonly onPart?: OnPart },
  ): Promise<Outcome>;
  /** The same for steps that belong to no new version; the caller holds the gate. */
  commitHere(
    target: Applied,
    changes: readonly Change[],
    options: { readonly signal: AbortSignal },
  ): Promise<Outcome>;
  /** Finishes what a killed process left. @returns of which version it was, the same where that is whole now, and what must be hashed again. */
  recover(): Promise<{
    readonly target: Applied | null;
    readonly applied: Applied | null;
    readonly recovered: Recovered;
  }>;
};

/** What a commit brings about: a version, or a part of the first one, with which none counts as applied yet. */
type Goal = Applied & { readonly isPart: boolean };

/** `foreign`: what lies there is nobody's we know, whatever the index says of it: it is kept aside. */
type Prepared = { readonly changes: readonly Change[]; readonly foreign: ReadonlySet<SharePath> };

export function createApplier(ports: ApplierPorts): Applier {
  const { store, committer } = ports;
  const pages = (digest: Digest): Bytes | undefined => store.page(digest);

  async function commitTo(
    target: Goal,
    changes: readonly Change[],
    options: { readonly signal: AbortSignal },
  ): Promise<Outcome> {
    try {
      const after = (path: SharePath): Entry | undefined => lookup(pages, target.root, path);
      const moves = await movable(findDirectoryMoves(changes), ports);
      const prepared = await prepare(target, withoutMoved(changes, moves));
      const linked = (path: SharePath): HardlinkEntry[] => linksTo(target.root, path);
      const steps = planSteps({ changes: prepared.changes, after, linksTo: linked, moves });
      const result = await committer.commit(commitInput(target, steps, prepared.foreign), options);
      if (result.lost.length > 0) return { kind: 'lost', digests: result.lost };
      return { kind: 'applied', result: await storeOutcome(target, result) };
    } catch (error) {
      if (options.signal.aborted) throw error;
      const why = (await ports.checkDirectory().catch((reason: unknown) => reason)) ?? error;
      if (!(why instanceof P2psyncError)) throw why;
      return { kind: 'failed', code: why.code, message: why.message };
    }
  }

  function commitInput(target: Goal, steps: readonly Step[], foreign: ReadonlySet<SharePath>): CommitInput {
    return {
      steps,
      tag: formatTag(target),
      expected: (path) => (foreign.has(path) ? null : (store.record(path)?.stat ?? null)),
      locate: (digest) => store.locations(digest),
      blocksOf: (content) => [...iterateBlocks(pages, content)],
      ignored: ports.ignored,
      options: ports.options(),
      marker: ports.marker,
    };
  }

  async function storeOutcome(target: Goal, result: CommitResult): Promise<CommitResult> {
    const index: IndexEdit[] = [];
    const moves: DirectoryMove[] = [];
    for (const { path, stat, from } of result.done) {
      if (from !== undefined) moves.push({ from, to: path });
      const content = stat === null ? null : contentOf(target.root, path);
      const vanished = stat === null || content === undefined;
      index.push({ path, record: vanished ? null : { stat, content } });
    }
    const failed = withBelow(target.root, result.failed);
    // Whatever lies there, it is not the tree's: a later look must not take it for that.
    for (const { path } of failed) index.push({ path, record: null });
    await store.write({ moves, index, state: new Map(target.isPart ? [] : [writeApplied(target)]) });
    await committer.settle();
    for (const { path, keptAs } of result.kept) {
      ports.log.warn({ path, keptAs }, 'a local change was moved aside');
    }
    for (const { path } of result.done) ports.faults.set(path, null);
    for (const failure of failed) {
      ports.log.error(failure, 'a path could not be put right');
      ports.faults.set(failure.path, { code: failure.code, message: failure.message });
    }
    return { ...result, failed };
  }

  /** Where a directory could not be moved, neither could what lies in it. */
  function withBelow(root: Digest, failures: CommitResult['failed']): CommitResult['failed'] {
    const all = new Map(failures.map((failure) => [failure.path, failure]));
    for (const failure of failures) {
      if (failure.below !== true) continue;
      const missing = [...iterate(pages, root, { below: failure.path })].filter(
        ({ path }) => store.record(path) === undefined,
      );
      const left = [...store.below(failure.path)].filter(([path]) => lookup(pages, root, path) === undefined);
      for (const path of [...missing.map((entry) => entry.path), ...left.map(([path]) => path)])
        if (!all.has(path)) all.set(path, { ...failure, path });
    }
    return [...all.values()];
  }

  /** Of a path in the tree: null where it has none, undefined where the tree has no such path. */
  function contentOf(root: Digest, path: SharePath): Content | null | undefined {
    const entry = lookup(pages, root, path);
    switch (entry?.kind) {
      case undefined:
        return undefined;
      case 'file':
        return entry.content;
      case 'hardlink':
        return contentOf(root, entry.target);
      case 'directory':
      case 'symlink':
        return null;
    }
  }

  function linksTo(root: Digest, path: SharePath): HardlinkEntry[] {
    const stat = store.record(path)?.stat;
    if (stat === undefined || stat.nlink < 2) return [];
    return store.linkGroup(stat.ino).flatMap((name) => {
      const entry = lookup(pages, root, name);
      return entry?.kind === 'hardlink' && entry.target === path ? [entry] : [];
    });
  }

  /**
   * The changes as the disk asks for them: where the tree had nothing, or has the same, what the index knows to
   * lie there stands in for `before`. With no version applied yet, whatever the tree does not have is a stray.
   */
  async function prepare(target: Goal, changes: readonly Change[]): Promise<Prepared> {
    const foreign = new Set<SharePath>();
    const known = changes.flatMap((change): readonly Change[] => {
      const { path, before, after } = change;
      if (before !== after && before !== null) return [change];
      const record = store.record(path);
      if (record === undefined || after === null) return [{ path, before: null, after }];
      const found = asFound(after, record.stat, ports.owners.nameOf(record.stat.uid, record.stat.gid));
      const content = after.kind === 'file' ? after.content : null;
      const same = content === null || (record.content !== null && sameBytes(record.content, content));
      // A symlink's target is not in the index: it is made anew.
      if (found !== null && same && after.kind !== 'symlink')
        return before === null && sameEntry(found, after) ? [] : [{ path, before: found, after }];
      foreign.add(path);
      return [{ path, before: null, after }];
    });
    if (target.isPart || readApplied(store) !== null) return { changes: known, foreign };
    for (const stray of await findStrays(store, target.root)) {
      foreign.add(stray.path);
      known.push(stray);
    }
    return { changes: known.sort((left, right) => comparePaths(left.path, right.path)), foreign };
  }

  return {
    apply: (target, changes, { signal, onPart = () => undefined }) =>
      ports.gate.run(() => {
        if (changes !== null) return commitTo({ ...target, isPart: false }, changes, { signal });
        return applyInParts(diffFromEmpty(pages, target.root), {
          commit: (part, { isLast }) => commitTo({ ...target, isPart: !isLast }, part, { signal }),
          onPart,
          partChanges: ports.partChanges ?? firstPartChanges,
        });
      }),
    commitHere: (target, changes, options) => commitTo({ ...target, isPart: false }, changes, options),
    async recover() {
      return ports.gate.run(async () => {
        const recovered = await committer.recover(ports.ignored);
        if (recovered.finished === null) return { target: null, applied: null, recovered };
        const { isPart, ...target } = parseTag(recovered.finished.tag);
        await storeOutcome({ ...target, isPart }, recovered.finished.result);
        return { target, applied: isPart ? null : target, recovered };
      });
    },
  };
}

function formatTag({ version, root, isPart }: Goal): string {
  return `${formatVersion(version)} ${root}${isPart ? ' part' : ''}`;
}

function parseTag(tag: string): Goal {
  const [version = '', root = '', part] = tag.split(' ');
  return { version: parseVersion(version), root: parseDigest(root), isPart: part !== undefined };
}
