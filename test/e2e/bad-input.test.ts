/** What is typed or configured wrongly: an exit code, one line on stderr that says what and what to do, and no harm. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commands } from '../../agent/cli/commands.ts';
import { mustRun, p2psync } from './lib/program.ts';

async function inDirectory(check: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'p2psync-bad-'));
  try {
    await check(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Case = {
  readonly args: readonly string[];
  readonly code: number;
  /** Must be in the line on stderr. */
  readonly says?: RegExp;
};

/** `DIR`, `HOME` and `NEW` stand for a directory, a home with a share, and a home that is not there. */
const cases: readonly Case[] = [
  { args: ['no-such-command'], code: 2, says: /no-such-command/ },
  { args: ['status', '--no-such-option'], code: 2, says: /no-such-option/ },
  { args: ['status', 'surplus', 'arguments'], code: 2 },
  { args: ['init'], code: 2 },
  { args: ['init', 'DIR/not-there', '--home', 'NEW'], code: 1, says: /not-there/ },
  { args: ['init', 'DIR/file', '--home', 'NEW'], code: 1, says: /file/ },
  { args: ['init', 'DIR/one', '--home', 'NEW', '--listen', 'nonsense'], code: 2, says: /nonsense/ },
  { args: ['init', 'DIR/one', '--home', 'NEW', '--listen', '127.0.0.1:99999'], code: 2, says: /99999/ },
  { args: ['init', 'DIR/two', '--home', 'HOME', '--share', 'www'], code: 1, says: /www/ },
  { args: ['init', 'DIR/one/below', '--home', 'HOME', '--share', 'other'], code: 1 },
  {
    args: ['init', 'DIR/one/below', '--home', 'NEW'],
    code: 1,
    says: /below lies inside the share over .*one/,
  },
  { args: ['join', '--home', 'NEW'], code: 2 },
  { args: ['join', 'garbage', 'DIR/two', '--home', 'NEW'], code: 1, says: /invitation/i },
  { args: ['join', '', 'DIR/two', '--home', 'NEW'], code: 1, says: /invitation/i },
  { args: ['invite', '--home', 'HOME', '--role', 'king'], code: 2, says: /king/ },
  { args: ['invite', '--home', 'HOME', '--expires', 'soon'], code: 2, says: /soon/ },
  { args: ['invite', '--home', 'HOME', '--uses', '-1'], code: 2 },
  { args: ['invite', '--home', 'HOME', '--share', 'nobody'], code: 1, says: /nobody/ },
  { args: ['invite', '--home', 'NEW'], code: 1 },
  { args: ['status', '--home', 'HOME'], code: 5 },
  { args: ['peers', '--home', 'HOME'], code: 5 },
  { args: ['wait', '--home', 'HOME'], code: 5 },
  { args: ['pause', '--home', 'HOME'], code: 5 },
  { args: ['status', '--home', 'NEW'], code: 5 },
  { args: ['wait', '--home', 'HOME', '--timeout', 'never'], code: 2, says: /never/ },
  { args: ['run', '--home', 'NEW'], code: 1 },
];

async function furnish(directory: string): Promise<void> {
  for (const name of ['one', 'two']) mkdirSync(join(directory, name));
  mkdirSync(join(directory, 'one', 'below'));
  writeFileSync(join(directory, 'file'), 'not a directory');
  await mustRun([
    'init',
    join(directory, 'one'),
    '--share',
    'www',
    '--home',
    join(directory, 'home'),
    '--http',
    'off',
  ]);
}

test('every wrong call exits with the code of the contract and one line that says why', async () => {
  await inDirectory(async (directory) => {
    await furnish(directory);
    const before = readdirSync(join(directory, 'home')).sort();
    const failures: string[] = [];
    for (const { args, code, says } of cases) {
      const typed = args.map((argument) =>
        argument === 'HOME'
          ? join(directory, 'home')
          : argument === 'NEW'
            ? join(directory, 'new')
            : argument.replace(/^DIR/, directory),
      );
      const result = await p2psync(typed);
      const lines = result.stderr.trimEnd().split('\n');
      if (result.code !== code)
        failures.push(`${args.join(' ')}: code ${result.code}, not ${code} (${result.stderr.trim()})`);
      else if (code === 1 && (lines.length !== 1 || lines[0] === ''))
        failures.push(`${args.join(' ')}: ${lines.length} lines`);
      else if (says !== undefined && !says.test(result.stderr))
        failures.push(`${args.join(' ')}: says ${result.stderr.trim()}`);
      if (/\n\s+at /.test(result.stderr)) failures.push(`${args.join(' ')}: a stack trace`);
      if (result.stdout !== '' && code !== 0)
        failures.push(`${args.join(' ')}: on stdout ${result.stdout.slice(0, 80)}`);
      rmSync(join(directory, 'new'), { recursive: true, force: true });
    }
    assert.equal(failures, []);
    assert.equal(readdirSync(join(directory, 'home')).sort(), before);
    assert.equal(readdirSync(join(directory, 'two')), []);
  });
});

