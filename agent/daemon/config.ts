/**
 * `config.toml` as one frozen value. Refuses what it does not know with file, line and key. Whether the directories
 * are fit to be shares is asked by `config-shares.ts`; edits are made by `config-edit.ts`.
 */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { parse, TomlError } from 'smol-toml';
import * as v from 'valibot';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { findConfigFile } from './config-home.ts';
import { lineOf, locateKeys, type TomlPlaces } from './config-lines.ts';
import { configSchema, keysOfTables, type OwnerRule, type RawConfig } from './config-schema.ts';
import { unsupportedSettings } from './config-support.ts';
import type { HostPort } from './config-values.ts';

export type ShareConfig = {
  readonly name: string;
  /** Absolute, as written. */
  readonly path: string;
  readonly ignore: readonly string[];
  readonly owner: OwnerRule;
  readonly perms: boolean;
  readonly times: boolean;
  readonly apply: 'stream' | 'staged' | 'release';
  readonly localChanges: 'revert' | 'alert';
  /** 0 to 1, of the entries. */
  readonly maxDelete: number;
  /** Programs with their arguments. */
  readonly onApplied: readonly (readonly string[])[];
  readonly durability: 'deferred' | 'fsync';
  /** 0 switches that one off. */
  readonly keep: { readonly versions: number; readonly days: number };
};

export type Config = {
  /** Null where there is no file and everything is a default. */
  readonly file: string | null;
  readonly name: string;
  /** HOST:PORT or multiaddrs, these three. */
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly bootstrap: readonly string[];
  readonly discovery: 'static' | 'gossip' | 'mdns';
  readonly http: {
    /** Null: off. */
    readonly listen: HostPort | null;
    /** Host names it answers to besides its own. */
    readonly hosts: readonly string[];
  };
  readonly ready: { readonly maxLagMs: number; readonly agentCheck: HostPort | null };
  readonly access: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  readonly limits: {
    readonly connections: number;
    /** Bytes a second; 0 is unlimited. */
    readonly uploadRate: number;
    readonly downloadRate: number;
    readonly idleTimeoutMs: number;
  };
  readonly log: {
    readonly level: LogLevel;
    readonly format: 'pretty' | 'json';
    /** Null: standard error. */
    readonly file: string | null;
    /** Null: off. */
    readonly transfers: string | null;
    readonly syslog: string | null;
  };
  readonly run: { readonly user: string; readonly group: string };
  readonly shares: readonly ShareConfig[];
};

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** The configuration of a home; all defaults where it has none. @throws {P2psyncError} config, permission, io. */
export async function readConfig(home: string): Promise<Config> {
  const file = findConfigFile(home);
  if (file === undefined) return parseConfig('', null);
  return parseConfig(await readConfigText(file), file);
}

/** @throws {P2psyncError} permission, io. */
export async function readConfigText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = systemCode(error);
    const denied = code === 'EACCES' || code === 'EPERM';
    throw new P2psyncError(
      denied ? 'permission' : 'io',
      `cannot read ${file}: ${messageOf(error)}`,
      { file },
      { cause: error },
    );
  }
}

