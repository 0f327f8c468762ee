/** `confined.ts`: nothing outside the share is reached, whatever lies in it. */

import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode, systemCode } from '../../agent/base/errors.ts';
import { directoryDescriptorsMax } from '../../agent/base/limits.ts';
import { type Confined, openConfined } from '../../agent/disk/confined.ts';

const { O_CREAT, O_RDONLY, O_WRONLY } = fs.constants;

const test = suite<{ root: string; outside: string; confined: Confined }>('confined');
test.before.each((context) => {
  const base = fs.mkdtempSync(join(tmpdir(), 'confined-'));
  context.root = join(base, 'share');
  context.outside = join(base, 'outside');
  fs.mkdirSync(context.root);
  fs.mkdirSync(context.outside);
  fs.writeFileSync(join(context.outside, 'victim'), 'victim', { mode: 0o600 });
  context.confined = openConfined(context.root);
});
test.after.each(({ root, confined }) => {
  confined.forget();
  fs.rmSync(join(root, '..'), { recursive: true, force: true });
});

const codeOf = (run: () => unknown) => {
  try {
    run();
    return 'done';
  } catch (error) {
    return systemCode(error);
  }
};

test('does with a path what its name says', ({ root, confined }) => {
  confined.mkdir('d', 0o700);
  fs.writeFileSync(join(root, 'd/f'), 'x');
  assert.is(confined.lstat('d/f')?.size, 1);
  assert.equal(confined.list('d'), ['f']);
  confined.rename('d/f', 'g');
  confined.link('g', 'd/h');
  confined.symlink('anything/../at all', 'd/l');
  assert.is(confined.readlink('d/l'), 'anything/../at all');
  assert.is(confined.lstat('d/l')?.kind, 'symlink');
  confined.chmod('g', 0o4701);
  assert.is(confined.lstat('d/h')?.mode, 0o4701);
  confined.setTime('d/l', '-5.5');
  assert.is(confined.lstat('d/l')?.mtimeNs, -5_500_000_000n);
  confined.syncDirectory('d');
  for (const name of ['d/l', 'd/h', 'g']) confined.unlink(name);
  confined.rmdir('d');
  assert.equal(fs.readdirSync(root), []);
});

test('tells what is not there from what is out of bounds', ({ root, outside, confined }) => {
  fs.writeFileSync(join(root, 'file'), '');
  fs.symlinkSync(outside, join(root, 'link'));
  assert.is(confined.lstat('nothing'), null);
  assert.is(confined.lstat('no/thing'), null);
  assert.is(confined.lstat('file/below'), null);
  assert.is(
    codeOf(() => confined.lstat('link/victim')),
    'outside-share',
  );
  assert.is(
    codeOf(() => confined.open('link/victim', O_RDONLY)),
    'outside-share',
  );
  assert.is(
    codeOf(() => confined.open('link', O_RDONLY)),
    'ELOOP',
  );
  assert.is(
    codeOf(() => confined.chmod('link', 0o777)),
    'ENOTSUP',
  );
  assert.is(
    codeOf(() => confined.list('link')),
    'outside-share',
  );
  fs.mkdirSync(join(root, 'd'));
  for (const bad of [
    '',
    '..',
    '../outside/victim',
    'd/../../outside',
    '/etc/passwd',
    'd//b',
    'd/a\0b',
    '.',
  ]) {
    assert.is(
      codeOf(() => confined.lstat(bad)),
      'bad-path',
      bad,
    );
  }
});

test('chowns a link itself', ({ root, outside, confined }) => {
  if (process.getuid?.() !== 0) return;
  fs.symlinkSync(join(outside, 'victim'), join(root, 'link'));
  confined.chown('link', 1234, 1234);
  assert.is(confined.lstat('link')?.uid, 1234);
  assert.is(fs.statSync(join(outside, 'victim')).uid, 0);
});