test('a DIR that is not empty is joined only with --force when nobody can be asked', async () => {
  await inDirectory(async (directory) => {
    await furnish(directory);
    const invitation = (await mustRun(['invite', '--home', join(directory, 'home')])).trim();
    assert.is(invitation.split('\n').length, 1);
    writeFileSync(join(directory, 'two', 'mine'), 'mine');
    const join2 = ['join', invitation, join(directory, 'two'), '--home', join(directory, 'new')];
    const refused = await p2psync(join2);
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /--force/);
    assert.is((await p2psync([...join2, '--force'])).code, 0);
    assert.ok(existsSync(join(directory, 'two', 'mine')));
  });
});

const configurations: readonly (readonly [text: string, says: RegExp])[] = [
  ['nme = "web1"\n', /config\.toml.*nme/],
  ['name = 7\n', /config\.toml.*name/],
  ['listen = ["0.0.0.0:70000"]\n', /config\.toml.*listen/],
  ['[limits]\nconnections = -1\n', /config\.toml.*connections/],
  ['[[share]]\nname = "www"\n', /config\.toml.*path/],
  ['name = "unclosed\n', /config\.toml/],
];

test('a wrong configuration is refused at the start with file and key', async () => {
  await inDirectory(async (directory) => {
    mkdirSync(join(directory, 'home'));
    for (const [text, says] of configurations) {
      writeFileSync(join(directory, 'home', 'config.toml'), text);
      const { code, stderr } = await p2psync(['run', '--home', join(directory, 'home')]);
      assert.is(code, 1, `${text}: ${stderr}`);
      assert.match(stderr, says);
    }
  });
});

test('an identity that others can read is refused with the chmod to type', async () => {
  await inDirectory(async (directory) => {
    await furnish(directory);
    const path = join(directory, 'home', 'identity.key');
    chmodSync(path, 0o644);
    const { code, stderr } = await p2psync(['run', '--home', join(directory, 'home')]);
    assert.is(code, 1);
    assert.ok(stderr.includes(`chmod 600 ${path}`), stderr);
  });
});

test('a port that is taken is named, with what to do, and nobody else is', async () => {
  await inDirectory(async (directory) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const home = join(directory, 'home');
    mkdirSync(join(directory, 'one'));
    const listen = ['--listen', `127.0.0.1:${port}`];
    await mustRun(['init', join(directory, 'one'), '--home', home, '--http', 'off', ...listen]);
    const { code, stderr } = await p2psync(['run', '--home', home]);
    taken.close();
    assert.is(code, 1);
    const says = 'is taken: stop who has it, or choose another (listen in config.toml)';
    assert.is(stderr, `p2psync: 127.0.0.1:${port} ${says}\n`);
  });
});

test('what is to be typed next goes to the same home', async () => {
  await inDirectory(async (directory) => {
    mkdirSync(join(directory, 'one'));
    const home = join(directory, "it's a home");
    const out = await mustRun(['init', join(directory, 'one'), '--home', home, '--http', 'off']);
    assert.ok(out.includes(`p2psync run --home '${directory}/it'\\''s a home'\n`), out);
    const here = await mustRun(['init', join(directory, 'one')], { env: { P2PSYNC_HOME: home } }).catch(
      String,
    );
    assert.match(here, /is a share already/);
  });
});

test('help and version are there for everything', async () => {
  const { code, stdout } = await p2psync(['--help']);
  assert.is(code, 0);
  for (const { name: command } of commands) {
    assert.ok(stdout.includes(command), command);
    const help = await p2psync([command, '--help']);
    assert.is(help.code, 0, command);
    assert.ok(help.stdout.includes(command), command);
  }
});

test.run();
