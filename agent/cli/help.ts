/** The help texts, made of the table of commands. Pure. */
import { type CommandSpec, commands, type FlagSpec, globalFlags } from './commands.ts';

export function generalHelp(): string {
  const rows = commands.map((command) => [usageOf(command), command.summary] as const);
  return [
    'p2psync replicates one directory to every node, from any peer, verified.',
    '',
    'usage: p2psync COMMAND [ARGUMENTS] [FLAGS]',
    '',
    'commands:',
    ...columns(rows),
    '',
    'flags of every command:',
    ...columns(globalFlags.map(flagRow)),
    '',
    'exit codes: 0 done · 1 failed · 2 wrong usage · 3 timed out · 4 differences found · 5 no agent is running',
    '',
    'example:',
    '  p2psync init /data/www && p2psync run',
    '',
  ].join('\n');
}

export function commandHelp(command: CommandSpec): string {
  const { flags } = command;
  const all = flags.length > 0 ? ' [FLAGS]' : '';
  return [
    `p2psync ${command.name}: ${command.summary}`,
    '',
    `usage: p2psync ${usageOf(command)}${all}`,
    '',
    ...(flags.length > 0 ? ['flags:', ...columns(flags.map(flagRow)), ''] : []),
    'flags of every command:',
    ...columns(globalFlags.filter(({ name }) => flags.every((own) => own.name !== name)).map(flagRow)),
    '',
    'example:',
    `  ${command.example}`,
    '',
  ].join('\n');
}

function usageOf(command: CommandSpec): string {
  const words = command.arguments.map(({ name, required }) => (required ? name : `[${name}]`));
  return [command.name, ...words].join(' ');
}

function flagRow(flag: FlagSpec): readonly [string, string] {
  const short = flag.short === undefined ? '' : `-${flag.short}, `;
  return [`${short}--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`, flag.help];
}

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
