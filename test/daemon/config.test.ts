import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode, P2psyncError } from '../../agent/base/errors.ts';
import { parseConfig, readConfig } from '../../agent/daemon/config.ts';
import { addShareToConfig, addToConfig, emptyConfigText } from '../../agent/daemon/config-edit.ts';
import { findConfigFile, resolveHome } from '../../agent/daemon/config-home.ts';
import { locateKeys } from '../../agent/daemon/config-lines.ts';
import { checkShareDirectories } from '../../agent/daemon/config-shares.ts';
import {
  parseDuration,
  parseHostPort,
  parsePercent,
  parseRate,
  parseSize,
} from '../../agent/daemon/config-values.ts';

function failureOf(work: () => unknown): P2psyncError {
  try {
    work();
  } catch (error) {
    if (error instanceof P2psyncError) return error;
    throw error;
  }
  throw new Error('it should have failed');
}

test('without a file everything has the default that the contract names', () => {
  const config = parseConfig('', null);
  assert.equal(config.listen, ['0.0.0.0:8873']);
  assert.equal(config.http.listen, { host: '127.0.0.1', port: 8874 });
  assert.is(config.discovery, 'gossip');
  assert.is(config.ready.maxLagMs, 10_000);
  assert.equal(config.limits, { connections: 100, uploadRate: 0, downloadRate: 0, idleTimeoutMs: 600_000 });
  assert.equal(config.shares, []);
  assert.match(config.name, /^[A-Za-z0-9]/);
});

test('every key of the contract is read, and the value is frozen to its last list', () => {
  const text = `
name = "web1"
listen = ["127.0.0.1:8873", "/ip6/::1/tcp/8873"]
announce = ["www.example.com:8873"]
bootstrap = ["/dns4/origin.example.com/tcp/8873/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"]
discovery = "static"
[http]
listen = "off"
[ready]
max_lag = "1500ms"
[access]
allow = ["192.168.9.0/24", "::1", "web.example.com", "10.0.0.0/255.0.0.0"]
deny = ["192.168.9.7"]
[limits]
connections = 7
[log]
level = "debug"
format = "json"
[[share]]
name = "www"
path = "/data/www"
ignore = ["*.tmp", ".git/"]
owner = "www-data:www-data"
perms = false
times = false
apply = "staged"
local_changes = "alert"
max_delete = "12.5%"
on_applied = []
durability = "fsync"
keep = { versions = 10, days = 7 }
`;
  const config = parseConfig(text, 'config.toml');
  assert.is(config.name, 'web1');
  assert.is(config.http.listen, null);
  assert.is(config.ready.maxLagMs, 1500);
  assert.equal(config.access.deny, ['192.168.9.7']);
  const [share] = config.shares;
  assert.equal(share?.owner, { kind: 'fixed', user: 'www-data', group: 'www-data' });
  assert.is(share?.maxDelete, 0.125);
  assert.is(share?.localChanges, 'alert');
  assert.ok(
    Object.isFrozen(config) && Object.isFrozen(config.access.allow) && Object.isFrozen(share?.ignore),
  );
});

