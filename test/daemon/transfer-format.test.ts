/** The escapes of rsyncd.conf(5), "log format": a table, and where rsync is installed a real daemon's own lines. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { escapeText, formatTransfer, rsyncTime } from '../../agent/daemon/transfer-format.ts';
import type { TransferRecord } from '../../agent/daemon/transfer-record.ts';
import { until } from '../e2e/lib/mesh.ts';
import { freePort } from '../e2e/lib/ports.ts';
import { withDirectory } from './directory.ts';

const time = '2026-11-21T09:30:15.250Z';

const file: TransferRecord = {
  time,
  pid: 4242,
  op: 'recv',
  share: 'www',
  version: '1.7',
  path: 'css/site.css',
  kind: 'file',
  size: 1_234_567,
  mode: 0o644,
  uid: 33,
  gid: 34,
  mtimeUs: Date.parse(time) * 1000,
  change: '>f.st......',
  bytes: 4_096,
  from: [
    { peer: '12D3KooWana', name: 'ana', address: '192.0.2.7', bytes: 4_000 },
    { peer: '12D3KooWbo', name: 'bo', address: '192.0.2.8', bytes: 96 },
  ],
};
const link: TransferRecord = { ...file, path: 'now', kind: 'symlink', link: 'css', size: 3, mode: 0o777 };
const hard: TransferRecord = { ...file, path: 'more', link: 'css/site.css', kind: 'hardlink' };
const directory: TransferRecord = { ...file, path: 'css', kind: 'directory', size: 0, mode: 0o1777 };

const ports = { formatTime: rsyncTime, pathOf: (share: string) => `/data/${share}` };
const print = (record: TransferRecord, format: string): string => formatTransfer(record, format, ports);

const local = rsyncTime(Date.parse(time));
const blanks = ' '.repeat(64);
const table: readonly (readonly [format: string, record: TransferRecord, expected: string])[] = [
  ['%a', file, '192.0.2.7'],
  ['%a', { ...file, from: [] }, ''],
  ['%b', file, '4096'],
  ["%'b", file, '4,096'],
  ["%''b", file, '4.10K'],
  ["%'''b", file, '4.00K'],
  ["%'l", { ...file, size: 999 }, '999'],
  ["%''l", { ...file, size: 999 }, '999'],
  ["%''l", file, '1.23M'],
  ["%'''l", file, '1.18M'],
  ["%''l", { ...file, size: 5e15 }, '5.00P'],
  ["%12'l", file, '   1,234,567'],
  ["%'12l", file, '   1,234,567'],
  ['%B', file, 'rw-r--r--'],
  ['%B', directory, 'rwxrwxrwt'],
  ['%B', { ...file, mode: 0o7644 }, 'rwSr-Sr-T'],
  ['%B', { ...file, mode: 0o6755 }, 'rwsr-sr-x'],
  ['%c', file, '0'],
  ['%C', file, blanks],
  ['%C', { ...file, sum: 'ab12' }, 'ab12'],
  ['%f|%n', file, 'css/site.css|css/site.css'],
  ['%f|%n', directory, 'css|css/'],
  ['%G %U', file, '34 33'],
  ['%h', file, 'ana'],
  ['%h', { ...file, from: [] }, ''],
  ['%i', file, '>f.st......'],
  ['%l', file, '1234567'],
  ['[%L]', file, '[]'],
  ['[%L]', link, '[ -> css]'],
  ['[%L]', hard, '[ => css/site.css]'],
  ['[%10L]', file, `[${' '.repeat(14)}]`],
  ['[%10L]', link, '[ ->        css]'],
  ['[%-10L]', link, '[ -> css       ]'],
  ['%m', file, 'www'],
  ['%M', file, local.replace(' ', '-')],
  ['%o', file, 'recv'],
  ['%o', { ...file, op: 'del.' }, 'del.'],
  ['%p', file, '4242'],
  ['%07p', file, '0004242'],
  ['%07l', { ...file, size: 5 }, '      5'],
  ['%P', file, '/data/www'],
  ['%t', file, local],
  ['%u', file, '12D3KooWana'],
  ['%%', file, '%'],
  ['100%% %%f', file, '100% %f'],
  ['[%-15f]', file, '[css/site.css   ]'],
  ['[%15f]', file, '[   css/site.css]'],
  ['[%5f]', file, '[css/site.css]'],
  ['[%-6f]', { ...file, path: 'ä' }, '[ä    ]'],
  ['%z %', file, '%z %'],
  ['%f', { ...file, path: 'a\nb' }, 'a\\#012b'],
];
for (const [format, record, expected] of table) {
  test(`${format} of ${record.kind} ${record.path.slice(0, 9)} (${expected.trim().slice(0, 20)})`, () => {
    assert.is(print(record, format), expected);
  });
}

test('what a terminal might obey is written as octal bytes, and so is what looks like such an escape', () => {
  assert.is(escapeText('a\x1b[2Jb\x7f\u009b\u202e'), 'a\\#033[2Jb\\#177\\#302\\#233\\#342\\#200\\#256');
  assert.is(escapeText('b\\#123'), 'b\\#134#123');
  assert.is(escapeText('b\\#12 \\ # \t ä'), 'b\\#12 \\ # \t ä');
  assert.is(escapeText('half \ud800'), 'half \\#357\\#277\\#275');
});

const rsyncIsHere = ((): boolean => {
  try {
    execFileSync('rsync', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

/** Everything but who sent it, sizes of directories, checksums (rsync's are not SHA-256) and what the transfer cost. */
const comparable = "%o|%m|%f|%n|%i|%'l|%''l|%'''l|%12l|%-9f|%B|%U|%05G|%L|%8L|%M|%P|%%|%z";

