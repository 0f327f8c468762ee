/** Reading logs while they are written: rotation, truncation, lines that are no lines. */
import { appendFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { logLineBytesMax } from '../../agent/base/limits.ts';
import { tailLines } from '../../agent/daemon/tail.ts';
import { withDirectory } from './directory.ts';

async function allLines(path: string): Promise<string[]> {
  const found: string[] = [];
  const { signal } = new AbortController();
  for await (const line of tailLines(path, { follow: false, signal })) found.push(line);
  return found;
}

test('whole lines are given, half a one and one that is far too long are not', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'log');
    assert.equal(await allLines(path), []);
    await writeFile(path, `one\n\n${'x'.repeat(3 * logLineBytesMax)}\ntwö\nhalf`);
    assert.equal(await allLines(path), ['one', 'twö']);
  });
});

test('a line that is longer than what is read at once is whole', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'log');
    const long = 'ä'.repeat(logLineBytesMax / 2 - 10);
    await writeFile(path, `first\n${long}\n${long}\n`);
    assert.equal(await allLines(path), ['first', long, long]);
  });
});

test('a log that cannot be read is told', async () => {
  await withDirectory(async (top) => {
    try {
      await allLines(join(top, 'x'.repeat(300)));
      assert.unreachable();
    } catch (error) {
      assert.ok(hasCode(error, 'io'), String(error));
    }
  });
});

test('following goes on through a file that appears, is moved away and is emptied', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'log');
    const stop = new AbortController();
    const lines = tailLines(path, { follow: true, signal: stop.signal });
    const next = async (): Promise<string | undefined> => (await lines.next()).value as string | undefined;

    const first = next();
    await writeFile(path, 'one\ntwo\n');
    assert.is(await first, 'one');
    assert.is(await next(), 'two');

    const third = next();
    await appendFile(path, 'thr');
    await appendFile(path, 'ee\n');
    assert.is(await third, 'three');

    // logrotate: the name goes to an empty file, the agent writes one more line into the old one before it hears of it.
    const old = `${path}.1`;
    const fourth = next();
    await rename(path, old);
    await writeFile(path, '');
    await appendFile(old, 'four\n');
    assert.is(await fourth, 'four');
    const fifth = next();
    await appendFile(path, 'five\n');
    assert.is(await fifth, 'five');

    // copytruncate
    const sixth = next();
    await truncate(path);
    await appendFile(path, '6\n');
    assert.is(await sixth, '6');

    const last = next();
    stop.abort();
    assert.is(await last, undefined);
  });
});

test.run();
