#!/usr/bin/env node
/** Where the program begins and ends: the only file that touches `process`. Loads one command, never more. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { P2psyncError, systemCode } from '../base/errors.ts';
import { complaintOf, exitCodeOf, exitCodes } from './exit.ts';
import { commandHelp, generalHelp } from './help.ts';
import { createInvocation } from './invocation.ts';
import { type Parsed, parseCommandLine } from './parse.ts';
import type { Terminal } from './terminal.ts';

async function main(words: readonly string[], terminal: Terminal): Promise<number> {
  let parsed: Parsed | undefined;
  try {
    parsed = parseCommandLine(words);
    const { command, globals } = parsed;
    if (globals.has('help')) {
      await terminal.write(command === undefined ? generalHelp() : commandHelp(command));
      return exitCodes.done;
    }
    if (globals.has('version')) {
      const { programVersion } = await import('../base/program.ts');
      await terminal.write(`p2psync ${programVersion()}\n`);
      return exitCodes.done;
    }
    if (command === undefined) throw new P2psyncError('usage', 'no command given; see p2psync --help');
    const invocation = createInvocation(parsed, terminal);
    cacheCompiledCode(invocation.home);
    const { run } = await command.load();
    return await run(invocation);
  } catch (error) {
    // Whoever read our output has seen enough: `p2psync ls | head`.
    if (systemCode(error) === 'EPIPE') return exitCodes.done;
    terminal.complain(complaintOf(error, { verbose: parsed?.globals.has('verbose') ?? false }));
    return exitCodeOf(error);
  }
}

/** In the home, which is private: whoever can write the cache can run code. */
function cacheCompiledCode(home: string): void {
  if (existsSync(home)) enableCompileCache(join(home, 'compile-cache'));
}

function createTerminal(): Terminal {
  const stop = new AbortController();
  const onSignal = (): void => {
    // Asked twice, somebody is in a hurry.
    if (stop.signal.aborted) process.exit(exitCodes.interrupted);
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // A write that fails tells who wrote; without a listener it would be thrown at nobody as well.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => (error == null ? resolve() : reject(error)));
      }),
    complain: (text) => void process.stderr.write(`${text}\n`),
    async ask(question) {
      const { createInterface } = await import('node:readline/promises');
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      try {
        return await Promise.race([
          lines.question(question, { signal: stop.signal }),
          // Ctrl-D is an answer too: none.
          once(lines, 'close').then(() => ''),
        ]);
      } finally {
        lines.close();
      }
    },
    onHangup: (handler) => void process.on('SIGHUP', handler),
    outIsTerminal: process.stdout.isTTY === true,
    errIsTerminal: process.stderr.isTTY === true,
    inIsTerminal: process.stdin.isTTY === true,
    size: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
    env: process.env,
    cwd: process.cwd(),
    uid: process.getuid?.() ?? -1,
    userHome: homedir(),
    signal: stop.signal,
  };
}

process.exitCode = await main(process.argv.slice(2), createTerminal());
