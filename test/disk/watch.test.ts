import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { watchedNamesMax } from '../../agent/base/limits.ts';
import {
  type DirectoryPath,
  joinPath,
  nameOf,
  parentOf,
  parsePath,
  type SharePath,
} from '../../agent/core/path.ts';
import { sameStat } from '../../agent/core/stat.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';
import { createScanner, type Listing, type Scanner } from '../../agent/disk/scan.ts';
import { createWatcher, type Dirty, type Watcher } from '../../agent/disk/watch.ts';
import { createMarks } from '../../agent/disk/watch-marks.ts';
import { plantDeep, type Tree, withShare } from './share-directory.ts';

const hearWithinMs = 20_000;

type Scene = {
  readonly root: string;
  readonly watcher: Watcher;
  /** Every mark heard so far that nobody took. */
  readonly heard: Dirty[];
  /** Resolves with the first mark, heard already or later, that fits; takes everything heard up to then. */
  hear(fits: (dirty: Dirty) => boolean): Promise<void>;
  overflows(): number;
};

function withWatcher(
  tree: Tree,
  use: (scene: Scene) => Promise<void>,
  options: { queuedEvents?: number } = {},
): Promise<void> {
  return withShare(tree, async (root) => {
    const heard: Dirty[] = [];
    let overflows = 0;
    let wake = () => {};
    const handlers = {
      onDirty(dirty: readonly Dirty[]) {
        heard.push(...dirty);
        wake();
      },
      onOverflow() {
        overflows += 1;
        wake();
      },
      onLimit: () => assert.unreachable('these few directories can be watched'),
    };
    const watcher = createWatcher(root, handlers, options);
    const scene: Scene = {
      root,
      watcher,
      heard,
      overflows: () => overflows,
      async hear(fits) {
        // Only a mark that never comes meets the deadline: then the test fails instead of hanging.
        const late = AbortSignal.timeout(hearWithinMs);
        while (!heard.some(fits)) {
          await new Promise<void>((resolve, reject) => {
            wake = resolve;
            late.onabort = () => reject(new Error('the mark that was waited for never came'));
          });
        }
        heard.length = 0;
      },
    };
    try {
      await use(scene);
    } finally {
      await watcher.close();
    }
  });
}

/** Fits a mark of this path, or of its whole directory. */
function marks(path: string) {
  return ({ directory, names }: Dirty) =>
    directory === parentOf(path as SharePath) &&
    (names === null || names.includes(nameOf(path as SharePath)));
}

function dirs(...paths: string[]): DirectoryPath[] {
  return paths as DirectoryPath[];
}

test('every kind of change in a watched directory is heard by name', () =>
  withWatcher(
    { 'd/old': '1', 'd/gone': '', 'd/mode': '', 'd/from': '', 'd/e': null },
    async ({ root, watcher, hear }) => {
      await watcher.add(dirs('', 'd', 'd/e'));
      const at = (path: string) => join(root, path);
      const changes: Record<string, () => void> = {
        'd/new': () => fs.writeFileSync(at('d/new'), 'x'),
        'd/old': () => fs.appendFileSync(at('d/old'), 'x'),
        'd/gone': () => fs.rmSync(at('d/gone')),
        'd/mode': () => fs.chmodSync(at('d/mode'), 0o600),
        'd/to': () => fs.renameSync(at('d/from'), at('d/to')),
        'd/link': () => fs.symlinkSync('nowhere', at('d/link')),
        'd/sub': () => fs.mkdirSync(at('d/sub')),
        'd/e': () => fs.chmodSync(at('d/e'), 0o700),
        'd/y~': () => fs.writeFileSync(at('d/y~'), ''),
        'd/.x.swp': () => fs.writeFileSync(at('d/.x.swp'), ''),
        top: () => fs.writeFileSync(at('top'), ''),
      };
      for (const [path, change] of Object.entries(changes)) {
        change();
        await hear(marks(path));
      }
    },
  ));

test('what changes after add resolved is heard, in a directory that was just made', () =>
  withWatcher({}, async ({ root, watcher, hear }) => {
    await watcher.add(dirs(''));
    let directory = '';
    for (let level = 0; level < 20; level += 1) {
      directory = directory === '' ? 'd' : `${directory}/d`;
      fs.mkdirSync(join(root, directory));
      await hear(marks(directory));
      await watcher.add(dirs(directory));
      fs.writeFileSync(join(root, directory, 'file'), '');
      await hear(marks(`${directory}/file`));
    }
  }));