// [text, what the message must say]; each line number is that of the key in question.
const share = '[[share]]\nname = "a"\npath = "/a"\n';
const refusals: readonly (readonly [string, string])[] = [
  ['a = \n', 'c.toml:1: not TOML'],
  ['name = "a"\nname = "b"\n', 'c.toml:2: not TOML'],
  ['\nlisen = ["0.0.0.0:1"]\n', 'c.toml:2: unknown key lisen; did you mean listen?'],
  ['# a\n[[share]]\nname = "a"\npth = "/a"\n', 'c.toml:4: unknown key share.pth; did you mean path?'],
  ['qqqqqq = 3\n', 'c.toml:1: unknown key qqqqqq; remove it'],
  ['[http]\nqqqqqq = 3\n', 'c.toml:2: unknown key http.qqqqqq; remove it: [http] has listen, hosts'],
  ['connections = 3\n', 'c.toml:1: unknown key connections; it belongs in [limits]'],
  ['[htp]\nlisten = "off"\n', 'c.toml:1: unknown key htp; did you mean http?'],
  ['[[share]]\nname = "a"\n', 'c.toml:1: share.path is missing'],
  ['[http]\n\nlisten = 8874\n', 'c.toml:3: http.listen must be text in quotes, not 8874'],
  ['[http]\nlisten = "8874"\n', 'c.toml:2: http.listen: "8874" is not HOST:PORT'],
  ['listen = "0.0.0.0:8873"\n', 'c.toml:1: listen must be a list'],
  ['listen = []\n', 'c.toml:1: listen: needs an address'],
  ['listen = ["web1:8873"]\n', 'c.toml:1: listen: "web1:8873" cannot be listened on'],
  ['listen = ["1.2.3.4:99999"]\n', 'is not HOST:PORT'],
  ['listen = ["/ip4/1.2.3.4/udp/1"]\n', 'is not a TCP multiaddr'],
  ['announce = ["web1:0"]\n', 'names port 0'],
  ['bootstrap = [\n  "1.2.3.4:1", # one\n  "x y:1",\n]\n', 'c.toml:1: bootstrap: "x y:1"'],
  ['discovery = "dht"\n', 'c.toml:1: discovery must be "static" or "gossip" or "mdns", not "dht"'],
  ['name = "../x"\n', 'c.toml:1: name: "../x" is not a name'],
  ['[limits]\nconnections = 0\n', 'c.toml:2: limits.connections: must be a whole number from 1'],
  ['[limits]\nconnections = 1.5\n', 'c.toml:2: limits.connections'],
  ['[limits]\nupload = "10X"\n', 'c.toml:2: limits.upload: "10X" is not a rate'],
  ['[limits]\nupload = "0"\ndownload = "900"\n', 'c.toml:3: limits.download: "900" is less than 1K a second'],
  ['[limits]\nidle_timeout = "1s"\n', 'c.toml:2: limits.idle_timeout: must be at least 2s'],
  ['[limits]\nidle_timeout = 600\n', 'c.toml:2: limits.idle_timeout must be text in quotes'],
  ['[ready]\nmax_lag = "10 s"\n', 'c.toml:2: ready.max_lag: "10 s" is not a duration'],
  ['[access]\nallow = ["192.168.9.0/33"]\n', 'c.toml:2: access.allow: "192.168.9.0/33" is not an address'],
  ['[access]\ndeny = ["1.2.3"]\n', 'c.toml:2: access.deny: "1.2.3"'],
  ['[log]\nlevel = "loud"\n', 'c.toml:2: log.level must be "trace" or'],
  [`${share}perms = "yes"\n`, 'c.toml:4: share.perms must be true or false, not "yes"'],
  [`${share}owner = "a b"\n`, 'c.toml:4: share.owner'],
  [`${share}max_delete = "101%"\n`, 'c.toml:4: share.max_delete: "101%" is not a share from 0% to 100%'],
  [`${share}on_applied = ["reload"]\n`, 'c.toml:4: share.on_applied must be a list'],
  [`${share}on_applied = [[]]\n`, 'c.toml:4: share.on_applied: needs a program'],
  [`${share}keep = { versions = -1 }\n`, 'c.toml:4: share.keep.versions'],
  [`${share}keep = { version = 1 }\n`, 'c.toml:4: unknown key share.keep.version; did you mean versions?'],
  [`${share}[share.keep]\ndays = "7"\n`, 'c.toml:5: share.keep.days must be a number'],
  [`${share}${share}`, 'c.toml:5: share.name: there is another share named a'],
  ['[[share]]\nname = "a"\npath = "data"\n', 'c.toml:3: share.path: "data" is not an absolute path'],
  [`${share}apply = "release"\n`, 'c.toml:4: not supported yet: share.apply other than "staged"'],
  ['[ready]\nagent_check = "127.0.0.1:8875"\n', 'c.toml:2: not supported yet: ready.agent_check'],
];

for (const [text, message] of refusals) {
  test(`${JSON.stringify(text)} is refused with: ${message}`, () => {
    const error = failureOf(() => parseConfig(text, 'c.toml'));
    assert.is(error.code, 'config');
    assert.ok(error.message.includes(message), error.message);
    assert.not.match(error.message, '\n');
  });
}

