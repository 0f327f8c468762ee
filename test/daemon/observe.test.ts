/** Looking at a directory: what is watched, what is handed over, and what becomes of a look that fails. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode, messageOf } from '../../agent/base/errors.ts';
import { pollUnwatchedMs } from '../../agent/base/limits.ts';
import type { DirectoryPath, SharePath } from '../../agent/core/path.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';
import { createScanner } from '../../agent/disk/scan.ts';

import { type Bench, withBench } from './observer-bench.ts';

const path = (text: string): SharePath => text as SharePath;

test('the first scan hands over everything, parents first, and watches every directory', async () => {
  await withBench(async ({ root, observer, changes, watched, scans }) => {
    mkdirSync(join(root, 'a/b'), { recursive: true });
    writeFileSync(join(root, 'a/b/file'), 'x');
    await observer.start();
    assert.equal(changes, ['present a', 'present a/b', 'present a/b/file']);
    assert.equal([...watched].sort(), ['', 'a', 'a/b']);
    assert.is(scans(), 1);
  });
});

test('what comes into a directory just after it is watched is in its listing, at start and later', async () => {
  await withBench(async (bench) => {
    mkdirSync(join(bench.root, 'a/b'), { recursive: true });
    bench.onWatched = (directories) => {
      // No event tells of it.
      for (const directory of directories) writeFileSync(join(bench.root, directory, 'just now'), 'x');
    };
    await bench.observer.start();
    const late = ['present just now', 'present a/just now', 'present a/b/just now'];
    for (const change of late) assert.ok(bench.changes.includes(change), change);
    mkdirSync(join(bench.root, 'c'));
    bench.observer.touch([path('c')]);
    await bench.until(() => bench.changes.includes('present c/just now'));
  });
});

test('of a directory that is as the index has it no path is looked up', async () => {
  await withBench(async ({ root, observer, looked, changes, drain }) => {
    for (const name of ['a', 'b', 'c']) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'file'), name);
    }
    await observer.start();
    await drain();
    looked.length = 0;
    changes.length = 0;
    writeFileSync(join(root, 'b/file'), 'changed');
    await observer.rescan();
    assert.equal(looked, ['b/file']);
    assert.equal(changes, ['present b/file']);
  });
});

test('a directory of which the index has no fingerprint is compared path by path, once', async () => {
  await withBench(async ({ root, observer, looked, changes, uncounted, drain }) => {
    mkdirSync(join(root, 'a'));
    writeFileSync(join(root, 'a/file'), 'x');
    await observer.start();
    await drain();
    for (const directory of ['', 'a'] as const) uncounted.add(directory as DirectoryPath);
    looked.length = 0;
    changes.length = 0;
    await observer.rescan();
    assert.equal(looked.sort(), ['a', 'a/file']);
    assert.equal([...uncounted], []);
    await observer.rescan();
    assert.is(looked.length, 2);
    assert.equal(changes, []);
  });
});

test('a hint is looked at, and what is as the index says is not handed over', async () => {
  await withBench(async ({ root, observer, hints, changes, drain }) => {
    writeFileSync(join(root, 'same'), 'x');
    await observer.start();
    await drain();
    changes.length = 0;
    writeFileSync(join(root, 'new'), 'x');
    hints.onDirty([{ directory: '', names: ['same', 'new'] }]);
    await drain();
    assert.equal(changes, ['present new']);
  });
});

test('a directory that the index knows already is watched when it is seen, with what is below it', async () => {
  await withBench(async ({ root, store, observer, hints, changes, watched, drain }) => {
    await observer.start();
    await drain();
    mkdirSync(join(root, 'a/b'), { recursive: true });
    const scanner = createScanner(root, { ignore: createIgnore([]), threads: 1 });
    const paths = [path('a'), path('a/b')];
    const stats = await scanner.stat(paths);
    await scanner.close();
    // As a commit of our own does, whose events come after its outcome was stored.
    await store.write({
      index: paths.map((one, at) => {
        const stat = stats[at];
        assert.ok(stat !== undefined && stat !== null && stat !== 'unreadable');
        return { path: one, record: { stat, content: null } };
      }),
    });
    hints.onDirty([{ directory: '', names: ['a'] }]);
    await drain();
    assert.equal(changes, []);
    assert.equal([...watched].sort(), ['', 'a', 'a/b']);
  });
});

test('a directory that went is not watched any more, and is watched anew when it is back', async () => {
  await withBench(async ({ root, observer, changes, watched, drain }) => {
    mkdirSync(join(root, 'a/b'), { recursive: true });
    await observer.start();
    await drain();
    renameSync(join(root, 'a'), join(root, '..', 'away'));
    observer.touch([path('a')]);
    await drain();
    assert.equal([...watched], ['']);
    changes.length = 0;
    writeFileSync(join(root, '..', 'away', 'b', 'new'), 'x');
    renameSync(join(root, '..', 'away'), join(root, 'a'));
    observer.touch([path('a')]);
    await drain();
    assert.equal([...watched].sort(), ['', 'a', 'a/b']);
    assert.equal(changes, ['present a', 'present a/b', 'present a/b/new']);
  });
});

test('a path that is not there is told of, though the index never knew it', async () => {
  await withBench(async ({ observer, gone, changes, drain }) => {
    await observer.start();
    observer.touch([path('never')]);
    await drain();
    assert.ok(gone.includes(path('never')));
    assert.equal(changes, []);
  });
});

test('lost events are made good by a whole scan', async () => {
  await withBench(async ({ root, observer, hints, changes, scans, until }) => {
    await observer.start();
    writeFileSync(join(root, 'unheard'), 'x');
    hints.onOverflow();
    await until(() => scans() === 2);
    assert.ok(changes.includes('present unheard'));
  });
});

test('after directories came everything is looked at once more, though changes never end', async () => {
  await withBench(async (bench) => {
    await bench.observer.start();
    let stormy = true;
    const storm = (async () => {
      for (let number = 0; stormy; number += 1) {
        const name = `d${number % 50}`;
        if (number < 50) mkdirSync(join(bench.root, name));
        bench.hints.onDirty([{ directory: '', names: [name] }]);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await bench.until(() => bench.scans() === 1 && bench.watched.has('d49' as DirectoryPath));
    // No event tells of it.
    writeFileSync(join(bench.root, 'd7/unheard'), 'x');
    await bench.until(() => bench.changes.includes('present d7/unheard'));
    stormy = false;
    await storm;
  });
});

/** Has everything looked at once more, as it is after a directory came. */
async function lookAgain({ root, observer, scans, until }: Bench): Promise<void> {
  const before = scans();
  mkdirSync(join(root, `new${before}`));
  observer.touch([path(`new${before}`)]);
  await until(() => scans() > before);
}