async function rsyncLines(top: string, changes: readonly (() => void)[]): Promise<readonly string[]> {
  const port = await freePort();
  const log = join(top, 'log');
  mkdirSync(join(top, 'module'));
  writeFileSync(
    join(top, 'conf'),
    `port = ${port}\naddress = 127.0.0.1\nuse chroot = no\nmunge symlinks = no\nlog file = ${log}\n` +
      (process.getuid?.() === 0 ? 'uid = 0\ngid = 0\n' : '') +
      `[www]\npath = ${join(top, 'module')}\nread only = no\ntransfer logging = yes\nlog format = |${comparable}\n`,
  );
  const daemon: ChildProcess = spawn('rsync', ['--daemon', '--no-detach', `--config=${join(top, 'conf')}`], {
    stdio: 'ignore',
  });
  try {
    for (const change of changes) {
      change();
      await until('the rsync daemon takes the files', () => {
        try {
          const words = ['-aH', '--delete', `${join(top, 'source')}/`, `rsync://127.0.0.1:${port}/www/`];
          execFileSync('rsync', words, { stdio: 'ignore' });
          return true;
        } catch {
          return false;
        }
      });
    }
  } finally {
    daemon.kill();
    await once(daemon, 'exit');
  }
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes('] |'))
    .map((line) => line.slice(line.indexOf('] |') + 3))
    .filter((line) => !line.includes('|./|'));
}

test('a real rsync daemon writes the same lines', async () => {
  if (!rsyncIsHere) return;
  await withDirectory(async (top) => {
    const source = join(top, 'source');
    mkdirSync(source);
    const old = new Date('2024-02-29T12:34:56Z');
    const path = (name: string): string => join(source, name);
    const lines = await rsyncLines(top, [
      () => {
        writeFileSync(path('we\nird\\#123'), 'x'.repeat(1_234_567), { mode: 0o640 });
        utimesSync(path('we\nird\\#123'), old, old);
        symlinkSync('target', path('link'));
      },
      () => rmSync(path('link')),
    ]);
    const { uid, gid } = lstatSync(path('we\nird\\#123'));
    const base = { ...file, uid, gid, mtimeUs: old.getTime() * 1000, mode: 0o640 };
    const weird: TransferRecord = { ...base, path: 'we\nird\\#123', change: '>f+++++++++' };
    const gone: TransferRecord = {
      ...base,
      op: 'del.',
      kind: 'symlink',
      path: 'link',
      size: 0,
      mode: 0o777,
      uid: 0,
      gid: 0,
      mtimeUs: 0,
      change: '*deleting  ',
    };
    const ours = { ...ports, pathOf: () => join(top, 'module') };
    const find = (start: string): string | undefined => lines.find((line) => line.startsWith(start));
    assert.is(find('recv|www|we'), formatTransfer(weird, comparable, ours));
    assert.is(find('del.|www|link'), formatTransfer(gone, comparable, ours));
    const linked = find('recv|www|link') ?? '';
    assert.ok(linked.includes('|cL+++++++++|') && linked.includes('| -> target| ->   target|'), linked);
  });
});

test.run();
