/**
 * Fetched blocks wait here, on the share's own file system, until a commit places them. Owns `.p2psync/stage` and
 * knows what is in it; the work is done in a worker thread. Never touches anything else of the share.
 */

import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from '../core/digest.ts';
import type { BlockRef, FileEntry } from '../core/entry.ts';
import { partOf, stagedBlock } from './agent-paths.ts';
import type { BlockSource } from './block-bytes.ts';
import { checkPart, type PartDescription } from './part-list.ts';
import { createPool, type Pool, workerUrl } from './pool.ts';
import type { Part, PutBlock } from './stage-files.ts';

export type Stage = {
  /** True where the block is here: as a file of its own or inside an assembly. */
  has(digest: Digest): boolean;
  /**
   * Hashes (unless `verified`: that was done on the way here) and stages them, in a worker thread; what is here already is
   * left alone. The bytes are copied; with `give` the memory they lie in is given away instead, whole, so that it ends here.
   * @returns the digests whose bytes are others; those are not staged, all the rest is.
   * @throws {P2psyncError} disk-full; none of these blocks is registered then.
   */
  put(
    blocks: readonly { readonly digest: Digest; readonly bytes: Bytes; readonly verified?: true }[],
    options?: { readonly give: boolean },
  ): Promise<readonly Digest[]>;
  /**
   * From now on blocks of this file go to their offsets. What an earlier run left of it is hashed and taken over.
   * @throws {P2psyncError} malformed, where the blocks do not add up to the file; disk-full.
   */
  assemble(entry: FileEntry, blocks: readonly BlockRef[]): Promise<void>;
  /** A staged block, for serving; null where it is not here (any more). Hashed. */
  read(digest: Digest): Promise<Bytes | null>;
  /** Several at once, in the order asked. */
  readAll(digests: readonly Digest[]): Promise<readonly (Bytes | null)[]>;
  /** Drops the blocks and assemblies that are not named. Not while a commit runs. */
  prune(keep: {
    readonly digests: ReadonlySet<Digest>;
    readonly contents: ReadonlySet<Digest>;
  }): Promise<void>;
  close(): Promise<void>;
  /** For the committer. */
  readonly inside: StageInside;
};

/** What the committer knows and changes of the stage. */
export type StageInside = {
  /** Nothing was staged since it was pruned, or is left of that. */
  isEmpty(): boolean;
  /** Files of the stage that hold a block. */
  sourcesOf(digest: Digest): readonly BlockSource[];
  /** The block's own file: `unchecked` where an earlier run left it and nobody has hashed it since. */
  blockFile(digest: Digest): 'checked' | 'unchecked' | null;
  part(content: Digest): (Part & { readonly offsets: Float64Array }) | undefined;
  noteFilled(content: Digest, indices: readonly number[]): void;
  /** Nothing is written to these parts any more, once this resolves. */
  freeze(contents: readonly Digest[]): Promise<void>;
  unfreeze(contents: readonly Digest[]): void;
  /** They are in their place in the share, or gone. */
  noteTaken(taken: { readonly blocks: readonly Digest[]; readonly contents: readonly Digest[] }): void;
};

/** Where a staged block may be; `length` null: it is a file of its own. */
export type StagedBlock = {
  readonly digest: Digest;
  readonly length: number | null;
  readonly sources: readonly BlockSource[];
};

export type StageCalls = {
  found(nothing: undefined): { readonly blocks: readonly Digest[]; readonly parts: readonly Part[] };
  /** The memory of their bytes is given back when they are written. */
  put(blocks: readonly PutBlock[]): Digest[];
  assemble(part: PartDescription): Uint8Array;
  read(wanted: readonly StagedBlock[]): (Bytes | null)[];
  release(contents: readonly Digest[]): void;
  prune(keep: { readonly digests: ReadonlySet<Digest>; readonly contents: ReadonlySet<Digest> }): void;
};

type Assembly = PartDescription & { readonly offsets: Float64Array; filled: Uint8Array; frozen: boolean };
type Spot = { readonly assembly: Assembly; readonly index: number };

/**
 * @param root absolute path of the share's directory.
 * @param options.lasting whether the thread waits for what is to be staged next, however long that takes, also where nothing is.
 */
export async function openStage(
  root: string,
  { lasting = true }: { readonly lasting?: boolean } = {},
): Promise<Stage> {
  const url = workerUrl('stage-worker', import.meta.url);
  let opened: Stage | null = null;
  const lasts = (): boolean => lasting || opened?.inside.isEmpty() !== true;
  opened = await openStageOn(createPool<StageCalls>(url, { threads: 1, data: () => root, lasts }));
  return opened;
}

