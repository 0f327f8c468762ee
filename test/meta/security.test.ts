/** docs/SECURITY.md: every promise names a test, and every test that it names exists under that title. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { root } from './sources.ts';

const text = readFileSync(join(root, 'docs', 'SECURITY.md'), 'utf8');

type Named = { readonly file: string; readonly title: string };

/** `file` “title”, “another title of that file”. */
function testsNamedIn(part: string): Named[] {
  const named: Named[] = [];
  let file = '';
  for (const [, path, title] of part.matchAll(/`(test\/[^`]+\.test\.ts)`|“([^”]+)”/g)) {
    if (path !== undefined) file = path;
    else if (title !== undefined) named.push({ file, title });
  }
  return named;
}

/** The titles in a file as they are written, whatever quotes they stand in. */
function titlesOf(file: string): Set<string> {
  const path = join(root, file);
  if (!existsSync(path)) return new Set();
  const calls = readFileSync(path, 'utf8').matchAll(/\btest\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g);
  return new Set([...calls].map(([, , title = '']) => title.replaceAll('\\', '')));
}

/** Rows of the tables whose second column says by what a promise is held. */
const promises = [...text.matchAll(/^\| (.+) \| (`test\/.+) \|$/gm)].map(([, promise = '', held = '']) => ({
  promise,
  tests: testsNamedIn(held),
}));

test('every promise names a test', () => {
  const tables = [...text.matchAll(/^\| .*promise.* \| held by \|\n\|---\|---\|\n((?:\|.*\n)+)/gm)];
  const rows = tables.flatMap(([, body = '']) => body.trim().split('\n'));
  assert.ok(tables.length > 5);
  assert.is(promises.length, rows.length, 'a row of a promise has its tests in its second column');
  assert.equal(
    promises.filter(({ tests }) => tests.length === 0).map(({ promise }) => promise),
    [],
  );
});

test('every test that is named exists, under that title', () => {
  const named = testsNamedIn(text);
  assert.ok(named.length > 50);
  const missing = named.filter(({ file, title }) => !titlesOf(file).has(title));
  assert.equal(missing, []);
});

test.run();
