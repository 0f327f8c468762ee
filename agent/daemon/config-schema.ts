/** The shape of `config.toml`: every key, its notation and its default. Pure; whether directories exist is asked elsewhere. */
import { isIP } from 'node:net';
import * as v from 'valibot';
import { messageOf } from '../base/errors.ts';
import {
  isHost,
  parseDialAddress,
  parseDuration,
  parseHostPortOrOff,
  parseListenAddress,
  parseName,
  parsePercent,
  parseRate,
} from './config-values.ts';
import { facilities } from './syslog-names.ts';

/** Most connections that may be asked for: what a process can have open under common descriptor limits. */
const connectionsMax = 10_000;
/** Most kept versions, and days they are kept: a hundred years. */
const keepMax = 36_500;

/** Shortest idleness that closes a connection, ms: four signs of life. */
const idleMsMin = 2_000;

/** Text in a notation that `parse` reads; what it throws becomes the message. */
function text<Value>(parse: (text: string) => Value) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, Value>(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: messageOf(error) });
        return NEVER;
      }
    }),
  );
}

function count(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return v.pipe(v.number(), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

function parseIdle(value: string): number {
  const ms = parseDuration(value);
  if (ms > 0 && ms < idleMsMin)
    throw new Error('must be at least 2s, for neighbours say something each half second; 0s is never');
  return ms;
}

const nothingAsNull = (value: string): string | null => (value === '' || value === 'off' ? null : value);

/** A facility of syslog(3), or null. */
function parseFacility(value: string): string | null {
  const facility = nothingAsNull(value);
  if (facility === null || facilities.has(facility)) return facility;
  throw new Error(`${JSON.stringify(value)} is not "off" or one of ${[...facilities.keys()].join(', ')}`);
}

const absolutePath = text((value) => {
  if (!value.startsWith('/') || value.includes('\0'))
    throw new Error(`${JSON.stringify(value)} is not an absolute path`);
  return value;
});

export type OwnerRule =
  | { readonly kind: 'name' | 'numeric' | 'off' }
  | { readonly kind: 'fixed'; readonly user: string; readonly group: string };

function parseOwner(value: string): OwnerRule {
  if (value === 'name' || value === 'numeric' || value === 'off') return { kind: value };
  const match = /^([^:\s]{1,64}):([^:\s]{1,64})$/.exec(value);
  if (match === null)
    throw new Error(`${JSON.stringify(value)} is not "name", "numeric", "off" or "USER:GROUP"`);
  return { kind: 'fixed', user: match[1] ?? '', group: match[2] ?? '' };
}

/** An address, a network (`10.0.0.0/8`, `10.0.0.0/255.0.0.0`) or a host name. */
function parseAccessRule(value: string): string {
  const [host = '', mask, ...rest] = value.split('/');
  const family = isIP(host);
  const maskFits =
    mask === undefined
      ? isHost(host) || family === 6
      : family !== 0 &&
        (/^\d{1,3}$/.test(mask) ? Number(mask) <= (family === 4 ? 32 : 128) : isIP(mask) === family);
  if (!maskFits || rest.length > 0) {
    throw new Error(
      `${JSON.stringify(value)} is not an address, a network such as 192.168.9.0/24, or a host name`,
    );
  }
  return value;
}

function parseGlobLine(value: string): string {
  if (/[\0\r\n]/.test(value)) throw new Error('a rule is one line');
  return value;
}

const hostPortOrOff = (fallback: string) => v.optional(text(parseHostPortOrOff), fallback);

const shareSchema = v.strictObject({
  name: text(parseName),
  path: absolutePath,
  ignore: v.optional(v.array(text(parseGlobLine)), []),
  owner: v.optional(text(parseOwner), 'name'),
  perms: v.optional(v.boolean(), true),
  times: v.optional(v.boolean(), true),
  apply: v.optional(v.picklist(['stream', 'staged', 'release']), 'staged'),
  local_changes: v.optional(v.picklist(['revert', 'alert']), 'revert'),
  max_delete: v.optional(text(parsePercent), '50%'),
  on_applied: v.optional(v.array(v.pipe(v.array(v.string()), v.minLength(1, 'needs a program to run'))), []),
  durability: v.optional(v.picklist(['deferred', 'fsync']), 'deferred'),
  keep: v.optional(
    v.strictObject({
      versions: v.optional(count(0, keepMax), 10),
      days: v.optional(count(0, keepMax), 7),
    }),
    {},
  ),
});

export const configSchema = v.strictObject({
  name: v.exactOptional(text(parseName)),
  listen: v.optional(v.pipe(v.array(text(parseListenAddress)), v.minLength(1, 'needs an address')), [
    '0.0.0.0:8873',
  ]),
  announce: v.optional(v.array(text(parseDialAddress)), []),
  bootstrap: v.optional(v.array(text(parseDialAddress)), []),
  discovery: v.optional(v.picklist(['static', 'gossip', 'mdns']), 'gossip'),
  http: v.optional(
    v.strictObject({
      listen: hostPortOrOff('127.0.0.1:8874'),
      hosts: v.optional(v.array(v.pipe(v.string(), v.check(isHost, 'must be a host name'))), []),
    }),
    {},
  ),
  ready: v.optional(
    v.strictObject({
      max_lag: v.optional(text(parseDuration), '10s'),
      agent_check: v.optional(
        text((value) => (value === '' ? null : parseHostPortOrOff(value))),
        'off',
      ),
    }),
    {},
  ),
  access: v.optional(
    v.strictObject({
      allow: v.optional(v.array(text(parseAccessRule)), []),
      deny: v.optional(v.array(text(parseAccessRule)), []),
    }),
    {},
  ),
  limits: v.optional(
    v.strictObject({
      connections: v.optional(count(1, connectionsMax), 100),
      upload: v.optional(text(parseRate), '0'),
      download: v.optional(text(parseRate), '0'),
      idle_timeout: v.optional(text(parseIdle), '600s'),
    }),
    {},
  ),
  log: v.optional(
    v.strictObject({
      level: v.optional(v.picklist(['trace', 'debug', 'info', 'warn', 'error']), 'info'),
      format: v.optional(v.picklist(['pretty', 'json']), 'pretty'),
      file: v.optional(text(nothingAsNull), ''),
      transfers: v.optional(text(nothingAsNull), 'transfer.log'),
      syslog: v.optional(text(parseFacility), 'off'),
    }),
    {},
  ),
  run: v.optional(
    v.strictObject({
      user: v.optional(v.string(), ''),
      group: v.optional(v.string(), ''),
    }),
    {},
  ),
  share: v.optional(v.array(shareSchema), []),
});

export type RawConfig = v.InferOutput<typeof configSchema>;

/** Keys of each table by its path without indexes (`''` is the top), for "did you mean". */
export const keysOfTables: ReadonlyMap<string, readonly string[]> = new Map([
  ['', Object.keys(configSchema.entries)],
  ['http', Object.keys(configSchema.entries.http.wrapped.entries)],
  ['ready', Object.keys(configSchema.entries.ready.wrapped.entries)],
  ['access', Object.keys(configSchema.entries.access.wrapped.entries)],
  ['limits', Object.keys(configSchema.entries.limits.wrapped.entries)],
  ['log', Object.keys(configSchema.entries.log.wrapped.entries)],
  ['run', Object.keys(configSchema.entries.run.wrapped.entries)],
  ['share', Object.keys(shareSchema.entries)],
  ['share.keep', Object.keys(shareSchema.entries.keep.wrapped.entries)],
]);