test('a directory that is not there at add is no error', () =>
  withWatcher({}, async ({ root, watcher, hear }) => {
    await watcher.add(dirs('', 'none', 'none/below'));
    fs.mkdirSync(join(root, 'none'));
    await hear(marks('none'));
    await watcher.add(dirs('none'));
    fs.writeFileSync(join(root, 'none/file'), '');
    await hear(marks('none/file'));
  }));

test('directories with names and depths that are hard to watch are watched', () =>
  withWatcher(
    { 'back\\slash': null, ' ': null, 'new\nline': null, '*[a]{b}?': null },
    async ({ root, watcher, hear }) => {
      const deep = plantDeep(root, 'n'.repeat(240), 16, 'x', '');
      const directories = ['back\\slash', ' ', 'new\nline', '*[a]{b}?'];
      await watcher.add(dirs(...directories, parentOf(deep as SharePath)));
      for (const directory of directories) {
        fs.writeFileSync(join(root, directory, 'file'), '');
        await hear(marks(`${directory}/file`));
      }
      let fd = fs.openSync(root, fs.constants.O_DIRECTORY);
      for (const name of deep.split('/').slice(0, -1)) {
        const next = fs.openSync(`/proc/self/fd/${fd}/${name}`, fs.constants.O_DIRECTORY);
        fs.closeSync(fd);
        fd = next;
      }
      fs.writeFileSync(`/proc/self/fd/${fd}/x`, 'changed');
      fs.closeSync(fd);
      await hear(marks(deep));
    },
  ));

test('a name that is not UTF-8 marks its whole directory', () =>
  withWatcher({ d: null }, async ({ root, watcher, hear }) => {
    await watcher.add(dirs('d'));
    fs.writeFileSync(Buffer.concat([Buffer.from(join(root, 'd/bad')), Buffer.from([0xff])]), '');
    await hear(({ directory, names }) => directory === 'd' && names === null);
  }));

test('a change of ignore rules marks its whole directory', () =>
  withWatcher({ d: null }, async ({ root, watcher, hear }) => {
    await watcher.add(dirs('d'));
    fs.writeFileSync(join(root, 'd/.p2psyncignore'), '*.tmp');
    await hear(({ directory, names }) => directory === 'd' && names === null);
  }));

test('the agent’s own directory is not heard of', () =>
  withWatcher({ '.p2psync': null }, async ({ root, watcher, hear, heard }) => {
    await watcher.add(dirs(''));
    fs.chmodSync(join(root, '.p2psync'), 0o700);
    fs.writeFileSync(join(root, 'after'), '');
    await new Promise<void>((resolve) => {
      void hear((dirty) => {
        assert.not.ok(heard.some(({ names }) => names?.includes('.p2psync')));
        return marks('after')(dirty);
      }).then(resolve);
    });
  }));

test('a removed directory is heard no more, others still are', () =>
  withWatcher({ 'd/x': '', 'e/x': '' }, async ({ root, watcher, hear, heard }) => {
    await watcher.add(dirs('d', 'e'));
    watcher.remove(dirs('d'));
    await watcher.audit();
    fs.writeFileSync(join(root, 'd/y'), '');
    fs.writeFileSync(join(root, 'e/y'), '');
    await hear((dirty) => {
      assert.not.ok(heard.some(({ directory }) => directory === 'd'));
      return marks('e/y')(dirty);
    });
  }));

test('a directory put in another’s place is watched, with what is below it', () =>
  withWatcher({ 'd/e/f': '', 'spare/e/f': '' }, async ({ root, watcher, hear }) => {
    await watcher.add(dirs('', 'd', 'd/e'));
    fs.renameSync(join(root, 'd'), join(root, 'away'));
    fs.renameSync(join(root, 'spare'), join(root, 'd'));
    await hear(({ directory, names }) => directory === 'd/e' && names === null);
    fs.writeFileSync(join(root, 'd/e/new'), '');
    await hear(marks('d/e/new'));
  }));

test('a directory removed and made again under its name is watched', () =>
  withWatcher({ 'd/x': '' }, async ({ root, watcher, hear }) => {
    await watcher.add(dirs('', 'd'));
    fs.rmSync(join(root, 'd'), { recursive: true });
    fs.mkdirSync(join(root, 'd'));
    await hear(({ directory, names }) => directory === '' && names?.includes('d') === true);
    // Whoever lists the top adds what is new in it.
    await watcher.add(dirs('d'));
    fs.writeFileSync(join(root, 'd/y'), '');
    await hear(marks('d/y'));
  }));

