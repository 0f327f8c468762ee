/** Two trees that differ in every way a commit knows, local changes on top, and system calls that stop. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Entry } from '../../agent/core/entry.ts';
import type { FileCalls } from '../../agent/disk/confined.ts';
import { directory, hardlink, type Library, symlink } from './share.ts';

export function bigBytes(seed: number): Uint8Array {
  const bytes = new Uint8Array(150_000);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = (seed * 31 + at * 7 + (at >> 8) * 13) & 0xff;
  return bytes;
}

export function oldTree(library: Library): Entry[] {
  return [
    library.file('a', 'swap a'),
    library.file('b', 'swap b'),
    library.file('big', bigBytes(1)),
    directory('becomes file'),
    directory('becomes file/deep'),
    library.file('becomes file/deep/f', 'moves out'),
    library.file('becomes file/known', 'goes'),
    library.file('becomes directory', 'was a file'),
    directory('goes'),
    library.file('goes/edited', 'was not edited'),
    library.file('goes/f', 'goes too'),
    library.file('group', 'linked'),
    hardlink('group 2', 'group'),
    hardlink('group 3', 'group'),
    library.file('mode', 'same bytes'),
    directory('moves'),
    library.file('moves/1', 'one'),
    library.file('moves/2', 'two', { mode: 0o600 }),
    directory('renamed'),
    directory('renamed/deep'),
    library.file('renamed/deep/1', 'in what is renamed'),
    library.file('renamed/2', 'in what is renamed too'),
    library.file('replaced', 'old bytes'),
    library.file('replaced edited', 'old bytes 2'),
    symlink('symlink', 'a'),
  ];
}

export function newTree(library: Library): Entry[] {
  const changed = bigBytes(1);
  changed[100_000] = (changed[100_000] ?? 0) ^ 1;
  return [
    library.file('a', 'swap b'),
    library.file('b', 'swap a'),
    library.file('big', changed),
    library.file('becomes file', 'is a file'),
    directory('becomes directory'),
    library.file('becomes directory/f', 'in it'),
    library.file('group', 'linked anew'),
    hardlink('group 2', 'group'),
    library.file('mode', 'same bytes', { mode: 0o4711, mtimeUs: 5 }),
    directory('inside'),
    directory('inside/new name', { mode: 0o750, mtimeUs: 7 }),
    directory('inside/new name/deep'),
    library.file('inside/new name/deep/1', 'in what is renamed'),
    library.file('inside/new name/2', 'in what is renamed too'),
    directory('moved'),
    library.file('moved/1', 'one'),
    library.file('moved/2', 'two', { mode: 0o640, mtimeUs: 6 }),
    library.file('moved/out', 'moves out'),
    library.file('new', 'new bytes'),
    library.file('new copy', 'new bytes', { mode: 0o600 }),
    library.file('new empty', ''),
    library.file('new in the way', 'theirs'),
    library.file('replaced', 'new bytes of old'),
    library.file('replaced edited', 'new bytes of old 2'),
    symlink('symlink', 'b'),
  ];
}

/** What a person wrote on this replica, none of it may be lost. */
export const localsOf = [
  'mine: edited',
  'mine: goes',
  'mine: in the way',
  'mine: stray',
  'mine: aside',
  'mine: where a directory comes',
] as const;

export function makeLocals(root: string): void {
  fs.writeFileSync(join(root, 'replaced edited'), localsOf[0]);
  fs.writeFileSync(join(root, 'goes/edited'), localsOf[1]);
  fs.writeFileSync(join(root, 'new in the way'), localsOf[2]);
  fs.writeFileSync(join(root, 'goes/stray'), localsOf[3]);
  fs.writeFileSync(join(root, 'becomes file/deep/stray'), localsOf[4]);
  fs.mkdirSync(join(root, 'inside/new name'), { recursive: true });
  fs.writeFileSync(join(root, 'inside/new name/2'), localsOf[5]);
}

export type Cut = {
  readonly calls: FileCalls;
  dead(): boolean;
  /** Which call put the journal in its place; 0: none did. */
  sealedAt(): number;
};

/** The system calls, until the nth; that and all later ones throw. A write is cut in half. */
export function cutAfter(count: number, cut: () => void = () => undefined): Cut {
  let done = 0;
  let sealedAt = 0;
  const calls = new Proxy(fs, {
    get(target, name: keyof FileCalls) {
      const call: unknown = Reflect.get(target, name);
      if (typeof call !== 'function' || name === 'closeSync') return call;
      return (...values: unknown[]) => {
        done += 1;
        if (name === 'renameSync' && String(values[1]).endsWith('/journal')) sealedAt = done;
        if (done < count) return Reflect.apply(call, target, values);
        if (done === count && name === 'writeSync' && typeof values[3] === 'number') {
          values[3] = Math.floor(values[3] / 2);
          Reflect.apply(call, target, values);
        }
        cut();
        throw new Error('killed');
      };
    },
  });
  return { calls, dead: () => done >= count, sealedAt: () => sealedAt };
}
