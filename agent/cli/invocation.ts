/** One call of one command: its flags, where it writes, and the agent it speaks to. */
import { resolve } from 'node:path';
import { messageOf, P2psyncError } from '../base/errors.ts';
import { resolveHome } from '../daemon/config-home.ts';
import type { AgentApi } from '../http/api.ts';
import { connectAgent } from '../http/client.ts';
import type { Parsed } from './parse.ts';
import type { Terminal } from './terminal.ts';

export type Invocation = {
  readonly terminal: Terminal;
  readonly home: string;
  readonly socketPath: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Neither `--no-color` nor the environment forbids it. */
  readonly colorAllowed: boolean;
  /** Standard output may be coloured: it is a terminal, too. */
  readonly color: boolean;
  /** The running agent; each call throws `not-running` where there is none. */
  readonly agent: AgentApi;
  has(flag: string): boolean;
  text(flag: string): string | undefined;
  /** The flag's value as `parse` reads it. @throws {P2psyncError} usage, naming the flag. */
  parsed<Value>(flag: string, parse: (text: string) => Value): Value | undefined;
  /** A whole number. @throws {P2psyncError} usage. */
  count(flag: string, least: number): number | undefined;
  argument(index: number): string | undefined;
  /** Relative to where the command was typed. */
  absolute(path: string): string;
  /** `{ share }` of `--share`, or nothing. */
  share(): { readonly share?: string };
  /** A command line to type next: with the `--home` that was typed now. */
  next(words: string): string;
  /** Lines for a person, not with `--json`. */
  say(text: string): Promise<void>;
  /** As `say`, but `--quiet` keeps it back: what one need not know. */
  mention(text: string): Promise<void>;
  /** The document, with `--json`. */
  print(document: unknown): Promise<void>;
};

export function createInvocation(parsed: Parsed, terminal: Terminal): Invocation {
  const { globals, flags } = parsed;
  const homeFlag = globals.get('home');
  const home = resolveHome({
    flag: typeof homeFlag === 'string' ? resolve(terminal.cwd, homeFlag) : undefined,
    env: terminal.env,
    uid: terminal.uid,
    userHome: terminal.userHome,
  });
  const socketPath = resolve(home, 'control.sock');
  const json = globals.has('json');
  const quiet = globals.has('quiet');
  // https://no-color.org: any value but the empty one forbids.
  const colorAllowed =
    !globals.has('no-color') && (terminal.env.NO_COLOR ?? '') === '' && terminal.env.TERM !== 'dumb';
  const text = (flag: string): string | undefined => {
    const value = flags.get(flag);
    return typeof value === 'string' ? value : undefined;
  };
  const say = async (line: string): Promise<void> => {
    if (!json) await terminal.write(line.endsWith('\n') ? line : `${line}\n`);
  };
  return {
    terminal,
    home,
    socketPath,
    json,
    quiet,
    verbose: globals.has('verbose'),
    colorAllowed,
    color: colorAllowed && terminal.outIsTerminal,
    agent: connectAgent(socketPath),
    has: (flag) => flags.has(flag),
    text,
    parsed(flag, parse) {
      const value = text(flag);
      if (value === undefined) return undefined;
      try {
        return parse(value);
      } catch (error) {
        throw new P2psyncError('usage', `--${flag}: ${messageOf(error)}`, {}, { cause: error });
      }
    },
    count(flag, least) {
      const value = text(flag);
      if (value === undefined) return undefined;
      if (!/^\d{1,9}$/.test(value) || Number(value) < least) {
        throw new P2psyncError(
          'usage',
          `--${flag} is a whole number from ${least} on, not ${JSON.stringify(value)}`,
        );
      }
      return Number(value);
    },
    argument: (index) => parsed.arguments[index],
    absolute: (path) => resolve(terminal.cwd, path),
    share() {
      const share = text('share');
      return share === undefined ? {} : { share };
    },
    next: (words) => `p2psync ${words}${typeof homeFlag === 'string' ? ` --home ${quoted(homeFlag)}` : ''}`,
    say,
    async mention(line) {
      if (!quiet) await say(line);
    },
    async print(document) {
      if (json) await terminal.write(`${JSON.stringify(document, null, 2)}\n`);
    },
  };
}

/** As a shell takes it for one word. */
function quoted(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
