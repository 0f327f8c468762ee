/**
 * Finds where in a TOML text each key stands, which the parser does not tell: for error messages and for edits that
 * leave the rest as it was. Pure. Expects text that the parser has accepted; of other text it only has to end.
 */

/** Offsets are in UTF-16 units; `line` counts from 1. */
export type KeyPlace = { readonly line: number; readonly valueStart: number; readonly valueEnd: number };
/** `end` lies behind the header's line break. */
export type TablePlace = { readonly line: number; readonly start: number; readonly end: number };

export type TomlPlaces = {
  /** By path, joined with `.`: `http.listen`, `share.0.path`. What is inside an inline table is not listed. */
  readonly keys: ReadonlyMap<string, KeyPlace>;
  readonly tables: ReadonlyMap<string, TablePlace>;
};

export function locateKeys(text: string): TomlPlaces {
  const keys = new Map<string, KeyPlace>();
  const tables = new Map<string, TablePlace>();
  const arrays = new Map<string, number>();
  let table: readonly string[] = [];
  let at = 0;
  let line = 1;
  let counted = 0;
  const lineAt = (offset: number): number => {
    for (; counted < offset; counted += 1) if (text[counted] === '\n') line += 1;
    return line;
  };
  while (at < text.length) {
    const character = text[at];
    if (character === undefined || /\s/.test(character)) at += 1;
    else if (character === '#') at = endOfLine(text, at);
    else if (character === '[') {
      const start = at;
      const isArray = text.startsWith('[[', at);
      const key = readKey(text, at + (isArray ? 2 : 1));
      table = enter(key.names, isArray, arrays);
      at = endOfLine(text, key.end);
      tables.set(table.join('.'), {
        line: lineAt(start),
        start,
        end: Math.min(text.length, at + 1),
      });
    } else {
      const start = at;
      const key = readKey(text, at);
      const valueStart = skipBlanks(text, key.end + 1);
      const valueEnd = endOfValue(text, valueStart);
      keys.set([...table, ...key.names].join('.'), { line: lineAt(start), valueStart, valueEnd });
      at = Math.max(valueEnd, start + 1);
    }
  }
  return { keys, tables };
}

/** The line of the key, or of the nearest thing around it that has one. */
export function lineOf(places: TomlPlaces, path: readonly (string | number)[]): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const name = path.slice(0, length).join('.');
    const place = places.keys.get(name) ?? places.tables.get(name);
    if (place !== undefined) return place.line;
  }
  return undefined;
}

/** `[share.keep]` after a `[[share]]` speaks of the last share. */
function enter(names: readonly string[], isArray: boolean, arrays: Map<string, number>): readonly string[] {
  const path: string[] = [];
  names.forEach((name, index) => {
    path.push(name);
    const joined = path.join('.');
    if (isArray && index === names.length - 1) arrays.set(joined, (arrays.get(joined) ?? -1) + 1);
    const count = arrays.get(joined);
    if (count !== undefined) path.push(String(count));
  });
  return path;
}

/** A dotted key, up to the `=` or `]` behind it. */
function readKey(text: string, start: number): { readonly names: readonly string[]; readonly end: number } {
  const names: string[] = [];
  let at = start;
  let name = '';
  while (at < text.length) {
    const character = text[at] ?? '';
    if (character === '=' || character === ']' || character === '\n') break;
    if (character === '"' || character === "'") {
      const end = endOfString(text, at);
      const inner = text.slice(at + 1, end - 1);
      name += character === '"' ? unescapeBasic(inner) : inner;
      at = end;
      continue;
    }
    if (character === '.') {
      names.push(name);
      name = '';
    } else if (!/\s/.test(character)) name += character;
    at += 1;
  }
  names.push(name);
  return { names, end: at };
}

function unescapeBasic(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}

/** Behind the value's last character: before a line break or comment that no bracket or string encloses. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  let end = start;
  for (let at = start; at < text.length; ) {
    const character = text[at] ?? '';
    if (character === '\n' && depth <= 0) break;
    if (character === '#') {
      if (depth <= 0) break;
      at = endOfLine(text, at);
      continue;
    }
    if (character === '"' || character === "'") at = endOfString(text, at);
    else {
      if (character === '[' || character === '{') depth += 1;
      if (character === ']' || character === '}') depth -= 1;
      at += 1;
    }
    if (!/\s/.test(character)) end = at;
  }
  return end;
}

/** Behind the closing quotes. */
function endOfString(text: string, start: number): number {
  const quote = text[start] ?? '"';
  const long = quote.repeat(3);
  const mark = text.startsWith(long, start) ? long : quote;
  let at = start + mark.length;
  while (at < text.length) {
    if (quote === '"' && text[at] === '\\') at += 2;
    else if (text.startsWith(mark, at)) {
      at += mark.length;
      // A long string may end in quotes of its own: """a""""" closes with the last three.
      while (mark.length === 3 && text[at] === quote) at += 1;
      return at;
    } else at += 1;
  }
  return text.length;
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end < 0 ? text.length : end;
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
}
