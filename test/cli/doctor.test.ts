import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Check } from '../../agent/cli/doctor/check.ts';
import { countDirectories } from '../../agent/cli/doctor/files.ts';
import { checkPort, listenHostPort } from '../../agent/cli/doctor/ports.ts';
import { checkClock, checkDescriptors, checkInotify, checkNode } from '../../agent/cli/doctor/system.ts';
import { execute } from '../../agent/cli/execute.ts';
import { createFakeTerminal } from './fake-terminal.ts';

async function withHome(check: (home: string, top: string) => Promise<void>): Promise<void> {
  const top = await mkdtemp(join(tmpdir(), 'p2psync-doctor-'));
  const home = join(top, 'home');
  await mkdir(home, { mode: 0o700 });
  await mkdir(join(top, 'www/a/b'), { recursive: true });
  try {
    await check(home, top);
  } finally {
    await rm(top, { recursive: true });
  }
}

async function examine(
  home: string,
): Promise<{ code: number; of: (name: string) => Check | undefined; out: string }> {
  const terminal = createFakeTerminal({ uid: process.getuid?.() ?? 0 });
  const code = await execute(['doctor', '--json', '--home', home], terminal);
  const { checks, ok }: { checks: Check[]; ok: boolean } = JSON.parse(terminal.out());
  assert.is(ok, code === 0);
  return { code, of: (name) => checks.find(({ check }) => check === name), out: terminal.out() };
}

const quietConfig = 'listen = ["127.0.0.1:0"]\n[http]\nlisten = "off"\n';

test('a home as init leaves it is healthy', async () => {
  await withHome(async (home, top) => {
    await writeFile(
      join(home, 'config.toml'),
      `${quietConfig}[[share]]\nname = "www"\npath = "${top}/www"\n`,
    );
    await writeFile(join(home, 'identity.key'), '', { mode: 0o600 });
    const { code, of, out } = await examine(home);
    assert.is(code, 0, out);
    for (const name of ['node', 'clock', 'home', 'identity', 'config', 'share-www']) {
      assert.is(of(name)?.state, 'ok', name);
    }
    assert.match(of('inotify-watches')?.message ?? '', 'for 3 directories');
  });
});

test('what others could read or use is told with the command that ends it', async () => {
  await withHome(async (home) => {
    await writeFile(join(home, 'config.toml'), quietConfig);
    await writeFile(join(home, 'identity.key'), '');
    await chmod(join(home, 'identity.key'), 0o640);
    await chmod(home, 0o755);
    const { code, of } = await examine(home);
    assert.is(code, 1);
    assert.is(of('identity')?.state, 'fail');
    assert.match(of('identity')?.remedy ?? '', /^chmod 600 .*identity\.key$/);
    assert.is(of('home')?.state, 'warn');
  });
});

test('a configuration or a directory that is wrong fails, and the rest is still looked at', async () => {
  await withHome(async (home, top) => {
    await writeFile(join(home, 'config.toml'), 'lisen = []\n');
    const broken = await examine(home);
    assert.is(broken.code, 1);
    assert.match(broken.of('config')?.message ?? '', 'config.toml:1: unknown key lisen');
    assert.is(broken.of('descriptors') === undefined, false);
    await writeFile(
      join(home, 'config.toml'),
      `${quietConfig}[[share]]\nname = "www"\npath = "${top}/none"\n`,
    );
    assert.match((await examine(home)).of('share-www')?.message ?? '', 'is not there');
  });
});

test('a person reads one line for each thing, and --quiet leaves the good ones out', async () => {
  await withHome(async (home) => {
    await writeFile(join(home, 'config.toml'), 'lisen = []\n');
    const terminal = createFakeTerminal();
    await execute(['doctor', '--quiet', '--home', home], terminal);
    for (const line of terminal.out().trim().split('\n'))
      assert.match(line, /^(warn|fail) +\S+: .*; type or do: /);
  });
});

test('a taken port fails, unless it is our own agent that holds it', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const taken = { host: '127.0.0.1', port };
  assert.is((await checkPort('http', taken, false)).state, 'fail');
  assert.is((await checkPort('http', taken, true)).state, 'ok');
  await new Promise((resolve) => server.close(resolve));
  assert.match((await checkPort('http', taken, false)).message, 'is free');
  assert.is((await checkPort('http', { host: '192.0.2.1', port }, false)).state, 'fail');
  assert.equal(listenHostPort('/ip6/::1/tcp/8873'), { host: '::1', port: 8873 });
});

test('limits of the machine are compared with what an agent needs', () => {
  assert.equal(
    ['26.10.0', '22.22.0', '22.21.9', '20.20.2'].map((version) => checkNode(version).state),
    ['ok', 'ok', 'fail', 'fail'],
  );
  assert.is(checkClock(new Date('1970-01-02')).state, 'fail');
  const limits = (soft: string): string =>
    `Limit  Soft  Hard  Units\nMax open files            ${soft}       524288     files\n`;
  assert.equal(
    [limits('1024'), limits('8192'), limits('unlimited'), undefined].map(
      (text) => checkDescriptors(text).state,
    ),
    ['warn', 'ok', 'ok', 'warn'],
  );
  const inotify = (watches: string, count: number): string | undefined =>
    checkInotify({ watches, instances: '128' }, { count, isComplete: true })[0]?.state;
  assert.equal(
    [inotify('8192\n', 100), inotify('8192\n', 5000), inotify('8192\n', 9000)],
    ['ok', 'warn', 'fail'],
  );
  const [few] = checkInotify({ watches: '8192', instances: '128' }, { count: 9000, isComplete: true });
  assert.match(few?.remedy ?? '', 'sysctl -w fs.inotify.max_user_watches=32768');
  assert.is(
    checkInotify({ watches: undefined, instances: undefined }, { count: 1, isComplete: true })[0]?.state,
    'warn',
  );
});

test('directories are counted without our own', async () => {
  await withHome(async (_home, top) => {
    await mkdir(join(top, 'www/.p2psync/kept'), { recursive: true });
    assert.equal(await countDirectories([join(top, 'www')]), { count: 3, isComplete: true });
  });
});

test.run();
