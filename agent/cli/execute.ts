/** A command line from its words to its exit code. Loads the one command that is asked for. */
import { P2psyncError, systemCode } from '../base/errors.ts';
import { complaintOf, exitCodeOf, exitCodes, failureDocument } from './exit.ts';
import { parseCommandLine } from './parse.ts';
import type { Terminal } from './terminal.ts';

/** Never throws: failures are told on the terminal. @returns the exit code. */
export async function execute(words: readonly string[], terminal: Terminal): Promise<number> {
  let hasWritten = false;
  const watched: Terminal = {
    ...terminal,
    write(text) {
      hasWritten = true;
      return terminal.write(text);
    },
  };
  try {
    return await perform(words, watched);
  } catch (error) {
    // Whoever read our output has seen enough: `p2psync ls | head`.
    if (systemCode(error) === 'EPIPE') return exitCodes.done;
    // The command line may be what is wrong, so that its flags are looked for by hand.
    const verbose = words.includes('--verbose') || words.includes('-v');
    if (words.includes('--json') && !hasWritten) {
      await terminal.write(`${JSON.stringify(failureDocument(error), null, 2)}\n`).catch(() => undefined);
    }
    terminal.complain(complaintOf(error, { verbose }));
    return exitCodeOf(error);
  }
}

async function perform(words: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseCommandLine(words);
  const { command, globals } = parsed;
  if (globals.has('help')) {
    const { commandHelp, generalHelp } = await import('./help.ts');
    await terminal.write(command === undefined ? generalHelp() : commandHelp(command));
    return exitCodes.done;
  }
  if (globals.has('version')) {
    const { agentVersion } = await import('../daemon/version.ts');
    await terminal.write(`p2psync ${agentVersion}\n`);
    return exitCodes.done;
  }
  if (command === undefined) throw new P2psyncError('usage', 'no command given; see p2psync --help');
  const [{ createInvocation }, { run }] = await Promise.all([import('./invocation.ts'), command.load()]);
  return await run(createInvocation(parsed, terminal));
}
