/** What is published runs without its source: the launcher, the built program and each of its threads. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from './lib/ports.ts';
import { root } from './lib/program.ts';

/** What npm would put into the package, with the dependencies of the checkout. */
async function install(directory: string): Promise<string> {
  await mkdir(join(directory, 'scripts'), { recursive: true });
  for (const file of ['package.json', 'scripts/p2psync']) await cp(join(root, file), join(directory, file));
  execFileSync(process.execPath, [join(root, 'scripts/build.ts'), '--out', join(directory, 'dist')]);
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  return join(directory, 'scripts/p2psync');
}

test('an installed package replicates a file, and names its version', async () => {
  const top = await mkdtemp(join(tmpdir(), 'p2psync-installed-'));
  const program = await install(join(top, 'package'));
  const p2psync = async (home: string, ...words: string[]): Promise<string> =>
    (await promisify(execFile)(program, [...words, '--home', join(top, home)], { timeout: 60_000 })).stdout;
  const agents = new Set<ReturnType<typeof spawn>>();
  const run = (home: string): void => {
    agents.add(spawn(program, ['run', '--quiet', '--home', join(top, home)], { stdio: 'inherit' }));
  };
  try {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    assert.is((await p2psync('none', '--version')).trim(), `p2psync ${version}`);

    const flags = async (): Promise<string[]> => [
      '--listen',
      `127.0.0.1:${await freePort()}`,
      '--http',
      'off',
    ];
    const content = Buffer.alloc(3 * 1024 * 1024, 'not one block but many ');
    await mkdir(join(top, 'files'));
    await writeFile(join(top, 'files/large'), content);
    await p2psync('writer', 'init', join(top, 'files'), '--share', 'www', ...(await flags()));
    run('writer');
    const invitation = (await p2psync('writer', 'invite')).trim();
    await mkdir(join(top, 'copy'));
    await p2psync('replica', 'join', invitation, join(top, 'copy'), ...(await flags()));
    run('replica');
    await p2psync('replica', 'wait', '--timeout', '60s');
    assert.ok(content.equals(await readFile(join(top, 'copy/large'))));
  } finally {
    const ended = [...agents].filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'));
    for (const child of agents) child.kill('SIGTERM');
    await Promise.all(ended);
    await rm(top, { recursive: true });
  }
});

test.run();
