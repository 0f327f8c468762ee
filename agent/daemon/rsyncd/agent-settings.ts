/** What is one setting of the agent in p2psync: addresses, limits, logs, users. Each line is judged. Pure. */
import { isIP } from 'node:net';
import { posix } from 'node:path';
import { formatHostPort } from '../config-values.ts';
import { type Environment, expandVariables, readBoolean, readInteger, splitList } from './expand.ts';
import { translateHosts } from './hosts.ts';
import type { Assignment, RsyncModule } from './modules.ts';
import { type Agreement, agreementOn, type Import, type Table } from './settings.ts';

/** Connections are kept open here, one to each neighbour, of whom there may be 32: a smaller number would cut a mesh. */
const connectionsLeast = 32;
const connectionsMost = 10_000;

export function translateAgent(into: Import, env: Environment): void {
  translateAddress(into, env);
  translateAccess(into, env);
  translateLimits(into, env);
  translateLogs(into, env);
  translateUsers(into, env);
}

function translateAddress(into: Import, env: Environment): void {
  const address = into.config.globals.get('address');
  if (address === undefined) return;
  const host = expandVariables(address.value, env);
  if (isIP(host) === 0) {
    into.judge(address, 'explained', 'listen takes an IP address, not a name; the default listens on all');
    return;
  }
  into.set(
    '',
    { key: 'listen', value: [formatHostPort({ host, port: 8873 })], from: [address] },
    'blocks take the port 9873 beside it',
  );
}

/** What the modules agree on; where they do not, every line is explained and nothing is returned. */
function agreed(
  into: Import,
  parameter: string,
  key: string,
  read: (value: string) => string,
): Extract<Agreement, { kind: 'agreed' }> | undefined {
  const agreement = agreementOn(into.config.modules, parameter, read);
  if (agreement.kind === 'agreed') return agreement;
  if (agreement.kind === 'differ') {
    for (const line of agreement.from)
      into.judge(
        line,
        'explained',
        `the modules differ (${agreement.text}), and ${key} is one for the whole agent`,
      );
  }
  return undefined;
}

function translateAccess(into: Import, env: Environment): void {
  const listOf = (module: RsyncModule, parameter: string): string =>
    expandVariables(module.values.get(parameter)?.value ?? '', env)
      .trim()
      .replace(/\s+/g, ' ');
  const lists = into.config.modules.map((module) => ({
    name: module.name,
    allow: listOf(module, 'hosts allow'),
    deny: listOf(module, 'hosts deny'),
  }));
  const lines = (parameter: string): Assignment[] => [
    ...new Set(
      into.config.modules.flatMap(({ values }) => {
        const line = values.get(parameter);
        return line === undefined ? [] : [line];
      }),
    ),
  ];
  const allowLines = lines('hosts allow');
  const denyLines = lines('hosts deny');
  const [first] = lists;
  if (first === undefined) return;
  if (lists.some(({ allow, deny }) => allow !== first.allow || deny !== first.deny)) {
    const text = lists
      .map(
        ({ name, allow, deny }) =>
          `${name}: ${allow === '' ? 'all' : allow}${deny === '' ? '' : `, not ${deny}`}`,
      )
      .join('; ');
    for (const line of [...allowLines, ...denyLines])
      into.judge(
        line,
        'explained',
        `the modules differ (${text}), and [access] is one for the whole agent: as it is, every address may connect and only members get further`,
      );
    return;
  }
  const { allow, deny, allowNotes, denyNotes, isImplied } = translateHosts(first.allow, first.deny);
  const [allowNote, denyNote] = [allowNotes.join('; '), denyNotes.join('; ')];
  if (allow.length > 0) into.set('access', { key: 'allow', value: allow, from: allowLines }, allowNote);
  if (deny.length > 0)
    into.set(
      'access',
      { key: 'deny', value: deny, from: first.deny === '' ? allowLines : denyLines },
      denyNote,
    );
  for (const line of allowLines)
    into.judge(
      line,
      isImplied ? 'mapped' : 'explained',
      allowNote === '' ? 'an empty list: everybody' : allowNote,
    );
  for (const line of denyLines)
    into.judge(
      line,
      isImplied ? 'mapped' : 'explained',
      denyNote === '' ? 'an empty list: nobody' : denyNote,
    );
}

