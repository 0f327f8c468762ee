import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SharePath } from '../../../agent/core/path.ts';
import { translateFilters, translatePattern } from '../../../agent/daemon/rsyncd/filter-patterns.ts';
import {
  readFilterWords,
  readPatternLines,
  readPatternWords,
} from '../../../agent/daemon/rsyncd/filter-rules.ts';
import { createIgnore } from '../../../agent/disk/ignore.ts';

// [rsync's pattern, excluded, included]; a sentence where there is no rule.
const patterns: readonly (readonly [string, readonly string[] | RegExp, readonly string[] | RegExp])[] = [
  ['*.tmp', ['*.tmp'], ['!*.tmp']],
  ['.git/', ['.git/'], ['!.git/']],
  ['/top', ['/top'], ['!/top']],
  ['/a/b/', ['/a/b/'], ['!/a/b/']],
  // Without a slash in front it is the end of the path that has to match.
  ['a/b', ['**/a/b'], ['!**/a/b']],
  ['a/b/', ['**/a/b/'], ['!**/a/b/']],
  ['/a/**', ['/a/**'], ['!/a/**']],
  ['a/**', ['**/a/**'], ['!**/a/**']],
  ['/a/***', ['/a/'], ['!/a/', '!/a/**']],
  ['a/***', ['**/a/'], ['!**/a/', '!**/a/**']],
  ['*', ['*'], ['!*']],
  ['**', ['*'], ['!*']],
  ['*/', ['*/'], ['!*/']],
  ['/*', ['/*'], ['!/*']],
  ['/**', ['/**'], ['!/**']],
  ['**/a', ['**/a'], ['!**/a']],
  // In the middle it stands for at least one directory.
  ['/a/**/b', ['/a/*/**/b'], ['!/a/*/**/b']],
  ['/**/b', ['/*/**/b'], ['!/*/**/b']],
  ['#x', ['\\#x'], ['!\\#x']],
  ['!x', ['\\!x'], ['!\\!x']],
  ['[ab]?', ['[ab]?'], ['![ab]?']],
  ['[!a]*', ['[!a]*'], ['![!a]*']],
  // A backslash quotes where there is a wildcard and is one of the name where there is none.
  ['a\\*', ['a\\*'], ['!a\\*']],
  ['a\\b', ['a\\\\b'], ['!a\\\\b']],
  ['a  ', ['a\\ \\ '], ['!a\\ \\ ']],
  ['a**', /crosses directories/, /crosses directories/],
  ['**b/c', /crosses directories/, /crosses directories/],
  ['[ab', /without its/, /without its/],
  ['*\\', /backslash at the end/, /backslash at the end/],
  ['/', /names nothing/, /names nothing/],
  ['', /names nothing/, /names nothing/],
  ['a//b', /empty part/, /empty part/],
  ['./a', /empty part/, /empty part/],
  ['a/../b', /empty part/, /empty part/],
  ['a\tb', /white space/, /white space/],
];

for (const [pattern, excluded, included] of patterns) {
  test(`patterns: ${JSON.stringify(pattern)}`, () => {
    for (const [kind, expected] of [
      ['exclude', excluded],
      ['include', included],
    ] as const) {
      const found = translatePattern(pattern, kind, false);
      if (expected instanceof RegExp) assert.match(String(found), expected);
      else assert.equal(found, expected);
    }
  });
}

test('lists of words: patterns, signs, and the mark that clears', () => {
  const words = (text: string): string =>
    readPatternWords(text, 'exclude')
      .map((rule) =>
        rule.kind === 'exclude' || rule.kind === 'include' ? `${rule.kind} ${rule.pattern}` : rule.kind,
      )
      .join(', ');
  assert.is(words(''), '');
  assert.is(words(' a  /b\tc/ '), 'exclude a, exclude /b, exclude c/');
  assert.is(words('+ a - b c'), 'include a, exclude b, exclude c');
  assert.is(words('a ! b'), 'exclude a, clear, exclude b');
  assert.is(words('!b -c +'), 'exclude !b, exclude -c, exclude +');
});

test('lists of lines: comments, spaces and both ends of lines', () => {
  const lines = readPatternLines('# a\n;b\n\nc d\r\n+ e\n- f ', 'exclude');
  assert.equal(lines, [
    { kind: 'exclude', pattern: 'c d' },
    { kind: 'include', pattern: 'e' },
    { kind: 'exclude', pattern: 'f ' },
  ]);
});

test('filter rules: signs and names, and what has no equivalent', () => {
  const rules = readFilterWords('- /a + b/ exclude_c include,  d !  merge /x :n- .rules P e -p f H g what');
  assert.equal(
    rules.map((rule) =>
      rule.kind === 'exclude' || rule.kind === 'include'
        ? `${rule.kind} ${rule.pattern}`
        : rule.kind === 'other'
          ? `${rule.kind} ${rule.text}`
          : rule.kind,
    ),
    [
      'exclude /a',
      'include b/',
      'exclude c',
      'other include,',
      'other d',
      'clear',
      'other merge /x',
      'other :n- .rules',
      'other P e',
      'other -p f',
      'other H g',
      'other what',
    ],
  );
});

