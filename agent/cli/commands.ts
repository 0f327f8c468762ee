/** Every command with its arguments and flags: what the parser, the help and the completion are made of. Loads no command. */
import type { Invocation } from './invocation.ts';

export type FlagSpec = {
  /** Without the dashes. */
  readonly name: string;
  readonly short?: string;
  /** What to put behind it, `DIR`; without it the flag is a switch. */
  readonly value?: string;
  readonly choices?: readonly string[];
  readonly help: string;
};

export type ArgumentSpec = {
  readonly name: string;
  readonly required: boolean;
  readonly completes?: 'directory' | 'file' | readonly string[];
};

/** @returns the exit code. */
export type Run = (invocation: Invocation) => Promise<number>;

export type CommandSpec = {
  readonly name: string;
  readonly summary: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly flags: readonly FlagSpec[];
  readonly example: string;
  readonly load: () => Promise<{ readonly run: Run }>;
};

export const globalFlags: readonly FlagSpec[] = [
  { name: 'home', value: 'DIR', help: "the agent's home (default: $P2PSYNC_HOME, else the state directory)" },
  { name: 'json', help: 'one JSON document on standard output and nothing else there' },
  { name: 'quiet', short: 'q', help: 'only what was asked for, and errors' },
  { name: 'verbose', short: 'v', help: 'more: details, ids in full, causes of errors' },
  { name: 'no-color', help: 'no colours (as $NO_COLOR does)' },
  { name: 'help', short: 'h', help: 'help, also on one command' },
  { name: 'version', help: 'the version of the program' },
];

const share: FlagSpec = { name: 'share', value: 'NAME', help: 'which share, where there are several' };
const watch: FlagSpec = { name: 'watch', help: 'stay and show changes as they come; Ctrl-C ends it' };
const version: FlagSpec = {
  name: 'version',
  value: 'V',
  help: 'EPOCH.SEQUENCE, a sequence, a label, or 8 digits of a root',
};
const path: ArgumentSpec = { name: 'PATH', required: false };
const directory: ArgumentSpec = { name: 'DIR', required: true, completes: 'directory' };
const agentFlags: readonly FlagSpec[] = [
  { name: 'name', value: 'AGENT', help: "this agent's name (default: the machine's)" },
  { name: 'listen', value: 'HOST:PORT', help: 'where other agents reach it (default: 0.0.0.0:8873)' },
  { name: 'http', value: 'HOST:PORT|off', help: 'where status is served (default: 127.0.0.1:8874)' },
];