/** `file` is for the messages. @throws {P2psyncError} config, naming the file, the line and the key. */
export function parseConfig(text: string, file: string | null): Config {
  const where = file ?? 'the default configuration';
  let data: unknown;
  try {
    data = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [sentence = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw fault(where, error.line, `not TOML: ${sentence}`);
  }
  const places = locateKeys(text);
  const result = v.safeParse(configSchema, data);
  if (!result.success) {
    // A mistyped key also makes the right one missing: the first is the cause.
    const unknown = result.issues.find(
      (issue) => issue.type === 'strict_object' && issue.expected === 'never',
    );
    throw describe(unknown ?? result.issues[0], where, places);
  }
  const raw = result.output;
  checkNames(raw, where, places);
  const [refused] = unsupportedSettings(raw);
  if (refused !== undefined) {
    throw fault(
      where,
      lineOf(places, refused.path),
      `not supported yet: ${keyName(refused.path)} ${refused.what}`,
      refused.path,
    );
  }
  return freeze(toConfig(raw, file));
}

function toConfig(raw: RawConfig, file: string | null): Config {
  return {
    file,
    name: raw.name ?? defaultName(),
    listen: raw.listen,
    announce: raw.announce,
    bootstrap: raw.bootstrap,
    discovery: raw.discovery,
    http: raw.http,
    ready: { maxLagMs: raw.ready.max_lag, agentCheck: raw.ready.agent_check },
    access: raw.access,
    limits: {
      connections: raw.limits.connections,
      uploadRate: raw.limits.upload,
      downloadRate: raw.limits.download,
      idleTimeoutMs: raw.limits.idle_timeout,
    },
    log: raw.log,
    run: raw.run,
    shares: raw.share.map(({ local_changes, max_delete, on_applied, ...rest }) => ({
      ...rest,
      localChanges: local_changes,
      maxDelete: max_delete,
      onApplied: on_applied,
    })),
  };
}

/** The machine's own name, as far as it can be an agent's. */
export function defaultName(): string {
  return (
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 64) || 'agent'
  );
}

function checkNames(raw: RawConfig, where: string, places: TomlPlaces): void {
  raw.share.forEach((share, index) => {
    const first = raw.share.findIndex((other) => other.name === share.name);
    if (first < index) {
      const path = ['share', index, 'name'];
      throw fault(
        where,
        lineOf(places, path),
        `${keyName(path)}: there is another share named ${share.name}`,
        path,
      );
    }
  });
}

type Issue = v.InferIssue<typeof configSchema>;

function describe(issue: Issue, where: string, places: TomlPlaces): P2psyncError {
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  const line = lineOf(places, path);
  const name = keyName(path);
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return fault(where, line, `unknown key ${name}${suggest(path)}`, path);
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    return fault(where, line, `${name} is missing`, path);
  }
  if (issue.type === 'picklist') {
    return fault(
      where,
      line,
      `${name} must be ${inWords(issue.expected ?? '')}, not ${issue.received}`,
      path,
    );
  }
  if (issue.kind === 'schema') {
    return fault(where, line, `${name} must be ${inWords(issue.type)}, not ${issue.received}`, path);
  }
  return fault(where, line, `${name}: ${issue.message}`, path);
}

/** Of valibot's type names, and of its lists of choices: `("a" | "b")`. */
function inWords(type: string): string {
  const words: Readonly<Record<string, string>> = {
    string: 'text in quotes',
    boolean: 'true or false',
    number: 'a number',
    array: 'a list',
    strict_object: 'a table',
  };
  return words[type] ?? type.replace(/^\((.*)\)$/, '$1').replaceAll(' | ', ' or ');
}

function suggest(path: readonly (string | number)[]): string {
  const table = path
    .slice(0, -1)
    .filter((part) => typeof part === 'string')
    .join('.');
  const key = String(path.at(-1));
  const near = nearest(key, keysOfTables.get(table) ?? []);
  if (near !== undefined) return `; did you mean ${near}?`;
  for (const [other, keys] of keysOfTables) {
    if (keys.includes(key))
      return `; it belongs in ${other === '' ? 'the top of the file, before any [table]' : `[${other}]`}`;
  }
  return `; remove it${table === '' ? '' : `: [${table}] has ${(keysOfTables.get(table) ?? []).join(', ')}`}`;
}

/** `share.path`, without the index: the line says which. */
function keyName(path: readonly (string | number)[]): string {
  return path.filter((part) => typeof part === 'string').join('.');
}

function fault(
  where: string,
  line: number | undefined,
  message: string,
  path: readonly (string | number)[] = [],
): P2psyncError {
  const at = line === undefined ? where : `${where}:${line}`;
  return new P2psyncError('config', `${at}: ${message}`, { file: where, line, key: keyName(path) });
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
