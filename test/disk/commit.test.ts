/** `commit.ts` on a real disk. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { Entry } from '../../agent/core/entry.ts';
import { addEntry, emptyFingerprint } from '../../agent/core/fingerprint.ts';
import { directory, hardlink, lstat, openShare, path, type Share, symlink } from './share.ts';

const test = suite<{ share: Share }>('commit');
test.before.each(async (context) => {
  context.share = await openShare();
});
test.after.each(({ share }) => share.close());

const big = (seed: number, length = 200_000) => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1)
    bytes[at] = (seed * 31 + at * 7 + (at >> 8) * 13 + (at >> 16)) & 0xff;
  return bytes;
};
const agentFiles = (root: string, directory: string) => {
  const at = join(root, '.p2psync', directory);
  return fs.existsSync(at) ? fs.readdirSync(at, { recursive: true }).map(String).sort() : [];
};
const keptBytes = (root: string, keptAs: string) => fs.readFileSync(join(root, keptAs), 'utf8');
/** Every kind of entry, with metadata that is easily lost. */
function variety(share: Share): Entry[] {
  const { library } = share;
  return [
    directory('d', { mode: 0o2775 }),
    directory('d/deep', { mode: 0o1777 }),
    library.file('d/deep/empty', ''),
    library.file('d/big', big(1)),
    library.file('d/setuid', 'x', { mode: 0o4755 }),
    library.file('old', 'before 1970', { mtimeUs: -86_400_000_001 }),
    library.file('older', 'of 1902', { mtimeUs: -2_145_916_800_000_007 }),
    library.file('later', 'of 2100', { mtimeUs: 4_102_444_800_000_009 }),
    library.file('secret', 'y', { mode: 0 }),
    symlink('link', 'd/deep'),
    symlink('dangling', '../nowhere'),
    hardlink('other name', 'old'),
  ];
}

test('makes a tree of every kind, to the microsecond and the bit', async ({ share }) => {
  const entries = variety(share);
  const result = await share.apply(entries);
  assert.equal(result.failed, []);
  assert.equal(result.kept, []);
  share.check(entries);
  for (const { path: at, stat } of result.done) assert.equal(stat, lstat(share.root, at));
  assert.is(result.done.length, entries.length);
  assert.equal([agentFiles(share.root, 'stage'), agentFiles(share.root, 'ready')], [[], []]);
});

test('changes nothing where nothing changed, and removes everything', async ({ share }) => {
  const entries = variety(share);
  await share.apply(entries);
  assert.equal((await share.apply(entries)).done, []);
  const result = await share.apply([]);
  assert.equal([result.failed, result.kept], [[], []]);
  assert.equal(fs.readdirSync(share.root), ['.p2psync']);
});

test('gives owners', async ({ share }) => {
  if (process.getuid?.() !== 0) return;
  const owner = { uid: 1234, gid: 2345, user: '', group: '' };
  const entries: Entry[] = [
    directory('d', { owner }),
    share.library.file('d/f', 'x', { owner, mode: 0o6755 }),
    { ...symlink('l', 'd'), owner } as Entry,
  ];
  assert.equal((await share.apply(entries)).failed, []);
  share.check(entries);
});

test('a directory is renamed whole: its files stay the inodes they were, and nothing below it is touched', async ({
  share,
}) => {
  const { library } = share;
  const below = (at: string) => [
    directory(`${at}/deep`, { mode: 0o500 }),
    library.file(`${at}/deep/1`, 'one'),
    library.file(`${at}/2`, big(3)),
    symlink(`${at}/link`, 'deep/1'),
  ];
  await share.apply([directory('old'), directory('p'), ...below('old')]);
  const before = lstat(share.root, 'old/deep/1');
  const after = [directory('p'), directory('p/new', { mode: 0o710, mtimeUs: 9 }), ...below('p/new')];
  const result = await share.apply(after, { fetch: false, whole: true });
  assert.equal([result.failed, result.kept, result.lost], [[], [], []]);
  assert.equal(
    result.done.map(({ path: at, from }) => [at, from]),
    [
      ['p/new', 'old'],
      ['p/new', undefined],
      ['p', undefined],
    ],
  );
  share.check(after);
  assert.equal(lstat(share.root, 'p/new/deep/1'), before);
  for (const entry of after)
    assert.equal(share.index.get(entry.path), lstat(share.root, entry.path), entry.path);
  assert.not(share.index.has(path('old/2')));
});