test('reaches paths longer than PATH_MAX, through more directories than it keeps open', ({
  root,
  confined,
}) => {
  const name = 'n'.repeat(200);
  const depth = directoryDescriptorsMax + 40;
  let deep = '';
  for (let at = 0; at < depth; at += 1) {
    deep = deep === '' ? name : `${deep}/${name}`;
    confined.mkdir(deep, 0o700);
  }
  assert.ok(deep.length > 10 * 4096);
  fs.closeSync(confined.open(`${deep}/file`, O_CREAT | O_WRONLY, 0o600));
  confined.rename(`${deep}/file`, 'top');
  confined.rename('top', `${deep}/file`);
  assert.is(confined.lstat(`${deep}/file`)?.kind, 'file');
  const open = fs.readdirSync('/proc/self/fd').filter((fd) => targetOf(fd).startsWith(root)).length;
  assert.ok(open <= directoryDescriptorsMax + 1, `${open} descriptors`);
  confined.unlink(`${deep}/file`);
  for (; deep !== ''; deep = deep.slice(0, Math.max(0, deep.lastIndexOf('/')))) confined.rmdir(deep);
});

function targetOf(fd: string): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

test('sees where a path leads now, after its own renames and when told to forget', ({ root, confined }) => {
  confined.mkdir('a', 0o700);
  confined.mkdir('a/b', 0o700);
  assert.is(confined.lstat('a/b/x'), null);
  confined.rename('a', 'c');
  assert.is(confined.lstat('a/b'), null);
  assert.is(confined.lstat('c/b/x'), null);
  fs.renameSync(join(root, 'c'), join(root, 'd'));
  confined.forget();
  assert.is(confined.lstat('c/b'), null);
});

test('keeps inside while a directory is swapped for a symlink under it', async ({
  root,
  outside,
  confined,
}) => {
  fs.mkdirSync(join(root, 'd/sub'), { recursive: true });
  fs.mkdirSync(join(outside, 'sub'));
  fs.writeFileSync(join(root, 'd/victim'), '');
  const before = fs.lstatSync(join(outside, 'victim'), { bigint: true });
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const swaps = new Int32Array(new SharedArrayBuffer(4));
  const flipper = new Worker(new URL('./flipper.ts', import.meta.url), {
    workerData: { root, outside, stop, swaps },
  });
  const ended = once(flipper, 'exit');
  await Atomics.waitAsync(swaps, 0, 0).value;
  const acts: ((at: number) => void)[] = [
    (at) => fs.closeSync(confined.open(`d/f${at % 64}`, O_CREAT | O_WRONLY, 0o600)),
    (at) => fs.closeSync(confined.open(`d/sub/f${at % 64}`, O_CREAT | O_WRONLY, 0o600)),
    (at) => confined.rename(`d/f${at % 64}`, `d/sub/g${at % 64}`),
    (at) => confined.symlink('x', `d/l${at % 64}`),
    (at) => confined.unlink(`d/l${at % 64}`),
    (at) => confined.mkdir(`d/m${at % 64}`, 0o700),
    (at) => confined.rmdir(`d/m${at % 64}`),
    () => confined.chmod('d/victim', 0o640),
    () => confined.setTime('d/victim', '1.5'),
    () => confined.link('d/victim', 'd/linked'),
    () => confined.unlink('d/victim'),
    () => confined.rename('d/linked', 'd/victim'),
  ];
  const outcomes = new Map<string, number>();
  const endMs = performance.now() + 30_000;
  const isEnough = () =>
    Atomics.load(swaps, 0) > 5_000 &&
    (outcomes.get('done') ?? 0) > 2_000 &&
    (outcomes.get('outside-share') ?? 0) > 50;
  for (let at = 0; !isEnough() && performance.now() < endMs; at += 1) {
    const code = codeOf(() => acts[at % acts.length]?.(at)) ?? '?';
    outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
    if (at % 3 === 0) confined.forget();
  }
  Atomics.store(stop, 0, 1);
  await ended;
  assert.ok(isEnough(), `${Atomics.load(swaps, 0)} swaps, ${[...outcomes].join(' ')}`);
  assert.equal(fs.readdirSync(outside).sort(), ['sub', 'victim']);
  assert.equal(fs.readdirSync(join(outside, 'sub')), []);
  const after = fs.lstatSync(join(outside, 'victim'), { bigint: true });
  assert.equal([after.mode, after.ctimeNs, after.nlink], [before.mode, before.ctimeNs, before.nlink]);
});

test('will not use an agent directory that others could have planted', ({ root, confined }) => {
  fs.mkdirSync(join(root, '.p2psync'));
  fs.chmodSync(join(root, '.p2psync'), 0o777);
  try {
    confined.list('.p2psync');
    assert.unreachable('others may write there');
  } catch (error) {
    assert.ok(hasCode(error, 'outside-share'), String(error));
  }
});

test.run();
