import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rsyncdBytesMax } from '../../agent/base/limits.ts';
import { execute } from '../../agent/cli/execute.ts';
import { parseConfig } from '../../agent/daemon/config.ts';
import { createFakeTerminal } from './fake-terminal.ts';

type Outcome = { readonly code: number; readonly out: string; readonly err: string };

/** Runs `import-rsyncd` with these words in a directory that holds `files`; `closed.conf` may be read by nobody. */
async function run(words: readonly string[], files: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), 'p2psync-import-'));
  // Root reads everything, and so becomes somebody else.
  const isClosed = files['closed.conf'] !== undefined;
  const become = (user: number): void => {
    if (isClosed && process.getuid?.() === 0) process.seteuid?.(user);
  };
  try {
    await chmod(directory, 0o755);
    for (const [name, text] of Object.entries(files)) {
      await mkdir(join(directory, name, '..'), { recursive: true });
      await writeFile(join(directory, name), text);
    }
    if (isClosed) await chmod(join(directory, 'closed.conf'), 0o000);
    const terminal = createFakeTerminal({ cwd: directory, env: { TOP: '/data' } });
    become(65_534);
    const code = await execute(['import-rsyncd', ...words], terminal);
    return { code, out: terminal.out(), err: terminal.err() };
  } finally {
    become(0);
    await rm(directory, { recursive: true });
  }
}

const small = {
  'rsyncd.conf': 'use chroot = no\n&merge more.d\n[web]\npath = %TOP%/www\n',
  'more.d/a.inc': 'timeout = 600\n',
};

test('prints a configuration alone on standard output, and counts on the other what it does not have', async () => {
  const { code, out, err } = await run(['rsyncd.conf'], small);
  assert.is(code, 0);
  const parsed = parseConfig(out, null);
  assert.equal([parsed.shares[0]?.path, parsed.limits.idleTimeoutMs], ['/data/www', 600_000]);
  assert.match(out, '# rsyncd.conf:1: use chroot = no');
  assert.match(out, '# more.d/a.inc:1');
  assert.is(err, '5 lines, 1 of them without an equivalent: the comments say why\n');
  assert.is((await run(['rsyncd.conf', '--quiet'], small)).err, '');
});

test('with --json prints the same text and what became of each line', async () => {
  const { code, out, err } = await run(['rsyncd.conf', '--json'], small);
  assert.equal([code, err], [0, '']);
  const { config, notes } = JSON.parse(out) as { config: string; notes: Record<string, unknown>[] };
  assert.is(config, (await run(['rsyncd.conf'], small)).out);
  assert.equal(notes[0], {
    file: 'rsyncd.conf',
    line: 1,
    parameter: 'use chroot',
    value: 'no',
    module: null,
    outcome: 'explained',
    note: notes[0]?.['note'],
  });
  assert.equal(
    notes.map(({ file, line, parameter }) => `${String(file)}:${String(line)} ${String(parameter)}`),
    [
      'rsyncd.conf:1 use chroot',
      'rsyncd.conf:2 &merge',
      'rsyncd.conf:3 [web]',
      'rsyncd.conf:4 path',
      'more.d/a.inc:1 timeout',
    ],
  );
});

test('what cannot be read is told in one line, with exit code 1', async () => {
  const cases: readonly (readonly [string, string, Readonly<Record<string, string>>?])[] = [
    ['none.conf', 'there is no none.conf'],
    ['.', '. is a directory; name the file in it'],
    ['/dev/null', '/dev/null is not a file'],
    ['empty.conf', 'empty.conf has no module', { 'empty.conf': '' }],
    ['a.conf', 'a.conf:1: module web has no path', { 'a.conf': '[web]' }],
    ['a.conf', 'a.conf:1: [web has no closing bracket', { 'a.conf': '[web' }],
    ['a.conf', `larger than ${rsyncdBytesMax} bytes`, { 'a.conf': '#'.repeat(rsyncdBytesMax + 1) }],
    ['closed.conf', 'closed.conf cannot be read by this user', { 'closed.conf': '[a]\npath=/a\n' }],
  ];
  for (const [file, message, files] of cases) {
    const { code, out, err } = await run([file], files);
    assert.equal([code, out], [1, ''], file);
    assert.ok(err.startsWith('p2psync: ') && err.trim().split('\n').length === 1, err);
    assert.match(err, message);
  }
});

test('without a file, or with two, it is wrong usage', async () => {
  assert.match((await run([])).err, 'FILE is missing');
  assert.is((await run([])).code, 2);
  assert.is((await run(['a', 'b'])).code, 2);
});

test('its help names the file and an example', async () => {
  const { code, out } = await run(['--help']);
  assert.is(code, 0);
  assert.match(out, 'usage: p2psync import-rsyncd FILE');
});

test.run();
