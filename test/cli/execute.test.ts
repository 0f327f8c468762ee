import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../agent/base/errors.ts';
import { execute } from '../../agent/cli/execute.ts';
import type { Terminal } from '../../agent/cli/terminal.ts';
import type { AgentApi } from '../../agent/http/api.ts';
import { startHttp } from '../../agent/http/server.ts';
import { createFakeApi, lsRows, peerReports, statusReport } from '../http/fake-api.ts';
import { createFakeTerminal } from './fake-terminal.ts';

type Outcome = {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly unknown[][];
};

/** Runs a command line against a fake agent on a home of its own. */
async function run(
  line: string | readonly string[],
  options: { readonly api?: Partial<AgentApi> | null; readonly terminal?: Partial<Terminal> } = {},
): Promise<Outcome> {
  const home = await mkdtemp(join(tmpdir(), 'p2psync-cli-'));
  const calls: unknown[][] = [];
  const server =
    options.api === null
      ? null
      : await startHttp({
          api: createFakeApi(options.api, calls),
          socketPath: join(home, 'control.sock'),
          listen: null,
          hosts: [],
          onFailure: () => undefined,
        });
  const terminal = createFakeTerminal(options.terminal);
  try {
    const words = typeof line === 'string' ? line.split(' ') : line;
    const code = await execute([...words, '--home', home], terminal);
    const asked = calls.filter(([name]) => name !== 'health');
    return { code, out: terminal.out(), err: terminal.err().replaceAll(home, 'HOME'), calls: asked };
  } finally {
    await server?.close();
    await rm(home, { recursive: true });
  }
}

const onScreen: Partial<Terminal> = { outIsTerminal: true, errIsTerminal: true, inIsTerminal: true };

const needAnAgent = 'status,peers,wait,ls,diff,history,verify,members,pause,resume,rescan,reload'.split(',');
for (const command of needAnAgent) {
  test(`${command} without an agent exits 5 with one line that says what to do`, async () => {
    const plain = await run(command, { api: null });
    assert.equal([plain.code, plain.out], [5, '']);
    assert.is(plain.err, 'p2psync: no agent is running on HOME: start it with p2psync run\n');
    const json = await run(`${command} --json`, { api: null });
    assert.is(json.code, 5);
    assert.is(JSON.parse(json.out).error.code, 'not-running');
  });
}

test('with --json a command prints what the agent said and nothing else', async () => {
  const document = async (line: string): Promise<unknown> => {
    const { code, out, err } = await run(`${line} --json`, { terminal: onScreen });
    assert.equal([code, err], [0, ''], line);
    return JSON.parse(out);
  };
  assert.equal(await document('status'), statusReport);
  assert.equal(await document('peers'), peerReports);
  assert.equal(await document('ls'), lsRows);
  assert.is(((await document('diff')) as unknown[]).length, 3);
  for (const line of [
    'wait',
    'history',
    'members',
    'pause',
    'resume',
    'rescan',
    'reload',
    'invite',
    'remove web2',
    'init .',
  ]) {
    assert.type(await document(line), 'object', line);
  }
});

test('arguments and flags reach the agent as the contract means them', async () => {
  // [command line, name of the call, its request]
  const cases: readonly (readonly [string, string, unknown])[] = [
    ['wait', 'wait', { timeoutMs: 60_000 }],
    ['wait --version 1.42 --all --timeout 5m', 'wait', { version: '1.42', all: true, timeoutMs: 300_000 }],
    ['wait --peers 2 --share www', 'wait', { share: 'www', peers: 2, timeoutMs: 60_000 }],
    ['ls', 'ls', { path: '', long: false, recursive: false }],
    [
      'ls ./css/ --long --recursive --version 3',
      'ls',
      { path: 'css', long: true, recursive: true, version: '3' },
    ],
    ['diff', 'diff', {}],
    ['diff 1.1 1.2 a/b/', 'diff', { from: '1.1', to: '1.2', path: 'a/b' }],
    ['verify a --repair', 'verify', { path: 'a', repair: true }],
    ['resume --yes', 'resume', { yes: true }],
    ['remove 12D3KooWGzBm --share www', 'remove', { share: 'www', peer: '12D3KooWGzBm' }],
    ['history --share www', 'history', { share: 'www' }],
    ['invite', 'invite', { role: 'replica', expiresMs: 86_400_000, uses: 1 }],
    [
      'invite --role standby --expires 2h --uses 5',
      'invite',
      { role: 'standby', expiresMs: 7_200_000, uses: 5 },
    ],
    [
      'init www --share w --name web1 --listen 127.0.0.1:0 --http off',
      'init',
      { directory: '/cwd/www', share: 'w', name: 'web1', listen: '127.0.0.1:0', http: 'off' },
    ],
    [
      'join line /none/x --name web2',
      'join',
      { invitation: 'line', directory: '/none/x', name: 'web2', force: false },
    ],
  ];
  for (const [line, name, request] of cases) {
    const { calls, err } = await run(line);
    assert.equal(calls, [[name, request]], `${line}: ${err}`);
  }
});