test('a directory that is not the one that was to be renamed stays where it is, and both names are told of', async ({
  share,
}) => {
  const { library } = share;
  await share.apply([directory('old'), library.file('old/1', 'one')]);
  fs.renameSync(join(share.root, 'old'), join(share.root, 'elsewhere'));
  fs.mkdirSync(join(share.root, 'old'));
  fs.writeFileSync(join(share.root, 'old/mine'), 'mine');
  const result = await share.apply([directory('new'), library.file('new/1', 'one')], { whole: true });
  assert.equal(
    result.failed.map(({ path: at, code }) => `${at} ${code}`),
    ['new changed', 'old changed'],
  );
  assert.is(fs.readFileSync(join(share.root, 'old/mine'), 'utf8'), 'mine');
  assert.is(fs.readFileSync(join(share.root, 'elsewhere/1'), 'utf8'), 'one');
});

test('what lies below a directory is told for a rename, whoever put it there', async ({ share }) => {
  const { library } = share;
  await share.apply([directory('old'), directory('old/d'), library.file('old/d/1', 'one')]);
  fs.writeFileSync(join(share.root, 'old/mine'), 'mine');
  const below = await share.committer.below({ from: path('old'), to: path('new') });
  const sumOf = (at: string, ...names: string[]) => {
    const fingerprint = emptyFingerprint();
    for (const name of names) {
      const stat = lstat(share.root, `${at}/${name}`);
      if (stat !== null) addEntry(fingerprint, name, stat);
    }
    return { directory: at, fingerprint };
  };
  assert.equal(below, { count: 3, sums: [sumOf('old', 'd', 'mine'), sumOf('old/d', '1')] });
  fs.mkdirSync(join(share.root, 'new'));
  assert.is(await share.committer.below({ from: path('old'), to: path('new') }), null);
  assert.is(await share.committer.below({ from: path('gone'), to: path('newer') }), null);
  fs.linkSync(join(share.root, 'old/mine'), join(share.root, 'other'));
  assert.is(await share.committer.below({ from: path('old'), to: path('newer') }), null);
  fs.unlinkSync(join(share.root, 'old/mine'));
  assert.is((await share.committer.below({ from: path('old'), to: path('newer') }))?.count, 2);
  fs.writeFileSync(Buffer.concat([Buffer.from(join(share.root, 'old/d/')), Buffer.of(0xff)]), '');
  assert.is(await share.committer.below({ from: path('old'), to: path('newer') }), null);
});

test('moves, swaps and changes kinds without fetching a byte', async ({ share }) => {
  const { library } = share;
  const many = Array.from({ length: 50 }, (_, at) =>
    library.file(`d/${at}`, `file ${at}`, { mode: 0o600 + (at % 8) }),
  );
  await share.apply([
    directory('d'),
    ...many,
    library.file('a', 'A'),
    library.file('b', big(2)),
    symlink('s', 'a'),
  ]);
  const before = lstat(share.root, 'd/7')?.ino;
  const after = [
    directory('e'),
    ...many.map((entry) => ({ ...entry, path: path(entry.path.replace('d/', 'e/')) })),
    library.file('a', big(2)),
    library.file('b', 'A'),
    library.file('d', 'now a file'),
    directory('s'),
    library.file('s/copy', big(2)),
  ];
  await share.stage.put([{ digest: digestOf(Buffer.from('now a file')), bytes: Buffer.from('now a file') }]);
  const result = await share.apply(after, { fetch: false });
  assert.equal([result.failed, result.kept, result.lost], [[], [], []]);
  share.check(after);
  assert.is(lstat(share.root, 'e/7')?.ino, before);
  assert.equal(agentFiles(share.root, 'aside'), []);
  assert.equal((await share.apply(after)).done, []);
});

test('keeps the index true to the inodes of hard links', async ({ share }) => {
  const { library } = share;
  const group = [library.file('a', 'x'), hardlink('b', 'a'), hardlink('c', 'a')];
  await share.apply(group);
  const agrees = () => {
    for (const [at, stat] of share.index) assert.equal(stat, lstat(share.root, at), at);
  };
  agrees();
  const steps: Entry[][] = [
    [library.file('a', 'x'), hardlink('b', 'a')],
    [library.file('a', 'x', { mode: 0o600 }), hardlink('b', 'a')],
    [library.file('a', 'new', { mode: 0o600 }), hardlink('b', 'a')],
    [library.file('b', 'new', { mode: 0o600 }), hardlink('c', 'b')],
    [library.file('b', 'new'), library.file('c', 'new')],
    [library.file('b', 'new'), hardlink('c', 'b')],
    [],
  ];
  for (const entries of steps) {
    const result = await share.apply(entries);
    assert.equal([result.failed, result.kept], [[], []]);
    share.check(entries);
    agrees();
  }
});

