import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { restlessMs, settleLongestMs, settleMs, settlePathsMax } from '../../agent/base/limits.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { DiskStat } from '../../agent/core/stat.ts';
import { createSettle, type SettleEffect, type SettleEvent, step } from '../../agent/disk/settle.ts';

const a = 'a' as SharePath;
const b = 'b' as SharePath;

function file(size: number, more: Partial<DiskStat> = {}): DiskStat {
  return {
    kind: 'file',
    dev: 1n,
    ino: 1n,
    nlink: 1,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    allocated: size,
    mtimeNs: 1n,
    ctimeNs: 1n,
    ...more,
  };
}

/** Runs the machine as its shell would: `disk` is what each path is at a time. @returns when each path was ready. */
function run(
  paths: readonly SharePath[],
  disk: (path: SharePath, nowMs: number) => DiskStat | null,
  untilMs: number,
) {
  const settle = createSettle();
  const ready: { path: SharePath; atMs: number; restless: boolean; stat: DiskStat | null }[] = [];
  let looks = 0;
  let wakeMs = Number.POSITIVE_INFINITY;
  const feed = (event: SettleEvent, nowMs: number): void => {
    for (const effect of step(settle, event, nowMs)) {
      if (effect.kind === 'wake') wakeMs = effect.atMs;
      if (effect.kind === 'ready')
        ready.push({ path: effect.path, atMs: nowMs, restless: effect.restless, stat: effect.stat });
      if (effect.kind === 'look') {
        for (const path of effect.paths) {
          looks += 1;
          feed({ kind: 'looked', path, stat: disk(path, nowMs) }, nowMs);
        }
      }
    }
  };
  for (let nowMs = 0; nowMs <= untilMs; nowMs += 1) {
    if (nowMs === 0) feed({ kind: 'dirty', paths }, nowMs);
    else if (nowMs >= wakeMs) {
      wakeMs = Number.POSITIVE_INFINITY;
      feed({ kind: 'tick' }, nowMs);
    }
  }
  return { ready, looks, pending: settle.pending.size };
}

test('two looks that agree make a file ready', () => {
  const { ready, looks, pending } = run([a], () => file(1), 1000);
  assert.equal(ready, [{ path: a, atMs: settleMs, restless: false, stat: file(1) }]);
  assert.is(looks, 2);
  assert.is(pending, 0);
});

test('a file that changed between the looks waits on', () => {
  const { ready } = run([a], (_, nowMs) => file(nowMs < 12 ? nowMs : 12), 1000);
  assert.is(ready.length, 1);
  assert.is(ready[0]?.stat?.size, 12);
  assert.is(ready[0]?.restless, false);
});

test('new bytes under the same size and mtime are seen by ctime', () => {
  const { ready } = run([a], (_, nowMs) => file(1, { ctimeNs: nowMs < 3 ? 1n : 2n }), 1000);
  assert.ok((ready[0]?.atMs ?? 0) > settleMs);
});

test('a deletion is ready when it is still gone at the second look', () => {
  assert.equal(run([a], () => null, 1000).ready, [{ path: a, atMs: settleMs, restless: false, stat: null }]);
});

test('a file that is put back between the looks was never gone', () => {
  const { ready } = run([a], (_, nowMs) => (nowMs < 2 ? null : file(1)), 1000);
  assert.equal(
    ready.map(({ stat }) => stat),
    [file(1)],
  );
});

test('directories and symlinks are ready at the first look', () => {
  const { ready } = run([a, b], (path) => file(0, { kind: path === a ? 'directory' : 'symlink' }), 10);
  assert.equal(
    ready.map(({ path, atMs }) => [path, atMs]),
    [
      [a, 0],
      [b, 0],
    ],
  );
});

test('a path that never rests is ready at intervals, and looked at ever less often', () => {
  const { ready, looks } = run([a], (_, nowMs) => file(nowMs), restlessMs + settleLongestMs);
  assert.is(ready.length, 1);
  assert.is(ready[0]?.restless, true);
  assert.ok((ready[0]?.atMs ?? 0) >= restlessMs);
  assert.ok(looks <= restlessMs / settleLongestMs + 10, `${looks} looks`);
});

test('one hot path holds up no other', () => {
  const { ready } = run([a, b], (path, nowMs) => file(path === a ? nowMs : 1), 100);
  assert.equal(
    ready.map(({ path, atMs }) => [path, atMs]),
    [[b, settleMs]],
  );
});

test('events on a waiting path cost no looks', () => {
  const settle = createSettle();
  step(settle, { kind: 'dirty', paths: [a] }, 0);
  step(settle, { kind: 'looked', path: a, stat: file(1) }, 0);
  for (let nowMs = 1; nowMs < settleMs; nowMs += 1) {
    assert.equal(step(settle, { kind: 'dirty', paths: [a] }, nowMs), []);
    assert.equal(step(settle, { kind: 'looked', path: a, stat: file(1) }, nowMs), []);
  }
});

test('a path whose look was never answered is asked about again', () => {
  const settle = createSettle();
  const look: SettleEffect[] = [{ kind: 'look', paths: [a] }];
  assert.equal(step(settle, { kind: 'dirty', paths: [a] }, 0), look);
  assert.equal(step(settle, { kind: 'dirty', paths: [a] }, 1), look);
});

test('over the bound nothing waits and nothing is lost', () => {
  const settle = createSettle();
  const many = Array.from({ length: settlePathsMax }, (_, at) => `p${at}` as SharePath);
  step(settle, { kind: 'dirty', paths: many }, 0);
  assert.is(settle.pending.size, settlePathsMax);
  assert.equal(step(settle, { kind: 'dirty', paths: [a] }, 0), [{ kind: 'look', paths: [a] }]);
  const effects = step(settle, { kind: 'looked', path: a, stat: file(1) }, 0);
  assert.equal(effects, [{ kind: 'ready', path: a, stat: file(1), restless: true }]);
  assert.is(settle.pending.size, settlePathsMax);
});

test('a look that nobody asked for counts as the first', () => {
  const settle = createSettle();
  assert.equal(step(settle, { kind: 'looked', path: a, stat: file(1) }, 0), [
    { kind: 'wake', atMs: settleMs },
  ]);
  assert.equal(step(settle, { kind: 'tick' }, settleMs), [{ kind: 'look', paths: [a] }]);
});

test.run();
