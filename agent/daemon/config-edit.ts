/**
 * Adds to a `config.toml` what `init` and `join` have to say, and leaves every other character as a person wrote it.
 * Pure: text in, text out. The result is parsed again and compared, so that a wrong edit is an error and never a file.
 */
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'smol-toml';
import { assert } from '../base/assert.ts';
import { messageOf, P2psyncError } from '../base/errors.ts';
import { parseConfig } from './config.ts';
import { locateKeys } from './config-lines.ts';

export type ConfigAdditions = {
  readonly share?: { readonly name: string; readonly path: string };
  readonly name?: string;
  /** Replaces `listen`. */
  readonly listen?: readonly string[];
  /** Addresses that `bootstrap` gets besides those it has. */
  readonly bootstrap?: readonly string[];
  /** `[http] listen`: HOST:PORT or `off`. */
  readonly httpListen?: string;
};

/** The text of a first `config.toml`, to be added to. */
export const emptyConfigText = '# Every key, with its default: docs/OPERATING.md\n';

/**
 * `file` is for the messages. A share that is there already with that path is left as it is.
 * @throws {P2psyncError} config (the text, or what it would become, is refused), conflict (the name is another path's).
 */
export function addToConfig(text: string, additions: ConfigAdditions, file: string): string {
  const before = parseConfig(text, file);
  let edited = text;
  if (additions.name !== undefined) edited = setKey(edited, ['name'], additions.name);
  if (additions.listen !== undefined) edited = setKey(edited, ['listen'], additions.listen);
  const bootstrap = (additions.bootstrap ?? []).filter((address) => !before.bootstrap.includes(address));
  if (bootstrap.length > 0) edited = addToList(edited, 'bootstrap', bootstrap);
  if (additions.httpListen !== undefined) edited = setKey(edited, ['http', 'listen'], additions.httpListen);
  const share = additions.share;
  if (share !== undefined) {
    const same = before.shares.find((other) => other.name === share.name);
    if (same !== undefined && same.path !== share.path) {
      throw new P2psyncError(
        'conflict',
        `${file} has a share named ${share.name} already, over ${same.path}; give this one another name with --share`,
        { share: share.name },
      );
    }
    if (same === undefined) edited = appendShare(edited, share);
  }
  check(text, edited, { ...additions, bootstrap }, file);
  return edited;
}

/** Adds a share alone. */
export function addShareToConfig(
  text: string,
  share: { readonly name: string; readonly path: string },
  file: string,
): string {
  return addToConfig(text, { share }, file);
}

function appendShare(text: string, share: { readonly name: string; readonly path: string }): string {
  return `${endedByBreak(text)}${text === '' ? '' : '\n'}[[share]]\nname = ${toml(share.name)}\npath = ${toml(share.path)}\n`;
}

function setKey(
  text: string,
  path: readonly [string] | readonly [string, string],
  value: string | readonly string[],
): string {
  const places = locateKeys(text);
  const place = places.keys.get(path.join('.'));
  if (place !== undefined) return splice(text, place.valueStart, place.valueEnd, toml(value));
  const line = `${path.at(-1)} = ${toml(value)}\n`;
  if (path.length === 1) return insertAtTop(text, line);
  const table = places.tables.get(path[0]);
  if (table !== undefined) {
    const head = endedByBreak(text.slice(0, table.end));
    return head + line + text.slice(table.end);
  }
  return `${endedByBreak(text)}${text === '' ? '' : '\n'}[${path[0]}]\n${line}`;
}

/** Right behind the opening bracket, so that comments between the elements stay where they are. */
function addToList(text: string, key: string, added: readonly string[]): string {
  const place = locateKeys(text).keys.get(key);
  if (place === undefined) return insertAtTop(text, `${key} = ${toml(added)}\n`);
  assert(text[place.valueStart] === '[', 'a list begins with its bracket');
  const isEmpty = !/["']/.test(text.slice(place.valueStart, place.valueEnd));
  const elements = added.map((address) => toml(address)).join(', ');
  return splice(text, place.valueStart + 1, place.valueStart + 1, isEmpty ? elements : `${elements}, `);
}

/** Behind the last key that stands before any table; where there is none, before the first table. */
function insertAtTop(text: string, line: string): string {
  const { keys, tables } = locateKeys(text);
  const firstTable = Math.min(text.length, ...[...tables.values()].map((table) => table.start));
  const ends = [...keys.values()].map((key) => key.valueEnd).filter((end) => end <= firstTable);
  if (ends.length > 0) {
    const lineBreak = text.indexOf('\n', Math.max(...ends));
    const at = lineBreak < 0 ? text.length : lineBreak + 1;
    return endedByBreak(text.slice(0, at)) + line + text.slice(at);
  }
  // Before the comment that belongs to the first table, but behind one that heads the file.
  const paragraph = text.lastIndexOf('\n\n', firstTable) + 2;
  const at = tables.size === 0 ? text.length : paragraph > 1 ? paragraph : 0;
  return endedByBreak(text.slice(0, at)) + line + (at < text.length ? '\n' : '') + text.slice(at);
}

function splice(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

function endedByBreak(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

function toml(value: string | readonly string[]): string {
  return stringify({ value: value as string | string[] })
    .trim()
    .slice('value = '.length);
}

/** The edited text holds what the old one held and the additions, and nothing else. */
function check(text: string, edited: string, additions: ConfigAdditions, file: string): void {
  const refuse = (why: string, cause?: unknown): P2psyncError =>
    new P2psyncError(
      'config',
      `cannot add to ${file} by itself (${why}); add the keys by hand`,
      { file },
      { cause },
    );
  let after: unknown;
  try {
    after = parse(edited);
  } catch (error) {
    throw refuse(messageOf(error).split('\n')[0] ?? '', error);
  }
  const expected: Record<string, unknown> = parse(text);
  if (additions.name !== undefined) expected.name = additions.name;
  if (additions.listen !== undefined) expected.listen = [...additions.listen];
  if (additions.bootstrap !== undefined && additions.bootstrap.length > 0) {
    expected.bootstrap = [...additions.bootstrap, ...listOf(expected.bootstrap)];
  }
  if (additions.httpListen !== undefined) {
    expected.http = { ...tableOf(expected.http), listen: additions.httpListen };
  }
  const { share } = additions;
  if (share !== undefined && !listOf(expected.share).some((other) => tableOf(other).name === share.name)) {
    expected.share = [...listOf(expected.share), { ...share }];
  }
  if (!isDeepStrictEqual(normal(after), normal(expected))) throw refuse('its layout is unusual');
  parseConfig(edited, file);
}

/** Without prototypes, which the parser leaves off and literals have. */
function normal(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function tableOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