test('what is told while everything is looked at once more does not wait for the end of that', async () => {
  await withBench(async (bench) => {
    for (let number = 0; number < 10; number += 1) mkdirSync(join(bench.root, `${number}`));
    await bench.observer.start();
    let isTaken = false;
    const onListed = async (): Promise<void> => {
      isTaken ||= bench.changes.includes('present told');
    };
    bench.onAudit = () => {
      bench.onListed = async () => {
        mkdirSync(join(bench.root, 'told'));
        bench.hints.onDirty([{ directory: '', names: ['told'] }]);
        bench.onListed = onListed;
      };
    };
    await lookAgain(bench);
    assert.ok(isTaken);
  });
});

test('a directory that is renamed while everything is looked at once more is one rename', async () => {
  await withBench(
    async (bench) => {
      mkdirSync(join(bench.root, 'a/deep'), { recursive: true });
      await bench.observer.start();
      await bench.drain();
      bench.onAudit = () => {
        renameSync(join(bench.root, 'a'), join(bench.root, 'b'));
        bench.hints.onDirty([{ directory: '', names: ['a', 'b'] }]);
        bench.onAudit = () => undefined;
      };
      await lookAgain(bench);
      await bench.drain();
      assert.equal(bench.moves, ['a → b']);
      assert.not.ok(bench.changes.includes('present b/deep'));
    },
    { renames: true },
  );
});

