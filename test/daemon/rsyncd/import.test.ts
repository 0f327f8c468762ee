import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../../agent/base/errors.ts';
import { parseConfig } from '../../../agent/daemon/config.ts';
import { parameters } from '../../../agent/daemon/rsyncd/parameters.ts';
import { refusalOf } from '../../../agent/daemon/rsyncd/settings.ts';
import { importText, noteOn } from './files.ts';

/** As people write it for the loop of inotifywait and rsync. */
const usual = `uid = root
gid = root
use chroot = no
max connections = 200
timeout = 600
pid file = /var/run/rsyncd.pid
lock file = /var/run/rsync.lock
log file = /var/log/rsyncd.log

# the web servers
[web]
  path = /data/www/
  ignore errors
  read only = false
  list = false
  hosts allow = 192.168.9.0/24 \\
                10.0.0.7
  hosts deny = *
  auth users = rsync_backup
  secrets file = /etc/rsync.password
  exclude = *.tmp .git/
`;

test('the file of the usual loop becomes one share with its access list', async () => {
  const { config, notes } = await importText(usual);
  const parsed = parseConfig(config, null);
  assert.equal(
    parsed.shares.map(({ name, path, ignore }) => ({ name, path, ignore })),
    [{ name: 'web', path: '/data/www', ignore: ['*.tmp', '.git/'] }],
  );
  assert.equal(parsed.access, { allow: ['192.168.9.0/24', '10.0.0.7'], deny: [] });
  assert.is(parsed.limits.connections, 200);
  assert.is(parsed.log.file, '/var/log/rsyncd.log');
  assert.equal(
    notes.map(({ line, parameter, module, outcome }) => `${line} ${parameter} ${module ?? '-'} ${outcome}`),
    [
      '1 uid - mapped',
      '2 gid - mapped',
      '3 use chroot - explained',
      '4 max connections - mapped',
      '5 timeout - mapped',
      '6 pid file - mapped',
      '7 lock file - mapped',
      '8 log file - mapped',
      '11 [web] web kept',
      '12 path web mapped',
      '13 ignore errors web explained',
      '14 read only web mapped',
      '15 list web mapped',
      '16 hosts allow web mapped',
      '18 hosts deny web mapped',
      '19 auth users web explained',
      '20 secrets file web explained',
      '21 exclude web mapped',
    ],
  );
  assert.match(config, 'p2psync join INVITATION /data/www');
  for (const { line } of notes) assert.match(config, `rsyncd.conf:${line}`);
});

test('every parameter of rsyncd.conf has an outcome, wherever it stands, with any value', async () => {
  const values = [
    '',
    'yes',
    'no',
    '0',
    '-1',
    '7',
    '100000',
    '/x/y',
    'web1 web2',
    '*',
    'root',
    'www-data',
    '%RSYNC_USER_NAME%',
    '"\\"',
  ];
  for (const { name, scope } of parameters) {
    for (const value of values) {
      const line = `${name} = ${value}`;
      const texts =
        scope === 'global'
          ? [`${line}\n[m]\npath = /m`]
          : [`${line}\n[m]\npath = /m`, `[m]\npath = /m\n${line}`];
      for (const text of texts.filter(
        (one) => name !== 'path' || value.startsWith('/') || one.startsWith(name),
      )) {
        const { config, notes } = await importText(text);
        parseConfig(config, null);
        const about = notes.filter(({ parameter }) => parameter === name);
        assert.ok(about.length > 0, text);
        for (const note of about) {
          assert.ok(['kept', 'mapped', 'explained'].includes(note.outcome), text);
          assert.ok(note.note.length > 0 && !/[\n\r]/.test(note.note), text);
        }
        if (about.some(({ outcome }) => outcome === 'explained'))
          assert.match(config, `# rsyncd.conf:${text.startsWith(name) ? 1 : name === 'path' ? 2 : 3}`);
      }
    }
  }
});