test('the order turns round where there are includes, and stays where there are none', () => {
  const translate = (text: string): readonly string[] => translateFilters(readFilterWords(text)).ignore;
  assert.equal(translate('- a - b'), ['a', 'b']);
  assert.equal(translate('+ */ + *.php - *'), ['*', '!*.php', '!*/']);
  assert.equal(translate('- *.tmp + *'), ['*.tmp']);
  assert.equal(translate('- a ! - b'), ['b']);
  // Where an include brings a directory back, what is in it stays out: to a daemon `d/` is `d/***`.
  assert.equal(translate('+ /d/ - d/'), ['d/', '**/d/**', '!/d/']);
});

test('any text gives rules that can be compiled, or sentences', () => {
  const piece = fc.constantFrom(
    '*',
    '**',
    '/',
    '?',
    '[',
    ']',
    '!',
    '^',
    '\\',
    ' ',
    '#',
    '- ',
    '+ ',
    'a',
    ':',
    '-',
    '_',
    ',',
    '\n',
    '\0',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 20 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (given) => {
      for (const rules of [
        readPatternWords(given, 'exclude'),
        readPatternLines(given, 'include'),
        readFilterWords(given),
      ]) {
        const { ignore } = translateFilters(rules);
        createIgnore(ignore).ignores('a/b' as SharePath, false);
      }
    }),
  );
});

// rsync as a second judge, where it is installed: what a daemon lists is what is not ignored.

const run = promisify(execFile);
const rsyncIsHere = await run('rsync', ['--version']).then(
  () => true,
  () => false,
);

const trees = [
  'a/',
  'b/',
  'a/b/',
  'b/a/',
  'a/b/c/',
  '.git/',
  'a/.git/',
  'f',
  'a/f',
  'a/b/f',
  'b/f',
  'x.tmp',
  'a/x.tmp',
  'a/b/c/x.tmp',
  '.git/f',
  '#c',
  'a/i.php',
  'b/a/i.php',
  'a/.git/f',
];

const judged: readonly string[] = [
  'exclude = *.tmp .git/',
  'exclude = /a/b',
  'exclude = a/b b/f',
  'exclude = /a/** #c',
  'exclude = b/***',
  'exclude = a/**/f',
  'exclude = /**/f',
  'exclude = **/b/',
  'exclude = *\ninclude = */ *.php',
  'exclude = */\ninclude = /a/',
  'exclude = + a/f - f',
  'exclude = a b ! f',
  'filter = + /a/b/*** - /a/* - [!a]*',
  'filter = - x.tmp\ninclude = x.tmp\nexclude = *',
];

test('a daemon of rsync shows what is not ignored', async () => {
  const top = await mkdtemp(join(tmpdir(), 'p2psync-rsyncd-'));
  try {
    for (const path of trees) {
      if (path.endsWith('/')) await mkdir(join(top, 'tree', path), { recursive: true });
      else await writeFile(join(top, 'tree', path), '');
    }
    for (const lines of judged) {
      const words = new Map(lines.split('\n').map((line) => line.split(' = ') as [string, string]));
      const { ignore, leftOut } = translateFilters([
        ...readFilterWords(words.get('filter') ?? ''),
        ...readPatternWords(words.get('include') ?? '', 'include'),
        ...readPatternWords(words.get('exclude') ?? '', 'exclude'),
      ]);
      assert.equal(leftOut, [], lines);
      const rules = createIgnore(ignore);
      const ours = trees.filter((path) => {
        const parts = path.replace(/\/$/, '').split('/');
        return !parts.some((_, at) =>
          rules.ignores(
            parts.slice(0, at + 1).join('/') as SharePath,
            at + 1 < parts.length || path.endsWith('/'),
          ),
        );
      });
      if (rsyncIsHere) assert.equal(await listedByRsync(top, lines), ours.toSorted(), lines);
      else assert.ok(ours.length < trees.length, lines);
    }
  } finally {
    await rm(top, { recursive: true });
  }
});

/** Through a daemon that is a child of the client: no port is opened. */
async function listedByRsync(top: string, lines: string): Promise<string[]> {
  const config = join(top, 'rsyncd.conf');
  const user = process.getuid?.() === 0 ? 'uid = root\ngid = root\n' : '';
  await writeFile(config, `use chroot = no\n${user}[m]\npath = ${join(top, 'tree')}\n${lines}\n`);
  const { stdout } = await run('rsync', ['-r', '--list-only', 'rsync://localhost/m/'], {
    env: {
      PATH: process.env['PATH'],
      RSYNC_CONNECT_PROG: `rsync --daemon --config=${config} --log-file=/dev/null`,
    },
  });
  return [...stdout.matchAll(/^([-d])\S+ +\S+ \S+ \S+ (.*)$/gm)]
    .map(([, kind = '', path = '']) => (kind === 'd' ? `${path}/` : path))
    .filter((path) => path !== './')
    .sort();
}

test.run();
