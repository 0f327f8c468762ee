/**
 * A directory that has one of everything that trips file replication, written anew after what the suites of rsync, csync2,
 * Syncthing, Smashbox and Unison try. Deterministic; what only root can make is made by root only.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';

const isRoot = process.getuid?.() === 0;

/**
 * Fills the directory with what must arrive exactly, and `outside`, which links lead to and nobody may touch. Times come
 * last: what is made in a directory moves its time.
 */
export function buildTortureTree(top: string, outside: string): void {
  makeNames(join(top, 'names'));
  makeDeep(join(top, 'deep'));
  makeModes(join(top, 'modes'));
  makeLinks(join(top, 'links'), outside);
  makeHardLinks(join(top, 'hard'));
  makeSizes(join(top, 'sizes'));
  makeSparse(join(top, 'sparse'));
  makeDirectories(join(top, 'directories'));
  if (isRoot) makeOwners(join(top, 'owners'));
  makeTimes(join(top, 'times'));
  closeDirectories(join(top, 'modes'));
}

/** Names that break quoting, splitting, patterns and normalisation. */
export const oddNames: readonly string[] = [
  ' leading space',
  'trailing space ',
  '  ',
  'tab\tinside',
  'new\nline',
  'carriage\rreturn',
  'bell\u0007',
  'escape\u001b[31mred',
  'back\\slash',
  'back\\\\slash\\',
  "single'quote",
  'double"quote',
  '$(touch pwned)',
  '`touch pwned`',
  '; rm -rf x',
  '| cat',
  '& &&',
  '*',
  '?',
  '[a-z]',
  '{a,b}',
  '~',
  '~root',
  '-rf',
  '--delete',
  '#hash#',
  '%00',
  '%2F',
  '..dots',
  '...',
  '.hidden',
  '.p2psync-not',
  'a:b',
  'C:',
  'con',
  'nul.txt',
  'umläut',
  'caf\u00e9 composed',
  'cafe\u0301 decomposed',
  'same-\u00e9',
  'same-e\u0301',
  '\u{1f600} emoji \u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  '\u202eright to left',
  '\ufeffbyte order mark',
  '\uffee high unit',
  '\u200bzero width',
  '日本語',
  'العربية',
  'Case',
  'case',
  'CASE',
  'backup~',
  '.file.swp',
  'x.tmp',
  '4913',
  'n'.repeat(255),
  'ü'.repeat(127),
  '\u{1f600}'.repeat(63),
];

function makeNames(top: string): void {
  mkdirSync(join(top, 'as directories'), { recursive: true });
  for (const [number, name] of oddNames.entries()) {
    writeFileSync(join(top, name), `file ${number}\n`);
    mkdirSync(join(top, 'as directories', name));
    writeFileSync(join(top, 'as directories', name, name), `inside ${number}\n`);
  }
}

/** Nearly as deep as a path may be, counted from the share's top; made step by step, because a call takes no longer path. */
function makeDeep(top: string): void {
  mkdirSync(top, { recursive: true });
  const start = process.cwd();
  try {
    process.chdir(top);
    for (let level = 0; level < 14; level += 1) {
      const name = `${level}-${'d'.repeat(240)}`;
      mkdirSync(name);
      process.chdir(name);
      writeFileSync(`file at ${level}`, `${level}`);
    }
  } finally {
    process.chdir(start);
  }
  let many = top;
  for (let level = 0; level < 200; level += 1) {
    many = join(many, 'm');
    mkdirSync(many);
  }
  writeFileSync(join(many, 'bottom'), 'bottom');
}

const closedDirectories = ['read-only directory', 'closed directory'];

function makeModes(top: string): void {
  mkdirSync(top, { recursive: true });
  for (const mode of [0o000, 0o001, 0o200, 0o400, 0o444, 0o600, 0o640, 0o644, 0o666, 0o755, 0o777]) {
    const path = join(top, `mode ${mode.toString(8)}`);
    writeFileSync(path, path);
    // Without root nobody reads what is closed to its owner: the writer says so, and does not publish it.
    if (isRoot || (mode & 0o400) !== 0) chmodSync(path, mode);
  }
  for (const mode of [0o4755, 0o2755, 0o6711, 0o1644, 0o7777]) {
    const path = join(top, `special ${mode.toString(8)}`);
    writeFileSync(path, path);
    chmodSync(path, mode);
  }
  for (const mode of [0o700, 0o711, 0o755, 0o777, 0o1777, 0o2775, 0o3771]) {
    const path = join(top, `directory ${mode.toString(8)}`);
    mkdirSync(path);
    writeFileSync(join(path, 'inside'), 'inside');
    chmodSync(path, mode);
  }
  for (const name of closedDirectories) {
    mkdirSync(join(top, name, 'below'), { recursive: true });
    writeFileSync(join(top, name, 'below', 'file'), name);
  }
}

function closeDirectories(top: string): void {
  for (const name of closedDirectories) {
    chmodSync(join(top, name, 'below'), 0o555);
    chmodSync(join(top, name), name.startsWith('closed') && isRoot ? 0o000 : 0o555);
  }
}