// [lines before the module, lines inside it, parameter, outcome, what its note or the configuration says]
const cases: readonly (readonly [
  before: string,
  inside: string,
  parameter: string,
  outcome: string,
  note: RegExp | string,
])[] = [
  ['address = 192.168.9.1', '', 'address', 'mapped', 'listen = ["192.168.9.1:8873"]'],
  ['address = ::1', '', 'address', 'mapped', 'listen = ["[::1]:8873"]'],
  ['address = web1', '', 'address', 'explained', 'an IP address'],
  ['port = 874', '', 'port', 'explained', '8873'],
  ['motd file = /etc/motd', '', 'motd file', 'explained', 'nobody is greeted'],
  ['daemon chroot = /srv', '', 'daemon chroot', 'mapped', 'before the paths'],
  ['', 'comment = the "web"', 'comment', 'kept', 'comment above'],
  ['max connections = 0', '', 'max connections', 'explained', 'no limit in rsync'],
  ['max connections = 4', '', 'max connections', 'explained', 'could cut the mesh'],
  ['max connections = 99999', '', 'max connections', 'mapped', 'connections = 10000'],
  ['max connections = 64', '', 'max connections', 'mapped', 'connections = 64'],
  ['timeout = 0', '', 'timeout', 'explained', 'no timeout in rsync'],
  ['timeout = 600', '', 'timeout', 'mapped', 'idle_timeout = "600s"'],
  ['log file =', '', 'log file', 'explained', 'standard error'],
  [
    'log file = /var/log/x',
    'syslog facility = local5',
    'syslog facility',
    'explained',
    'does not use syslog either',
  ],
  ['', 'transfer logging = yes', 'transfer logging', 'mapped', 'transfers = "transfer.log"'],
  ['', 'transfer logging = no', 'transfer logging', 'mapped', 'transfers = "off"'],
  ['', 'log format = %o %f', 'log format', 'explained', 'p2psync log --format'],
  ['', 'uid = *', 'uid', 'explained', 'that starts the agent'],
  ['', 'gid = *', 'gid', 'mapped', 'brings its groups'],
  ['', 'gid = www-data, adm', 'gid', 'mapped', 'adm: the user'],
  ['hosts allow = *', '', 'hosts allow', 'mapped', 'everybody'],
  ['hosts allow = 10.0.0.1\nhosts deny = *', '', 'hosts deny', 'mapped', 'refused anyway'],
  ['hosts allow = *.example.com', '', 'hosts allow', 'mapped', 'deny = ["0.0.0.0/0", "::/0"]'],
  ['', 'uid = %RSYNC_USER_NAME%', 'uid', 'explained', 'one user'],
  ['daemon uid = x', 'uid = root', 'daemon uid', 'explained', 'one process'],
  ['', 'numeric ids = yes', 'numeric ids', 'mapped', 'owner = "numeric"'],
  ['', 'numeric ids = no', 'numeric ids', 'mapped', 'owner = "name"'],
  ['', 'read only = yes', 'read only', 'mapped', 'p2psync init'],
  ['', 'read only = no', 'read only', 'mapped', 'p2psync join'],
  ['', 'strict modes = no', 'strict modes', 'explained', 'cannot be switched off'],
  ['', 'reverse lookup = no', 'reverse lookup', 'mapped', 'never turned into names'],
  ['', 'exclude = a b/', 'exclude', 'mapped', 'ignore = ["a", "b/"]'],
  ['', 'exclude = a a**b', 'exclude', 'mapped', 'not in ignore: a**b'],
  ['', 'exclude = a**b', 'exclude', 'explained', 'not in ignore: a**b'],
  ['', 'exclude from = /rules', 'exclude from', 'mapped', 'ignore = ["x y", "/z"]'],
  ['', 'exclude from = /none', 'exclude from', 'explained', 'there is no /none'],
  ['', 'filter = merge /x', 'filter', 'explained', 'write the rules of that file'],
  ['', 'post-xfer exec = /bin/true a', 'post-xfer exec', 'explained', "each client's download"],
  ['', 'read only = no\npost-xfer exec = /bin/x | y', 'post-xfer exec', 'explained', 'needs a shell'],
  ['', 'read only = no\npost-xfer exec = /bin/x %RSYNC_PID%', 'post-xfer exec', 'explained', 'needs a shell'],
];

for (const [before, inside, parameter, outcome, says] of cases) {
  test(`import: ${[before, inside].filter((text) => text !== '').join(' · ')}`, async () => {
    const files = { '/rules': '# rules\nx y\n/z\n' };
    const result = await importText(`${before}\n[m]\npath = /m\n${inside}\n`, files);
    const note = noteOn(result, parameter);
    assert.is(note.outcome, outcome, note.note);
    assert.match(note.note, says);
  });
}

test('what our configuration knows and this version refuses is a comment that shows the line', async () => {
  const files = 'uid = www-data\n[m]\npath = /m\nread only = no\npost-xfer exec = systemctl reload nginx';
  const result = await importText(files);
  const user = { key: 'user', value: 'www-data', from: [] };
  const program = { key: 'on_applied', value: [['systemctl', 'reload', 'nginx']], from: [] };
  for (const [parameter, refusal, line] of [
    ['uid', refusalOf('run', user), '[run] user = "www-data"'],
    ['post-xfer exec', refusalOf('share', program), 'on_applied = [["systemctl", "reload", "nginx"]]'],
  ] as const) {
    const { outcome, note } = noteOn(result, parameter);
    assert.is(outcome, refusal === null ? 'mapped' : 'explained', note);
    assert.match(note, line);
    if (refusal !== null) assert.match(result.config, `# `);
  }
});

