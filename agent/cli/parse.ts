/** Turns the words of a command line into a command with its flags and arguments, or into a sentence what is wrong. Pure. */
import { P2psyncError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { type CommandSpec, commands, type FlagSpec, findCommand, globalFlags } from './commands.ts';

/** `true` for a switch. */
export type FlagValues = ReadonlyMap<string, string | true>;

export type Parsed = {
  /** Undefined where only global flags were given. */
  readonly command: CommandSpec | undefined;
  /** By name without dashes; those that a command defines itself hide global ones of the name. */
  readonly flags: FlagValues;
  /** Global flags, `version` and `help` among them, wherever they stood. */
  readonly globals: FlagValues;
  readonly arguments: readonly string[];
};

/** Global flags may stand anywhere, a command's own behind it. `--` ends the flags. @throws {P2psyncError} usage. */
export function parseCommandLine(words: readonly string[]): Parsed {
  const globals = new Map<string, string | true>();
  const flags = new Map<string, string | true>();
  const positionals: string[] = [];
  let command: CommandSpec | undefined;
  let helpAsked = false;

  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      positionals.push(...rest.splice(0));
    } else if (word.startsWith('-') && word !== '-') {
      for (const { flag, isOwn, value } of readFlag(word, rest, command)) {
        (isOwn ? flags : globals).set(flag.name, value);
      }
    } else if (command === undefined && word === 'help' && !helpAsked) {
      helpAsked = true;
      globals.set('help', true);
    } else if (command === undefined) {
      command = findCommand(word);
      if (command === undefined) throw unknownCommand(word);
    } else positionals.push(word);
  }

  const wantsOther = globals.has('help') || globals.has('version');
  if (command !== undefined && !wantsOther) checkArguments(command, positionals);
  return { command, flags, globals, arguments: positionals };
}

type ReadFlag = { readonly flag: FlagSpec; readonly isOwn: boolean; readonly value: string | true };

/** `--name`, `--name=value`, `--name value`, `-n`, `-nv` (switches alone). Takes the value off `rest`. */
function readFlag(word: string, rest: string[], command: CommandSpec | undefined): readonly ReadFlag[] {
  if (!word.startsWith('--')) {
    return Array.from(word.slice(1), (letter) => {
      const found = findFlag((flag) => flag.short === letter, command);
      if (found === undefined) throw unknownFlag(`-${letter}`, command);
      return { ...found, value: true };
    });
  }
  const equals = word.indexOf('=');
  const name = word.slice(2, equals < 0 ? undefined : equals);
  const found = findFlag((flag) => flag.name === name, command);
  if (found === undefined) throw unknownFlag(`--${name}`, command);
  const { flag } = found;
  if (flag.value === undefined) {
    if (equals >= 0) throw usage(`--${name} takes no value`, command);
    return [{ ...found, value: true }];
  }
  const value = equals >= 0 ? word.slice(equals + 1) : rest.shift();
  if (value === undefined || value === '' || (equals < 0 && value.startsWith('-'))) {
    throw usage(`--${name} needs a value: --${name} ${flag.value}`, command);
  }
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    throw usage(`--${name} is ${flag.choices.join(', ')}; not ${JSON.stringify(value)}`, command);
  }
  return [{ ...found, value }];
}

function findFlag(
  fits: (flag: FlagSpec) => boolean,
  command: CommandSpec | undefined,
): Omit<ReadFlag, 'value'> | undefined {
  const own = command?.flags.find(fits);
  if (own !== undefined) return { flag: own, isOwn: true };
  const global = globalFlags.find(fits);
  return global === undefined ? undefined : { flag: global, isOwn: false };
}

function checkArguments(command: CommandSpec, given: readonly string[]): void {
  const missing = command.arguments.find(
    (argument, index) => argument.required && given[index] === undefined,
  );
  if (missing !== undefined) throw usage(`${missing.name} is missing`, command);
  const extra = given[command.arguments.length];
  if (extra !== undefined) throw usage(`unexpected argument ${JSON.stringify(extra)}`, command);
  command.arguments.forEach(({ name, completes }, index) => {
    const value = given[index];
    if (typeof completes === 'object' && value !== undefined && !completes.includes(value)) {
      throw usage(`${name} is ${completes.join(', ')}; not ${JSON.stringify(value)}`, command);
    }
  });
}

function unknownCommand(word: string): P2psyncError {
  const near = nearest(
    word,
    commands.map(({ name }) => name),
  );
  const hint = near === undefined ? 'see p2psync --help' : `did you mean p2psync ${near}?`;
  return new P2psyncError('usage', `there is no command ${JSON.stringify(word)}; ${hint}`);
}

function unknownFlag(flag: string, command: CommandSpec | undefined): P2psyncError {
  const known = [...(command?.flags ?? []), ...globalFlags].map(({ name }) => `--${name}`);
  const near = nearest(flag, known);
  return usage(`unknown flag ${flag}${near === undefined ? '' : `, did you mean ${near}?`}`, command);
}

function usage(what: string, command: CommandSpec | undefined): P2psyncError {
  const name = command === undefined ? 'p2psync' : `p2psync ${command.name}`;
  return new P2psyncError('usage', `${what}; see ${name} --help`);
}
