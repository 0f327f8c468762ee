/**
 * Few names and many operations on them: links, renames onto each other, kinds that change, directories that move
 * while they are written. What a path is at the end depends on all of them, so a single change that was missed shows.
 */
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { digestOf } from '../../../agent/core/digest.ts';
import type { Entry } from '../../../agent/core/entry.ts';
import { type Random, randomFrom } from './churn.ts';
import { hasVanished } from './judge.ts';

/** Each path, and what is there, times in microseconds: `d mode time`, `l time target`, `f mode time digest`, or `= first` for a further name of a file. */
export type Shape = Record<string, string>;

/** @param options.directories whether directories move and are replaced too. */
export async function turmoil(
  root: string,
  { seed, operations, directories }: { seed: number; operations: number; directories: boolean },
): Promise<void> {
  const random = randomFrom(seed);
  const file = (): string => join(root, `d${random(3)}`, ...(random(2) === 0 ? [] : ['e']), `f${random(4)}`);
  const directory = (): string => join(root, `d${random(3)}`, ...(random(2) === 0 ? [] : ['e']));
  const acts: (readonly [weight: number, act: () => void])[] = [
    [20, () => writeFileSync(file(), `made ${random(1e9)}`)],
    [15, () => appendFileSync(file(), ` and ${random(1e9)}`)],
    [20, () => link(file(), file())],
    [10, () => linkOver(file(), file())],
    [20, () => renameSync(file(), file())],
    [10, () => swap(file(), file())],
    [15, () => unlinkSync(file())],
    [5, () => saveOver(file(), `saved ${random(1e9)}`)],
    [5, () => chmodSync(file(), 0o600 + random(64))],
    [4, () => replace(file(), (path) => symlinkSync('no/where', path))],
    [4, () => replace(file(), (path) => writeInto(path, 'inside', random))],
    [directories ? 0 : 20, () => mkdirSync(directory(), { recursive: true })],
    ...(directories ? movesOf(directory, random) : []),
  ];
  for (let at = 0; at < operations; at += 1) {
    perform(acts, random);
    // The agent looks between two operations, at any moment of its own.
    if (random(8) === 0) await setImmediate();
    if (random(12) === 0) await setTimeout(random(12));
  }
}

function movesOf(directory: () => string, random: Random): (readonly [weight: number, act: () => void])[] {
  return [
    [12, () => mkdirSync(directory(), { recursive: true })],
    [6, () => renameSync(directory(), directory())],
    [4, () => swap(directory(), directory())],
    [
      3,
      () => {
        const [from, to] = [directory(), directory()];
        renameSync(from, to);
        writeInto(to, `f${random(4)}`, random);
      },
    ],
    [3, () => replace(directory(), (path) => writeInto(path, `f${random(4)}`, random))],
    [2, () => replace(directory(), (path) => writeInto(join(path, 'e'), `f${random(4)}`, random))],
    [1, () => rmSync(directory(), { recursive: true, force: true })],
    [1, () => replace(directory(), (path) => writeFileSync(path, 'was a directory'))],
  ];
}

/** Many a random operation is impossible. */
function perform(acts: readonly (readonly [weight: number, act: () => void])[], random: Random): void {
  let ticket = random(acts.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, act] of acts) {
    ticket -= weight;
    if (ticket >= 0) continue;
    try {
      act();
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error;
    }
    return;
  }
}

/** Of files only: symlinks with two names arrive as two symlinks. */
function link(from: string, to: string): void {
  if (lstatSync(from).isFile()) linkSync(from, to);
}

function linkOver(from: string, to: string): void {
  if (!lstatSync(from).isFile()) return;
  linkSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

function saveOver(path: string, text: string): void {
  writeFileSync(`${path}~`, text);
  renameSync(`${path}~`, path);
}

function swap(one: string, other: string): void {
  lstatSync(other);
  renameSync(one, `${one}.swap`);
  renameSync(other, one);
  renameSync(`${one}.swap`, other);
}

function replace(path: string, make: (path: string) => void): void {
  rmSync(path, { recursive: true, force: true });
  make(path);
}

function writeInto(directory: string, name: string, random: Random): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), `inside ${random(1e9)}`);
}

/** What the disk holds. */
export function diskShape(root: string): Shape {
  const shape: Shape = {};
  const firsts = new Map<bigint, string>();
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  for (const path of paths) {
    try {
      shape[path] = shapeAt(join(root, path), path, firsts);
    } catch (error) {
      if (!hasVanished(error)) throw error;
    }
  }
  return shape;
}

function shapeAt(full: string, path: string, firsts: Map<bigint, string>): string {
  const stat = lstatSync(full, { bigint: true });
  const mode = (Number(stat.mode) & 0o7777).toString(8);
  const timeUs = stat.mtimeNs / 1000n;
  if (stat.isDirectory()) return `d ${mode} ${timeUs}`;
  if (stat.isSymbolicLink()) return `l ${timeUs} ${readlinkSync(full)}`;
  const first = firsts.get(stat.ino);
  if (first !== undefined) return `= ${first}`;
  firsts.set(stat.ino, path);
  return `f ${mode} ${timeUs} ${digestOf(readFileSync(full))}`;
}

/** What the tree says, of files of one block. */
export function treeShape(tree: ReadonlyMap<string, Entry>): Shape {
  return Object.fromEntries([...tree].map(([path, entry]) => [path, shapeOf(entry)]));
}

function shapeOf(entry: Entry): string {
  switch (entry.kind) {
    case 'directory':
      return `d ${entry.mode.toString(8)} ${entry.mtimeUs}`;
    case 'symlink':
      return `l ${entry.mtimeUs} ${entry.target}`;
    case 'hardlink':
      return `= ${entry.target}`;
    case 'file': {
      const { mode, mtimeUs, content } = entry;
      const digest = content.kind === 'empty' ? digestOf(new Uint8Array()) : content.digest;
      return `f ${mode.toString(8)} ${mtimeUs} ${digest}`;
    }
  }
}

/** One line a path that differs. */
export function differing(disk: Shape, tree: Shape): string[] {
  const paths = new Set([...Object.keys(disk), ...Object.keys(tree)]);
  return [...paths]
    .filter((path) => disk[path] !== tree[path])
    .map((path) => `${path}: ${disk[path]} on disk, ${tree[path]} in the tree`)
    .sort();
}
