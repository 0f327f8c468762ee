/** One writer and three replicas: equal at the start, and again after every class of change. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { messageOf } from '../../agent/base/errors.ts';
import { judge } from './lib/judge.ts';
import { type Agent, converged, withMesh } from './lib/mesh.ts';
import { root } from './lib/program.ts';
import { noise } from './lib/torture.ts';

/** A tree as people have them: packages of this project, some thousand files. */
function copyPackages(top: string): void {
  for (const name of [
    '@libp2p',
    '@chainsafe',
    'multiformats',
    'fast-check',
    'pino',
    'valibot',
    'chokidar',
    'uvu',
  ]) {
    const source = join(root, 'node_modules', name);
    if (existsSync(source))
      cpSync(source, join(top, 'site', name), { recursive: true, verbatimSymlinks: true });
  }
  mkdirSync(join(top, 'uploads'));
  writeFileSync(join(top, 'uploads', 'video'), noise(24 * 1024 * 1024, 7));
}

type Change = { readonly name: string; readonly make: (top: string) => void };

const changes: readonly Change[] = [
  {
    name: 'a new file, a new empty file, a new directory with files',
    make(top) {
      writeFileSync(join(top, 'new'), 'new');
      writeFileSync(join(top, 'empty'), '');
      mkdirSync(join(top, 'd/e/f'), { recursive: true });
      for (let number = 0; number < 200; number += 1)
        writeFileSync(join(top, 'd/e/f', `${number}`), noise(4096, number));
    },
  },
  {
    name: 'an edit in place, an append, a truncation',
    make(top) {
      const path = join(top, 'uploads', 'video');
      const bytes = readFileSync(path);
      noise(4096, 99).copy(bytes, 5_000_000);
      writeFileSync(path, bytes);
      appendFileSync(join(top, 'd/e/f/0'), 'more');
      truncateSync(join(top, 'd/e/f/1'), 100);
    },
  },
  {
    name: 'a byte in front of a large file',
    make(top) {
      const path = join(top, 'uploads', 'video');
      writeFileSync(path, Buffer.concat([Buffer.from('x'), readFileSync(path)]));
    },
  },
  {
    name: 'new bytes under the same size and time',
    make(top) {
      const path = join(top, 'd/e/f/2');
      const { atime, mtime } = lstatSync(path);
      writeFileSync(path, noise(4096, 12_345));
      utimesSync(path, atime, mtime);
    },
  },
  {
    name: 'an editor saves over a file by renaming',
    make(top) {
      writeFileSync(join(top, 'd/e/f/.3.swp'), noise(5000, 3));
      renameSync(join(top, 'd/e/f/.3.swp'), join(top, 'd/e/f/3'));
    },
  },
  {
    name: 'modes and times of files and directories',
    make(top) {
      chmodSync(join(top, 'd/e/f/4'), 0o4711);
      chmodSync(join(top, 'd/e'), 0o2750);
      chmodSync(join(top, 'd/e/f/5'), 0o000);
      utimesSync(join(top, 'd/e/f/6'), 1, 1_000_000_000);
      utimesSync(join(top, 'd/e/f'), 1, 1_100_000_000);
    },
  },
  {
    name: 'owners and groups',
    make(top) {
      if (process.getuid?.() !== 0) return;
      chownSync(join(top, 'd/e/f/7'), 33, 33);
      chownSync(join(top, 'd'), 1, 12_345);
    },
  },
  {
    name: 'renames of a file and of a directory full of files',
    make(top) {
      renameSync(join(top, 'd/e/f/8'), join(top, 'd/e/eight'));
      renameSync(join(top, 'site'), join(top, 'web site'));
    },
  },
  {
    name: 'symlinks, hard links, a fresh target for each',
    make(top) {
      symlinkSync('d/e/f/9', join(top, 'link'));
      symlinkSync('nowhere', join(top, 'dangling'));
      linkSync(join(top, 'd/e/f/10'), join(top, 'd/e/ten'));
    },
  },
  {
    name: 'links change, one name of a file goes, another comes',
    make(top) {
      rmSync(join(top, 'link'));
      symlinkSync('d/e/f/11', join(top, 'link'));
      rmSync(join(top, 'd/e/f/10'));
      linkSync(join(top, 'd/e/ten'), join(top, 'ten again'));
      appendFileSync(join(top, 'd/e/ten'), 'through one name');
    },
  },
  {
    name: 'a file becomes a directory, a directory a file, a directory a link, a link a file',
    make(top) {
      rmSync(join(top, 'd/e/f/12'));
      mkdirSync(join(top, 'd/e/f/12/inside'), { recursive: true });
      writeFileSync(join(top, 'd/e/f/12/inside/file'), 'x');
      renameSync(join(top, 'web site', 'pino'), join(top, 'pino moved'));
      writeFileSync(join(top, 'web site', 'pino'), 'was a directory');
      rmSync(join(top, 'web site', 'chokidar'), { recursive: true });
      symlinkSync('valibot', join(top, 'web site', 'chokidar'));
      rmSync(join(top, 'dangling'));
      writeFileSync(join(top, 'dangling'), 'was a link');
    },
  },
  {
    name: 'two files change places',
    make(top) {
      renameSync(join(top, 'd/e/f/13'), join(top, 'd/e/f/swap'));
      renameSync(join(top, 'd/e/f/14'), join(top, 'd/e/f/13'));
      renameSync(join(top, 'd/e/f/swap'), join(top, 'd/e/f/14'));
    },
  },
  {
    name: 'a file with a hole',
    make(top) {
      execFileSync('truncate', ['-s', '20M', join(top, 'sparse')]);
    },
  },
  {
    name: 'a file of 90 MB',
    make(top) {
      writeFileSync(
        join(top, 'uploads', 'large'),
        Buffer.concat([noise(30_000_000, 5), Buffer.alloc(30_000_000), noise(30_000_000, 6)]),
      );
    },
  },
  {
    name: 'a thousand small files at once',
    make(top) {
      mkdirSync(join(top, 'thousand'));
      for (let number = 0; number < 1000; number += 1)
        writeFileSync(join(top, 'thousand', `${number}`), `${number}`);
    },
  },
  {
    name: 'files, links and whole directories go',
    make(top) {
      rmSync(join(top, 'new'));
      rmSync(join(top, 'link'));
      rmSync(join(top, 'thousand'), { recursive: true });
      rmSync(join(top, 'web site', 'multiformats'), { recursive: true });
    },
  },
];

