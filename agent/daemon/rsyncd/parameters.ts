/** Every parameter of `rsyncd.conf`, and what becomes of it where nothing is worked out from its value. Pure. */
import { foldName } from './expand.ts';

/** `kept`: the same value means the same. `mapped`: p2psync has it, in its own way. `explained`: it has not, and why. */
export type ImportOutcome = 'kept' | 'mapped' | 'explained';

export type Parameter = {
  /** As rsyncd.conf(5) writes it. */
  readonly name: string;
  /** `global` ones count before the first module only; the others may stand there as defaults. */
  readonly scope: 'global' | 'module';
  readonly type: 'text' | 'path' | 'integer' | 'boolean' | 'boolean3' | 'facility';
  /** rsync has a value of its own, so that one given after a module never reaches it. */
  readonly hasDefault: boolean;
  readonly outcome: ImportOutcome;
  /** A sentence without its full stop: what takes its place, or why nothing does. */
  readonly note: string;
};

type Row = readonly [
  name: string,
  scope: Parameter['scope'],
  type: Parameter['type'],
  ImportOutcome,
  string,
  'default'?,
];

const members =
  'members are invited (p2psync invite) and prove themselves by their keys; there are no passwords';
const modes =
  "modes are the writer's and are signed: chmod there, or perms = false for each node's own umask";
const symlinks = 'symlinks are replicated as they are and never followed, here or on any other node';

