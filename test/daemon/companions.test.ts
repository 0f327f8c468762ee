/** A directory's time is told with what came or went in it: one version, and not one before it. */
import { mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { companionPathsMax, companionWaitMs } from '../../agent/base/limits.ts';
import type { SharePath } from '../../agent/core/path.ts';
import type { DiskStat } from '../../agent/core/stat.ts';
import { createCompanions } from '../../agent/daemon/companions.ts';
import { statOf } from '../store/model.ts';
import { withWriterShare } from './writer-share.ts';

const path = (text: string) => text as SharePath;
const stat = (mtimeNs: bigint, fields: Partial<DiskStat> = {}) =>
  statOf({ kind: 'directory', ino: 7n, mtimeNs, ...fields });
const found = (at: string, fields: Partial<DiskStat> = {}) => ({ path: path(at), stat: stat(2n, fields) });
const pendingOf = (...paths: string[]) => new Map(paths.map((one) => [path(one), { looking: false }]));
const except = new Set<SharePath>();
/** The index knows every directory but `new`, as it was before. */
const create = () => createCompanions((at) => (at === 'new' ? undefined : stat(1n)));
const paths = (some: readonly { readonly path: SharePath }[]): string[] => some.map((one) => one.path);

test('a known directory waits for what comes to rest in it, and is looked at again then', () => {
  const companions = create();
  const pending = pendingOf('d/f', 'new/f', 'same/f', 'replaced/f');
  const ready = [
    found('d'),
    found('other'),
    found('new'),
    found('same', { mtimeNs: 1n }),
    found('replaced', { ino: 8n }),
  ];
  assert.equal(paths(companions.hold(ready, { pending, except }, 0)), ['other', 'new', 'same', 'replaced']);
  assert.equal(companions.due(pending, 5), []);
  assert.equal(companions.due(pendingOf('new/f'), 6), ['d']);
  assert.equal(companions.due(pendingOf(), 7), []);
});

test('no longer than so long, however often it is looked at meanwhile', () => {
  const companions = create();
  const pending = pendingOf('d/f');
  for (let nowMs = 0; nowMs < companionWaitMs; nowMs += 1) {
    assert.equal(companions.hold([found('d')], { pending, except }, nowMs), []);
    assert.equal(companions.due(pending, nowMs), []);
  }
  assert.equal(companions.due(pending, companionWaitMs), ['d']);
});

test('not where very much is under way, nor for what is told in another way, nor for what nobody can look at', () => {
  const many = pendingOf(...Array.from({ length: companionPathsMax + 1 }, (_, at) => `d/${at}`));
  const one = (pending: Map<SharePath, { looking: boolean }>, told: ReadonlySet<SharePath>): number =>
    create().hold([found('d')], { pending, except: told }, 0).length;
  assert.is(one(many, except), 1);
  assert.is(one(pendingOf('d/from'), new Set([path('d/from')])), 1);
  assert.is(one(new Map([[path('d/f'), { looking: true }]]), except), 1);
  assert.is(one(pendingOf('d/f'), except), 0);
});

for (const [what, act] of [
  ['comes', (at: string) => (writeFileSync(join(at, 'new'), 'new'), 'd/new')],
  ['goes', (at: string) => (unlinkSync(join(at, 'f')), 'd/f')],
  ['is replaced', (at: string) => (renameSync(join(at, '../spare'), join(at, 'f')), 'd/f')],
] as const) {
  test(`a file that ${what} is one version, with its directory's time`, () =>
    withWriterShare(async (share) => {
      mkdirSync(join(share.root, 'd'));
      writeFileSync(join(share.root, 'd/f'), 'f');
      writeFileSync(join(share.root, 'spare'), 'spare');
      await share.scan();
      const before = share.published.length;
      await share.touch(act(join(share.root, 'd')));
      assert.is(share.published.length, before + 1);
      await share.scan();
      assert.is(share.published.length, before + (what === 'is replaced' ? 2 : 1), 'nothing was missed');
    }));
}

test.run();
