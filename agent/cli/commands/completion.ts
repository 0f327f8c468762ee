/** `completion`: a script for bash, zsh or fish, made of the table of commands. */
import { type CommandSpec, commands, type FlagSpec, globalFlags } from '../commands.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';

export async function run(invocation: Invocation): Promise<number> {
  const scripts: Readonly<Record<string, () => string>> = { bash, zsh, fish };
  const script = scripts[invocation.argument(0) ?? '']?.() ?? '';
  await invocation.terminal.write(script);
  return exitCodes.done;
}

const flagsOf = (command: CommandSpec): readonly FlagSpec[] => [
  ...command.flags,
  ...globalFlags.filter(({ name }) => command.flags.every((own) => own.name !== name)),
];

const long = (flags: readonly FlagSpec[]): string => flags.map(({ name }) => `--${name}`).join(' ');

function taking(what: 'directory' | 'file'): string {
  const found = commands.filter((command) => command.arguments.some(({ completes }) => completes === what));
  return found.map(({ name }) => name).join('|');
}

function bash(): string {
  const cases = commands.map((command) => {
    const words = command.arguments.flatMap(({ completes }) =>
      typeof completes === 'object' ? completes : [],
    );
    return `    ${command.name}) words="${[long(flagsOf(command)), ...words].join(' ')}" ;;`;
  });
  const choices = commands.flatMap(({ flags }) =>
    flags.flatMap(({ name, choices }) =>
      choices === undefined
        ? []
        : [`    --${name}) COMPREPLY=($(compgen -W "${choices.join(' ')}" -- "$word")); return ;;`],
    ),
  );
  return `# p2psync completion for bash
_p2psync() {
  local word="\${COMP_WORDS[COMP_CWORD]}" command="" words="" at
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    --home) COMPREPLY=($(compgen -d -- "$word")); return ;;
${choices.join('\n')}
  esac
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "\${COMP_WORDS[at]}" in
      --home) ((at++)) ;;
      -*) ;;
      *) command="\${COMP_WORDS[at]}"; break ;;
    esac
  done
  case "$command" in
    "") words="${commands.map(({ name }) => name).join(' ')} ${long(globalFlags)}" ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [[ "$command" =~ ^(${taking('directory')})$ && "$word" != -* ]]; then COMPREPLY+=($(compgen -d -- "$word")); fi
  if [[ "$command" =~ ^(${taking('file')})$ && "$word" != -* ]]; then COMPREPLY+=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _p2psync p2psync
`;
}

function zsh(): string {
  const quote = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, '\\$&');
  const spec = (flag: FlagSpec): string => {
    const value =
      flag.value === undefined
        ? ''
        : `:${quote(flag.value)}:${flag.choices === undefined ? (flag.value === 'DIR' ? '_files -/' : '') : `(${flag.choices.join(' ')})`}`;
    return `'--${flag.name}[${quote(flag.help)}]${value}'`;
  };
  const argument = (command: CommandSpec): readonly string[] =>
    command.arguments.map(({ name, required, completes }) => {
      const action =
        completes === 'directory'
          ? '_files -/'
          : completes === 'file'
            ? '_files'
            : completes === undefined
              ? ''
              : `(${completes.join(' ')})`;
      return `':${required ? '' : ':'}${name}:${action}'`;
    });
  const cases = commands.map(
    (command) =>
      `    ${command.name}) _arguments ${[...flagsOf(command).map(spec), ...argument(command)].join(' ')} ;;`,
  );
  const names = commands.map(({ name, summary }) => `    '${name}:${quote(summary)}'`);
  return `#compdef p2psync
# p2psync completion for zsh
_p2psync() {
  local context state line
  local -a names=(
${names.join('\n')}
  )
  _arguments -C ${globalFlags.map(spec).join(' ')} '1: :->command' '*:: :->rest'
  case "$state" in
  command) _describe command names ;;
  rest)
    case "\${line[1]}" in
${cases.join('\n')}
    esac ;;
  esac
}
compdef _p2psync p2psync
`;
}

function fish(): string {
  const quote = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  const flagLine = (flag: FlagSpec, condition: string): string => {
    const value =
      flag.value === undefined
        ? ''
        : flag.choices === undefined
          ? ' -r'
          : ` -x -a '${flag.choices.join(' ')}'`;
    const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
    return `complete -c p2psync${condition}${short} -l ${flag.name}${value} -d '${quote(flag.help)}'`;
  };
  return [
    '# p2psync completion for fish',
    'complete -c p2psync -f',
    ...globalFlags.map((flag) => flagLine(flag, '')),
    ...commands.map(
      ({ name, summary }) => `complete -c p2psync -n __fish_use_subcommand -a ${name} -d '${quote(summary)}'`,
    ),
    ...commands.flatMap(({ name, flags, arguments: args }) => {
      const condition = ` -n '__fish_seen_subcommand_from ${name}'`;
      return [
        ...flags.map((flag) => flagLine(flag, condition)),
        ...args.flatMap(({ completes }) => {
          if (completes === undefined) return [];
          if (completes === 'file') return [`complete -c p2psync${condition} -F`];
          const what = completes === 'directory' ? '(__fish_complete_directories)' : completes.join(' ');
          return [`complete -c p2psync${condition} -a '${what}'`];
        }),
      ];
    }),
    '',
  ].join('\n');
}
