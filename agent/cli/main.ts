#!/usr/bin/env node
/** Where the program begins and ends: the only file that touches `process`. */
import { once } from 'node:events';
import { homedir } from 'node:os';
import { P2psyncError } from '../base/errors.ts';
import { execute } from './execute.ts';
import type { Terminal } from './terminal.ts';

/** 128 and the number of SIGINT, as shells have it. */
const interrupted = 130;

function createTerminal(): Terminal {
  const stop = new AbortController();
  const onSignal = (): void => {
    // Asked twice, somebody is in a hurry.
    if (stop.signal.aborted) process.exit(interrupted);
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
        process.stdout.write(text, (error) => (error instanceof Error ? reject(error) : resolve()));
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
      } catch (error) {
        throw new P2psyncError('cancelled', 'cancelled; nothing was changed', {}, { cause: error });
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
    nodeVersion: process.versions.node,
    signal: stop.signal,
  };
}

process.exitCode = await execute(process.argv.slice(2), createTerminal());