test('what happened in a directory that was made again is told of, whatever its inode', () =>
  withWatcher({ 'd/x': '' }, async ({ root, watcher, hear }) => {
    await watcher.add(dirs('', 'd'));
    for (let round = 0; round < 5; round += 1) {
      fs.rmSync(join(root, 'd'), { recursive: true });
      fs.mkdirSync(join(root, 'd'));
      // Nobody watches here yet: the old watch went with the old directory.
      fs.writeFileSync(join(root, 'd/early'), '');
      await hear(({ directory, names }) => directory === 'd' && names === null);
      fs.writeFileSync(join(root, 'd/late'), '');
      await hear(marks('d/late'));
    }
  }));

test('a directory hears though others that were watched in it are files or gone', () =>
  withWatcher({ 'd/file': '', 'd/gone/x': '', 'spare/y': '' }, async ({ root, watcher, hear }) => {
    await watcher.add(dirs('', 'd', 'd/file', 'd/gone', 'd/never'));
    fs.rmSync(join(root, 'd/gone'), { recursive: true });
    await hear(marks('d/gone'));
    fs.renameSync(join(root, 'd'), join(root, 'away'));
    fs.mkdirSync(join(root, 'd'));
    await hear(({ directory, names }) => directory === 'd' && names === null);
    fs.writeFileSync(join(root, 'd/late'), '');
    await hear(marks('d/late'));
    // As an observer does for a directory that came back.
    fs.renameSync(join(root, 'd'), join(root, 'away/d'));
    fs.renameSync(join(root, 'spare'), join(root, 'd'));
    await watcher.add(dirs('d'));
    fs.writeFileSync(join(root, 'd/later'), '');
    await hear(marks('d/later'));
    // What is suspected because of the renames may not have been watched anew yet: an audit does that.
    await watcher.audit();
    fs.writeFileSync(join(root, 'd/last'), '');
    await hear(marks('d/last'));
    assert.equal(await watcher.audit(), []);
  }));

test('an audit finds the directories that no event told of, and they hear again', () =>
  withWatcher({ 'p/d/x': '', 'p/e/x': '', 'q/x': '' }, async ({ root, watcher, hear }) => {
    // Their parent is not watched: nobody hears of its going.
    await watcher.add(dirs('p/d', 'p/e', 'q'));
    assert.equal(await watcher.audit(), []);
    fs.renameSync(join(root, 'p'), join(root, 'away'));
    fs.mkdirSync(join(root, 'p/d'), { recursive: true });
    assert.equal(await watcher.audit(), ['p/d']);
    fs.writeFileSync(join(root, 'p/d/y'), '');
    await hear(marks('p/d/y'));
    assert.equal(await watcher.audit(), []);
  }));

test('so many events at once that some may be lost are told as an overflow', () =>
  withWatcher(
    { d: null },
    async ({ root, watcher, hear, overflows }) => {
      await watcher.add(dirs('d'));
      for (let at = 0; at < 3000; at += 1) fs.writeFileSync(join(root, `d/f${at % 50}`), `${at}`);
      fs.writeFileSync(join(root, 'd/last'), '');
      await hear(marks('d/last'));
      await watcher.audit();
      assert.ok(overflows() > 0);
    },
    { queuedEvents: 8 },
  ));

test('a usual burst is no overflow', () =>
  withWatcher({ d: null }, async ({ root, watcher, hear, overflows }) => {
    await watcher.add(dirs('d'));
    for (let at = 0; at < 500; at += 1) fs.writeFileSync(join(root, `d/f${at}`), '');
    fs.writeFileSync(join(root, 'd/last'), '');
    await hear(marks('d/last'));
    await watcher.audit();
    assert.is(overflows(), 0);
  }));

test('marks are gathered by directory, each name once, and too many names are the whole directory', () => {
  const gathered = createMarks();
  const [d, e] = ['d' as SharePath, 'e' as SharePath];
  for (const name of ['a', 'b', 'a']) gathered.mark(d, name);
  for (let at = 0; at <= watchedNamesMax; at += 1) gathered.mark(e, `${at}`);
  gathered.mark(e, 'one more');
  assert.is(gathered.size, 2);
  assert.equal(gathered.take(), [
    { directory: d, names: ['a', 'b'] },
    { directory: e, names: null },
  ]);
  assert.equal(gathered.take(), []);
});

