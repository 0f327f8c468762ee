import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../agent/base/errors.ts';
import { openLog } from '../../agent/daemon/log.ts';
import { formatRecord } from '../../agent/daemon/log-format.ts';

const time = Date.UTC(2026, 10, 21, 9, 30, 15, 250);

test('a record is one line whatever strangers put into it', () => {
  const record = { level: 30, time, msg: 'block\nverified', peer: 'a\x1b[2J\u202e', path: 'two words', n: 3 };
  assert.is(
    formatRecord(record, false),
    '2026-11-21 09:30:15.250Z info  block\\nverified peer=a\\x1b[2J\\u202e path="two words" n=3\n',
  );
});

test('an expected failure is told in a sentence, a bug with its stack', () => {
  const stack = 'TypeError: x\n    at y';
  assert.match(
    formatRecord({ level: 50, time, msg: 'm', err: { type: 'TypeError', message: 'x', stack } }, false),
    '\n    at y',
  );
  assert.not.match(
    formatRecord({ level: 50, time, msg: 'm', err: { type: 'P2psyncError', message: 'x', stack } }, false),
    'at y',
  );
});

test('a log file that was moved away is opened anew', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'p2psync-log-'));
  const file = join(directory, 'agent.log');
  const sink = openLog({ level: 'info', format: 'json', file, color: false });
  sink.log.debug({}, 'below the level');
  sink.log.child({ share: 'www' }).info({ n: 1 }, 'first');
  await rename(file, `${file}.1`);
  sink.reopen();
  sink.log.warn({ err: new P2psyncError('io', 'no space') }, 'second');
  sink.close();
  const old = (await readFile(`${file}.1`, 'utf8')).trim().split('\n');
  const records = old.map((line) => JSON.parse(line));
  assert.equal(
    records.map(({ msg, share, n }) => ({ msg, share, n })),
    [{ msg: 'first', share: 'www', n: 1 }],
  );
  const second = JSON.parse(await readFile(file, 'utf8'));
  assert.equal([second.msg, second.err.message, second.err.code], ['second', 'no space', 'io']);
  await rm(directory, { recursive: true });
});

test('a log file in a directory that is not there is refused at once', () => {
  assert.throws(
    () =>
      openLog({
        level: 'info',
        format: 'json',
        file: join(tmpdir(), 'p2psync-none/x/agent.log'),
        color: false,
      }),
    (error: unknown) => error instanceof P2psyncError && error.code === 'io',
  );
});

test.run();