/** @param pool that answers calls in the order in which they were made: one thread. Closed with the stage. */
export async function openStageOn(pool: Pool<StageCalls>): Promise<Stage> {
  const singles = new Map<Digest, 'checked' | 'unchecked'>();
  const assemblies = new Map<Digest, Assembly>();
  const spots = new Map<Digest, Spot[]>();
  const assembling = new Map<Digest, Promise<void>>();
  /** Something may lie there. */
  let isUsed = true;

  function register(part: Part): Assembly {
    const offsets = new Float64Array(part.blocks.length);
    const assembly: Assembly = { ...part, offsets, frozen: false };
    let offset = 0;
    for (const [index, { digest, length }] of part.blocks.entries()) {
      offsets[index] = offset;
      offset += length;
      const known = spots.get(digest);
      if (known === undefined) spots.set(digest, [{ assembly, index }]);
      else known.push({ assembly, index });
    }
    assemblies.set(part.content, assembly);
    return assembly;
  }

  function unregister(content: Digest): void {
    const assembly = assemblies.get(content);
    if (assembly === undefined) return;
    assemblies.delete(content);
    for (const digest of new Set(assembly.blocks.map((block) => block.digest))) {
      const left = spots.get(digest)?.filter((spot) => spot.assembly !== assembly) ?? [];
      if (left.length === 0) spots.delete(digest);
      else spots.set(digest, left);
    }
  }

  async function begin(part: PartDescription, assembly: Assembly): Promise<void> {
    try {
      const filled = await pool.call('assemble', part);
      for (const [index, value] of filled.entries()) if (value === 1) assembly.filled[index] = 1;
    } catch (error) {
      unregister(part.content);
      throw error;
    }
  }

  const isFilled = ({ assembly, index }: Spot) => assembly.filled[index] === 1;
  const offsetOf = ({ assembly, index }: Spot) => assembly.offsets[index] ?? 0;
  const has = (digest: Digest) => singles.has(digest) || (spots.get(digest)?.some(isFilled) ?? false);

  function sourcesOf(digest: Digest): BlockSource[] {
    const sources: BlockSource[] = singles.has(digest) ? [{ path: stagedBlock(digest), offset: 0 }] : [];
    for (const spot of spots.get(digest) ?? []) {
      if (isFilled(spot)) sources.push({ path: partOf(spot.assembly.content), offset: offsetOf(spot) });
    }
    return sources;
  }

  function staged(digest: Digest): StagedBlock {
    const spot = spots.get(digest)?.[0];
    const length = spot?.assembly.blocks[spot.index]?.length ?? null;
    return { digest, length, sources: sourcesOf(digest) };
  }

  const found = await pool.call('found', undefined).catch(async (error: unknown) => {
    await pool.close();
    throw error;
  });
  for (const digest of found.blocks) singles.set(digest, 'unchecked');
  for (const part of found.parts) register(part);

  return {
    has,
    async put(blocks, { give } = { give: false }) {
      const fresh = blocks.filter(({ digest }) => !has(digest));
      if (fresh.length === 0) return [];
      isUsed = true;
      const placed = new Map<Digest, Spot[]>();
      const movable = give ? fresh : inOneMemory(fresh);
      const described = movable.map(({ digest, bytes, verified }): PutBlock => {
        const open = (spots.get(digest) ?? []).filter((spot) => !spot.assembly.frozen);
        placed.set(digest, open);
        const places = open.map((spot) => ({
          content: spot.assembly.content,
          index: spot.index,
          offset: offsetOf(spot),
          sparse: spot.assembly.sparse,
        }));
        return { digest, bytes, verified: verified === true, places };
      });
      const wrong = await pool.call('put', described, { transfer: memoryOf(described) });
      const refused = new Set(wrong);
      for (const [digest, at] of placed) {
        if (refused.has(digest)) continue;
        for (const { assembly, index } of at) assembly.filled[index] = 1;
        if (at.length === 0) singles.set(digest, 'checked');
      }
      return wrong;
    },
    async assemble(entry, blocks) {
      assert(entry.content.kind === 'list', 'only a list of blocks is put together');
      const { digest: content } = entry.content;
      if (assemblies.has(content)) return assembling.get(content);
      isUsed = true;
      const part = { content, size: entry.size, sparse: entry.sparse, blocks };
      checkPart(part);
      // Known at once, so that blocks that come before the worker has answered find their place.
      const assembly = register({ ...part, filled: new Uint8Array(blocks.length) });
      const begun = begin(part, assembly).finally(() => assembling.delete(content));
      assembling.set(content, begun);
      return begun;
    },
    read: async (digest) => (await pool.call('read', [staged(digest)]))[0] ?? null,
    readAll: (digests) => pool.call('read', digests.map(staged)),
    async prune(keep) {
      for (const digest of singles.keys()) if (!keep.digests.has(digest)) singles.delete(digest);
      for (const content of assemblies.keys()) if (!keep.contents.has(content)) unregister(content);
      if (!isUsed) return;
      isUsed = singles.size + assemblies.size > 0;
      await pool.call('prune', keep);
    },
    close: () => pool.close(),
    inside: {
      isEmpty: () => !isUsed,
      sourcesOf,
      blockFile: (digest) => singles.get(digest) ?? null,
      part: (content) => assemblies.get(content),
      noteFilled(content, indices) {
        const assembly = assemblies.get(content);
        if (assembly !== undefined) for (const index of indices) assembly.filled[index] = 1;
      },
      async freeze(contents) {
        for (const content of contents) setFrozen(content, true);
        await pool.call('release', contents);
      },
      unfreeze(contents) {
        for (const content of contents) setFrozen(content, false);
      },
      noteTaken({ blocks, contents }) {
        for (const digest of blocks) singles.delete(digest);
        for (const content of contents) unregister(content);
      },
    },
  };

  function setFrozen(content: Digest, frozen: boolean): void {
    const assembly = assemblies.get(content);
    if (assembly !== undefined) assembly.frozen = frozen;
  }
}

type Puttable = { readonly digest: Digest; readonly bytes: Bytes; readonly verified?: true };

/** Copies, one after the other. */
function inOneMemory(blocks: readonly Puttable[]): Puttable[] {
  const bytes = new Uint8Array(blocks.reduce((total, block) => total + block.bytes.byteLength, 0));
  let start = 0;
  return blocks.map((block) => {
    const copy = bytes.subarray(start, start + block.bytes.byteLength);
    copy.set(block.bytes);
    start += copy.byteLength;
    return { ...block, bytes: copy };
  });
}

/** Each once. Memory that threads share moves nowhere. */
function memoryOf(blocks: readonly { readonly bytes: Bytes }[]): ArrayBuffer[] {
  const memory = new Set(blocks.map(({ bytes }) => bytes.buffer));
  return [...memory].filter((one) => one instanceof ArrayBuffer);
}