test('durations, sizes and shares of a whole are read in their units', () => {
  assert.equal(
    ['1500ms', '10s', '1.5m', '24h', '7d', '1h30m', '0s'].map(parseDuration),
    [1500, 10_000, 90_000, 86_400_000, 604_800_000, 5_400_000, 0],
  );
  assert.equal(['0', '4096', '64K', '1.5M', '2G'].map(parseSize), [0, 4096, 65_536, 1_572_864, 2 ** 31]);
  assert.equal(
    ['0', '2048', '64K', '64K/s', '10M', '10MiB', '1.5MiB/s'].map(parseRate),
    [0, 2048, 65_536, 65_536, 10_485_760, 10_485_760, 1_572_864],
  );
  for (const text of ['', '1', '1023', '10MB', '10MB/s', '10Mbit', '-1', '10M /s', '10iB'])
    assert.throws(() => parseRate(text), /./, text);
  assert.equal(['0%', '50%', '100%'].map(parsePercent), [0, 0.5, 1]);
  assert.equal(parseHostPort('[::1]:80'), { host: '::1', port: 80 });
  for (const text of ['', '10', 's', '-1s', '1y', '10s ', '99999d'])
    assert.throws(() => parseDuration(text), /./, text);
  for (const text of ['', '10MB', '-1', 'K', '9e9', '999999999T'])
    assert.throws(() => parseSize(text), /./, text);
  for (const text of ['', ':1', '::1:80', 'a b:1', '1.2.3:4', 'h:', 'h:-1', '[1.2.3.4]:1', '[::g]:1']) {
    assert.throws(() => parseHostPort(text), /./, text);
  }
});

test('keys are found on their lines, whatever stands around them', () => {
  const text = [
    '# [not.a.table]',
    'a = "x # no comment" # a = 2',
    "b = '''",
    'c = 1',
    "'''",
    'd = [ # first',
    '  "]", # "',
    '  [1, 2],',
    ']',
    '[t.u]',
    '"quoted key" = { x = 1, y = "}" }',
    'e.f = 1',
    '[[s]]',
    'n = 1',
    '[s.k]',
    'v = 1',
    '[[s]]',
    'n = 2',
  ].join('\n');
  parse(text);
  const { keys, tables } = locateKeys(text);
  assert.equal(
    [...keys].map(([path, { line }]) => `${path}:${line}`),
    ['a:2', 'b:3', 'd:6', 't.u.quoted key:11', 't.u.e.f:12', 's.0.n:14', 's.0.k.v:16', 's.1.n:18'],
  );
  assert.equal(
    [...tables].map(([path, { line }]) => `${path}:${line}`),
    ['t.u:10', 's.0:13', 's.0.k:15', 's.1:17'],
  );
  const place = keys.get('a');
  assert.is(text.slice(place?.valueStart, place?.valueEnd), '"x # no comment"');
});