test('what no event told of is found by another look at everything', async () => {
  await withBench(async (bench) => {
    for (const name of ['a', 'b', 'c']) mkdirSync(join(bench.root, name));
    for (const name of ['a/changed', 'b/gone']) writeFileSync(join(bench.root, name), 'x');
    await bench.observer.start();
    await bench.drain();
    bench.onAudit = () => {
      writeFileSync(join(bench.root, 'a/changed'), 'changed');
      rmSync(join(bench.root, 'b/gone'));
      rmSync(join(bench.root, 'c'), { recursive: true });
      mkdirSync(join(bench.root, 'd/e'), { recursive: true });
      writeFileSync(join(bench.root, 'd/e/file'), 'x');
      bench.onAudit = () => undefined;
    };
    await lookAgain(bench);
    const found = [
      'present a/changed',
      'gone b/gone',
      'gone c',
      'present d',
      'present d/e',
      'present d/e/file',
    ];
    await bench.until(() => found.every((change) => bench.changes.includes(change)));
    assert.ok(bench.changes.indexOf('present d') < bench.changes.indexOf('present d/e/file'));
    assert.ok(bench.watched.has('d/e' as DirectoryPath));
    assert.not.ok(bench.watched.has('c' as DirectoryPath));
  });
});

test('a directory that is replaced is watched anew, with what is below it', async () => {
  await withBench(async ({ root, observer, added, drain }) => {
    for (const name of ['a/b', 'other/b']) mkdirSync(join(root, name), { recursive: true });
    await observer.start();
    await drain();
    added.length = 0;
    renameSync(join(root, 'a'), join(root, '..', 'away'));
    renameSync(join(root, 'other'), join(root, 'a'));
    observer.touch([path('a')]);
    await drain();
    assert.equal([...added].sort(), ['a', 'a/b']);
    added.length = 0;
    renameSync(join(root, 'a'), join(root, '..', 'away2'));
    renameSync(join(root, '..', 'away'), join(root, 'a'));
    await observer.rescan();
    assert.equal([...added].sort(), ['a', 'a/b'], 'also where a scan finds it');
  });
});

test('a share directory that was away is watched anew', async () => {
  await withBench(async ({ root, observer, added }) => {
    mkdirSync(join(root, 'a'));
    await observer.start();
    renameSync(root, `${root} away`);
    await observer.rescan().catch(() => undefined);
    added.length = 0;
    renameSync(`${root} away`, root);
    await observer.rescan();
    assert.equal([...added].sort(), ['', 'a']);
  });
});

