/** A directory in turmoil: weighted random operations from a seed, what lsyncd's, Syncthing's and Smashbox's churns do and more. */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { noise } from './torture.ts';

export type Random = (below: number) => number;

/** Mulberry32: small, and the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Churn = { readonly top: string; readonly random: Random };
type Operation = (churn: Churn) => void;

const operations: readonly (readonly [weight: number, name: string, operation: Operation])[] = [
  [20, 'make a file', (churn) => writeFileSync(fresh(churn), noise(sizeOf(churn), churn.random(1e9)))],
  [14, 'make a directory', (churn) => mkdirSync(fresh(churn))],
  [12, 'overwrite a range', overwriteRange],
  [
    8,
    'append',
    (churn) => withFile(churn, (path) => appendFileSync(path, noise(churn.random(2000), churn.random(1e9)))),
  ],
  [6, 'append and put the time back', appendSecretly],
  [
    6,
    'truncate',
    (churn) => withFile(churn, (path) => truncateSync(path, churn.random(lstatSync(path).size + 1))),
  ],
  [8, 'save as an editor does', saveAtomically],
  [10, 'move a file', (churn) => withFile(churn, (path) => renameSync(path, fresh(churn)))],
  [5, 'move a directory', moveDirectory],
  [12, 'remove a file', (churn) => withFile(churn, (path) => rmSync(path))],
  [
    1,
    'remove a directory with all in it',
    (churn) => withDirectory(churn, (path) => rmSync(path, { recursive: true })),
  ],
  [5, 'change a mode', (churn) => withFile(churn, (path) => chmodSync(path, 0o600 | churn.random(0o200)))],
  [
    3,
    'change a mode of a directory',
    (churn) => withDirectory(churn, (path) => chmodSync(path, 0o700 | churn.random(0o100))),
  ],
  [
    4,
    'change a time',
    (churn) => withFile(churn, (path) => utimesSync(path, churn.random(2e9), churn.random(2e9))),
  ],
  [
    4,
    'make a link',
    (churn) => symlinkSync(pick(churn.random, ['a', '../b', '/no/where', 'no/where']), fresh(churn)),
  ],
  [4, 'make another name', (churn) => withFile(churn, (path) => linkSync(path, fresh(churn)))],
  [3, 'file becomes directory', fileBecomesDirectory],
  [1, 'directory becomes file', directoryBecomes((path) => writeFileSync(path, 'was a directory'))],
  [1, 'directory becomes link', directoryBecomes((path) => symlinkSync('/no/where', path))],
  [3, 'swap two files', swapFiles],
  [3, 'change only the case of a name', changeCase],
  [1, 'remove a directory and make it again', (churn) => withDirectory(churn, remake)],
];

const weights = operations.reduce((sum, [weight]) => sum + weight, 0);

/** @returns what was done, for the report of a failure. */
export async function churn(top: string, seed: number, count: number): Promise<string[]> {
  const state: Churn = { top, random: randomFrom(seed) };
  const done: string[] = [];
  for (let at = 0; at < count; at += 1) {
    let ticket = state.random(weights);
    for (const [weight, name, operation] of operations) {
      ticket -= weight;
      if (ticket >= 0) continue;
      operation(state);
      done.push(name);
      break;
    }
    // Now and then the agents get a chance to see what is between two operations.
    if (state.random(12) === 0) await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return done;
}

function sizeOf({ random }: Churn): number {
  return pick(random, [0, 1, 500, 500, 4096, 20_000, 70_000, 300_000]);
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[random(values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}

/** By our own walk: Node's recursive readdir goes through symlinks, and out of the directory. */
function all({ top }: Churn, kind: 'file' | 'directory'): string[] {
  const found: string[] = [];
  const visit = (directory: string): void => {
    for (const name of readdirSync(directory).sort()) {
      const path = join(directory, name);
      if (path === join(top, '.p2psync')) continue;
      const stat = lstatSync(path);
      if (kind === 'file' ? stat.isFile() : stat.isDirectory()) found.push(path);
      if (stat.isDirectory()) visit(path);
    }
  };
  visit(top);
  return found;
}

function withFile(churn: Churn, act: (path: string) => void): void {
  const files = all(churn, 'file');
  if (files.length > 0) act(pick(churn.random, files));
}

function withDirectory(churn: Churn, act: (path: string) => void): void {
  const directories = all(churn, 'directory');
  if (directories.length > 0) act(pick(churn.random, directories));
}

let names = 0;

function fresh(churn: Churn): string {
  names += 1;
  const directories = [churn.top, ...all(churn, 'directory')].filter((path) => path.length < 2000);
  return join(
    pick(churn.random, directories),
    `${pick(churn.random, ['f', 'Ä', 'sp ace', '-x', '.h'])}${names}`,
  );
}

function overwriteRange(churn: Churn): void {
  withFile(churn, (path) => {
    const descriptor = openSync(path, 'r+');
    const bytes = noise(1024, churn.random(1e9));
    writeSync(descriptor, bytes, 0, bytes.length, churn.random(lstatSync(path).size + 1));
    closeSync(descriptor);
  });
}

function appendSecretly(churn: Churn): void {
  withFile(churn, (path) => {
    const { atime, mtime } = lstatSync(path);
    appendFileSync(path, 'unseen');
    utimesSync(path, atime, mtime);
  });
}

function saveAtomically(churn: Churn): void {
  withFile(churn, (path) => {
    writeFileSync(`${path}~`, noise(sizeOf(churn), churn.random(1e9)));
    renameSync(`${path}~`, path);
  });
}

function moveDirectory(churn: Churn): void {
  withDirectory(churn, (path) => {
    const target = fresh(churn);
    // Not into itself.
    if (!dirname(target).startsWith(path)) renameSync(path, target);
  });
}

function fileBecomesDirectory(churn: Churn): void {
  withFile(churn, (path) => {
    rmSync(path);
    mkdirSync(path);
    writeFileSync(join(path, 'inside'), 'was a file');
  });
}

function directoryBecomes(make: (path: string) => void): Operation {
  return (churn) =>
    withDirectory(churn, (path) => {
      rmSync(path, { recursive: true });
      make(path);
    });
}

function swapFiles(churn: Churn): void {
  withFile(churn, (left) =>
    withFile(churn, (right) => {
      if (left === right) return;
      renameSync(left, `${left}.swap`);
      renameSync(right, left);
      renameSync(`${left}.swap`, right);
    }),
  );
}

function changeCase(churn: Churn): void {
  withFile(churn, (path) =>
    renameSync(path, join(dirname(path), path.slice(dirname(path).length + 1).toUpperCase())),
  );
}

function remake(path: string): void {
  rmSync(path, { recursive: true });
  mkdirSync(path);
  writeFileSync(join(path, 'again'), 'made again');
}
