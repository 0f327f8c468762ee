import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ignoreRememberedMax } from '../../agent/base/limits.ts';
import { parsePath, type SharePath } from '../../agent/core/path.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';

type Files = Record<string, string>;

/** @param paths with a trailing slash for directories. @returns those that are ignored. */
function ignored(patterns: readonly string[], files: Files, paths: readonly string[]): string[] {
  const rules = createIgnore(
    patterns,
    Object.entries(files).map(([directory, text]) => [directory as SharePath | '', text] as const),
  );
  return paths.filter((path) => {
    const isDirectory = path.endsWith('/');
    return rules.ignores(parsePath(isDirectory ? path.slice(0, -1) : path), isDirectory);
  });
}

function check(patterns: readonly string[], files: Files, cases: Record<string, boolean>): void {
  const paths = Object.keys(cases);
  assert.equal(
    ignored(patterns, files, paths),
    paths.filter((path) => cases[path]),
  );
}

// Each expectation was compared with `git check-ignore` of git 2.39.

test('without rules nothing is ignored but the agent’s own directory at the top', () => {
  const rules = createIgnore([]);
  assert.is(rules.ignores('.p2psync' as SharePath, true), true);
  assert.is(rules.ignores('.p2psync/kept/x' as SharePath, false), true);
  assert.is(rules.ignores('a/.p2psync' as SharePath, true), false);
  assert.is(rules.ignores('.p2psyncignore' as SharePath, false), false);
});

test('not even a negation brings back the agent’s own directory', () => {
  assert.is(createIgnore(['!.p2psync', '!/.p2psync/**']).ignores('.p2psync' as SharePath, true), true);
});

test('a name matches at any depth, a path with a slash only from its file’s directory', () => {
  check(
    ['*.tmp', '/only', 'a/b'],
    {},
    { 'x.tmp': true, 'd/x.tmp': true, only: true, 'd/only': false, 'a/b': true, 'd/a/b': false },
  );
});

test('a trailing slash matches directories alone, and everything inside them', () => {
  check(
    ['.git/'],
    {},
    { '.git/': true, '.git': false, '.git/config': true, 'd/.git/': true, 'd/.git/x/y': true },
  );
});

test('case counts', () => {
  check(['*.TMP'], {}, { 'x.TMP': true, 'x.tmp': false });
});

test('a later rule wins, and nothing comes back from inside an excluded directory', () => {
  check(
    ['*.log', '!keep.log', 'dir/', '!dir/in'],
    {},
    { 'a.log': true, 'keep.log': false, 'dir/': true, 'dir/in': true },
  );
});

test('a nested file applies below its directory only, and beats those above it', () => {
  check(
    ['*.tmp'],
    { '': '*.bak\n', sub: '!*.tmp\n!x.bak\n/top\nmid/low\n' },
    {
      'a.tmp': true,
      'sub/a.tmp': false,
      'sub/d/a.tmp': false,
      'sub/x.bak': false,
      'sub/y.bak': true,
      'sub/top': true,
      'sub/d/top': false,
      top: false,
      'sub/mid/low': true,
      'sub/d/mid/low': false,
      'subway/a.tmp': true,
    },
  );
});

test('a directory that a nested file brings back is gone into again', () => {
  check(['build/'], { sub: '!build/\n' }, { 'build/x': true, 'sub/build/': false, 'sub/build/x': false });
});

test('a nested file inside an excluded directory changes nothing', () => {
  check(['out/'], { out: '!*\n' }, { 'out/': true, 'out/x': true });
});

test('a directory’s name is no pattern, whatever it looks like', () => {
  const odd = 'a*b[c]? {d} !#\\e';
  check(
    [],
    { [odd]: '*.x\n/y\n' },
    { [`${odd}/1.x`]: true, [`${odd}/y`]: true, [`${odd}/z/y`]: false, 'aab[c]? {d} !#\\e/y': false },
  );
});

test('comments, blank lines, a byte order mark, CRLF, quoted signs and spaces read as in git', () => {
  const text = '\ufeff# note\r\n\r\n\\#file\r\n\\!bang\r\ntrail   \r\nquoted\\ \r\n';
  const cases = {
    '# note': false,
    '#file': true,
    '!bang': true,
    trail: true,
    'quoted ': true,
    quoted: false,
  };
  check([], { '': text }, cases);
  check([], { d: text }, Object.fromEntries(Object.entries(cases).map(([path, is]) => [`d/${path}`, is])));
});

test('two stars span directories', () => {
  check(
    [],
    { d: '**/deep\na/**/z\nall/**\n' },
    {
      'd/deep': true,
      'd/x/y/deep': true,
      'd/a/z': true,
      'd/a/b/c/z': true,
      'd/all/': false,
      'd/all/x': true,
    },
  );
});

test('a change is told once, and takes effect at once', () => {
  const rules = createIgnore([]);
  const told: unknown[] = [];
  const stop = rules.onChange((change) => told.push(change));
  const path = parsePath('d/x');
  const change = { kind: 'file', directory: 'd' as SharePath, text: 'x\n' } as const;
  assert.is(rules.change(change), true);
  assert.is(rules.change(change), false);
  assert.is(rules.ignores(path, false), true);
  assert.is(rules.change({ ...change, text: null }), true);
  assert.is(rules.change({ ...change, text: null }), false);
  assert.is(rules.ignores(path, false), false);
  assert.is(rules.change({ kind: 'patterns', patterns: ['x'] }), true);
  assert.is(rules.change({ kind: 'patterns', patterns: ['x'] }), false);
  assert.is(rules.ignores(path, false), true);
  stop();
  rules.change({ kind: 'patterns', patterns: [] });
  assert.is(told.length, 3);
});

test('the source makes equal rules elsewhere', () => {
  const rules = createIgnore(['*.a'], [['d' as SharePath, '*.b']]);
  const { patterns, files } = structuredClone(rules.source());
  const copy = createIgnore(patterns, files);
  for (const path of ['x.a', 'x.b', 'd/x.b']) {
    assert.is(copy.ignores(parsePath(path), false), rules.ignores(parsePath(path), false));
  }
});

test('answers stay right when the remembered ones are forgotten', () => {
  const rules = createIgnore(['*.tmp', 'dir/']);
  for (let at = 0; at <= ignoreRememberedMax + 10; at += 1) {
    if (!rules.ignores(`dir/${at}` as SharePath, false) || rules.ignores(`${at}.txt` as SharePath, false)) {
      assert.unreachable(`wrong at ${at}`);
    }
  }
});

test.run();