test('what was written through a name that is gone is found at the names that are left', async () => {
  await withBench(async ({ root, observer, changes, drain, hints, until }) => {
    writeFileSync(join(root, 'a'), 'x');
    await observer.start();
    await drain();
    linkSync(join(root, 'a'), join(root, 'b'));
    observer.touch([path('b')]);
    await drain();
    changes.length = 0;
    // A file that keeps changing is looked at for long before it is handed over.
    const hot = setInterval(() => writeFileSync(join(root, 'c'), `${Math.random()}`), 2);
    linkSync(join(root, 'a'), join(root, 'c'));
    hints.onDirty([{ directory: '', names: ['c'] }]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    clearInterval(hot);
    rmSync(join(root, 'c'));
    hints.onDirty([{ directory: '', names: ['c'] }]);
    await until(() => changes.includes('present a') && changes.includes('present b'));
  });
});

test('rules that change bring everything below them to light', async () => {
  await withBench(async ({ root, observer, changes, drain }) => {
    mkdirSync(join(root, 'a'));
    writeFileSync(join(root, 'a/x.tmp'), 'x');
    await observer.start();
    await drain();
    changes.length = 0;
    writeFileSync(join(root, '.p2psyncignore'), '*.tmp\n');
    await observer.rescan();
    assert.ok(changes.includes('gone a/x.tmp'), changes.join());
    rmSync(join(root, '.p2psyncignore'));
    await observer.rescan();
    assert.ok(changes.includes('present a/x.tmp'), changes.join());
  });
});

test('a share directory that is away is no deletion: it is told of, and looked at again when it is back', async () => {
  await withBench(async ({ root, observer, scanner, changes, failures, until }) => {
    writeFileSync(join(root, 'file'), 'x');
    await observer.start();
    // Nothing that goes: no timer of a second look is left when the clock is turned by hand.
    await observer.rescan();
    changes.length = 0;
    mock.timers.enable({ apis: ['setTimeout'] });
    renameSync(root, `${root} away`);
    // One path is being settled while the directory is away.
    observer.touch([path('file')]);
    await observer
      .rescan()
      .then(() => assert.unreachable('there is nothing to scan'))
      .catch((error: unknown) => assert.match(messageOf(error), /cannot be reached/));
    mock.timers.tick(pollUnwatchedMs - 1);
    // The one thread has answered what was asked before.
    await scanner.stat([path('file')]);
    assert.is(failures.length, 1, 'it is tried again after a pause, not at once');
    mock.timers.tick(1);
    await until(() => failures.length === 2);
    renameSync(`${root} away`, root);
    const scanned = observer.rescan();
    mock.timers.tick(pollUnwatchedMs);
    await scanned;
    assert.equal(changes, []);
  });
});

test('who is patient looks once what a hint tells of is in the index', async () => {
  await withBench(
    async ({ root, observer, changes, scanner, store, drain }) => {
      await observer.start();
      writeFileSync(join(root, 'own'), 'x');
      observer.touch([path('own')]);
      const [stat] = await scanner.stat([path('own')]);
      assert.ok(stat !== undefined && stat !== null && stat !== 'unreadable');
      await store.write({ index: [{ path: path('own'), record: { stat, content: null } }] });
      writeFileSync(join(root, 'foreign'), 'x');
      observer.touch([path('foreign')]);
      await drain();
      assert.equal(changes, ['present foreign']);
    },
    { patienceMs: 300 },
  );
});

test('changes that could not be taken in are handed over again', async () => {
  await withBench(async (bench) => {
    await bench.observer.start();
    bench.fail = new Error('no space left');
    writeFileSync(join(bench.root, 'file'), 'x');
    bench.observer.touch([path('file')]);
    await bench.until(() => bench.failures.length > 0);
    bench.fail = null;
    await bench.observer.rescan();
    assert.equal(bench.changes, ['present file']);
  });
});

test('what cannot be replicated is told of by directory', async () => {
  await withBench(async ({ root, observer, skipped, hints, drain, until }) => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    await observer.start();
    await drain();
    assert.equal(
      skipped
        .filter(({ whole }) => whole)
        .map(({ directory, skipped: all }) => [directory, all.map((one) => one.path)]),
      [['', ['pipe']]],
    );
    skipped.length = 0;
    rmSync(join(root, 'pipe'));
    hints.onDirty([{ directory: '', names: null }]);
    await until(() => skipped.length > 0);
    assert.equal(skipped[0], { directory: '', whole: false, skipped: [] });
  });
});

test('closing ends a scan that waits, and nothing can be asked afterwards', async () => {
  await withBench(async (bench) => {
    await bench.observer.start();
    const waiting = bench.observer.rescan();
    const ended = waiting.then(
      () => 'scanned',
      (error: unknown) => (hasCode(error, 'cancelled') ? 'cancelled' : messageOf(error)),
    );
    await bench.observer.close();
    assert.ok(['scanned', 'cancelled'].includes(await ended));
    await bench.observer
      .rescan()
      .then(() => assert.unreachable('it is closed'))
      .catch((error: unknown) => assert.ok(hasCode(error, 'cancelled')));
  });
});

test.run();