test('values that cannot be meant are wrong usage, and the agent is not asked', async () => {
  const cases: readonly (readonly [string, string])[] = [
    ['wait --timeout 3x', '--timeout: "3x" is not a duration'],
    ['wait --peers none', '--peers is a whole number'],
    ['wait --all --peers 2', 'do not go together'],
    ['invite --uses 0', '--uses is a whole number from 1'],
    ['invite --expires soon', '--expires: "soon" is not a duration'],
    ['init . --listen web1', '--listen: "web1" is not HOST:PORT'],
    ['init . --http 8874', '--http: "8874" is not HOST:PORT'],
    ['init . --share ../x', '--share: "../x" is not a name'],
    ['join x /none --name -', '--name needs a value'],
    ['status --watch --json', '--watch does not go with --json'],
    ['diff a b --disk', 'diff --disk takes a PATH alone'],
  ];
  for (const [line, message] of cases) {
    const { code, err, calls } = await run(line);
    assert.is(code, 2, line);
    assert.ok(
      err.startsWith('p2psync: ') && err.includes(message) && err.trim().split('\n').length === 1,
      err,
    );
    assert.equal(calls, []);
  }
});

test('wait exits 3 at the timeout and says who is missing', async () => {
  const late: Partial<AgentApi> = {
    wait: async () => ({
      reached: false,
      share: 'www',
      version: { epoch: 1, sequence: 42, root: null },
      membersAtVersion: 2,
      membersKnown: 3,
      missing: ['web3\x1b[2J'],
    }),
  };
  const { code, err, out } = await run('wait --all --timeout 1s', { api: late });
  assert.equal([code, out], [3, '']);
  assert.is(err, 'p2psync: timed out after 1s: 2 of 3 at version 1.42; missing: web3\\x1b[2J\n');
  const json = await run('wait --all --timeout 1s --json', { api: late });
  assert.equal([json.code, JSON.parse(json.out).reached], [3, false]);
});

test('verify exits 4 while something differs, and 0 once all is repaired', async () => {
  const { code, out } = await run('verify');
  assert.is(code, 4);
  assert.is(out, 'changed    b.html  (content)\nwww: 12,345 entries, 1.2 GiB checked, 1 differed\n');
  const healed = await run('verify --repair --quiet', {
    api: {
      async *verify() {
        yield { kind: 'difference', share: 'www', path: 'b', state: 'missing', what: [], repaired: true };
        yield { kind: 'summary', share: 'www', entries: 1, bytes: 1, differences: 1, repaired: 1 };
      },
    },
  });
  assert.equal([healed.code, healed.out], [0, 'repaired   b\n']);
});

test('diff between versions exits 0, with the disk it exits 4 where something differs', async () => {
  assert.is((await run('diff 1.1')).code, 0);
  const { code, calls } = await run('diff css --disk');
  assert.equal([code, calls], [4, [['diff', { disk: true, path: 'css' }]]]);
});

test("an agent's refusal exits 1 with its own sentence on one line", async () => {
  const refuse = (): never => {
    throw new P2psyncError('not-found', 'there is no share\nnamed x\x1b[2J');
  };
  const { code, err } = await run('pause --share x', { api: { pause: refuse } });
  assert.equal([code, err], [1, 'p2psync: there is no share named x\\x1b[2J\n']);
});

test('a listing that breaks off is a failure, and what came before it was shown', async () => {
  const api: Partial<AgentApi> = {
    async *diff() {
      yield { path: 'a', change: 'added', what: [] };
      throw new P2psyncError('page-missing', 'a page of 1.1 is not here');
    },
  };
  const { code, err } = await run('diff 1.1', { api });
  assert.equal([code, err], [1, 'p2psync: a page of 1.1 is not here\n']);
});

test('invite prints the line alone, whatever else there is to say', async () => {
  const { out, err } = await run('invite', { terminal: onScreen });
  assert.is(out, 'p2psync1qqqq\n');
  assert.match(err, 'good for one agent as replica of www until 2026-11-22 10:00:00 UTC');
});

