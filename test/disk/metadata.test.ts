/** `metadata.ts`: times to the microsecond, owners and modes as the share wants them. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { FileEntry } from '../../agent/core/entry.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { mtimeUsOf } from '../../agent/core/stat.ts';
import { type Confined, openConfined } from '../../agent/disk/confined.ts';
import { applyMetadata, metadataFor, timeText } from '../../agent/disk/metadata.ts';

const test = suite<{ root: string; confined: Confined }>('metadata');
test.before.each((context) => {
  context.root = fs.mkdtempSync(join(tmpdir(), 'metadata-'));
  context.confined = openConfined(context.root);
  fs.writeFileSync(join(context.root, 'f'), '');
  fs.symlinkSync('nowhere', join(context.root, 'l'));
});
test.after.each(({ root, confined }) => {
  confined.forget();
  fs.rmSync(root, { recursive: true });
});

const secondsOf = (year: number) => Date.UTC(year, 0, 1) / 1000;

test('writes a time as text that names its microsecond', () => {
  assert.is(timeText(0), '0.0000005');
  assert.is(timeText(1), '0.0000015');
  assert.is(timeText(1_600_000_000_123_456), '1600000000.1234565');
  assert.is(timeText(-1), '-0.0000005');
  assert.is(timeText(-1_500_000), '-1.4999995');
});

test('a time that was set reads back as the same microsecond from 1902 to 2242', ({ confined }) => {
  fc.assert(
    fc.property(
      fc.integer({ min: secondsOf(1902) * 1e6, max: secondsOf(2242) * 1e6 }),
      fc.constantFrom('f', 'l'),
      (mtimeUs, at) => {
        confined.setTime(at, timeText(mtimeUs));
        const stat = confined.lstat(at);
        assert.is(stat === null ? null : mtimeUsOf(stat), mtimeUs);
      },
    ),
    { numRuns: 2000 },
  );
});

test('later times, where a double has no microseconds, are off by less than two', ({ confined }) => {
  const mtimeUs = Number.MAX_SAFE_INTEGER - 1;
  confined.setTime('f', timeText(mtimeUs));
  const stat = confined.lstat('f');
  assert.ok(stat !== null && Math.abs(Number(stat.mtimeNs / 1000n) - mtimeUs) < 2);
});

const entry: FileEntry = {
  kind: 'file',
  path: 'f' as SharePath,
  mode: 0o6755,
  owner: { uid: 1234, gid: 2345, user: '', group: '' },
  mtimeUs: 7,
  size: 0,
  sparse: false,
  content: { kind: 'empty' },
};
const owners = { idsOf: ({ uid, gid }: { uid: number; gid: number }) => ({ uid, gid }) };

test('follows the writer, or the umask and what was there', () => {
  const all = { owner: 'numeric', perms: true, times: true } as const;
  const context = { options: all, owners, umask: 0o027, replaced: null };
  assert.equal(metadataFor(entry, context), { uid: 1234, gid: 2345, mode: 0o6755, mtime: '0.0000075' });
  const none = { owner: 'off', perms: false, times: false } as const;
  assert.equal(metadataFor(entry, { ...context, options: none, owners: { idsOf: () => null } }), {
    uid: null,
    gid: null,
    mode: 0o750,
    mtime: null,
  });
});

test('setuid survives a change of owner', ({ confined }) => {
  if (process.getuid?.() !== 0) return;
  const metadata = { uid: 1234, gid: 2345, mode: 0o6755, mtime: null };
  const current = confined.lstat('f');
  assert.ok(current !== null);
  applyMetadata(confined, 'f', metadata, current);
  const stat = confined.lstat('f');
  assert.equal([stat?.uid, stat?.gid, stat?.mode], [1234, 2345, 0o6755]);
});

test.run();