export const commands: readonly CommandSpec[] = [
  {
    name: 'init',
    summary: 'make a new share over DIR, with this agent as its writer',
    arguments: [directory],
    flags: [
      { name: 'share', value: 'NAME', help: "the share's name (default: the directory's)" },
      ...agentFlags,
    ],
    example: 'p2psync init /data/www --share www',
    load: () => import('./commands/init.ts'),
  },
  {
    name: 'invite',
    summary: 'print one line that lets another agent join',
    arguments: [],
    flags: [
      share,
      {
        name: 'role',
        value: 'ROLE',
        choices: ['replica', 'standby', 'archive'],
        help: 'replica, standby or archive (default: replica)',
      },
      { name: 'expires', value: 'DURATION', help: 'how long it is good for (default: 24h)' },
      { name: 'uses', value: 'N', help: 'how many agents it admits (default: 1)' },
    ],
    example: 'p2psync invite --expires 2h --uses 5',
    load: () => import('./commands/invite.ts'),
  },
  {
    name: 'join',
    summary: 'take part in a share, with its files in DIR',
    arguments: [{ name: 'INVITATION', required: true }, directory],
    flags: [
      ...agentFlags,
      { name: 'force', help: 'DIR may hold files already: they are reused, a stray one is kept aside' },
    ],
    example: 'p2psync join "$INVITATION" /data/www',
    load: () => import('./commands/join.ts'),
  },
  {
    name: 'run',
    summary: 'run the agent in the foreground',
    arguments: [],
    flags: [],
    example: 'p2psync run',
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'status',
    summary: "this agent's shares and how they are",
    arguments: [],
    flags: [watch],
    example: 'p2psync status --watch',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'peers',
    summary: 'the other members and how far they are',
    arguments: [],
    flags: [watch, share],
    example: 'p2psync peers --watch',
    load: () => import('./commands/peers.ts'),
  },
  {
    name: 'wait',
    summary: 'return when a version is applied, here or everywhere',
    arguments: [],
    flags: [
      version,
      { name: 'all', help: 'by all known members' },
      { name: 'peers', value: 'N', help: 'by N members besides this one' },
      {
        name: 'timeout',
        value: 'DURATION',
        help: 'give up after this long, with exit code 3 (default: 60s)',
      },
      share,
    ],
    example: 'p2psync wait --all --timeout 5m',
    load: () => import('./commands/wait.ts'),
  },
  {
    name: 'ls',
    summary: 'list entries of the signed tree',
    arguments: [path],
    flags: [
      version,
      { name: 'long', short: 'l', help: 'mode, owner, size and time too' },
      { name: 'recursive', short: 'R', help: 'everything below, too' },
      share,
    ],
    example: 'p2psync ls css --long --version 1.42',
    load: () => import('./commands/ls.ts'),
  },
  {
    name: 'diff',
    summary: 'paths that were added, changed, removed between versions',
    arguments: [{ name: 'FROM', required: false }, { name: 'TO', required: false }, path],
    flags: [
      {
        name: 'disk',
        help: 'compare with the disk; takes a PATH alone, exit code 4 where something differs',
      },
      share,
    ],
    example: 'p2psync diff 1.41 1.42',
    load: () => import('./commands/diff.ts'),
  },
  {
    name: 'history',
    summary: 'versions that are kept, newest first',
    arguments: [],
    flags: [share],
    example: 'p2psync history',
    load: () => import('./commands/history.ts'),
  },
  {
    name: 'verify',
    summary: 'hash the disk again and compare it with the signed tree',
    arguments: [path],
    flags: [{ name: 'repair', help: 'fetch what differs' }, share],
    example: 'p2psync verify --repair',
    load: () => import('./commands/verify.ts'),
  },
  {
    name: 'members',
    summary: 'members, roles and invitations',
    arguments: [],
    flags: [share],
    example: 'p2psync members',
    load: () => import('./commands/members.ts'),
  },
  {
    name: 'remove',
    summary: 'put a member out for good, everywhere',
    arguments: [{ name: 'PEER', required: true }],
    flags: [share],
    example: 'p2psync remove web3',
    load: () => import('./commands/remove.ts'),
  },
  {
    name: 'authority',
    summary: 'where the key lies that invites and removes; move it off this machine',
    arguments: [
      { name: 'ACTION', required: true, completes: ['status', 'export', 'import'] },
      { name: 'FILE', required: false, completes: 'file' },
    ],
    flags: [{ name: 'move', help: 'with export: once FILE is durable the key leaves this machine' }, share],
    example: 'p2psync authority export --move /media/stick/www.key',
    load: () => import('./commands/authority.ts'),
  },
  {
    name: 'pause',
    summary: 'stop publishing and applying',
    arguments: [],
    flags: [share],
    example: 'p2psync pause --share www',
    load: () => import('./commands/pause.ts'),
  },
  {
    name: 'resume',
    summary: 'go on after a pause, or with a publish that is held back',
    arguments: [],
    flags: [{ name: 'yes', help: 'let a publish go that max_delete holds back' }, share],
    example: 'p2psync resume --yes',
    load: () => import('./commands/resume.ts'),
  },
  {
    name: 'rescan',
    summary: 'compare the whole directory with the index now',
    arguments: [],
    flags: [share],
    example: 'p2psync rescan',
    load: () => import('./commands/rescan.ts'),
  },
  {
    name: 'reload',
    summary: 'read the configuration again',
    arguments: [],
    flags: [],
    example: 'p2psync reload',
    load: () => import('./commands/reload.ts'),
  },
  {
    name: 'import-rsyncd',
    summary: 'read an rsyncd.conf and print the config.toml that says the same',
    arguments: [{ name: 'FILE', required: true, completes: 'file' }],
    flags: [],
    example: 'p2psync import-rsyncd /etc/rsyncd.conf > config.toml',
    load: () => import('./commands/import-rsyncd.ts'),
  },
  {
    name: 'doctor',
    summary: 'check this machine and say what to type',
    arguments: [],
    flags: [],
    example: 'p2psync doctor',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'log',
    summary: 'what was transferred, in the words of an rsync daemon',
    arguments: [],
    flags: [
      { name: 'follow', help: 'stay and print lines as they come, also after a rotation; Ctrl-C ends it' },
      {
        name: 'format',
        value: 'F',
        help: 'escapes of rsyncd.conf(5), "log format" (default: "%t [%p] %o %h [%a] %m (%u) %f %l")',
      },
      { name: 'timefmt', value: 'T', help: 'how %t is written, as in strftime(3)' },
      share,
    ],
    example: 'p2psync log --follow --format "%o,%f"',
    load: () => import('./commands/log.ts'),
  },
  {
    name: 'audit',
    summary: 'who joined, was refused, published; verify: that nothing of it was altered',
    arguments: [{ name: 'verify', required: false, completes: ['verify'] }],
    flags: [{ name: 'follow', help: 'stay and print events as they come; Ctrl-C ends it' }],
    example: 'p2psync audit verify',
    load: () => import('./commands/audit.ts'),
  },
  {
    name: 'completion',
    summary: 'print a completion script for a shell',
    arguments: [{ name: 'SHELL', required: true, completes: ['bash', 'zsh', 'fish'] }],
    flags: [],
    example: 'p2psync completion bash > /etc/bash_completion.d/p2psync',
    load: () => import('./commands/completion.ts'),
  },
];

export function findCommand(name: string): CommandSpec | undefined {
  return commands.find((command) => command.name === name);
}
