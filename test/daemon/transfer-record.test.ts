/** What a change becomes in the transfer log. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { transferPeersMax } from '../../agent/base/limits.ts';
import type { DirectoryEntry, Entry, HardlinkEntry, SymlinkEntry } from '../../agent/core/entry.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { parseRecord, type RecordContext, recordOf } from '../../agent/daemon/transfer-record.ts';
import { fileAt } from '../core/trees.ts';

const file = fileAt('a/b');
const { owner, mtimeUs } = file;
const directory: DirectoryEntry = { kind: 'directory', path: 'a' as SharePath, mode: 0o755, owner, mtimeUs };
const link: SymlinkEntry = { kind: 'symlink', path: 'l' as SharePath, owner, mtimeUs, target: 'ä' };
const hard: HardlinkEntry = { kind: 'hardlink', path: 'h' as SharePath, target: 'a/b' as SharePath };
const ana = { peer: 'ana-id', name: 'ana', address: '192.0.2.1', bytes: 60 };

const context: RecordContext = {
  time: '2026-11-21T09:30:15.250Z',
  pid: 7,
  op: 'recv',
  share: 'www',
  version: '1.2',
  stat: undefined,
  from: [],
};

function change(before: Entry | null, after: Entry | null, about: Partial<RecordContext> = {}): string {
  const path = (after ?? before)?.path ?? file.path;
  return recordOf({ path, before, after }, { ...context, ...about }).change;
}

const came = { from: [ana] };
const sent = { op: 'send' as const };
/** As rsync itemizes, with what only p2psync knows: whether the contents of a file differ. */
const items: readonly (readonly [string, string, string])[] = [
  ['a new file that came', change(null, file, came), '>f+++++++++'],
  ['a new file whose bytes were here', change(null, file), 'cf+++++++++'],
  ['a new directory', change(null, directory), 'cd+++++++++'],
  ['a new symlink', change(null, link), 'cL+++++++++'],
  ['a new hard link', change(null, hard), 'hf+++++++++'],
  ['a file in place of a symlink', change({ ...link, path: file.path }, file, came), '>f+++++++++'],
  ['other bytes and time', change(file, fileAt('a/b', 2), came), '>fc.t......'],
  ['another size', change(file, { ...fileAt('a/b', 2, 99), mtimeUs }, came), '>fcs.......'],
  ['another time', change(file, { ...file, mtimeUs: 1 }), '.f..t......'],
  ['another mode', change(file, { ...file, mode: 0o600 }), '.f...p.....'],
  ['another owner', change(file, { ...file, owner: { ...owner, uid: 5 } }), '.f....o....'],
  ['another group', change(file, { ...file, owner: { ...owner, group: 'x' } }), '.f.....g...'],
  ["a symlink's other target", change(link, { ...link, target: 'x' }), 'cLc........'],
  ["a directory's time", change(directory, { ...directory, mtimeUs: 1 }), '.d..t......'],
  ['what was put right', change(file, file, came), '>f?????????'],
  ['what was put right from here', change(file, { ...file }), 'cf?????????'],
  ['a published file', change(null, file, sent), '<f+++++++++'],
  ['published bytes', change(file, fileAt('a/b', 2), sent), '<fc.t......'],
  ['a published mode', change(file, { ...file, mode: 0o600 }, sent), '.f...p.....'],
  ['what went', change(file, null), '*deleting  '],
];
for (const [what, found, expected] of items) {
  test(`${what} is ${expected}`, () => assert.is(found, expected));
}

test('a record names who sent most first, sums up the bytes and says what rsyncd says', () => {
  const many = Array.from({ length: transferPeersMax + 3 }, (_, at) => ({
    ...ana,
    name: `p${at}`,
    bytes: at,
  }));
  const record = recordOf({ path: file.path, before: null, after: file }, { ...context, from: many });
  assert.equal(
    record.from.map(({ name }) => name),
    ['p6', 'p5', 'p4', 'p3'],
  );
  assert.is(record.bytes, 21);
  assert.is(record.sum, file.content.kind === 'block' ? file.content.digest : '');
  assert.equal([record.size, record.mode, record.uid, record.mtimeUs], [100, 0o644, 0, mtimeUs]);
  const symlink = recordOf({ path: link.path, before: null, after: link }, context);
  assert.equal([symlink.size, symlink.link, symlink.mode], [2, 'ä', 0o777]);
  const gone = recordOf({ path: file.path, before: file, after: null }, context);
  assert.equal([gone.op, gone.size, gone.mode, gone.mtimeUs, gone.kind], ['del.', 0, 0o644, 0, 'file']);
});

test('a line is read back as it was, and what is no line of ours is not', () => {
  const record = recordOf({ path: file.path, before: null, after: file }, { ...context, from: [ana] });
  assert.equal(parseRecord(JSON.stringify(record)), record);
  for (const line of ['', '{', 'null', '[]', '{}', JSON.stringify(record).slice(0, -9), '{"time":1}'])
    assert.is(parseRecord(line), undefined, line);
});

test.run();