async function startAll(agents: readonly Agent[]): Promise<void> {
  await Promise.all(agents.map((agent) => agent.start()));
}

test('three replicas equal their writer at the start and after every class of change', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(copyPackages);
    const replicas = [await mesh.replica('one'), await mesh.replica('two'), await mesh.replica('three')];
    await startAll([writer, ...replicas]);
    await converged(writer, replicas);
    await Promise.all(replicas.map((replica) => judge(writer.directory, replica.directory)));
    for (const { name, make } of changes) {
      make(writer.directory);
      try {
        await converged(writer, replicas);
      } catch (error) {
        throw new Error(`after ${name}: ${messageOf(error)}`, { cause: error });
      }
    }
    await Promise.all(replicas.map((replica) => judge(writer.directory, replica.directory)));
    await writer.must(['wait', '--all', '--timeout', '30s']);
    for (const replica of replicas) {
      assert.is((await replica.status()).state, 'in-sync');
      assert.equal((await replica.status()).errors, []);
      assert.is((await replica.command(['verify'])).code, 0);
    }
    // A hole stays a hole.
    for (const replica of replicas)
      assert.ok(lstatSync(join(replica.directory, 'sparse')).blocks * 512 < 1_000_000);
    for (const agent of mesh.agents) assert.is(await agent.stop(), 0);
  });
});

test.run();
