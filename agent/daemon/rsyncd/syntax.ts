/**
 * The line grammar of `rsyncd.conf`: text to statements, each with its line. Knows no parameter and reads no file. Pure.
 * As rsync 3.2 to 3.5 reads it: rsyncd.conf(5), "FILE FORMAT", and where that is silent what the daemon does.
 */

/** `line` counts from 1 and is where the statement begins. */
export type Statement =
  | { readonly kind: 'section'; readonly line: number; readonly name: string }
  | { readonly kind: 'parameter'; readonly line: number; readonly name: string; readonly value: string }
  /** `&include` or `&merge` (or what looks like one), with what it names. */
  | { readonly kind: 'directive'; readonly line: number; readonly name: string; readonly value: string }
  /** rsync logs a complaint and goes on. */
  | { readonly kind: 'ignored'; readonly line: number; readonly text: string; readonly why: string }
  /** rsync refuses the whole file here; always the last one. */
  | { readonly kind: 'broken'; readonly line: number; readonly why: string };

/** Space that is not the end of a line: what isspace(3) knows in the C locale. */
const blank = /[ \t\v\f\r]/;

/** Never throws: what rsync refuses is a statement too. Names have their inner space narrowed to one, values keep it. */
export function readStatements(file: string): readonly Statement[] {
  // To rsync a NUL is the end of the file.
  const end = file.indexOf('\0');
  const text = end < 0 ? file : file.slice(0, end);
  const statements: Statement[] = [];
  let at = 0;
  let line = 1;

  const skipBlanks = (): void => {
    while (at < text.length && blank.test(text[at] ?? '')) at += 1;
  };
  const skipLine = (): void => {
    const lineBreak = text.indexOf('\n', at);
    at = lineBreak < 0 ? text.length : lineBreak + 1;
    if (lineBreak >= 0) line += 1;
  };

  /** A name up to one of `stops`, behind which `at` then is; null where the line or the file ended first. */
  function readName(stops: string): { readonly name: string; readonly stop: string | null } {
    let name = '';
    while (at < text.length) {
      const character = text[at] ?? '';
      at += 1;
      if (stops.includes(character)) return { name: bare(name), stop: character };
      if (character === '\n') {
        line += 1;
        const before = beforeBackslash(name);
        if (before === null) return { name: bare(name), stop: '\n' };
        name = before;
      } else if (blank.test(character)) {
        if (name.startsWith('&') && (character === ' ' || character === '\t')) return { name, stop: ' ' };
        if (!name.endsWith(' ')) name += ' ';
      } else name += character;
    }
    return { name: bare(name), stop: null };
  }

  function readValue(): string {
    skipBlanks();
    let value = '';
    let kept = 0;
    while (at < text.length) {
      const lineBreak = text.indexOf('\n', at);
      const part = text.slice(at, lineBreak < 0 ? text.length : lineBreak).replaceAll('\r', '');
      value += part;
      if (withoutBlankEnd(part) !== '') kept = value.length - part.length + withoutBlankEnd(part).length;
      skipLine();
      if (lineBreak < 0) break;
      const before = beforeBackslash(value);
      if (before === null) break;
      // The space before the backslash stays, and so does what the next line begins with.
      value = before;
      kept = before.length;
    }
    return value.slice(0, kept);
  }

  function readSection(): Statement {
    const begins = line;
    at += 1;
    skipBlanks();
    const { name, stop } = readName(']');
    if (stop !== ']') return { kind: 'broken', line: begins, why: `[${name} has no closing bracket` };
    if (name === '') return { kind: 'broken', line: begins, why: 'a module without a name' };
    skipLine();
    return { kind: 'section', line: begins, name };
  }

  function readParameter(): Statement {
    const begins = line;
    const { name, stop } = readName('=');
    if (stop === '\n' || stop === null) {
      return { kind: 'ignored', line: begins, text: name, why: 'it has no "="' };
    }
    if (name === '') return { kind: 'broken', line: begins, why: 'nothing stands before the "="' };
    if (stop === ' ') {
      skipBlanks();
      if (text[at] === '=') at += 1;
    }
    const value = readValue();
    return { kind: name.startsWith('&') ? 'directive' : 'parameter', line: begins, name, value };
  }

  while (at < text.length) {
    const character = text[at] ?? '';
    if (character === '\n' || character === '#' || character === ';') skipLine();
    else if (character === '\\' || blank.test(character)) at += 1;
    else {
      const statement = character === '[' ? readSection() : readParameter();
      statements.push(statement);
      if (statement.kind === 'broken') break;
    }
  }
  return statements;
}

/** Inside a name all white space is one space already. */
function bare(name: string): string {
  return name.replace(/^ | $/g, '');
}

/** What stands before the backslash that a line ends in, or null where it does not. */
function beforeBackslash(text: string): string | null {
  const trimmed = withoutBlankEnd(text);
  return trimmed.endsWith('\\') ? trimmed.slice(0, -1) : null;
}

function withoutBlankEnd(text: string): string {
  let end = text.length;
  while (end > 0 && blank.test(text[end - 1] ?? '')) end -= 1;
  return text.slice(0, end);
}
