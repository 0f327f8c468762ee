/** What the writer makes of its disk: hard links, renames, kinds that change, and what cannot be read. */
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inlineEditsMax } from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { Entry } from '../../agent/core/entry.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { DiskChange } from '../../agent/daemon/compare.ts';
import { observeEntries } from '../../agent/daemon/entries.ts';
import { diskStatOf } from '../../agent/disk/disk-stat.ts';
import { createOwners } from '../../agent/disk/owner.ts';
import type { Reader } from '../../agent/disk/read.ts';
import type { Scanner } from '../../agent/disk/scan.ts';
import { type WriterShare, withWriterShare } from './writer-share.ts';

/** `f` a file, `d` a directory, `l` a symlink, `=first` a further name of a file. */
function shapeOf(share: WriterShare): Record<string, string> {
  const shape: Record<string, string> = {};
  for (const [path, entry] of share.tree()) shape[path] = shapeOfEntry(entry);
  return shape;
}

function shapeOfEntry(entry: Entry): string {
  if (entry.kind === 'hardlink') return `=${entry.target}`;
  return entry.kind === 'file' ? 'f' : entry.kind === 'directory' ? 'd' : 'l';
}

/** The tree says of every path what the disk says, and of hard links which names are one file. */
function checkTree(share: WriterShare): void {
  const at = (path: string): string => join(share.root, path);
  for (const [path, entry] of share.tree()) {
    const stat = lstatSync(at(path));
    if (entry.kind === 'hardlink') {
      assert.is(lstatSync(at(entry.target)).ino, stat.ino, path);
      assert.is(share.tree().get(entry.target)?.kind, 'file', `${path} leads to a file`);
      continue;
    }
    assert.is(
      entry.mtimeUs,
      Number(lstatSync(at(path), { bigint: true }).mtimeNs / 1000n),
      `time of ${path}`,
    );
    if (entry.kind === 'symlink') assert.is(entry.target, readlinkSync(at(path)));
    else assert.is(entry.mode, stat.mode & 0o7777, `mode of ${path}`);
    if (entry.kind !== 'file') continue;
    const bytes = readFileSync(at(path));
    if (entry.content.kind === 'block') assert.is(entry.content.digest, digestOf(bytes), `bytes of ${path}`);
    assert.is(entry.size, bytes.byteLength);
  }
}

/** Furnishes, looks, changes, tells of some paths only, and compares. */
async function check(
  furnish: (at: (path: string) => string) => void,
  change: (at: (path: string) => string) => readonly string[],
  expected: Record<string, string>,
): Promise<void> {
  await withWriterShare(async (share) => {
    const at = (path: string): string => join(share.root, path);
    furnish(at);
    await share.scan();
    checkTree(share);
    await share.touch(...change(at));
    assert.equal(shapeOf(share), expected);
    checkTree(share);
    const version = share.version();
    await share.scan();
    assert.equal(shapeOf(share), expected);
    assert.is(share.version(), version, 'a whole look finds nothing that was missed');
  });
}

test('a second name of a file is a hard link, though only the new name is told of', async () => {
  await check(
    (at) => writeFileSync(at('b'), 'linked'),
    (at) => (linkSync(at('b'), at('c')), ['c']),
    { b: 'f', c: '=b' },
  );
});

test('a name that sorts before the file becomes the file, and the file a further name', async () => {
  await check(
    (at) => (writeFileSync(at('b'), 'linked'), linkSync(at('b'), at('c'))),
    (at) => (linkSync(at('b'), at('a')), ['a']),
    { a: 'f', b: '=a', c: '=a' },
  );
});

test('where the first name goes, the next one is the file', async () => {
  await check(
    (at) => (writeFileSync(at('a'), 'linked'), linkSync(at('a'), at('b')), linkSync(at('a'), at('c'))),
    (at) => (unlinkSync(at('a')), ['a']),
    { b: 'f', c: '=b' },
  );
});

test('the last of two names is a plain file', async () => {
  await check(
    (at) => (writeFileSync(at('a'), 'linked'), linkSync(at('a'), at('b'))),
    (at) => (unlinkSync(at('a')), ['a']),
    { b: 'f' },
  );
});

/** What a look at these paths finds now, as it is handed over when other things have happened since. */
function look(share: WriterShare, ...paths: readonly string[]): DiskChange[] {
  return paths.map((path) => {
    const stat = diskStatOf(lstatSync(join(share.root, path), { bigint: true }));
    const before = share.store().record(path as SharePath);
    return { kind: 'present', path: path as SharePath, stat, before, restless: false };
  });
}

type Act = (at: (path: string) => string) => void;
type Looks = (look: (...paths: string[]) => DiskChange[], at: (path: string) => string) => DiskChange[][];

/**
 * Looks that were overtaken are handed over batch by batch, then what was asked for again and what the watcher
 * would tell of; no event tells of a name whose file got or lost another one.
 */
