/**
 * The files of the stage: `<digest>` holds a block, `<content>.part` a big file as far as it is here, `<content>.list`
 * the blocks that make it up. Synchronous; runs in the stage's worker. Which of them is complete is told by hashing,
 * so a kill at any point leaves nothing that has to be believed.
 */
import { constants } from 'node:fs';
import { type Bytes, joinedTo } from '../base/bytes.ts';
import { blockBytesMax, openPartsMax } from '../base/limits.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import {
  ensureDirectories,
  listOf,
  parseStagedName,
  partOf,
  stageDirectory,
  stagedBlock,
  stagedMode,
} from './agent-paths.ts';
import { type BlockSource, createBlockReader, readFully, writeFully, writeWithHoles } from './block-bytes.ts';
import type { Confined } from './confined.ts';
import { decodeList, encodeList, type PartDescription } from './part-list.ts';
import { hasErrorCode } from './system-errors.ts';

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants;

/** `filled[i]`: 1 where block i is there, by its hash. */
export type Part = PartDescription & { readonly filled: Uint8Array };

export type PutBlock = {
  readonly digest: Digest;
  readonly bytes: Bytes;
  /** Hashed already, in another thread of this agent. */
  readonly verified: boolean;
  /** Where in which parts it belongs; none: it gets a file of its own. */
  readonly places: readonly Place[];
};
export type Place = {
  readonly content: Digest;
  readonly index: number;
  readonly offset: number;
  readonly sparse: boolean;
};

export type StageFiles = {
  /** Everything that an earlier run left; what belongs to nothing is deleted. */
  found(): { readonly blocks: readonly Digest[]; readonly parts: readonly Part[] };
  /** @returns those whose bytes are others. Throws the system's error after undoing what it began. */
  put(blocks: readonly PutBlock[]): Digest[];
  /** Makes the part, or takes over what is there. @returns what is filled. */
  assemble(part: PartDescription): Uint8Array;
  read(digest: Digest, length: number | null, sources: readonly BlockSource[]): Bytes | null;
  /** Closes the parts; nothing is written to them until the next `put` names them. */
  release(contents: readonly Digest[]): void;
  prune(keep: { readonly digests: ReadonlySet<Digest>; readonly contents: ReadonlySet<Digest> }): void;
};