test('modules that differ in what is one for the agent are told apart in a comment', async () => {
  const { config, notes } = await importText(
    '[a]\npath = /a\ntimeout = 600\nhosts allow = 10.0.0.1 \\\n\t 10.0.0.2\n[b]\npath = /b\ntimeout = 300\n[c]\npath = /c',
  );
  const parsed = parseConfig(config, null);
  assert.equal([parsed.access.allow, parsed.limits.idleTimeoutMs], [[], 600_000]);
  const timeouts = notes.filter(({ parameter }) => parameter === 'timeout');
  assert.equal(
    timeouts.map(({ outcome }) => outcome),
    ['explained', 'explained'],
  );
  assert.match(timeouts[0]?.note ?? '', 'a: 600, b: 300, c: unset');
  assert.match(config, 'a: 10.0.0.1 10.0.0.2; b: all; c: all');
});

test('several modules are several shares', async () => {
  const { config } = await importText(
    'hosts allow = 10.0.0.0/8\n[web site]\npath = /data/./www\n[.img]\npath = /data/img',
  );
  const parsed = parseConfig(config, null);
  assert.equal(
    parsed.shares.map(({ name, path }) => [name, path]),
    [
      ['web-site', '/data/www'],
      ['img', '/data/img'],
    ],
  );
  assert.equal(parsed.access.allow, ['10.0.0.0/8']);
});

test('modules that cannot be shares of their own are left out, with the reason', async () => {
  const text = [
    '[www]\npath = /data/www',
    '[upload]\npath = /data/www/\nread only = no',
    '[below]\npath = /data/www/img',
    '[above]\npath = /data',
    '[home]\npath = /home/%RSYNC_USER_NAME%',
    '[off]\npath = /off\nmax connections = -1',
    '[near]\npath = near',
    '[root]\npath = /',
  ].join('\n');
  const { config, notes } = await importText(text);
  assert.equal(
    parseConfig(config, null).shares.map(({ name }) => name),
    ['www'],
  );
  const reasons = Object.fromEntries(
    notes.filter(({ parameter }) => parameter.startsWith('[')).map(({ module, note }) => [module, note]),
  );
  assert.match(reasons['upload'] ?? '', 'share www has this directory already');
  assert.match(reasons['below'] ?? '', 'lies inside share www');
  assert.match(reasons['above'] ?? '', 'holds share www');
  assert.match(reasons['home'] ?? '', '%RSYNC_USER_NAME% is another directory for each client');
  assert.match(reasons['off'] ?? '', 'switches the module off');
  assert.match(reasons['near'] ?? '', 'absolute');
  assert.match(reasons['root'] ?? '', 'whole file system');
});

test('the environment is put in, and a chroot of the daemon stands before the paths', async () => {
  const { config } = await importText('daemon chroot = /srv\n[m]\npath = %TOP%/www\n', {}, { TOP: '/data' });
  assert.is(parseConfig(config, null).shares[0]?.path, '/srv/data/www');
});

test('a file without a module, and a module without a path, are refused in one line', async () => {
  for (const [text, message] of [
    ['', 'rsyncd.conf has no module'],
    ['uid = root\n[global]\n', 'rsyncd.conf has no module'],
    ['\n[web]\ncomment = x', 'rsyncd.conf:2: module web has no path'],
    ['[web]\npath =', 'rsyncd.conf:1: module web has no path'],
  ] as const) {
    try {
      await importText(text);
      assert.unreachable(text);
    } catch (error) {
      assert.ok(error instanceof P2psyncError && error.code === 'config');
      assert.match(error.message, message);
      assert.not.match(error.message, '\n');
    }
  }
});

test('any text becomes a configuration that our parser takes, or one sentence', async () => {
  const name = fc.constantFrom(...parameters.map((parameter) => parameter.name), 'unknown', '');
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'yes',
      '-1',
      '*',
      '/a',
      '/a\\',
      '"',
      "'''",
      '\x1b[2J',
      '\u202e',
      '\u2028',
      '%RSYNC_X%',
      '10.0.0.0/8',
      '- a + b',
      '\ud800',
      '𝒳'.repeat(40),
    ),
  );
  const line = fc.oneof(
    fc.tuple(name, value).map(([left, right]) => `${left} = ${right}`),
    value.map((text) => `[${text}]\npath = /${text}`),
    fc.constantFrom('[m]\npath = /m', '[global]', '&merge other', '&include other'),
    fc.string(),
  );
  const text = fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n'));
  await fc.assert(
    fc.asyncProperty(text, text, async (main, other) => {
      try {
        const { config, notes } = await importText(main, { other }, {});
        parseConfig(config, null);
        assert.ok(notes.length > 0);
        // Nothing that a terminal would obey.
        assert.not.match(config, /[^\n\P{Cc}]/u);
      } catch (error) {
        if (!(error instanceof P2psyncError)) throw error;
        assert.ok(['config', 'not-found', 'limit-exceeded'].includes(error.code), error.message);
      }
    }),
    { numRuns: 300 },
  );
});

test.run();
