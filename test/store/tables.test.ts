/** The files of an index: how large they may become, and how full a table is. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { utf8 } from '../../agent/base/bytes.ts';
import { openTables } from '../../agent/store/tables.ts';

test('an index outgrows the addresses it took at first, while it is open and when it is opened again', async () => {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-tables-'));
  const mapBytes = 1024 * 1024;
  const value = (number: number): Buffer => Buffer.alloc(4_000, number);
  const key = (number: number): Uint8Array => utf8(`page ${number}`);
  try {
    for (const [from, to] of [
      [0, 1_000],
      [1_000, 2_000],
    ] as const) {
      const tables = openTables(directory, { readOnly: false, mapBytes });
      await tables.transact(() => {
        for (let number = from; number < to; number += 1) tables.pages.putSync(key(number), value(number));
      });
      for (let number = 0; number < to; number += 1)
        assert.ok(tables.pages.getBinary(key(number))?.equals(value(number)), `page ${number}`);
      await tables.close();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('how many values a table has is known as soon as they are written', async () => {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-tables-'));
  const tables = openTables(directory, { readOnly: false });
  const value = Buffer.of(1);
  try {
    assert.is(tables.count(tables.paths), 0);
    await tables.transact(() => ['a', 'a/b', 'c'].map((name) => tables.paths.putSync(utf8(name), value)));
    assert.is(tables.count(tables.paths), 3);
    await tables.transact(() => {
      tables.paths.removeSync(utf8('a/b'));
      tables.paths.putSync(utf8('c'), Buffer.of(2));
    });
    assert.is(tables.count(tables.paths), 2);
    await tables.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test.run();
