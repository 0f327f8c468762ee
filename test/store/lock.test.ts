/** The lock of a home: one agent, and nothing a killed one leaves behind keeps the next out. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { holderOf, lockHome } from '../../agent/store/lock.ts';

const lockModule = new URL('../../agent/store/lock.ts', import.meta.url).href;

async function inHome(check: (home: string) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'p2psync-lock-'));
  try {
    await check(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A process that tries to lock, says `held` or the error's code, and keeps what it got until it is killed. */
async function contender(home: string): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const source = `
    const { lockHome } = await import(${JSON.stringify(lockModule)});
    try { await lockHome(${JSON.stringify(home)}); console.log('held'); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.code); }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: chunk.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a second agent is refused with home and pid, and let in once the first has gone', async () => {
  await inHome(async (home) => {
    const lock = await lockHome(home);
    assert.is(holderOf(home)?.pid, process.pid);
    try {
      await lockHome(home);
      assert.unreachable('the second was let in');
    } catch (error) {
      assert.ok(hasCode(error, 'locked'), String(error));
      assert.ok(error.message.includes(home) && error.message.includes(String(process.pid)), error.message);
    }
    lock.release();
    lock.release();
    assert.not.ok(existsSync(join(home, 'agent.pid')));
    (await lockHome(home)).release();
  });
});

test('an agent of another process keeps the home until kill -9, and not a moment longer', async () => {
  await inHome(async (home) => {
    const { child, said } = await contender(home);
    assert.is(said, 'held');
    assert.is(holderOf(home)?.pid, child.pid);
    try {
      await lockHome(home);
      assert.unreachable('the second was let in');
    } catch (error) {
      assert.ok(hasCode(error, 'locked') && error.message.includes(String(child.pid)), String(error));
    }
    await kill(child);
    assert.is(holderOf(home), undefined);
    (await lockHome(home)).release();
  });
});

test('a pid that was given to another process does not keep the home', async () => {
  await inHome(async (home) => {
    const lock = await lockHome(home);
    const path = join(home, 'agent.pid');
    const [pid, started, boot] = readFileSync(path, 'latin1').trim().split(' ');
    for (const line of [
      `${pid} ${Number(started) - 1} ${boot}\n`,
      `${pid} ${started} another-boot\n`,
      `1 ${started} ${boot}\n`,
      `999999999 ${started} ${boot}\n`,
      '',
      'garbage\n',
      '-1 0 0\n',
    ]) {
      writeFileSync(path, line);
      assert.is(holderOf(home), undefined, line);
      // Its file belongs to somebody else now: the first holder must not remove it.
      lock.release();
      assert.is(readFileSync(path, 'latin1'), line);
      (await lockHome(home)).release();
    }
  });
});

test('of four that start at once over a dead one exactly one gets the home', async () => {
  await inHome(async (home) => {
    writeFileSync(join(home, 'agent.pid'), '999999999 1 x\n');
    const contenders = await Promise.all([
      contender(home),
      contender(home),
      contender(home),
      contender(home),
    ]);
    const said = contenders.map((each) => each.said).sort();
    await Promise.all(contenders.map((each) => kill(each.child)));
    assert.equal(said, ['held', 'locked', 'locked', 'locked']);
  });
});

test.run();
