/** The committer where the machine says no: a full disk, and rights that the agent does not have. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { bigBytes } from './crash.ts';
import { openShare, type Share, treeOf } from './share.ts';

const isRoot = process.getuid?.() === 0;
const signal = new AbortController().signal;
const noise = (seed: number, length: number) => Buffer.alloc(length, digestOf(Buffer.from(String(seed))));

async function isFull(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    assert.ok(hasCode(error, 'disk-full'), String(error));
    return;
  }
  assert.unreachable('there was room');
}

/** System calls of a disk that has no room left while `full.now`. */
function fullDisk(): { calls: typeof fs; full: { now: boolean } } {
  const full = { now: false };
  const calls = new Proxy(fs, {
    get(target, name: keyof typeof fs) {
      const call: unknown = Reflect.get(target, name);
      if (name !== 'writeSync' || typeof call !== 'function') return call;
      return (...values: unknown[]) => {
        if (full.now) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        return Reflect.apply(call, target, values);
      };
    },
  });
  return { calls, full };
}

async function checkFull(share: Share, setFull: (full: boolean) => void): Promise<void> {
  const { library } = share;
  const before = [library.file('a', 'old'), library.file('big', bigBytes(1))];
  assert.equal((await share.apply(before)).failed, []);
  const after = [
    library.file('a', noise(1, 60_000)),
    library.file('b', noise(2, 60_000)),
    library.file('c', noise(1, 60_000)),
  ];
  setFull(true);
  await isFull(() => share.apply(after));
  for (const { content } of after) {
    if (content.kind === 'block') assert.not(share.stage.has(content.digest), 'nothing is half staged');
  }
  share.check(before);
  setFull(false);
  await share.stageFor(treeOf(after));
  setFull(true);
  // One of the two that want the same bytes is a copy, which finds no room.
  await isFull(() => share.committer.commit(share.inputOf(treeOf(after)), { signal }));
  share.check(before);
  assert.not(fs.existsSync(join(share.root, '.p2psync/journal')));
  setFull(false);
  assert.equal((await share.apply(after, { fetch: false })).failed, []);
  share.check(after);
}

test('a full disk leaves the old files, says so, and goes on once there is room', async () => {
  const { calls, full } = fullDisk();
  const share = await openShare({ calls });
  await checkFull(share, (now) => {
    full.now = now;
  });
  await share.close();
});

test('a file system of two megabytes that is really full does the same', async () => {
  const mounted = isRoot && mount();
  if (typeof mounted !== 'string') return;
  try {
    const root = join(mounted, 'share');
    fs.mkdirSync(root);
    const share = await openShare({ root });
    await checkFull(share, (now) => {
      const filler = join(mounted, 'filler');
      if (!now) return fs.rmSync(filler, { force: true });
      const { bavail, bsize } = fs.statfsSync(mounted);
      fs.writeFileSync(filler, new Uint8Array(Math.max(0, (bavail - 2) * bsize)));
    });
    await share.close();
  } finally {
    execFileSync('umount', [mounted]);
    fs.rmdirSync(mounted);
  }
});

function mount(): string | undefined {
  const at = fs.mkdtempSync(join(tmpdir(), 'small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', at], { stdio: 'ignore' });
    return at;
  } catch {
    // A container without the right to mount: the test above has pretended it.
    fs.rmdirSync(at);
    return undefined;
  }
}

test('an agent that is not root writes in read-only directories of its own, and leaves owners be', async () => {
  const root = fs.mkdtempSync(join(tmpdir(), 'share-'));
  const who = isRoot ? { uid: 65534, gid: 65534 } : {};
  if (isRoot) fs.chownSync(root, 65534, 65534);
  const child = spawn(process.execPath, [join(import.meta.dirname, 'unprivileged-child.ts'), root], {
    ...who,
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  fs.rmSync(root, { recursive: true, force: true });
  assert.is(code, 0);
});

test('an agent that is not root and has four of its rights keeps owners, as OPERATING.md says to start it', async () => {
  if (!isRoot || !hasSetpriv()) return;
  const document = fs.readFileSync(join(import.meta.dirname, '../../docs/OPERATING.md'), 'utf8');
  const rights = /--inh-caps (\S+) --ambient-caps\s+(\S+) p2psync run/.exec(document);
  assert.is(rights?.[1], rights?.[2]);
  const caps = rights?.[1] ?? '';
  const root = fs.mkdtempSync(join(tmpdir(), 'share-'));
  fs.chownSync(root, 65_534, 65_534);
  const as = [
    '--reuid',
    '65534',
    '--regid',
    '65534',
    '--clear-groups',
    '--inh-caps',
    caps,
    '--ambient-caps',
    caps,
  ];
  const run = [process.execPath, join(import.meta.dirname, 'capable-child.ts'), root];
  const child = spawn('setpriv', [...as, ...run], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  fs.rmSync(root, { recursive: true, force: true });
  assert.is(code, 0);
});

function hasSetpriv(): boolean {
  try {
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    // A system without util-linux.
    return false;
  }
}

test.run();
