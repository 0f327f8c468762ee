/**
 * Runs the tests: one process an area (a directory of test/), an end-to-end or conformance file each a process of its own.
 * Says a line a file, what failed, and last `N passed, N failed`; the exit code is 1 where anything failed.
 * A file that forgets `test.run()`, holds no test, skips one or keeps the process from ending has failed.
 *
 *   npm test                         everything
 *   npm test -- --only store         one area, or files whose path below test/ starts so; may be given several times
 *   npm test -- --jobs 1 --verbose   one at a time, with what the tests print
 */
import { type ChildProcess, fork } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { AreaMessage } from './test-area.ts';

const testRoot = join(import.meta.dirname, '..', 'test');

/** Areas that start processes or whole meshes of agents: they run alone, each file by itself. */
const heavyAreas = new Set(['e2e', 'sim', 'conformance']);

/** A job that is not done by then is killed and has failed, ms. */
const jobTimeoutMs = 600_000;
/** A process that has said its last result and does not end by itself in this time has left something open, ms. */
const endTimeoutMs = 15_000;
/** A job that was told to end has this long to end what it started, ms. */
const killTimeoutMs = 5_000;

/** Jobs that run: whoever breaks the run off ends them, too. */
const children = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const child of children) child.kill('SIGTERM');
    process.exit(1);
  });
}

type Job = { readonly name: string; readonly files: readonly string[]; readonly alone: boolean };

type Outcome = { passed: number; failed: number };

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    jobs: { type: 'string', default: String(Math.min(4, availableParallelism())) },
    verbose: { type: 'boolean', default: false },
  },
});

/** `Timeout × 12, TCPSocketWrap × 2`. */
function counted(names: readonly string[]): string {
  const groups = Object.entries(Object.groupBy(names, (name) => name));
  return groups.map(([name, of = []]) => `${name} × ${of.length}`).join(', ');
}

function findJobs(only: readonly string[]): Job[] {
  const files = globSync('**/*.test.ts', { cwd: testRoot })
    .sort()
    .filter((file) => only.length === 0 || only.some((start) => file.startsWith(start)));
  const jobs = new Map<string, Job>();
  for (const file of files) {
    const area = dirname(file).split('/')[0] ?? '.';
    const alone = heavyAreas.has(area);
    const name = alone ? file : area;
    jobs.set(name, { name, alone, files: [...(jobs.get(name)?.files ?? []), file] });
  }
  return [...jobs.values()];
}

function runJob(job: Job): Promise<Outcome> {
  return new Promise((resolve) => {
    const outcome: Outcome = { passed: 0, failed: 0 };
    const output: string[] = [];
    const lines: string[] = [];
    let current = 'starting';
    let last = false;
    const fail = (what: string): void => {
      outcome.failed += 1;
      lines.push(`FAIL ${job.name}: ${what}`);
    };
    const child = fork(join(import.meta.dirname, 'test-area.ts'), [testRoot, ...job.files], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1' },
    });
    children.add(child);
    const endWith = (timeoutMs: number, what: () => string): NodeJS.Timeout =>
      setTimeout(() => {
        fail(what());
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), killTimeoutMs).unref();
      }, timeoutMs);
    let timer = endWith(jobTimeoutMs, () => `not done after ${jobTimeoutMs / 1000} s, in ${current}`);
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.on('message', (message: AreaMessage) => {
      switch (message.kind) {
        case 'test':
          current = `${message.file}: ${message.title}`;
          break;
        case 'file':
          current = `after ${message.file}`;
          outcome.passed += message.passed;
          outcome.failed += message.failed;
          lines.push(describeFile(message));
          if (message.failed > 0) lines.push(message.report);
          break;
        case 'end':
          last = true;
          clearTimeout(timer);
          timer = endWith(
            endTimeoutMs,
            () => `something keeps the process from ending: ${counted(message.open)}`,
          );
          break;
      }
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      children.delete(child);
      if (!last && outcome.failed === 0) fail(`ended early (${signal ?? `code ${code}`}), in ${current}`);
      else if (last && code !== 0 && signal === null) fail(`ended with code ${code} after its tests`);
      console.log(lines.join('\n'));
      if (outcome.failed > 0 || options.verbose) console.log(output.join('').replaceAll('• ', ''));
      resolve(outcome);
    });
  });
}

function describeFile(file: Extract<AreaMessage, { kind: 'file' }>): string {
  const counts = file.failed === 0 ? `${file.passed} passed` : `${file.passed} passed, ${file.failed} FAILED`;
  return `${file.failed === 0 ? 'ok  ' : 'FAIL'} ${file.file.padEnd(44)} ${counts}, ${(file.elapsedMs / 1000).toFixed(1)} s`;
}

async function runAll(jobs: readonly Job[], atOnce: number): Promise<Outcome> {
  const sum: Outcome = { passed: 0, failed: 0 };
  const queue = [...jobs];
  const work = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const { passed, failed } = await runJob(job);
      sum.passed += passed;
      sum.failed += failed;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return sum;
}

const jobs = findJobs(options.only);
const light = await runAll(
  jobs.filter((job) => !job.alone),
  Math.max(1, Number(options.jobs)),
);
const heavy = await runAll(
  jobs.filter((job) => job.alone),
  1,
);
const passed = light.passed + heavy.passed;
const failed = light.failed + heavy.failed;
if (jobs.length === 0) console.error(`no test file below test/ starts with: ${options.only.join(', ')}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