async function checkOvertaken(
  furnish: Act,
  looks: Looks,
  told: readonly string[],
  expected: Record<string, string>,
): Promise<void> {
  await withWriterShare(async (share) => {
    const at = (path: string): string => join(share.root, path);
    furnish(at);
    await share.scan();
    for (const batch of looks((...paths) => look(share, ...paths), at)) {
      // What is known of a path is asked when its batch is handed over.
      const changes = batch.map((change) => ({ ...change, before: share.store().record(change.path) }));
      share.observer().touch(await share.writer().take(changes as DiskChange[]));
    }
    await share.touch(...told);
    assert.equal(shapeOf(share), expected);
    checkTree(share);
    await share.scan();
    assert.equal(shapeOf(share), expected, 'a whole look finds nothing that was missed');
  });
}

test('a name that came between the looks at two names of one batch is a hard link', async () => {
  await checkOvertaken(
    () => undefined,
    (look, at) => {
      writeFileSync(at('a'), 'linked');
      const early = look('a');
      linkSync(at('a'), at('b'));
      return [[...early, ...look('b')]];
    },
    ['a', 'b'],
    { a: 'f', b: '=a' },
  );
});

test('a name that was taken in before an older look at the first one is a hard link', async () => {
  await checkOvertaken(
    () => undefined,
    (look, at) => {
      writeFileSync(at('a'), 'linked');
      const early = look('a');
      linkSync(at('a'), at('b'));
      return [look('b'), early];
    },
    [],
    { a: 'f', b: '=a' },
  );
});

test('an older look at a name that is a hard link by now does not part it', async () => {
  await checkOvertaken(
    (at) => writeFileSync(at('a'), 'linked'),
    (look, at) => {
      appendFileSync(at('a'), ' and changed');
      const early = look('a');
      linkSync(at('a'), at('b'));
      return [look('b'), early];
    },
    ['b'],
    { a: 'f', b: '=a' },
  );
});

test('a name that became a link to another file before it was read is a hard link', async () => {
  await checkOvertaken(
    (at) => (writeFileSync(at('a'), 'one'), writeFileSync(at('b'), 'other')),
    (look, at) => {
      appendFileSync(at('b'), ' and changed');
      const early = look('b');
      linkSync(at('a'), at('new'));
      renameSync(at('new'), at('b'));
      return [early];
    },
    ['b', 'new'],
    { a: 'f', b: '=a' },
  );
});

test('two names that became one file before both were read are hard links', async () => {
  await checkOvertaken(
    () => undefined,
    (look, at) => {
      writeFileSync(at('a'), 'one');
      writeFileSync(at('b'), 'other');
      const early = look('a', 'b');
      linkSync(at('a'), at('new'));
      renameSync(at('new'), at('b'));
      return [early];
    },
    ['a', 'b', 'new'],
    { a: 'f', b: '=a' },
  );
});

test('a first name that became another file before it was read takes no further name along', async () => {
  await checkOvertaken(
    () => undefined,
    (look, at) => {
      writeFileSync(at('a'), 'linked');
      linkSync(at('a'), at('b'));
      const early = look('a', 'b');
      writeFileSync(at('new'), 'other');
      renameSync(at('new'), at('a'));
      return [early];
    },
    ['a', 'new'],
    { a: 'f', b: 'f' },
  );
});

test('of a name that went before it was read nothing stays with the further names', async () => {
  await checkOvertaken(
    () => undefined,
    (look, at) => {
      writeFileSync(at('a'), 'linked');
      linkSync(at('a'), at('b'));
      linkSync(at('a'), at('c'));
      const early = look('a', 'b', 'c');
      unlinkSync(at('a'));
      return [early];
    },
    ['a'],
    { b: 'f', c: '=b' },
  );
});

test('a name that is replaced by a file of its own leaves the group', async () => {
  await check(
    (at) => (writeFileSync(at('a'), 'linked'), linkSync(at('a'), at('b')), linkSync(at('a'), at('c'))),
    (at) => (writeFileSync(at('new'), 'other'), renameSync(at('new'), at('a')), ['a', 'new']),
    { a: 'f', b: 'f', c: '=b' },
  );
});

test('a change through one name changes all of them, in whatever directory', async () => {
  await check(
    (at) => {
      mkdirSync(at('x'));
      mkdirSync(at('y'));
      writeFileSync(at('x/a'), 'linked');
      linkSync(at('x/a'), at('y/b'));
    },
    (at) => (appendFileSync(at('y/b'), ' and changed'), ['y/b']),
    { x: 'd', 'x/a': 'f', y: 'd', 'y/b': '=x/a' },
  );
});

test('a mode that is set through one name is the mode of the file', async () => {
  await check(
    (at) => (writeFileSync(at('a'), 'linked'), linkSync(at('a'), at('b'))),
    (at) => (chmodSync(at('b'), 0o600), ['b']),
    { a: 'f', b: '=a' },
  );
});

test('a directory of linked files that is renamed takes its links along', async () => {
  await check(
    (at) => {
      mkdirSync(at('m'));
      writeFileSync(at('m/a'), 'linked');
      linkSync(at('m/a'), at('m/b'));
      linkSync(at('m/a'), at('z'));
    },
    (at) => (renameSync(at('m'), at('n')), ['m', 'n']),
    { n: 'd', 'n/a': 'f', 'n/b': '=n/a', z: '=n/a' },
  );
});

