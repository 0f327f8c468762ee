/** `journal.ts` and `kept.ts`: what is written is read back, what is cut short is known as such, nothing kept is overwritten. */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { SharePath } from '../../agent/core/path.ts';
import { ensureDirectories, journalPath } from '../../agent/disk/agent-paths.ts';
import { type Confined, openConfined } from '../../agent/disk/confined.ts';
import { readJournal, writeJournal } from '../../agent/disk/journal.ts';
import { createKeeper, keptTime } from '../../agent/disk/kept.ts';
import type { Work } from '../../agent/disk/work.ts';
import { lstat } from './share.ts';

const test = suite<{ root: string; confined: Confined }>('journal');
test.before.each((context) => {
  context.root = fs.mkdtempSync(join(tmpdir(), 'journal-'));
  context.confined = openConfined(context.root);
  ensureDirectories(context.confined);
});
test.after.each(({ root, confined }) => {
  confined.forget();
  fs.rmSync(root, { recursive: true });
});

function works(root: string, count: number): Work[] {
  const expected = lstat(root, '.p2psync');
  assert.ok(expected !== null);
  return Array.from({ length: count }, (_, at): Work => {
    const path = `${'\u{1F600}\n"'.repeat(20)}${at}` as SharePath;
    return {
      kind: 'place',
      path,
      expected,
      check: 'strict',
      staged: 's',
      ino: 2n ** 63n,
      size: 1,
      mtimeNs: -5n,
      whole: null,
    };
  });
}
const head = { boot: 'b', tag: 't "\n' };

test('reads back what was written, over many pages', ({ root, confined }) => {
  const journal = { head, works: works(root, 10_000) };
  writeJournal(confined, journalPath, journal, { sync: true });
  assert.equal(readJournal(confined, journalPath), journal);
});

test('knows a journal that was cut anywhere, or is full of zeros', ({ root, confined }) => {
  assert.is(readJournal(confined, journalPath), null);
  writeJournal(confined, journalPath, { head, works: works(root, 3) }, { sync: false });
  const file = join(root, journalPath);
  const whole = fs.readFileSync(file);
  for (let length = whole.length - 1; length >= 0; length -= 37) {
    fs.truncateSync(file, length);
    assert.is(readJournal(confined, journalPath), 'damaged', `${length} of ${whole.length} bytes`);
  }
  fs.writeFileSync(file, new Uint8Array(whole.length));
  assert.is(readJournal(confined, journalPath), 'damaged');
});

test('keeps every version of a path, also where a file and a directory had one name', ({
  root,
  confined,
}) => {
  const keeper = createKeeper(confined, keptTime(Date.UTC(2026, 10, 21, 10, 5, 33)));
  const keep = (content: string, path: string) => {
    fs.writeFileSync(join(root, 'local'), content);
    return keeper.keep('local', path);
  };
  const places = [keep('1', 'a'), keep('2', 'a'), keep('3', 'a/b'), keep('4', 'a/b'), keep('5', 'c/d/e')];
  assert.equal(places, [
    '.p2psync/kept/2026-11-21T10-05-33Z/a',
    '.p2psync/kept/2026-11-21T10-05-33Z-2/a',
    '.p2psync/kept/2026-11-21T10-05-33Z-3/a/b',
    '.p2psync/kept/2026-11-21T10-05-33Z-4/a/b',
    '.p2psync/kept/2026-11-21T10-05-33Z/c/d/e',
  ]);
  assert.equal(
    places.map((place) => fs.readFileSync(join(root, place), 'utf8')),
    ['1', '2', '3', '4', '5'],
  );
});

test.run();
