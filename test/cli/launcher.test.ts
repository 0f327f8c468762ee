import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const launcher = join(import.meta.dirname, '../../scripts/p2psync');

type Outcome = { readonly code: number; readonly out: string; readonly err: string };

/** `path` is all that is on PATH besides the system's own tools. */
function launch(file: string, words: readonly string[], path = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = { PATH: path === '' ? '/usr/bin:/bin' : path };
    execFile(file, [...words], { env, timeout: 30_000 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

/** A package directory with the launcher in it, a fake node that prints what it was called with, and what else is named. */
async function withPackage(check: (directory: string) => Promise<void>): Promise<void> {
  const top = await mkdtemp(join(tmpdir(), 'p2psync-launcher-'));
  const directory = join(top, 'node_modules/p2psync');
  try {
    await mkdir(join(directory, 'scripts'), { recursive: true });
    await copyFile(launcher, join(directory, 'scripts/p2psync'));
    await check(directory);
  } finally {
    await rm(top, { recursive: true });
  }
}

async function makeNode(file: string, version: string): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(
    file,
    `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else echo "$0" "$@"; fi\n`,
  );
  await chmod(file, 0o755);
}

/** sh and readlink alone, so that no node of the machine is found. */
async function makeTools(directory: string): Promise<string> {
  await mkdir(directory);
  await symlink('/bin/sh', join(directory, 'sh'));
  await symlink('/usr/bin/readlink', join(directory, 'readlink'));
  return directory;
}

test('in a checkout it runs with the node that was installed with it', async () => {
  const { code, out } = await launch(launcher, ['--version']);
  assert.is(code, 0);
  assert.match(out, /^p2psync \d/);
});

test('through a symbolic link it finds its package, and passes every word on as it is', async () => {
  await withPackage(async (directory) => {
    await makeNode(join(directory, 'node_modules/node/bin/node'), 'v26.0.0');
    const link = join(directory, '../.bin-p2psync');
    await symlink(join(directory, 'scripts/p2psync'), link);
    const { out } = await launch(link, ['ls', 'two words', '']);
    assert.is(
      out.trimEnd(),
      `${directory}/node_modules/node/bin/node --max-semi-space-size=4 --expose-gc --disable-warning=ExperimentalWarning ${directory}/dist/main.js ls two words`,
    );
  });
});

test('a node that was hoisted beside the package is found', async () => {
  await withPackage(async (directory) => {
    await makeNode(join(directory, '../node/bin/node'), 'v26.0.0');
    const { out } = await launch(join(directory, 'scripts/p2psync'), []);
    assert.match(out, 'node_modules/node/bin/node');
  });
});

test('in a checkout what was built is run while it is as new as the source, and the source otherwise', async () => {
  await withPackage(async (directory) => {
    await makeNode(join(directory, 'node_modules/node/bin/node'), 'v26.0.0');
    const source = join(directory, 'agent/cli/main.ts');
    const built = join(directory, 'dist/main.js');
    const isRun = async (file: string, why: string): Promise<void> => {
      const { out } = await launch(join(directory, 'scripts/p2psync'), ['status']);
      assert.ok(out.trimEnd().endsWith(`${file} status`), `${why}: ${out}`);
    };
    const age = async (file: string, seconds: number): Promise<void> => {
      await utimes(file, 1_000_000_000 - seconds, 1_000_000_000 - seconds);
    };
    await mkdir(join(directory, 'agent/cli'), { recursive: true });
    await writeFile(source, '');
    await isRun(source, 'nothing was built');
    await mkdir(join(directory, 'dist'));
    await writeFile(built, '');
    for (const file of ['agent', 'agent/cli', 'agent/cli/main.ts']) await age(join(directory, file), 100);
    await age(built, 50);
    await isRun(built, 'built after the source was written');
    await age(source, 0);
    await isRun(source, 'a file was edited');
    await age(source, 100);
    await age(join(directory, 'agent/cli'), 0);
    await isRun(source, 'a file was removed');
  });
});

test("without a node of its own it takes the system's where that is new enough", async () => {
  await withPackage(async (directory) => {
    const tools = await makeTools(join(directory, 'tools'));
    const start = (): Promise<Outcome> => launch(join(directory, 'scripts/p2psync'), ['status'], tools);
    const none = await start();
    assert.equal(
      [none.code, none.err.startsWith('p2psync: no node found: run npm install in ')],
      [1, true],
      none.err,
    );
    for (const [version, isEnough] of [
      ['v20.20.2', false],
      ['v22.21.1', false],
      ['v22.22.0', true],
      ['v23.0.0', true],
      ['v26.1.0', true],
    ] as const) {
      await makeNode(join(tools, 'node'), version);
      const { code, out, err } = await start();
      assert.is(code, isEnough ? 0 : 1, version);
      assert.match(isEnough ? out : err, isEnough ? 'main.js status' : `is ${version}: run npm install`);
    }
  });
});

test.run();