test('keeps every local change before it writes, moves or removes', async ({ share }) => {
  const { library, root } = share;
  await share.apply([
    directory('d'),
    library.file('d/changed', 'x'),
    library.file('replaced', 'y'),
    library.file('moved', 'z'),
    library.file('chmodded', 'w'),
    symlink('link', 'd'),
  ]);
  fs.writeFileSync(join(root, 'd/changed'), 'mine 1');
  fs.writeFileSync(join(root, 'replaced'), 'mine 2');
  fs.writeFileSync(join(root, 'moved'), 'mine 3');
  fs.writeFileSync(join(root, 'chmodded'), 'mine 4');
  fs.writeFileSync(join(root, 'new'), 'mine 5');
  fs.unlinkSync(join(root, 'link'));
  fs.writeFileSync(join(root, 'link'), 'mine 6');
  const after = [
    library.file('replaced', 'new y'),
    library.file('moved to', 'z'),
    library.file('chmodded', 'w', { mode: 0o600 }),
    library.file('new', 'theirs'),
    symlink('link', 'elsewhere'),
  ];
  await share.stage.put(
    ['z', 'w'].map((text) => ({ digest: digestOf(Buffer.from(text)), bytes: Buffer.from(text) })),
  );
  const result = await share.apply(after);
  assert.equal([result.failed, result.lost], [[], []]);
  share.check(after);
  const mine = Object.fromEntries(result.kept.map(({ path: at, keptAs }) => [at, keptBytes(root, keptAs)]));
  assert.equal(mine, {
    'd/changed': 'mine 1',
    replaced: 'mine 2',
    moved: 'mine 3',
    chmodded: 'mine 4',
    new: 'mine 5',
    link: 'mine 6',
  });
});

test('keeps what nobody knows in a directory that goes, and leaves ignored files where they are', async ({
  share,
}) => {
  const { library, root } = share;
  await share.apply([
    directory('d'),
    directory('d/e'),
    library.file('d/e/f', 'x'),
    directory('g'),
    directory('h'),
  ]);
  fs.writeFileSync(join(root, 'd/e/mine'), 'mine');
  fs.mkdirSync(join(root, 'd/own/deep'), { recursive: true });
  fs.writeFileSync(join(root, 'd/own/deep/file'), 'own');
  fs.writeFileSync(join(root, 'g/cache.tmp'), 'ignored');
  fs.writeFileSync(join(root, 'h/stray'), 'stray');
  const after = [library.file('h', 'was a directory')];
  const result = await share.apply(after, { ignored: (at) => at.endsWith('.tmp') });
  assert.equal(
    result.failed.map(({ path: at, code }) => [at, code]),
    [['g', 'not-empty']],
  );
  assert.is(fs.readFileSync(join(root, 'g/cache.tmp'), 'utf8'), 'ignored');
  assert.not(fs.existsSync(join(root, 'd')));
  share.check(after);
  assert.equal(result.kept.map(({ path: at }) => at).sort(), ['d/e/mine', 'd/own/deep/file', 'h/stray']);
  for (const { keptAs } of result.kept) assert.ok(fs.existsSync(join(root, keptAs)));
});

test('renames nothing where a block is lost, and keeps the others for the next try', async ({ share }) => {
  const { library, root } = share;
  const before = [library.file('a', 'old'), library.file('copied', 'source')];
  await share.apply(before);
  const after = [
    library.file('a', 'new'),
    library.file('b', 'never came'),
    library.file('c', big(3)),
    ...before.slice(1),
  ];
  const [first, second] = library.refsOf(after[2]?.kind === 'file' ? after[2].content : { kind: 'empty' });
  await share.stage.put([{ digest: digestOf(Buffer.from('new')), bytes: Buffer.from('new') }]);
  await share.stage.put([
    { digest: first?.digest ?? digestOf(Buffer.of()), bytes: big(3).subarray(0, 65536) },
  ]);
  const result = await share.apply(after, { fetch: false });
  assert.ok(result.lost.includes(digestOf(Buffer.from('never came'))));
  assert.ok(second !== undefined && result.lost.includes(second.digest));
  assert.not(result.lost.includes(digestOf(Buffer.from('new'))));
  share.check(before);
  assert.not(fs.existsSync(join(root, '.p2psync/journal')));
  assert.equal((await share.apply(after)).failed, []);
  share.check(after);
});

test('never trusts a live file or a block of an earlier run that was damaged', async ({ share }) => {
  const { library, root } = share;
  await share.apply([library.file('a', 'the bytes')]);
  await share.stage.put([{ digest: digestOf(Buffer.from('staged')), bytes: Buffer.from('staged') }]);
  fs.writeFileSync(join(root, 'a'), 'bad bytes');
  fs.writeFileSync(join(root, '.p2psync/stage', digestOf(Buffer.from('staged'))), 'stagEd');
  await share.restart();
  const after = [library.file('a', 'the bytes'), library.file('b', 'the bytes'), library.file('c', 'staged')];
  const result = await share.apply(after, { fetch: false });
  assert.equal(
    [...result.lost].sort(),
    ['the bytes', 'staged'].map((text) => digestOf(Buffer.from(text))).sort(),
  );
  assert.not(share.stage.has(digestOf(Buffer.from('staged'))));
});