function translateLimits(into: Import, env: Environment): void {
  const number = (value: string): string => String(readInteger(expandVariables(value, env)));
  const enabled = into.config.modules.flatMap(({ values }) => values.get('max connections') ?? []);
  for (const line of enabled) {
    if (readInteger(line.value) < 0)
      into.judge(line, 'mapped', 'rsync switches the module off by it: the share is left out');
  }
  const connections = agreed(into, 'max connections', '[limits] connections', number);
  if (connections !== undefined) {
    const count = Number(connections.value);
    const explain = (note: string): void => {
      for (const line of connections.from) into.judge(line, 'explained', note);
    };
    if (count === 0) explain('no limit in rsync; here it is 100, and [limits] connections sets another');
    else if (count > 0 && count < connectionsLeast)
      explain(
        `connections stay open here, one to each neighbour (up to 24 nodes: to all; beyond: up to 32), so that ${count} could cut the mesh; [limits] connections stays at 100, and may be set by hand to no less than the number of nodes`,
      );
    else if (count > connectionsMost)
      into.set(
        'limits',
        { key: 'connections', value: connectionsMost, from: connections.from },
        'the most there can be',
      );
    else if (count > 0)
      into.set(
        'limits',
        { key: 'connections', value: count, from: connections.from },
        'of the whole agent; members stay connected, one connection each',
      );
  }
  const timeout = agreed(into, 'timeout', '[limits] idle_timeout', number);
  if (timeout !== undefined) {
    const seconds = Number(timeout.value);
    if (seconds > 0)
      into.set(
        'limits',
        { key: 'idle_timeout', value: `${seconds}s`, from: timeout.from },
        'a silent neighbour is noticed sooner',
      );
    else
      for (const line of timeout.from)
        into.judge(line, 'explained', 'no timeout in rsync; here a silent neighbour is given up by itself');
  }
}

function translateLogs(into: Import, env: Environment): void {
  const expand = (value: string): string => expandVariables(value, env);
  const file = agreed(into, 'log file', '[log] file', expand) ?? globalOf(into, 'log file', expand);
  const hasFile = file !== undefined && file.value !== '';
  if (hasFile)
    into.set(
      'log',
      { key: 'file', value: posix.normalize(file.value), from: file.from },
      'transfers have a file of their own, [log] transfers',
    );
  else if (file !== undefined)
    for (const line of file.from) into.judge(line, 'explained', 'empty: the log goes to standard error');

  const facility = agreed(into, 'syslog facility', '[log] syslog', (value) => expand(value).toLowerCase());
  if (facility !== undefined) {
    if (hasFile)
      for (const line of facility.from)
        into.judge(line, 'explained', 'a log file is set, so that rsync does not use syslog either');
    else into.set('log', { key: 'syslog', value: facility.value, from: facility.from });
  }

  const logging = agreed(into, 'transfer logging', '[log] transfers', (value) =>
    readBoolean(expand(value)) === true ? 'yes' : 'no',
  );
  if (logging !== undefined) {
    const value = logging.value === 'yes' ? 'transfer.log' : 'off';
    into.set('log', { key: 'transfers', value, from: logging.from }, 'p2psync log shows it');
  }
}

/** Of a default that some modules override: it still holds for the daemon itself. */
function globalOf(
  into: Import,
  parameter: string,
  read: (value: string) => string,
): { readonly value: string; readonly from: readonly Assignment[] } | undefined {
  const line = into.config.globals.get(parameter);
  return line === undefined ? undefined : { value: read(line.value), from: [line] };
}

function translateUsers(into: Import, env: Environment): void {
  const expand = (value: string): string => expandVariables(value, env);
  for (const [parameter, daemon, key] of [
    ['uid', 'daemon uid', 'user'],
    ['gid', 'daemon gid', 'group'],
  ] as const) {
    const one = agreed(into, parameter, `[run] ${key}`, expand);
    const ofDaemon = globalOf(into, daemon, expand);
    if (one !== undefined) setUser(into, key, one);
    if (ofDaemon === undefined) continue;
    if (one === undefined) setUser(into, key, ofDaemon);
    else
      for (const line of ofDaemon.from)
        into.judge(line, 'explained', `there is one process, and ${parameter} says who runs it`);
  }
}

function setUser(
  into: Import,
  key: 'user' | 'group',
  { value, from }: { readonly value: string; readonly from: readonly Assignment[] },
): void {
  const table: Table = 'run';
  const [name = '', ...more] = key === 'group' ? splitList(value) : [value.trim()];
  const say = (outcome: 'mapped' | 'explained', note: string): void => {
    for (const line of from) into.judge(line, outcome, note);
  };
  if (key === 'group' && name === '*') say('mapped', 'nothing to set: [run] user brings its groups');
  else if (name === '' || name === '*') say('explained', `the ${key} that starts the agent`);
  else if (name === 'root' || name === '0')
    say('mapped', `nothing to set: start the agent as root, which it takes to set owners`);
  else if (/%/.test(name)) say('explained', 'it depends on who connects; the agent runs as one user');
  else
    into.set(
      table,
      { key, value: name, from },
      more.length > 0
        ? `${more.join(', ')}: the user's further groups come from the system (usermod -aG)`
        : key === 'user' && name !== ''
          ? 'it has to be able to write the directory; owners are not replicated then, docs/OPERATING.md has other ways'
          : '',
    );
}
