/**
 * Everything that must hold before a commit: format, lint (with types), types, dead code, generated code, tests.
 * Runs all of them, says each one's verdict, and exits 1 where any failed.
 *
 *   npm run check
 *   npm run check -- --no-tests
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');

type Step = { readonly name: string; readonly command: readonly [string, ...string[]] };

const steps: readonly Step[] = [
  { name: 'format', command: ['biome', 'check'] },
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'dead code', command: ['knip', '--no-progress'] },
  { name: 'generated code', command: ['node', 'scripts/gen.ts', '--check'] },
  { name: 'tests', command: ['node', 'scripts/test.ts'] },
];

const { values: options } = parseArgs({ options: { 'no-tests': { type: 'boolean', default: false } } });

/** npm puts node_modules/.bin first on PATH; so do we, for those who run this file by hand. */
const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}` };

async function run({ name, command: [program, ...args] }: Step): Promise<boolean> {
  console.log(`\n== ${name}: ${[program, ...args].join(' ')}`);
  const startedMs = performance.now();
  const child = spawn(program, args, { cwd: root, env, stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`== ${name}: ${code === 0 ? 'ok' : 'FAILED'}, ${seconds} s`);
  return code === 0;
}

const failed: string[] = [];
for (const step of steps) {
  if (step.name === 'tests' && options['no-tests']) continue;
  if (!(await run(step))) failed.push(step.name);
}
console.log(failed.length === 0 ? '\nall checks passed' : `\nfailed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