/** What a daemon does with marks, reduced to its bones: lists what is dirty, watches and lists what is new. */
function createMirror(scanner: Scanner, watcher: Watcher) {
  const known = new Map<DirectoryPath, Listing>();

  async function look(directory: DirectoryPath): Promise<void> {
    const before = known.get(directory);
    const listing = await scanner.directory(directory);
    const entries = new Map(listing.entries().map(({ name, stat }) => [name, stat]));
    for (const { name, stat } of before?.entries() ?? []) {
      if (stat.kind === 'directory' && entries.get(name)?.ino !== stat.ino) drop(joinPath(directory, name));
    }
    if (listing.gone) return drop(directory);
    known.set(directory, listing);
    for (const [name, stat] of entries) {
      const path = joinPath(directory, name);
      if (stat.kind !== 'directory' || known.has(path)) continue;
      await watcher.add([path]);
      await look(path);
    }
  }

  function drop(directory: DirectoryPath): void {
    for (const path of known.keys()) {
      if (path !== directory && !path.startsWith(`${directory}/`)) continue;
      known.delete(path);
      watcher.remove([path]);
    }
  }

  return { known, look };
}

function storm(root: string, seed: number, operations: number): void {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
  const path = () => join(root, ...Array.from({ length: 1 + random(3) }, () => `n${random(6)}`));
  const acts: (() => void)[] = [
    () => fs.writeFileSync(path(), 'x'.repeat(random(50))),
    () => fs.appendFileSync(path(), 'y'),
    () => fs.mkdirSync(path(), { recursive: true }),
    () => fs.renameSync(path(), path()),
    () => fs.rmSync(path(), { recursive: true }),
    () => {
      const [one, other] = [path(), path()];
      fs.renameSync(one, `${one}.swap`);
      fs.renameSync(other, one);
      fs.renameSync(`${one}.swap`, other);
    },
    () => {
      const victim = path();
      fs.rmSync(victim, { recursive: true });
      fs.mkdirSync(join(victim, 'n0/n1'), { recursive: true });
    },
    () => fs.chmodSync(path(), 0o700 + random(64)),
    () => fs.cpSync(path(), join(dirname(path()), `copy${random(3)}`), { recursive: true }),
  ];
  for (let at = 0; at < operations; at += 1) {
    try {
      acts[random(acts.length)]?.();
    } catch {
      // Many a random operation is impossible.
    }
  }
}

for (const seed of [1, 2, 3]) {
  test(`after a storm (seed ${seed}) what the marks led to is what is there`, () =>
    withWatcher({}, async ({ root, watcher, heard, hear }) => {
      const scanner = createScanner(root, { ignore: createIgnore([]) });
      const mirror = createMirror(scanner, watcher);
      await watcher.add(dirs(''));
      await mirror.look('');
      for (let round = 0; round < 12; round += 1) {
        storm(root, seed * 1000 + round, 100);
        // Nothing waits for the storm to end: the looks fall between its gusts.
        for (const { directory } of heard.splice(0, 50)) await mirror.look(directory);
      }
      const dirty = new Set(heard.map(({ directory }) => directory));
      fs.writeFileSync(join(root, 'last'), '');
      // Events come in order: with the last one all have come.
      await hear((mark) => {
        dirty.add(mark.directory);
        return marks('last')(mark);
      });
      for (let quiet = false; !quiet; ) {
        for (const directory of dirty) await mirror.look(directory);
        dirty.clear();
        for (const directory of await watcher.audit()) dirty.add(directory);
        for (const { directory } of heard.splice(0)) dirty.add(directory);
        quiet = dirty.size === 0;
      }

      const real = new Map<DirectoryPath, Listing>();
      for await (const batch of scanner.tree('', { signal: new AbortController().signal })) {
        for (const listing of batch) real.set(listing.directory, listing);
      }
      assert.equal([...mirror.known.keys()].sort(), [...real.keys()].sort());
      for (const [directory, listing] of real) {
        const entries = listing.entries();
        const seen = mirror.known.get(directory)?.entries() ?? [];
        assert.equal(
          seen.map(({ name }) => name),
          entries.map(({ name }) => name),
          directory,
        );
        for (const [at, { name, stat }] of entries.entries()) {
          const other = seen[at]?.stat;
          const same =
            other !== undefined &&
            (stat.kind === 'directory' ? other.ino === stat.ino : sameStat(other, stat));
          assert.ok(same, `${joinPath(directory, name)} as it is`);
        }
      }
      for (const directory of real.keys()) {
        const path = joinPath(directory, 'probe');
        fs.writeFileSync(join(root, path), '');
        await hear(marks(parsePath(path)));
      }
      await scanner.close();
    }));
}

test.run();