test('copies one staged block to all who want it, and writes holes where the writer has them', async ({
  share,
}) => {
  const { library, root } = share;
  const holes = new Uint8Array(1_000_000);
  holes.set(big(1, 5000), 700_000);
  const small = new Uint8Array(60_000);
  small[59_999] = 1;
  const after = [
    library.file('1', 'same'),
    library.file('2', 'same', { mode: 0o600 }),
    library.file('3', 'same', { mtimeUs: 7 }),
    library.file('big 1', big(4)),
    library.file('big 2', big(4), { mode: 0o600 }),
    library.file('holes', holes, { sparse: true }),
    library.file('small holes', small, { sparse: true }),
  ];
  assert.equal((await share.apply(after)).failed, []);
  share.check(after);
  assert.ok((lstat(root, 'holes')?.allocated ?? 1e9) < 100_000);
  assert.ok((lstat(root, 'small holes')?.allocated ?? 1e9) < 20_000);
});

test('one path that cannot be done stops no other', async ({ share }) => {
  const { library, root } = share;
  await share.apply([directory('d'), library.file('d/f', 'x')]);
  fs.renameSync(join(root, 'd'), join(root, 'elsewhere'));
  fs.symlinkSync('elsewhere', join(root, 'd'));
  const after = [directory('d'), library.file('d/f', 'new'), library.file('g', 'y')];
  const result = await share.apply(after);
  assert.equal(
    result.failed.map(({ path: at, code }) => `${at} ${code}`),
    ['d/f outside-share'],
  );
  share.check([library.file('g', 'y')]);
  assert.is(fs.readFileSync(join(root, 'elsewhere/f'), 'utf8'), 'x');
});

test('leaves modes, times and owners alone where the share says so', async ({ share }) => {
  const { library, root } = share;
  const options = { owner: 'off', perms: false, times: false } as const;
  const owner = { uid: 77, gid: 77, user: '', group: '' };
  await share.apply([library.file('f', 'x', { mode: 0o4777, owner, mtimeUs: 1 })], { options });
  const made = lstat(root, 'f');
  assert.is(made?.mode, 0o777 & ~process.umask());
  assert.is(made?.uid, process.getuid?.());
  assert.ok((made?.mtimeNs ?? 0n) > 10n ** 18n);
  fs.chmodSync(join(root, 'f'), 0o640);
  const chmodded = lstat(root, 'f');
  assert.ok(chmodded !== null);
  share.index.set(path('f'), chmodded);
  await share.apply([library.file('f', 'longer', { mode: 0o4777, owner })], { options });
  assert.is(lstat(root, 'f')?.mode, 0o640);
});

test('can be called off before the first rename', async ({ share }) => {
  const entries = [share.library.file('a', 'x')];
  const stop = new AbortController();
  const reason = new Error('a newer version');
  const input = share.inputOf(new Map(entries.map((entry) => [entry.path, entry])));
  await share.stageFor(new Map(entries.map((entry) => [entry.path, entry])));
  const steps = {
    ...input,
    expected: (at: Parameters<typeof input.expected>[0]) => (stop.abort(reason), input.expected(at)),
  };
  try {
    await share.committer.commit(steps, { signal: stop.signal });
    assert.unreachable('called off');
  } catch (error) {
    assert.is(error, reason);
  }
  assert.equal(fs.readdirSync(share.root), ['.p2psync']);
  assert.ok(share.stage.has(digestOf(Buffer.from('x'))));
  assert.equal((await share.apply(entries)).failed, []);
  share.check(entries);
});

test('makes settled commits durable and forgets them', async ({ share }) => {
  await share.apply(variety(share));
  await share.apply(variety(share).slice(1, 3));
  assert.is(agentFiles(share.root, 'undurable').length, 2);
  await share.committer.durable({ signal: new AbortController().signal });
  assert.is(agentFiles(share.root, 'undurable').length, 0);
});

test('makes everything durable first where that is asked', async () => {
  const share = await openShare({ durability: 'fsync' });
  const entries = variety(share);
  await share.apply(entries);
  share.check(entries);
  assert.equal(agentFiles(share.root, 'undurable'), []);
  assert.not(fs.existsSync(join(share.root, '.p2psync/journal')));
  await share.close();
});

test('refuses to work in an agent directory that another user could write', async () => {
  const root = fs.mkdtempSync(join(fs.realpathSync('/tmp'), 'share-'));
  fs.mkdirSync(join(root, '.p2psync'), { mode: 0o700 });
  fs.chmodSync(join(root, '.p2psync'), 0o777);
  try {
    await openShare({ root });
    assert.unreachable('anybody could have put links there');
  } catch (error) {
    assert.ok(hasCode(error, 'outside-share'), String(error));
  }
  fs.rmSync(root, { recursive: true });
});

test.run();
