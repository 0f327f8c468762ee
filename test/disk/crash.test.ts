/**
 * A commit that is cut short at each of its system calls, and finished by the next run. Most are cut by system calls
 * that stop working, which leaves the disk as a kill does; some by a real SIGKILL, in `crash-child.ts`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SharePath } from '../../agent/core/path.ts';
import { bigBytes, type Cut, cutAfter, localsOf, makeLocals, newTree, oldTree } from './crash.ts';
import { checkEntry, directory, lstat, openShare, type Share, treeOf } from './share.ts';

const signal = new AbortController().signal;

/** The old tree with local changes in it, and everything staged for the new one. */
async function prepared(share: Share): Promise<void> {
  const old = oldTree(share.library);
  assert.equal((await share.apply(old)).failed, []);
  makeLocals(share.root);
  await share.stageFor(treeOf(newTree(share.library)));
}

/** Every path has its old or its new content, whole, or is on its way. */
function checkNothingTorn(share: Share, locals: readonly string[]): void {
  const known = new Set(locals);
  for (const entry of [...oldTree(share.library), ...newTree(share.library)]) {
    if (entry.kind !== 'file') continue;
    const refs = share.library.refsOf(entry.content);
    known.add(
      Buffer.concat(refs.map(({ digest }) => share.library.blocks.get(digest) ?? Buffer.of())).toString(
        'latin1',
      ),
    );
  }
  for (const name of fs.readdirSync(share.root, { recursive: true, encoding: 'utf8' })) {
    if (name === '.p2psync' || name.startsWith('.p2psync/')) continue;
    if (!fs.lstatSync(join(share.root, name)).isFile()) continue;
    assert.ok(known.has(fs.readFileSync(join(share.root, name), 'latin1')), `${name} is whole`);
  }
}

/** The next run: finishes what was sealed, applies again what was not. */
async function recovered(share: Share): Promise<boolean> {
  const { finished, rehash, rehashAll } = await share.committer.recover(() => false);
  assert.equal([rehash, rehashAll], [[], false]);
  const after = treeOf(newTree(share.library));
  if (finished !== null) {
    assert.is(finished.tag, 'tag');
    assert.equal(finished.result.failed, []);
    share.takeIn(after, finished.result);
    await share.committer.settle();
  }
  const again = await share.apply(newTree(share.library), { fetch: finished === null });
  assert.equal([again.failed, again.lost], [[], []]);
  return finished !== null;
}

function checkEnd(share: Share): void {
  const after = newTree(share.library);
  for (const entry of after) checkEntry(share.root, share.library, entry);
  for (const { path } of after)
    assert.equal(share.index.get(path), lstat(share.root, path), `index of ${path}`);
  const names = fs.readdirSync(share.root, { recursive: true, encoding: 'utf8' });
  const here = names.filter((name) => name !== '.p2psync' && !name.startsWith('.p2psync/'));
  assert.equal(here.sort(), after.map((entry) => entry.path as string).sort());
  const bytes = names
    .filter((name) => name.startsWith('.p2psync/kept/') && fs.lstatSync(join(share.root, name)).isFile())
    .map((name) => fs.readFileSync(join(share.root, name), 'utf8'));
  assert.equal(bytes.sort(), [...localsOf].sort(), 'each local change is kept, once, and nothing else');
  for (const own of ['stage', 'ready', 'aside']) {
    assert.equal(fs.readdirSync(join(share.root, '.p2psync', own)), [], own);
  }
}

/** Starts the commit of the new tree in a process that stops at a call. */
async function commitUntil(share: Share, count: number): Promise<Cut> {
  const cut = cutAfter(count);
  try {
    await share.restart(cut.calls);
    await share.committer.commit(share.inputOf(treeOf(newTree(share.library)), { whole: true }), { signal });
  } catch {
    assert.ok(cut.dead());
  }
  return cut;
}

async function cutAt(first: number, second: number | null): Promise<'sealed' | 'unsealed' | 'whole'> {
  const share = await openShare({ calls: fs });
  try {
    await prepared(share);
    if (!(await commitUntil(share, first)).dead()) return 'whole';
    checkNothingTorn(share, localsOf);
    if (second !== null) {
      const again = cutAfter(second);
      try {
        await share.restart(again.calls);
        await share.committer.recover(() => false);
      } catch {
        assert.ok(again.dead());
      }
      checkNothingTorn(share, localsOf);
    }
    await share.restart(fs);
    const sealed = await recovered(share);
    checkEnd(share);
    return sealed ? 'sealed' : 'unsealed';
  } finally {
    await share.close();
  }
}

async function sealingCall(): Promise<number> {
  const share = await openShare({ calls: fs });
  await prepared(share);
  const cut = await commitUntil(share, Number.POSITIVE_INFINITY);
  await share.close();
  assert.ok(cut.sealedAt() > 0);
  return cut.sealedAt();
}

