/** The documents: every name in them exists, and what a user can type is in the README. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commands, globalFlags } from '../../agent/cli/commands.ts';
import { root, sourcesIn } from './sources.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** What stands in backticks outside code fences. */
function namesIn(text: string): string[] {
  const prose = text.replace(/```.*?```/gs, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
}

test('every name in the architecture document exists', () => {
  const code = sourcesIn('agent', 'test', 'scripts')
    .map(({ text }) => text)
    .concat(read('package.json'))
    .join('\n');
  const exists = (name: string): boolean => {
    const script = /^npm (?:run )?(\w+)$/.exec(name)?.[1];
    if (script !== undefined) return scripts[script] !== undefined;
    if (name.includes('/') || name.endsWith('.ts')) {
      const path = name.replace(/\/$/, '');
      if (path.includes('*')) return globSync([path, join('agent', path)], { cwd: root }).length > 0;
      return ['', 'agent'].some((start) => existsSync(join(root, start, path))) || code.includes(`'${name}'`);
    }
    return code.includes(name);
  };
  const names = namesIn(read('docs/ARCHITECTURE.md'));
  assert.ok(names.length > 50);
  assert.equal(
    names.filter((name) => !exists(name)),
    [],
  );
});

test('links between the documents lead somewhere', () => {
  const wrong: string[] = [];
  for (const path of ['README.md', ...globSync('docs/**/*.md', { cwd: root })]) {
    for (const [, target = ''] of read(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(target)) continue;
      if (!existsSync(join(root, path, '..', target))) wrong.push(`${path}: ${target}`);
    }
  }
  assert.equal(wrong, []);
});

test('the README names every command and flag, and every npm script it names exists', () => {
  const readme = read('README.md');
  assert.ok(commands.length > 10);
  const missing = commands.flatMap(({ name, flags }) => [
    ...(readme.includes(`\`${name}`) ? [] : [name]),
    ...flags.filter((flag) => !readme.includes(`--${flag.name}`)).map((flag) => `${name} --${flag.name}`),
  ]);
  assert.equal(missing, []);
  assert.equal(
    globalFlags.filter((flag) => !readme.includes(`--${flag.name}`)),
    [],
  );
  const named = [...readme.matchAll(/\bnpm (?:run )?(\w[\w-]*)/g)].map((match) => match[1] ?? '');
  assert.equal(
    named.filter((name) => !['install', 'ci'].includes(name) && scripts[name] === undefined),
    [],
  );
});

test('every npm script runs a file that is there', () => {
  const wrong = Object.entries(scripts)
    .map(([name, line]) => ({ name, file: /\bnode (\S+\.ts)/.exec(line)?.[1] }))
    .filter(({ file }) => file !== undefined && !existsSync(join(root, file)))
    .map(({ name }) => name);
  assert.equal(wrong, []);
});

test.run();