export function createStageFiles(confined: Confined): StageFiles {
  /** Open parts, the least recently used first. */
  const open = new Map<Digest, number>();
  const { calls } = confined;

  function partFile(content: Digest): number {
    let file = open.get(content);
    open.delete(content);
    file ??= confined.open(partOf(content), O_RDWR);
    open.set(content, file);
    for (const [oldest] of open) {
      if (open.size <= openPartsMax) break;
      release([oldest]);
    }
    return file;
  }

  function release(contents: readonly Digest[]): void {
    for (const content of contents) {
      const file = open.get(content);
      if (file === undefined) continue;
      open.delete(content);
      calls.closeSync(file);
    }
  }

  /** Hashes what is there. What is neither right nor empty is overwritten with zeros, so that holes stay right. */
  function check({ content, blocks, sparse }: PartDescription): Uint8Array {
    const filled = new Uint8Array(blocks.length);
    const buffer = new Uint8Array(blockBytesMax);
    const file = partFile(content);
    let offset = 0;
    for (const [index, { digest, length }] of blocks.entries()) {
      const bytes = buffer.subarray(0, length);
      if (readFully(confined, file, bytes, offset)) {
        if (digestOf(bytes) === digest) filled[index] = 1;
        else if (sparse && bytes.some((byte) => byte !== 0))
          writeFully(confined, file, bytes.fill(0), offset);
      }
      offset += length;
    }
    return filled;
  }

  /** Neighbours in a file that are neighbours in memory too are written with one call. */
  function createRunWriter(): { write(bytes: Bytes, place: Place): void; end(): void } {
    let run: { readonly bytes: Bytes; readonly place: Place } | null = null;
    function end(): void {
      if (run === null) return;
      const { bytes, place } = run;
      run = null;
      (place.sparse ? writeWithHoles : writeFully)(confined, partFile(place.content), bytes, place.offset);
    }
    return {
      end,
      write(bytes, place) {
        const follows =
          run !== null &&
          run.place.content === place.content &&
          run.place.offset + run.bytes.byteLength === place.offset;
        const joined = run !== null && follows ? joinedTo(run.bytes, bytes) : null;
        if (joined === null || run === null) {
          end();
          run = { bytes, place };
        } else run = { bytes: joined, place: run.place };
      },
    };
  }

  function makePart(part: PartDescription): void {
    writeFile(confined, listOf(part.content), Buffer.from(encodeList(part)));
    const file = confined.open(partOf(part.content), O_CREAT | O_TRUNC | O_WRONLY, stagedMode);
    try {
      calls.ftruncateSync(file, part.size);
    } finally {
      calls.closeSync(file);
    }
  }

  function takeOver(content: Digest): Part | undefined {
    const part = decodeList(content, readWhole(confined, listOf(content)));
    if (part === undefined || confined.lstat(partOf(content))?.size !== part.size) return undefined;
    return { ...part, filled: check(part) };
  }

  function discard(path: string): void {
    try {
      confined.unlink(path);
    } catch (error) {
      if (!hasErrorCode(error, 'ENOENT')) throw error;
    }
  }

  return {
    release,
    found() {
      ensureDirectories(confined, stageDirectory);
      const blocks: Digest[] = [];
      const parts: Part[] = [];
      for (const name of confined.list(stageDirectory)) {
        const staged = parseStagedName(name);
        if (staged?.kind === 'block') blocks.push(staged.digest);
        else if (staged?.kind === 'list') {
          const part = takeOver(staged.digest);
          if (part !== undefined) parts.push(part);
        }
      }
      const whole = new Set(parts.map((part) => part.content));
      for (const name of confined.list(stageDirectory)) {
        const staged = parseStagedName(name);
        if (staged === undefined || (staged.kind !== 'block' && !whole.has(staged.digest)))
          discard(`${stageDirectory}/${name}`);
      }
      return { blocks, parts };
    },
    put(blocks) {
      const wrong: Digest[] = [];
      const made: string[] = [];
      const writer = createRunWriter();
      try {
        for (const { digest, bytes, verified, places } of blocks) {
          if (!verified && digestOf(bytes) !== digest) {
            wrong.push(digest);
            continue;
          }
          for (const place of places) writer.write(bytes, place);
          if (places.length > 0) continue;
          const path = stagedBlock(digest);
          const file = create(path);
          if (file < 0) continue;
          made.push(path);
          try {
            writeFully(confined, file, bytes, 0);
          } finally {
            calls.closeSync(file);
          }
        }
        writer.end();
      } catch (error) {
        for (const path of made) discard(path);
        throw error;
      }
      return wrong;
    },
    assemble(part) {
      const { content } = part;
      release([content]);
      const known = takeOver(content);
      if (known !== undefined && encodeList(known) === encodeList(part)) return known.filled;
      try {
        makePart(part);
      } catch (error) {
        discard(partOf(content));
        discard(listOf(content));
        throw error;
      }
      return new Uint8Array(part.blocks.length);
    },
    read(digest, length, sources) {
      const size = length ?? confined.lstat(stagedBlock(digest))?.size;
      if (size === undefined) return null;
      const reader = createBlockReader(confined);
      try {
        return reader.read(digest, size, sources)?.slice() ?? null;
      } finally {
        reader.close();
      }
    },
    prune({ digests, contents }) {
      for (const name of confined.list(stageDirectory)) {
        const staged = parseStagedName(name);
        if (staged !== undefined && (staged.kind === 'block' ? digests : contents).has(staged.digest))
          continue;
        if (staged?.kind === 'part') release([staged.digest]);
        discard(`${stageDirectory}/${name}`);
      }
    },
  };

  /** @returns -1 where it is there already: an earlier call of this run wrote it, whole. */
  function create(path: string): number {
    try {
      return confined.open(path, O_CREAT | O_EXCL | O_WRONLY, stagedMode);
    } catch (error) {
      if (hasErrorCode(error, 'EEXIST')) return -1;
      throw error;
    }
  }
}

function writeFile(confined: Confined, path: string, bytes: Bytes): void {
  const file = confined.open(path, O_CREAT | O_TRUNC | O_WRONLY, 0o600);
  try {
    writeFully(confined, file, bytes, 0);
  } finally {
    confined.calls.closeSync(file);
  }
}

function readWhole(confined: Confined, path: string): string {
  const size = confined.lstat(path)?.size;
  if (size === undefined) return '';
  const file = confined.open(path, O_RDONLY);
  try {
    const bytes = Buffer.alloc(size);
    return readFully(confined, file, bytes, 0) ? bytes.toString('utf8') : '';
  } finally {
    confined.calls.closeSync(file);
  }
}
