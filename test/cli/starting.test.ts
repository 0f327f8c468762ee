import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode, P2psyncError } from '../../agent/base/errors.ts';
import { askStarting } from '../../agent/cli/starting.ts';
import { lockHome } from '../../agent/store/lock.ts';

const { signal } = new AbortController();

async function withHome(check: (home: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'p2psync-starting-'));
  try {
    await check(home);
  } finally {
    await rm(home, { recursive: true });
  }
}

/** Nobody answers the first `silent` times. */
function agentAfter(silent: number): { readonly ask: () => Promise<string>; asked(): number } {
  let asked = 0;
  return {
    asked: () => asked,
    async ask() {
      asked += 1;
      if (asked <= silent) throw new P2psyncError('not-running', 'nobody listens');
      return 'answer';
    },
  };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof P2psyncError ? error.code : 'other';
  }
}

test('an agent that has the home and does not listen yet is asked until it does', async () => {
  await withHome(async (home) => {
    const lock = await lockHome(home);
    const agent = agentAfter(3);
    assert.is(await askStarting(home, agent.ask, { timeoutMs: 60_000, signal }), 'answer');
    assert.is(agent.asked(), 4);
    lock.release();
  });
});

test('on a home that is set up an agent may be about to appear', async () => {
  await withHome(async (home) => {
    await writeFile(join(home, 'identity.key'), '');
    assert.is(await askStarting(home, agentAfter(2).ask, { timeoutMs: 60_000, signal }), 'answer');
  });
});

test('nobody is waited for on a home that was never set up', async () => {
  await withHome(async (home) => {
    const agent = agentAfter(2);
    assert.is(await codeOf(askStarting(home, agent.ask, { timeoutMs: 60_000, signal })), 'not-running');
    assert.is(agent.asked(), 1);
  });
});

test('at the timeout it is told apart whether an agent is there at all', async () => {
  await withHome(async (home) => {
    await writeFile(join(home, 'identity.key'), '');
    const ask = agentAfter(Number.POSITIVE_INFINITY).ask;
    assert.is(await codeOf(askStarting(home, ask, { timeoutMs: 1, signal })), 'not-running');
    const lock = await lockHome(home);
    assert.is(await codeOf(askStarting(home, ask, { timeoutMs: 1, signal })), 'timeout');
    lock.release();
  });
});

test('any other failure is told at once, and Ctrl-C ends the asking', async () => {
  await withHome(async (home) => {
    const lock = await lockHome(home);
    const fail = async (): Promise<never> => Promise.reject(new P2psyncError('not-found', 'no such share'));
    await askStarting(home, fail, { timeoutMs: 60_000, signal }).then(assert.unreachable, (error: unknown) =>
      assert.ok(hasCode(error, 'not-found')),
    );
    const agent = agentAfter(Number.POSITIVE_INFINITY);
    const gone = askStarting(home, agent.ask, { timeoutMs: 60_000, signal: AbortSignal.abort() });
    assert.is(await codeOf(gone), 'not-running');
    lock.release();
  });
});

test.run();