/** In the order of rsyncd.conf(5); rsync 3.5 has all of them. */
const rows: readonly Row[] = [
  ['motd file', 'global', 'text', 'explained', 'nobody is greeted: agents talk to agents'],
  [
    'pid file',
    'global',
    'text',
    'mapped',
    'agent.pid in the home, which is also the lock against a second agent',
  ],
  [
    'port',
    'global',
    'integer',
    'explained',
    'another protocol, so another port: 8873, and a thousand above it for blocks; listen = ["0.0.0.0:PORT"] chooses',
  ],
  ['address', 'global', 'text', 'mapped', 'listen'],
  ['socket options', 'global', 'text', 'explained', 'sockets are tuned by the agent and the kernel'],
  ['listen backlog', 'global', 'integer', 'explained', 'members stay connected, so that nobody queues'],
  ['comment', 'module', 'text', 'kept', 'a comment above the share'],
  ['path', 'module', 'path', 'kept', 'path of the share'],
  [
    'use chroot',
    'module',
    'boolean3',
    'explained',
    'there is no chroot: every path is reached through descriptors that follow no link, so nothing leaves the share',
  ],
  [
    'daemon chroot',
    'global',
    'text',
    'mapped',
    'stands before the paths of the shares; run the agent in a container for the same wall',
  ],
  [
    'proxy protocol',
    'global',
    'boolean',
    'explained',
    'agents are dialled directly; behind NAT, announce names the outer address',
  ],
  [
    'proxy protocol hosts',
    'global',
    'text',
    'explained',
    'agents are dialled directly; behind NAT, announce names the outer address',
  ],
  [
    'name converter',
    'module',
    'text',
    'explained',
    'owner = "name" asks this machine\'s own users and groups; owner = "USER:GROUP" fixes them',
  ],
  ['numeric ids', 'module', 'boolean3', 'mapped', 'owner = "numeric" or "name"'],
  ['munge symlinks', 'module', 'boolean3', 'explained', symlinks],
  ['insecure links', 'module', 'boolean', 'explained', symlinks],
  [
    'charset',
    'module',
    'text',
    'explained',
    'names are UTF-8 everywhere; what is not is skipped and named in p2psync status',
  ],
  ['max connections', 'module', 'integer', 'mapped', '[limits] connections'],
  ['log file', 'module', 'text', 'mapped', '[log] file'],
  ['syslog facility', 'module', 'facility', 'mapped', '[log] syslog'],
  ['syslog tag', 'module', 'text', 'explained', 'the tag is p2psync', 'default'],
  ['max verbosity', 'module', 'integer', 'explained', 'peers cannot raise it; [log] level does, here'],
  [
    'lock file',
    'module',
    'text',
    'mapped',
    'connections are counted in the one process; agent.pid in the home is the lock',
    'default',
  ],
  [
    'read only',
    'module',
    'boolean',
    'mapped',
    "the role: the writer's host inits the share, those that receive join it",
  ],
  [
    'write only',
    'module',
    'boolean',
    'explained',
    'a replica takes what the writer signed and hands it on; none only receives',
  ],
  [
    'open noatime',
    'module',
    'boolean3',
    'explained',
    'mount with noatime or relatime; access times are neither replicated nor looked at',
  ],
  ['list', 'module', 'boolean', 'explained', 'shares are listed to nobody: strangers are not talked to'],
  ['uid', 'module', 'text', 'mapped', '[run] user'],
  ['gid', 'module', 'text', 'mapped', '[run] group'],
  ['daemon uid', 'global', 'text', 'mapped', '[run] user'],
  ['daemon gid', 'global', 'text', 'mapped', '[run] group'],
  [
    'fake super',
    'module',
    'boolean',
    'explained',
    'owners are set for real, which takes root; owner = "off" does without',
  ],
  ['filter', 'module', 'text', 'mapped', 'ignore'],
  ['exclude', 'module', 'text', 'mapped', 'ignore'],
  ['include', 'module', 'text', 'mapped', 'ignore'],
  ['exclude from', 'module', 'text', 'mapped', 'ignore'],
  ['include from', 'module', 'text', 'mapped', 'ignore'],
  ['incoming chmod', 'module', 'text', 'explained', modes],
  ['outgoing chmod', 'module', 'text', 'explained', modes],
  ['auth users', 'module', 'text', 'explained', members],
  [
    'secrets file',
    'module',
    'text',
    'explained',
    `${members}; nothing was read from that file, which may go`,
  ],
  ['auth digest', 'module', 'text', 'explained', members],
  ['strict modes', 'module', 'boolean', 'mapped', 'always: a key that others can read is refused'],
  ['hosts allow', 'module', 'text', 'mapped', '[access] allow'],
  ['hosts deny', 'module', 'text', 'mapped', '[access] deny'],
  [
    'reverse lookup',
    'module',
    'boolean',
    'explained',
    'addresses are never turned into names: whoever owns an address owns its name',
  ],
  [
    'forward lookup',
    'module',
    'boolean',
    'mapped',
    'names in [access] are looked up, and again from time to time',
  ],
  [
    'ignore errors',
    'module',
    'boolean',
    'explained',
    'what cannot be read counts as unchanged, never as deleted, and everything else goes on; max_delete holds back large removals',
  ],
  [
    'ignore nonreadable',
    'module',
    'boolean',
    'explained',
    'what cannot be read is named in p2psync status, and everything else goes on',
  ],
  ['transfer logging', 'module', 'boolean', 'mapped', '[log] transfers'],
  [
    'log format',
    'module',
    'text',
    'explained',
    'the transfer log keeps every field; the format is chosen when it is read: p2psync log --format',
    'default',
  ],
  ['timeout', 'module', 'integer', 'mapped', '[limits] idle_timeout'],
  [
    'refuse options',
    'module',
    'text',
    'explained',
    'there are no options from the other side: what a peer may ask for is fixed',
  ],
  [
    'dont compress',
    'module',
    'text',
    'mapped',
    'nothing to set: slow connections are compressed, and a look at each block leaves out what that does not help',
    'default',
  ],
  [
    'early exec',
    'module',
    'text',
    'explained',
    'nothing runs before: prepare the directory before the agent starts (ExecStartPre= of its unit)',
  ],
  ['pre-xfer exec', 'module', 'text', 'explained', 'nothing runs before: there is no single transfer'],
  ['post-xfer exec', 'module', 'text', 'mapped', 'on_applied'],
  [
    'temp dir',
    'module',
    'path',
    'explained',
    'staging is .p2psync/ in the share: on the same file system, so that a rename puts it in place',
  ],
  ['name', 'module', 'text', 'explained', 'rsyncd.conf(5) does not have it; the name in brackets is taken'],
];

export const parameters: readonly Parameter[] = rows.map(([name, scope, type, outcome, note, own]) => ({
  name,
  scope,
  type,
  outcome,
  note,
  hasDefault: own === 'default' || !['text', 'path'].includes(type),
}));

const byFoldedName = new Map(parameters.map((parameter) => [foldName(parameter.name), parameter]));

/** Case and white space in the name do not count. */
export function findParameter(name: string): Parameter | undefined {
  return byFoldedName.get(foldName(name));
}

/** Flags of rsync that people write into `rsyncd.conf`, where rsync ignores them. */
export const flagsTakenForParameters: ReadonlyMap<string, string> = new Map([
  ['bwlimit', 'a flag of rsync; [limits] upload and download are the same here'],
  ['passwordfile', 'a flag of the rsync client; there are no passwords'],
  ['delete', 'a flag of the rsync client; what the writer removes is removed everywhere'],
  ['compress', 'a flag of the rsync client; blocks are compressed where the connection is slow and it helps'],
  ['chmod', `a flag of the rsync client; ${modes}`],
]);
