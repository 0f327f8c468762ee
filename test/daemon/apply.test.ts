/** A replica's directory from one version to the next: what is here is reused, what is other is kept, what failed is not believed. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatVersion } from '../../agent/core/version.ts';
import { readApplied } from '../../agent/daemon/state.ts';
import { withReplicaShare } from './replica-share.ts';
import { path } from './writer-share.ts';

function furnish(root: string): void {
  const at = (path: string): string => join(root, path);
  mkdirSync(at('a/deep'), { recursive: true });
  writeFileSync(at('a/one'), 'the first file');
  writeFileSync(at('a/deep/two'), 'the second file');
  writeFileSync(at('large'), Buffer.alloc(300_000, 'what is large'));
  writeFileSync(at('empty'), '');
  symlinkSync('a/one', at('link'));
  linkSync(at('a/one'), at('a/same'));
}

test('every kind of change between two versions ends as the writer has it', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    const at = (path: string): string => join(writer.root, path);
    furnish(writer.root);
    await writer.scan();
    await replica.scan();
    assert.is((await replica.follow()).kind, 'applied');
    replica.check();

    appendFileSync(at('large'), 'and larger');
    renameSync(at('a'), at('b'));
    chmodSync(at('empty'), 0o400);
    unlinkSync(at('link'));
    mkdirSync(at('link'));
    writeFileSync(at('link/in'), 'in what was a link');
    linkSync(at('b/deep/two'), at('three'));
    unlinkSync(at('b/one'));
    await writer.scan();
    await replica.follow();
    replica.check();
    assert.equal(replica.kept(), {});
    assert.is(
      formatVersion(readApplied(replica.store())?.version ?? { epoch: 0, sequence: 0 }),
      writer.version(),
    );
    await replica.scan();
    assert.equal(await replica.heal(), []);
  });
});

test('the first version takes what is like it from a directory that is not empty, and keeps the rest aside', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    const at = (path: string): string => join(replica.root, path);
    furnish(writer.root);
    await writer.scan();
    furnish(replica.root);
    writeFileSync(at('a/deep/two'), 'another second file');
    renameSync(at('large'), at('elsewhere'));
    mkdirSync(at('stray'));
    writeFileSync(at('stray/in'), 'a stray file in a stray directory');
    unlinkSync(at('empty'));
    mkdirSync(at('empty'));
    writeFileSync(at('empty/not'), 'inside what is to be a file');
    await replica.scan();
    assert.is((await replica.follow()).kind, 'applied');
    replica.check();
    assert.is(replica.fetched(), 1, 'only the file that differs');
    const { elsewhere, ...kept } = replica.kept();
    assert.is(elsewhere?.length ?? 300_000, 300_000);
    assert.equal(kept, {
      'a/deep/two': 'another second file',
      'stray/in': 'a stray file in a stray directory',
      'empty/not': 'inside what is to be a file',
    });
    await replica.scan();
    assert.equal(await replica.heal(), []);
    replica.check();
  });
});

test('a directory that was renamed is renamed here, and its files stay the inodes they were', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    mkdirSync(join(writer.root, 'p'));
    furnish(join(writer.root, 'p'));
    unlinkSync(join(writer.root, 'p/a/same'));
    await writer.scan();
    await replica.scan();
    await replica.follow();
    const inode = (path: string): bigint => lstatSync(join(replica.root, path), { bigint: true }).ino;
    const before = ['p/a/one', 'p/large', 'p/link'].map(inode);

    renameSync(join(writer.root, 'p'), join(writer.root, 'q'));
    await writer.scan();
    replica.fetched();
    await replica.follow();
    replica.check();
    assert.equal([replica.fetched(), replica.kept()], [0, {}]);
    assert.equal(['q/a/one', 'q/large', 'q/link'].map(inode), before);
    assert.not(existsSync(join(replica.root, 'p')));
    assert.is(replica.store().record(path('p/a/one')), undefined);
    await replica.scan();
    assert.equal(await replica.heal(), []);
  });
});

const inTheWay: readonly [string, (root: string) => void, Record<string, string>][] = [
  ['a stray', (root) => writeFileSync(join(root, 'a/stray'), 'mine'), { 'a/stray': 'mine' }],
  [
    'a stray directory',
    (root) => {
      mkdirSync(join(root, 'a/strays'));
      writeFileSync(join(root, 'a/strays/in'), 'mine');
    },
    { 'a/strays/in': 'mine' },
  ],
  ['an edit', (root) => writeFileSync(join(root, 'a/one'), 'mine'), { 'a/one': 'mine' }],
  [
    'something at the new name',
    (root) => {
      mkdirSync(join(root, 'b'));
      writeFileSync(join(root, 'b/one'), 'mine');
    },
    { 'b/one': 'mine' },
  ],
  ['a file that went', (root) => unlinkSync(join(root, 'a/deep/two')), {}],
  [
    'a second name elsewhere',
    (root) => linkSync(join(root, 'a/deep/two'), join(root, 'copy')),
    { copy: 'the second file', 'a/deep/two': 'the second file' },
  ],
];
for (const [what, act, kept] of inTheWay) {
  test(`${what} in a directory that is renamed is kept aside, and the rest is as the writer has it`, async () => {
    await withReplicaShare(async ({ writer, replica }) => {
      furnish(writer.root);
      unlinkSync(join(writer.root, 'a/same'));
      await writer.scan();
      await replica.scan();
      await replica.follow();
      act(replica.root);
      renameSync(join(writer.root, 'a'), join(writer.root, 'b'));
      await writer.scan();
      await replica.follow();
      await replica.scan();
      await replica.heal();
      replica.check();
      assert.equal(replica.kept(), kept);
      await replica.scan();
      assert.equal(await replica.heal(), []);
    });
  });
}

test('ignored files keep the directory that they are in when the rest of it is renamed', async () => {
  await withReplicaShare(
    async ({ writer, replica }) => {
      furnish(writer.root);
      await writer.scan();
      await replica.scan();
      await replica.follow();
      writeFileSync(join(replica.root, 'a/deep/cache.tmp'), 'mine');
      renameSync(join(writer.root, 'a'), join(writer.root, 'b'));
      await writer.scan();
      await replica.follow();
      assert.is(readFileSync(join(replica.root, 'a/deep/cache.tmp'), 'utf8'), 'mine');
      assert.is(readFileSync(join(replica.root, 'b/deep/two'), 'utf8'), 'the second file');
      assert.equal(replica.kept(), {});
    },
    { ignore: ['*.tmp'] },
  );
});

test('files that are ignored here are neither kept nor touched', async () => {
  await withReplicaShare(
    async ({ writer, replica }) => {
      furnish(writer.root);
      await writer.scan();
      writeFileSync(join(replica.root, 'mine.local'), 'mine');
      await replica.scan();
      await replica.follow();
      assert.is(readFileSync(join(replica.root, 'mine.local'), 'utf8'), 'mine');
      assert.equal(replica.kept(), {});
    },
    { ignore: ['*.local'] },
  );
});

test('a block that is not here after all is named, and nothing is changed', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    furnish(writer.root);
    await writer.scan();
    await replica.scan();
    await replica.follow();
    renameSync(join(writer.root, 'large'), join(writer.root, 'larger'));
    await writer.scan();
    const { target, changes } = await replica.prepare();
    const before = readApplied(replica.store());
    writeFileSync(join(replica.root, 'large'), 'nobody told of this');
    const outcome = await replica.applier().apply(target, changes, { signal: new AbortController().signal });
    assert.is(outcome.kind, 'lost');
    assert.equal(readApplied(replica.store()), before);
    assert.not(existsSync(join(replica.root, 'larger')));
    await replica.follow();
    replica.check();
    assert.equal(replica.kept(), { large: 'nobody told of this' });
  });
});

test('where the marker is missing nothing is touched, and the reason is told', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    furnish(writer.root);
    await writer.scan();
    await replica.scan();
    const { target, changes } = await replica.prepare();
    rmSync(join(replica.root, '.p2psync', 'share'));
    const outcome = await replica.applier().apply(target, changes, { signal: new AbortController().signal });
    assert.is(outcome.kind, 'failed');
    assert.match(
      outcome.kind === 'failed' ? outcome.message : '',
      /share is not there: is the file system .* mounted/,
    );
    assert.is(readApplied(replica.store()), null);
    assert.not(existsSync(join(replica.root, 'a')));
  });
});

test('a path that could not be done is told of, and the index does not say that it was', async () => {
  await withReplicaShare(
    async ({ writer, replica }) => {
      furnish(writer.root);
      mkdirSync(join(writer.root, 'going'));
      writeFileSync(join(writer.root, 'going/in'), 'x');
      await writer.scan();
      await replica.scan();
      await replica.follow();
      writeFileSync(join(replica.root, 'going/mine.local'), 'an ignored file holds the directory');
      rmSync(join(writer.root, 'going'), { recursive: true });
      await writer.scan();
      const outcome = await replica.follow();
      assert.equal(
        outcome.kind === 'applied' ? outcome.result.failed.map(({ path, code }) => [path, code]) : outcome,
        [['going', 'not-empty']],
      );
      assert.equal(
        replica.faults.list().map(({ path, code }) => [path, code]),
        [['going', 'not-empty']],
      );
      assert.is(replica.store().record('going' as never), undefined);

      rmSync(join(replica.root, 'going/mine.local'));
      await replica.restart();
      await replica.scan();
      await replica.heal();
      replica.check();
      assert.equal(replica.faults.list(), []);
    },
    { ignore: ['*.local'] },
  );
});

test('a commit that was killed before its outcome was stored is finished by the next start', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    furnish(writer.root);
    await writer.scan();
    await replica.scan();
    await replica.follow();
    writeFileSync(join(writer.root, 'a/one'), 'the first file, again');
    renameSync(join(writer.root, 'large'), join(writer.root, 'a/large'));
    await writer.scan();
    const { target, changes } = await replica.prepare();
    const store = replica.store();
    const write = store.write;
    store.write = async () => {
      throw new Error('killed');
    };
    await replica
      .applier()
      .apply(target, changes, { signal: new AbortController().signal })
      .then(() => assert.unreachable('the process is dead'))
      .catch((error: Error) => assert.is(error.message, 'killed'));
    store.write = write;
    await replica.restart();
    assert.is.not(readApplied(replica.store())?.root, target.root);
    const { applied } = await replica.applier().recover();
    assert.equal(applied, target);
    assert.equal(readApplied(replica.store()), target);
    replica.check();
    await replica.scan();
    assert.equal(await replica.heal(), []);
    assert.equal(replica.kept(), {});
  });
});

test('a first version that was killed after one of its parts counts as none, and is gone through again', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    furnish(writer.root);
    for (let count = 0; count < 20; count += 1) writeFileSync(join(writer.root, `more ${count}`), `${count}`);
    await writer.scan();
    await replica.scan();
    const { target } = await replica.prepare();
    const store = replica.store();
    const write = store.write;
    let writes = 0;
    store.write = async (batch) => {
      writes += 1;
      if (writes === 3) throw new Error('killed');
      return write(batch);
    };
    const signal = new AbortController().signal;
    await replica
      .applier()
      .apply(target, null, { signal })
      .then(() => assert.unreachable('the process is dead'))
      .catch((error: Error) => assert.is(error.message, 'killed'));
    store.write = write;
    await replica.restart();
    const recovered = await replica.applier().recover();
    assert.equal([recovered.applied, recovered.target], [null, target]);
    assert.is(readApplied(replica.store()), null);
    await replica.scan();
    replica.fetched();
    assert.is((await replica.follow()).kind, 'applied');
    assert.equal(readApplied(replica.store()), target);
    replica.check();
    assert.equal(replica.kept(), {});
    await replica.scan();
    assert.equal(await replica.heal(), []);
  });
});

test('one commit waits for the other', async () => {
  await withReplicaShare(async ({ writer, replica }) => {
    furnish(writer.root);
    await writer.scan();
    await replica.scan();
    const order: string[] = [];
    const first = replica.gate.run(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push('first');
    });
    const second = replica.follow().then(() => order.push('second'));
    await Promise.all([first, second]);
    assert.equal(order, ['first', 'second']);
    assert.ok(lstatSync(join(replica.root, 'a')).isDirectory());
  });
});

test.run();
