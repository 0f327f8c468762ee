/** The program as a person runs it: `scripts/p2psync` with arguments, and what came of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..', '..');
const launcher = join(root, 'scripts', 'p2psync');

export type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly timeoutMs?: number;
};

/** Runs a command to its end, whatever it exits with. @throws where it does not end in time. */
export async function p2psync(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const child = spawn(launcher, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...options.env },
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const timeoutMs = options.timeoutMs ?? 60_000;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const [stdout, stderr, [code, signal]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, 'close'),
  ]);
  clearTimeout(timer);
  if (late) throw new Error(`p2psync ${args.join(' ')} did not end in ${timeoutMs} ms\n${stdout}\n${stderr}`);
  if (signal !== null) throw new Error(`p2psync ${args.join(' ')} was ended by ${signal}\n${stderr}`);
  return { code: code as number, stdout, stderr };
}

/** @throws where the exit code is not 0. @returns stdout. */
export async function mustRun(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await p2psync(args, options);
  if (code !== 0) throw new Error(`p2psync ${args.join(' ')} exited with ${code}\n${stdout}\n${stderr}`);
  return stdout;
}

/** Those that run; they do not outlive the tests, also where a run is broken off. */
const agents = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of agents) child.kill('SIGKILL');
});

/** An agent in the foreground; its log goes to `log`, line by line. `answers` rejects where it ends before it does. */
export function startAgentProcess(
  home: string,
  log: string[],
): { readonly child: ChildProcess; readonly answers: Promise<void> } {
  const child = spawn(launcher, ['run', '--home', home, '--no-color'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  agents.add(child);
  const { promise: answers, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      log.push(chunk);
      said += chunk;
      // It says so when its socket is there, and its shares are.
      if (said.includes('agent started')) resolve();
    });
  }
  child.once('exit', () => agents.delete(child));
  child.once('close', (code) => reject(new Error(`the agent on ${home} ended with code ${code}:\n${said}`)));
  // Whoever does not wait for it looks at the process.
  answers.catch(() => undefined);
  return { child, answers };
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