test('text of any kind is located or refused, and never loops', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab=."\'[]{}#\n\\ ,1'.split('')) }), (text) => {
      locateKeys(text);
      try {
        parseConfig(text, 'c.toml');
      } catch (error) {
        assert.ok(hasCode(error, 'config'), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('what is added to a new file reads back', () => {
  const text = addToConfig(
    emptyConfigText,
    {
      name: 'web1',
      listen: ['127.0.0.1:0'],
      bootstrap: ['/ip4/192.0.2.1/tcp/8873'],
      httpListen: 'off',
      share: { name: 'www', path: '/data/"quoted"' },
    },
    'c.toml',
  );
  const config = parseConfig(text, 'c.toml');
  assert.is(config.name, 'web1');
  assert.equal(config.listen, ['127.0.0.1:0']);
  assert.equal(config.bootstrap, ['/ip4/192.0.2.1/tcp/8873']);
  assert.is(config.http.listen, null);
  assert.is(config.shares[0]?.path, '/data/"quoted"');
});

test('an edit leaves every other line as a person wrote it', () => {
  const text = [
    '# heads the file',
    '',
    'bootstrap = [ # why',
    '  "192.0.2.1:1", # one',
    ']  # behind',
    '',
    '# the web',
    '[http] # h',
    "listen = '127.0.0.1:1' # keep me",
    '',
    '[[share]] # first',
    "name = 'a'",
    "path = '/a'",
  ].join('\n');
  const edited = addToConfig(
    text,
    {
      name: 'web1',
      bootstrap: ['192.0.2.1:1', '192.0.2.2:1'],
      httpListen: 'off',
      share: { name: 'b', path: '/b' },
    },
    'c.toml',
  );
  assert.is(
    edited,
    [
      '# heads the file',
      '',
      'bootstrap = ["192.0.2.2:1",  # why',
      '  "192.0.2.1:1", # one',
      ']  # behind',
      'name = "web1"',
      '',
      '# the web',
      '[http] # h',
      'listen = "off" # keep me',
      '',
      '[[share]] # first',
      "name = 'a'",
      "path = '/a'",
      '',
      '[[share]]',
      'name = "b"',
      'path = "/b"',
      '',
    ].join('\n'),
  );
});

test('adding a share twice changes nothing, and another path of that name is a conflict', () => {
  const once = addShareToConfig('', { name: 'a', path: '/a' }, 'c.toml');
  assert.is(addShareToConfig(once, { name: 'a', path: '/a' }, 'c.toml'), once);
  assert.is(failureOf(() => addShareToConfig(once, { name: 'a', path: '/b' }, 'c.toml')).code, 'conflict');
});

test('a layout that cannot be added to is refused, never damaged', () => {
  const inline = 'share = [ { name = "a", path = "/a" } ]\n';
  assert.match(
    failureOf(() => addShareToConfig(inline, { name: 'b', path: '/b' }, 'c.toml')).message,
    'by hand',
  );
  const dotted = 'http = { listen = "off" }\n';
  assert.match(
    failureOf(() => addToConfig(dotted, { httpListen: '127.0.0.1:1' }, 'c.toml')).message,
    'by hand',
  );
});

test("the home is --home, then $P2PSYNC_HOME, then root's or the user's place for state", () => {
  const hints = { flag: undefined, env: {}, uid: 1000, userHome: '/home/u' };
  assert.is(resolveHome({ ...hints, flag: '/h', env: { P2PSYNC_HOME: '/e' } }), '/h');
  assert.is(resolveHome({ ...hints, env: { P2PSYNC_HOME: '/e' } }), '/e');
  assert.is(resolveHome({ ...hints, uid: 0 }), '/var/lib/p2psync');
  assert.is(resolveHome({ ...hints, env: { XDG_STATE_HOME: '/s' } }), '/s/p2psync');
  assert.is(resolveHome({ ...hints, env: { XDG_STATE_HOME: 'relative' } }), '/home/u/.local/state/p2psync');
});

async function withDirectory(check: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'p2psync-config-'));
  try {
    await check(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("the home's own config.toml comes before the machine's", async () => {
  await withDirectory(async (directory) => {
    const system = join(directory, 'system.toml');
    assert.is(findConfigFile(directory, system), undefined);
    await writeFile(system, 'name = "machine"\n');
    assert.is(findConfigFile(directory, system), system);
    await writeFile(join(directory, 'config.toml'), 'name = "home"\n');
    assert.is(findConfigFile(directory, system), join(directory, 'config.toml'));
    assert.is((await readConfig(directory)).name, 'home');
  });
});

test('directories that cannot be shares are refused with the reason', async () => {
  await withDirectory(async (top) => {
    const home = join(top, 'home');
    const at = (name: string): string => join(top, name);
    await mkdir(at('a/inner'), { recursive: true });
    await mkdir(at('ab'));
    await mkdir(home);
    await writeFile(at('file'), '');
    await symlink(at('a'), at('link'));
    const refusal = async (...paths: readonly string[]): Promise<string> => {
      const shares = paths.map((path, index) => ({ name: `s${index}`, path }));
      try {
        await checkShareDirectories(shares, home);
        return '';
      } catch (error) {
        assert.ok(hasCode(error, 'config'));
        return error.message;
      }
    };
    assert.is(await refusal(at('a'), at('ab')), '');
    assert.match(await refusal(at('none')), 'is not there');
    assert.match(await refusal(at('file')), 'is not a directory');
    assert.match(await refusal(at('file/x')), 'is not there');
    assert.match(await refusal(at('a'), at('a/inner')), 'lies inside share s0');
    assert.match(await refusal(at('a/inner'), at('link')), 'holds share s0');
    assert.match(await refusal(at('a'), at('link')), 'directory of share s0 too');
    assert.match(await refusal(home), "inside the agent's home");
    assert.match(await refusal(top), "holds the agent's home");
  });
});

test.run();
