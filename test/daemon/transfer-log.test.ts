/** The file of the transfer log: in the background, in batches, through rotation, and never in anybody's way. */
import { appendFile, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { transferPendingMax, transferSliceLines } from '../../agent/base/limits.ts';
import { createLineFile } from '../../agent/daemon/line-file.ts';
import { createTransferLog } from '../../agent/daemon/transfer-log.ts';
import { parseRecord, type TransferRecord } from '../../agent/daemon/transfer-record.ts';
import { withDirectory } from './directory.ts';

const record = (path: string): TransferRecord => ({
  time: '2026-11-21T09:30:15.250Z',
  pid: 1,
  op: 'recv',
  share: 'www',
  version: '1.1',
  path,
  kind: 'file',
  size: 1,
  mode: 0,
  uid: 0,
  gid: 0,
  mtimeUs: 0,
  change: '>f+++++++++',
  bytes: 1,
  from: [],
});
const job = (...paths: readonly string[]) => ({ size: paths.length, records: () => paths.map(record) });

async function pathsIn(file: string): Promise<readonly (string | undefined)[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => parseRecord(line)?.path);
}

test('lines are made and written later, all of them before it closes', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'transfer.log');
    const log = createTransferLog({ path });
    let made = 0;
    const many = Array.from({ length: 3 * transferSliceLines }, (_, at) => `many ${at}`);
    log.add({
      size: many.length,
      *records() {
        for (const one of many) {
          made += 1;
          yield record(one);
        }
      },
    });
    log.add(job('last'));
    assert.is(made, 0, 'nothing is done while somebody waits');
    await log.close();
    assert.equal(await pathsIn(path), [...many, 'last']);
    assert.is(log.warning(), null);
  });
});

test('a log that was moved away is begun anew, one that was emptied is written from its start', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'transfer.log');
    const file = createLineFile(path);
    await file.append('one\n');
    await rename(path, `${path}.1`);
    await file.append('two\n');
    file.reopen();
    await file.append('three\n');
    await truncate(path);
    await file.append('four\n');
    await file.close();
    assert.is(await readFile(`${path}.1`, 'utf8'), 'one\ntwo\n');
    assert.is(await readFile(path, 'utf8'), 'four\n');
  });
});

test('after half a line, of a crash, a new line begins', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'transfer.log');
    await writeFile(path, `${JSON.stringify(record('one'))}\n{"half`);
    const log = createTransferLog({ path });
    log.add(job('two'));
    await log.close();
    assert.equal(await pathsIn(path), ['one', undefined, 'two']);
  });
});

test('a full disk costs lines, which are counted, and nothing else', async () => {
  const log = createTransferLog({ path: '/dev/full' });
  log.add(job('a', 'b', 'c'));
  await log.close();
  const warning = log.warning();
  assert.equal([warning?.code, warning?.count], ['transfer-log', 3]);
  assert.match(warning?.message ?? '', 'ENOSPC');
});

test('when the disk has space again the log goes on', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'transfer.log');
    const inner = createLineFile(path);
    let isFull = true;
    const file = {
      ...inner,
      async append(text: string) {
        if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
        await inner.append(text);
      },
    };
    const log = createTransferLog({ path, file });
    const written = new Promise<void>((resolve) => {
      log.add({
        size: 1,
        *records() {
          yield record('lost');
          setImmediate(resolve);
        },
      });
    });
    await written;
    isFull = false;
    log.add(job('kept'));
    await log.close();
    assert.equal(await pathsIn(path), ['kept']);
    assert.is(log.warning()?.count, 1);
  });
});

test('a tree that cannot be read any more costs its lines, not the next', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'transfer.log');
    const log = createTransferLog({ path });
    log.add({
      size: 1,
      *records() {
        yield record('before');
        throw new Error('page is missing');
      },
    });
    log.add(job('next'));
    await log.close();
    assert.equal(await pathsIn(path), ['before', 'next']);
    assert.match(log.warning()?.message ?? '', 'page is missing');
  });
});

test('what waits is bounded, and what is beyond is counted', async () => {
  await withDirectory(async (top) => {
    const path = join(top, 'transfer.log');
    const log = createTransferLog({ path });
    log.add({ size: transferPendingMax, records: () => [record('fits')] });
    log.add(job('one', 'too many'));
    await log.close();
    await appendFile(path, '');
    assert.equal(await pathsIn(path), ['fits']);
    assert.is(log.warning()?.count, 2);
  });
});

test.run();
