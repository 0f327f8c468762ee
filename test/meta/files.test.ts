/** What every file keeps to: how it opens, how long it is, what it does not hold; and that every test runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importsOf, root, sourcesIn } from './sources.ts';

const agent = sourcesIn('agent');
const everything = sourcesIn('agent', 'test', 'scripts');

/** Of the program; a test may be a longer list of cases. */
const linesMax = 350;
const testLinesMax = 450;

test('every file opens with what it owns', () => {
  const wrong = sourcesIn('agent', 'scripts')
    .filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text))
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

test('every file can be read in one sitting', () => {
  const wrong = everything
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ path, lines }) => lines > (path.startsWith('test/') ? testLinesMax : linesMax))
    // A list to look a bound up in.
    .filter(({ path }) => path !== 'agent/base/limits.ts')
    .map(({ path, lines }) => `${path}: ${lines}`);
  assert.equal(wrong, []);
});

test('nothing is left for later, skipped or singled out', () => {
  // Put together here, so that this file does not find itself.
  const words = ['TO' + 'DO', 'FIX' + 'ME', 'HA' + 'CK'].map(
    (word) => new RegExp(`(^|[^A-Za-z0-9_])${word}($|[^A-Za-z0-9_])`, 'm'),
  );
  const marks = ['@ts-' + 'ignore', '@ts-' + 'nocheck'];
  const testMarks = [/\b(test|[a-z]*[sS]uite)\.(skip|only)\(/];
  const wrong = everything.flatMap(({ path, text }) => [
    ...words.filter((word) => word.test(text)).map((word) => `${path}: ${word.source}`),
    ...marks.filter((mark) => text.includes(mark)).map((mark) => `${path}: ${mark}`),
    ...testMarks
      .filter((mark) => path.endsWith('.test.ts') && mark.test(text))
      .map((mark) => `${path}: ${mark.source}`),
  ]);
  assert.equal(wrong, []);
});

test('JSON that was read is parsed in one place', () => {
  // A single string, a value of our own that is copied, and a line that the log has just written.
  const others = ['agent/daemon/config-lines.ts', 'agent/daemon/config-edit.ts', 'agent/daemon/log.ts'];
  const parsing = agent.filter(({ text }) => text.includes('JSON.parse(')).map(({ path }) => path);
  assert.equal(parsing.sort(), ['agent/base/json.ts', ...others].sort());
});

test('every package has one version, and what npm installs is held against a checksum, on other platforms too', () => {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
  const own = read('package.json') as Record<'dependencies' | 'devDependencies', Record<string, string>>;
  const ranges = Object.entries({ ...own.dependencies, ...own.devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
  );
  assert.equal(ranges, []);
  const { packages } = read('package-lock.json') as { packages: Record<string, { integrity?: string }> };
  const locked = Object.entries(packages).filter(([path]) => path !== '');
  assert.ok(locked.length > 300);
  assert.equal(
    locked.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true).map(([path]) => path),
    [],
  );
});

test('every package with an install script is allowed or denied by name, as npm wants it of locks without addresses', () => {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(root, file), 'utf8'));
  const { allowScripts } = read('package.json') as { allowScripts: Record<string, boolean> };
  const { packages } = read('package-lock.json') as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const scripted = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true);
  const names = scripted.map(([path]) => path.replace(/^.*node_modules\//, ''));
  assert.equal(Object.keys(allowScripts).sort(), names.sort());
  assert.is(allowScripts['node'], true);
});

test('every bound says in a comment what it bounds', () => {
  const [limits] = agent.filter(({ path }) => path === 'agent/base/limits.ts');
  assert.ok(limits !== undefined);
  const lines = limits.text.split('\n');
  const names = new Set<string>();
  const wrong: string[] = [];
  for (const [at, line] of lines.entries()) {
    const name = /^export const (\w+)/.exec(line)?.[1];
    if (name === undefined || name === 'KIB' || name === 'MIB') continue;
    if (names.has(name)) wrong.push(`${name} is there twice`);
    names.add(name);
    // Bounds that stand together under one comment share it.
    let above = at - 1;
    while (lines[above]?.startsWith('export const ') === true) above -= 1;
    if (!/\*\/\s*$/.test(lines[above] ?? '')) wrong.push(`${name} has no comment`);
  }
  assert.ok(names.size > 30);
  assert.equal(wrong, []);
});

test('every bound is used', () => {
  const [limits] = agent.filter(({ path }) => path === 'agent/base/limits.ts');
  const others = agent.filter(({ path }) => path !== 'agent/base/limits.ts').map(({ text }) => text);
  const names = [...(limits?.text ?? '').matchAll(/^export const (\w+)/gm)].map((match) => match[1] ?? '');
  const inLimits = (name: string): boolean =>
    (limits?.text.match(new RegExp(`\\b${name}\\b(?!:)`, 'g')) ?? []).length > 1;
  const wrong = names.filter((name) => {
    const word = new RegExp(`\\b${name}\\b`);
    return !others.some((text) => word.test(text)) && !inLimits(name);
  });
  assert.equal(wrong, []);
});

test('every test file ends in test.run() and imports uvu', () => {
  const tests = sourcesIn('test').filter(({ path }) => path.endsWith('.test.ts'));
  assert.ok(tests.length > 20);
  const wrong = tests
    .filter((source) => !/\.run\(\);\s*$/.test(source.text) || !importsOf(source).includes('uvu'))
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

test('a file of test/ is a test or is used by one', () => {
  const tests = sourcesIn('test');
  const used = tests.map(({ text }) => text).join('\n');
  const wrong = tests
    .filter(({ path }) => !path.endsWith('.test.ts') && !used.includes(path.split('/').at(-1) ?? ''))
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

test.run();