test('each kind can take the place of each other one', async () => {
  const make: Record<string, (at: string) => void> = {
    file: (at) => writeFileSync(at, 'file'),
    directory: (at) => (mkdirSync(at), writeFileSync(join(at, 'in'), 'inside')),
    symlink: (at) => symlinkSync('/no/where', at),
    nothing: () => undefined,
  };
  const shapes: Record<string, (path: string) => Record<string, string>> = {
    file: (path) => ({ [path]: 'f' }),
    directory: (path) => ({ [path]: 'd', [`${path}/in`]: 'f' }),
    symlink: (path) => ({ [path]: 'l' }),
    nothing: () => ({}),
  };
  const kinds = Object.keys(make);
  const pairs = kinds.flatMap((from) => kinds.map((to) => [from, to, `${from} to ${to}`] as const));
  await check(
    (at) => pairs.forEach(([from, , name]) => make[from]?.(at(name))),
    (at) =>
      pairs.map(([, to, name]) => {
        rmSync(at(name), { recursive: true, force: true });
        make[to]?.(at(name));
        return name;
      }),
    Object.assign({}, ...pairs.map(([, to, name]) => shapes[to]?.(name))),
  );
});

test('nothing in a renamed directory is read again, and a copy of it is', async () => {
  await withWriterShare(async (share) => {
    const at = (path: string): string => join(share.root, path);
    mkdirSync(at('m/deep'), { recursive: true });
    for (let number = 0; number < 20; number += 1) writeFileSync(at(`m/deep/${number}`), `content ${number}`);
    writeFileSync(at('m/large'), Buffer.alloc(200_000, 'large'));
    await share.scan();
    const before = share.tree().get('m/large');
    share.read();
    for (const [from, to] of [
      ['m', 'a'],
      ['a', 'z'],
    ] as const) {
      renameSync(at(from), at(to));
      await share.touch(from, to);
      assert.equal(share.read(), [], `${from} to ${to}`);
      checkTree(share);
    }
    const after = share.tree().get('z/large');
    assert.ok(before?.kind === 'file' && after?.kind === 'file');
    assert.equal(after.content, before.content);
    appendFileSync(at('z/deep/3'), ' changed');
    renameSync(at('z'), at('y'));
    await share.touch('z', 'y');
    assert.equal(share.read(), ['y/deep/3']);
    checkTree(share);
  });
});

test('a change that leaves size and time as they were is found by its ctime', async () => {
  await check(
    (at) => (writeFileSync(at('a'), 'one'), utimesSync(at('a'), 1e9, 1e9)),
    (at) => (writeFileSync(at('a'), 'two'), utimesSync(at('a'), 1e9, 1e9), ['a']),
    { a: 'f' },
  );
});

test('a symlink whose target is not UTF-8 is said to be left out, until it is gone', async () => {
  await withWriterShare(async (share) => {
    symlinkSync(Buffer.from([0x61, 0xff]), join(share.root, 'link'));
    writeFileSync(join(share.root, 'file'), 'beside it');
    await share.scan();
    assert.equal(shapeOf(share), { file: 'f' });
    assert.equal(
      share.faults.list().map(({ path, code }) => [path, code]),
      [['link', 'not-utf8']],
    );
    unlinkSync(join(share.root, 'link'));
    await share.touch('link');
    assert.equal(share.faults.list(), []);
  });
});

test('a file that became a symlink whose target is not UTF-8 is in the tree no more', async () => {
  await check(
    (at) => (writeFileSync(at('a'), 'file'), writeFileSync(at('b'), 'file')),
    (at) => (unlinkSync(at('a')), symlinkSync(Buffer.from([0xff]), at('a')), ['a']),
    { b: 'f' },
  );
});

test('a path that changes while it is looked at ends as it is at rest', async () => {
  await withWriterShare(async (share) => {
    const at = join(share.root, 'hot');
    writeFileSync(at, 'start');
    await share.scan();
    for (let round = 0; round < 20; round += 1) {
      appendFileSync(at, ` ${round}`);
      share.observer().touch(['hot' as never]);
      await share.touch();
    }
    await share.touch('hot');
    checkTree(share);
  });
});

test('bytes are asked for only where one head has room for so many files', async () => {
  await withWriterShare(async (share) => {
    const names = Array.from({ length: inlineEditsMax + 1 }, (_, index) => `f${index}`);
    for (const name of names) writeFileSync(join(share.root, name), name);
    const asked = async (some: readonly string[]): Promise<boolean[]> => {
      const kept = new Set<boolean>();
      const reader: Pick<Reader, 'read'> = {
        async *read(items) {
          for (const { keepBytes } of items) kept.add(keepBytes);
          yield [];
        },
      };
      const ports = {
        store: share.store(),
        reader: reader as Reader,
        scanner: {} as Scanner,
        owners: createOwners(),
        departed: new Map(),
      };
      await observeEntries(look(share, ...some), ports, { signal: new AbortController().signal });
      return [...kept];
    };
    assert.equal(await asked(names.slice(1)), [true]);
    assert.equal(await asked(names), [false]);
  });
});

test.run();