function makeLinks(top: string, outside: string): void {
  mkdirSync(outside, { recursive: true });
  writeFileSync(join(outside, 'file'), 'not ours');
  mkdirSync(join(top, 'directory', 'inner'), { recursive: true });
  writeFileSync(join(top, 'file'), 'target');
  writeFileSync(join(top, 'directory', 'inner', 'file'), 'inner');
  const links: readonly (readonly [string, string])[] = [
    ['to file', 'file'],
    ['to directory', 'directory'],
    ['to directory with slash', 'directory/'],
    ['to link', 'to file'],
    ['dangling', 'nowhere'],
    ['to itself', 'to itself'],
    ['absolute', join(outside, 'file')],
    ['absolute directory', outside],
    ['above the tree', relative(top, join(outside, 'file'))],
    ['directory above the tree', relative(top, outside)],
    ['up and back', '../links/file'],
    ['dot', '.'],
    ['odd \n target', 'new\nline and "quotes"'],
    ['not normal', './/directory/./inner/..//inner/file'],
    ['long target', `${'x/'.repeat(2000)}end`],
    ['directory/inner/up', '../../file'],
  ];
  for (const [name, target] of links) symlinkSync(target, join(top, name));
}

function makeHardLinks(top: string): void {
  mkdirSync(join(top, 'a'), { recursive: true });
  mkdirSync(join(top, 'b'));
  writeFileSync(join(top, 'b', 'first'), 'several names');
  for (const name of ['b/second', 'a/third', 'z']) linkSync(join(top, 'b', 'first'), join(top, name));
  writeFileSync(join(top, 'pair 1'), 'a pair');
  linkSync(join(top, 'pair 1'), join(top, 'pair 2'));
  // The same bytes, and yet two files.
  writeFileSync(join(top, 'not a pair 1'), 'a pair');
  writeFileSync(join(top, 'not a pair 2'), 'a pair');
  writeFileSync(join(top, 'empty 1'), '');
  linkSync(join(top, 'empty 1'), join(top, 'empty 2'));
}

/** Around every size at which something changes: inline content, one block, the smallest and largest cuts, a request. */
function makeSizes(top: string): void {
  mkdirSync(top, { recursive: true });
  const kib = 1024;
  for (const size of [16, 64, 256, 1024].map((kibs) => kibs * kib)) {
    for (const apart of [-1, 0, 1])
      writeFileSync(join(top, `${size + apart} bytes`), noise(size + apart, size + apart));
  }
  for (const size of [0, 1, 2, 4095, 4096, 4097, 32 * kib])
    writeFileSync(join(top, `${size} bytes`), noise(size, size));
  writeFileSync(join(top, 'all zeros'), Buffer.alloc(300 * kib));
  writeFileSync(join(top, 'one line again and again'), 'the same line\n'.repeat(30_000));
}

function makeSparse(top: string): void {
  mkdirSync(top, { recursive: true });
  const make = (name: string, size: number, islands: readonly number[]): void => {
    const descriptor = openSync(join(top, name), 'w');
    ftruncateSync(descriptor, size);
    for (const at of islands) writeSync(descriptor, Buffer.from('island'), 0, 6, at);
    closeSync(descriptor);
  };
  make('only a hole', 3_000_000, []);
  make('hole, data', 3_000_000, [2_999_000]);
  make('data, hole', 3_000_000, [0]);
  make('islands', 9_000_000, [1_000_000, 4_000_000, 8_000_000]);
}

function makeDirectories(top: string): void {
  for (const path of ['empty', 'nested/empty/only', '.hidden/empty'])
    mkdirSync(join(top, path), { recursive: true });
  mkdirSync(join(top, 'full'));
  for (let number = 0; number < 500; number += 1) writeFileSync(join(top, 'full', `${number}`), `${number}`);
}

function makeOwners(top: string): void {
  mkdirSync(top, { recursive: true });
  for (const [uid, gid] of [
    [0, 0],
    [1, 1],
    [2, 0],
    [33, 33],
    [12_345, 54_321],
  ] as const) {
    const name = `${uid} ${gid}`;
    writeFileSync(join(top, name), name);
    chownSync(join(top, name), uid, gid);
    writeFileSync(join(top, `${name} setuid`), name);
    chownSync(join(top, `${name} setuid`), uid, gid);
    chmodSync(join(top, `${name} setuid`), 0o4755);
    mkdirSync(join(top, `${name} directory`));
    chownSync(join(top, `${name} directory`), uid, gid);
    symlinkSync(name, join(top, `${name} link`));
    lchownSync(join(top, `${name} link`), uid, gid);
  }
}

/** `touch` sets what Node cannot: nanoseconds, and times before 1970. */
function makeTimes(top: string): void {
  mkdirSync(join(top, 'directory'), { recursive: true });
  for (const time of [
    '-1',
    '-2000000000.5',
    '0',
    '1',
    '1000000000.123456',
    '2147483647',
    '2147483648',
    '4102444800.999999',
  ]) {
    const path = join(top, `at ${time}`);
    writeFileSync(path, time);
    execFileSync('touch', ['-h', '-m', '-d', `@${time}`, path]);
  }
  symlinkSync('at 0', join(top, 'link'));
  lutimesSync(join(top, 'link'), 1_234_567_890, 1_234_567_890);
  writeFileSync(join(top, 'directory', 'file'), 'file');
  utimesSync(join(top, 'directory'), 1_111_111_111, 1_111_111_111);
}

/** What no replica can get; the agent skips and names each. @returns their names as `status` may show them, and how to end the socket. */
export function makeUnreplicable(top: string): { readonly names: readonly string[]; close(): void } {
  execFileSync('mkfifo', [join(top, 'a fifo')]);
  const server = createServer();
  server.listen(join(top, 'a socket'));
  server.unref();
  writeFileSync(Buffer.concat([Buffer.from(`${top}/not utf-8 `), Buffer.of(0xff, 0xfe)]), 'bytes');
  return { names: ['a fifo', 'a socket', 'not utf-8'], close: () => server.close() };
}

/** Bytes that do not compress and are the same in every run. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  for (let at = 0; at < length; at += 1) {
    state ^= (state << 13) >>> 0;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    bytes[at] = state & 0xff;
  }
  return bytes;
}