test('a commit that is cut short at any system call is finished or undone by the next run', async () => {
  const sealing = await sealingCall();
  const outcomes = new Map<string, number>();
  // Before the journal nothing is changed in the share: every seventh call does.
  for (let at = 1; ; at += at < sealing - 20 ? 7 : 1) {
    const outcome = await cutAt(at, null);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    if (outcome === 'whole') break;
    assert.is(outcome, at > sealing ? 'sealed' : 'unsealed', `call ${at}`);
  }
  assert.ok((outcomes.get('sealed') ?? 0) > 100, 'cuts after the journal was written');
});

test('a recovery that is cut short too is finished by the run after it', async () => {
  const sealing = await sealingCall();
  for (let at = sealing + 1; at < sealing + 160; at += 12) await cutAt(at, (at * 7) % 150 || 1);
});

test('a commit whose process is killed is finished by the next process', async () => {
  const sealing = await sealingCall();
  for (const at of [sealing - 60, sealing + 1, sealing + 45, sealing + 90, sealing + 135]) {
    const share = await openShare({ calls: fs });
    try {
      await prepared(share);
      const child = spawn(process.execPath, [join(import.meta.dirname, 'crash-child.ts')], {
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      const index = [...share.index].map(([path, stat]) => [
        path,
        JSON.stringify(stat, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
      ]);
      child.stdin.end(JSON.stringify({ root: share.root, at, index }));
      const [, by] = await once(child, 'exit');
      assert.is(by, 'SIGKILL', `call ${at} was reached`);
      checkNothingTorn(share, localsOf);
      await share.restart(fs);
      await recovered(share);
      checkEnd(share);
    } finally {
      await share.close();
    }
  }
});

test('after another boot only what hashes right is put in place, and the rest is named', async () => {
  const sealed = await sealingCall();
  const share = await openShare({ calls: fs, boot: 'before' });
  await prepared(share);
  const cut = cutAfter(sealed + 1);
  await share.restart(cut.calls);
  await share.committer
    .commit(share.inputOf(treeOf(newTree(share.library)), { whole: true }), { signal })
    .catch(() => undefined);
  const journal = fs.readFileSync(join(share.root, '.p2psync/journal'), 'utf8');
  assert.ok(cut.dead() && journal.includes('"before"'));
  const staged = fs.readdirSync(join(share.root, '.p2psync/stage')).filter((name) => name.length === 64);
  assert.ok(staged.length > 2, 'little of it was put in place yet');
  // Of some the bytes never reached the disk, of others not even the size.
  for (const [at, name] of staged.entries()) {
    const file = join(share.root, '.p2psync/stage', name);
    if (at % 2 === 0) fs.truncateSync(file, 0);
    else fs.writeFileSync(file, Buffer.alloc(fs.statSync(file).size));
  }

  const next = await openShare({ calls: fs, boot: 'after', root: share.root });
  const { finished, rehash, rehashAll } = await next.committer.recover(() => false);
  assert.not(rehashAll);
  for (const entry of newTree(share.library)) {
    if (entry.kind === 'file' && entry.path.startsWith('new'))
      assert.ok(rehash.includes(entry.path), entry.path);
  }
  assert.ok(finished !== null);
  checkNothingTorn(share, localsOf);
  await next.committer.settle();
  // Until it is durable, every start names it again.
  const third = await openShare({ calls: fs, boot: 'after', root: share.root });
  assert.equal([...(await third.committer.recover(() => false)).rehash].sort(), [...rehash].sort());
  await third.committer.durable({ signal });
  assert.equal((await third.committer.recover(() => false)).rehash, []);
  for (const one of [third, next, share]) await one.close();
});

test('files of a directory that was renamed before they were durable are named by their new paths', async () => {
  const share = await openShare({ calls: fs, boot: 'before' });
  await share.apply([directory('old'), share.library.file('old/f', 'perhaps not durable')]);
  await share.apply([directory('new'), share.library.file('new/f', 'perhaps not durable')], { whole: true });
  const next = await openShare({ calls: fs, boot: 'after', root: share.root });
  const { rehash } = await next.committer.recover(() => false);
  assert.ok(rehash.includes('new/f' as SharePath), rehash.join());
  await next.committer.durable({ signal });
  assert.equal((await next.committer.recover(() => false)).rehash, []);
  for (const one of [next, share]) await one.close();
});

test('a journal that did not survive the power cut makes everything suspect', async () => {
  const share = await openShare({ calls: fs });
  await share.apply([share.library.file('a', bigBytes(1))]);
  const [name] = fs.readdirSync(join(share.root, '.p2psync/undurable'));
  fs.truncateSync(join(share.root, '.p2psync/undurable', name ?? ''), 100);
  await share.restart();
  assert.ok((await share.committer.recover(() => false)).rehashAll);
  await share.close();
});

test.run();