test('colours are for terminals, unless $NO_COLOR or --no-color says otherwise', async () => {
  const isColored = async (line: string, terminal: Partial<Terminal>): Promise<boolean> =>
    (await run(line, { terminal })).out.includes('\x1b[');
  assert.is(await isColored('status', onScreen), true);
  assert.is(await isColored('status', {}), false);
  assert.is(await isColored('status --no-color', onScreen), false);
  assert.is(await isColored('status', { ...onScreen, env: { NO_COLOR: '1' } }), false);
  assert.is(await isColored('status', { ...onScreen, env: { NO_COLOR: '' } }), true);
});

test('names from peers cannot move the cursor', async () => {
  const { out } = await run('peers', { terminal: { ...onScreen, size: () => ({ columns: 200, rows: 24 }) } });
  assert.match(out, 'evil\\x1b[2J\\u202e');
  assert.not.match(out, '\x1b[2J');
});

test('a directory that holds files is joined with --force or a yes, and not without', async () => {
  const top = await mkdtemp(join(tmpdir(), 'p2psync-cli-'));
  const full = join(top, 'full');
  const ours = join(top, 'ours');
  await mkdir(join(ours, '.p2psync'), { recursive: true });
  await mkdir(full);
  await writeFile(join(full, 'index.html'), '');
  const answering = (answer: string): Partial<Terminal> => ({ ...onScreen, ask: async () => answer });

  const refused = await run(`join line ${full}`);
  assert.equal([refused.code, refused.calls], [1, []]);
  assert.match(refused.err, '--force');
  assert.match(refused.err, '1 entry');
  assert.is((await run(`join line ${full}`, { terminal: answering('') })).code, 1);
  assert.is((await run(`join line ${full}`, { terminal: answering('nope') })).code, 1);
  assert.is((await run(`join line ${full} --json`, { terminal: answering('y') })).code, 1);
  assert.is((await run(`join line ${full}/index.html`)).code, 1);

  const force = [['join', { invitation: 'line', directory: full, force: true }]];
  assert.equal((await run(`join line ${full}`, { terminal: answering(' Yes ') })).calls, force);
  assert.equal((await run(`join line ${full} --force`)).calls, force);
  assert.is((await run(`join line ${ours}`)).code, 0);
  await rm(top, { recursive: true });
});

test('--watch draws over the last picture, hides the cursor, and gives it back at Ctrl-C', async () => {
  const stop = new AbortController();
  let pictures = 0;
  const status: AgentApi['status'] = async () => {
    pictures += 1;
    if (pictures === 2) stop.abort();
    return statusReport;
  };
  const { code, out } = await run('status --watch', {
    api: { status },
    terminal: { ...onScreen, signal: stop.signal },
  });
  assert.is(code, 0);
  assert.ok(out.startsWith('\x1b[?25l') && out.endsWith('\x1b[?25h'));
  assert.match(out, '\x1b[9A');
});

test('--watch gives the cursor back where the agent stops', async () => {
  const { code, out, err } = await run('peers --watch', { api: null, terminal: onScreen });
  assert.equal([code, out], [5, '\x1b[?25l\r\x1b[K\x1b[?25h']);
  assert.match(err, 'no agent is running');
});

test('a reader that has seen enough is no failure', async () => {
  const write = (): Promise<void> =>
    Promise.reject(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  const { code, err } = await run('ls', { terminal: { write } });
  assert.equal([code, err], [0, '']);
});

test('run on a home where nothing is set up says how to begin', async () => {
  const { code, err } = await run('run', { api: null });
  assert.is(code, 1);
  assert.match(err, 'begin with p2psync init DIR');
});

test('--version, --help and a missing command need no agent', async () => {
  assert.match((await run('--version')).out, /^p2psync \d+\.\d+\.\d+\n$/);
  assert.match((await run('peers --help')).out, 'usage: p2psync peers');
  const { code, err } = await run([]);
  assert.is(code, 2);
  assert.match(err, 'p2psync --help');
});

test('--verbose tells where an error came from', async () => {
  const { err } = await run('status --verbose', { api: null });
  assert.match(err, /\n {4}at |\n.*P2psyncError/);
});

test('completion prints a script that knows every command', async () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, out } = await run(`completion ${shell}`);
    assert.is(code, 0);
    for (const word of ['invite', 'rescan', 'timeout', 'standby']) assert.match(out, word);
  }
});

test.run();
