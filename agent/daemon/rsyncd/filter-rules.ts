/**
 * The daemon's own filter list: `filter`, `include from`, `include`, `exclude from`, `exclude`, taken apart into rules in
 * the order in which rsync asks them. What a rule means is said by `filter-patterns.ts`. Pure.
 */

export type FilterRule =
  | { readonly kind: 'exclude' | 'include'; readonly pattern: string }
  /** Drops every rule before it. */
  | { readonly kind: 'clear' }
  | { readonly kind: 'other'; readonly text: string; readonly why: string };

/** Of `exclude` and `include`: patterns between white space, each may have `- ` or `+ ` before it; `!` clears the list. */
export function readPatternWords(text: string, kind: 'exclude' | 'include'): readonly FilterRule[] {
  const rules: FilterRule[] = [];
  let rest = trimStart(text);
  while (rest !== '') {
    const prefix = /^([-+]) /.exec(rest)?.[1];
    if (prefix !== undefined) rest = rest.slice(2);
    const word = /^[^ \t\v\f\r\n]*/.exec(rest)?.[0] ?? '';
    rest = trimStart(rest.slice(word.length));
    rules.push(patternRule(word, prefix, kind));
  }
  return rules;
}

/** Of the files of `exclude from` and `include from`: one a line; `#` and `;` begin comments. */
export function readPatternLines(text: string, kind: 'exclude' | 'include'): readonly FilterRule[] {
  return text
    .split(/\r\n|\r|\n/)
    .filter((line) => line !== '' && !/^[#;]/.test(line))
    .map((line) => {
      const prefix = /^([-+]) /.exec(line)?.[1];
      return patternRule(prefix === undefined ? line : line.slice(2), prefix, kind);
    });
}

function patternRule(word: string, prefix: string | undefined, kind: 'exclude' | 'include'): FilterRule {
  if (prefix === undefined && word === '!') return { kind: 'clear' };
  const meant = prefix === undefined ? kind : prefix === '-' ? 'exclude' : 'include';
  return { kind: meant, pattern: word };
}

const kindsOfFilter: Readonly<Record<string, 'exclude' | 'include'>> = {
  '-': 'exclude',
  exclude: 'exclude',
  '+': 'include',
  include: 'include',
};

const otherKinds: Readonly<Record<string, string>> = {
  '.': 'write the rules of that file into ignore',
  merge: 'write the rules of that file into ignore',
  ':': 'put a .p2psyncignore (gitignore rules) into the directories it is meant for',
  'dir-merge': 'put a .p2psyncignore (gitignore rules) into the directories it is meant for',
  H: 'rules for one side do not exist: every node has the same tree',
  hide: 'rules for one side do not exist: every node has the same tree',
  S: 'rules for one side do not exist: every node has the same tree',
  show: 'rules for one side do not exist: every node has the same tree',
  P: 'what is ignored is never removed; nothing else is protected',
  protect: 'what is ignored is never removed; nothing else is protected',
  R: 'rules for one side do not exist: every node has the same tree',
  risk: 'rules for one side do not exist: every node has the same tree',
};

/** Of `filter`: `- PATTERN`, `+ PATTERN`, their long names, `!`, and those that have no equivalent. */
export function readFilterWords(text: string): readonly FilterRule[] {
  const rules: FilterRule[] = [];
  let rest = trimStart(text);
  while (rest !== '') {
    const word = /^[^ \t\v\f\r\n]+/.exec(rest)?.[0] ?? '';
    if (word === '!' || word === 'clear') {
      rest = trimStart(rest.slice(word.length));
      rules.push({ kind: 'clear' });
      continue;
    }
    const [whole = word, name = '', modifiers = '', pattern = ''] = prefixed.exec(rest) ?? [];
    rest = trimStart(rest.slice(whole.length));
    rules.push(filterRule({ whole: whole.trim(), name, modifiers, pattern }));
  }
  return rules;
}

/** A sign or a name, modifiers with or without a comma, then a space or an underscore and the pattern. */
const prefixed =
  /^(dir-merge|merge|exclude|include|hide|show|protect|risk|[-+.:HSPR]),?([^ _\t\v\f\r\n]*)(?:[ _]([^ \t\v\f\r\n]*))?/;

function filterRule(parts: {
  readonly whole: string;
  readonly name: string;
  readonly modifiers: string;
  readonly pattern: string;
}): FilterRule {
  const { whole, name, modifiers, pattern } = parts;
  const other = (why: string): FilterRule => ({ kind: 'other', text: whole, why });
  const kind = kindsOfFilter[name];
  if (kind === undefined) return other(otherKinds[name] ?? 'not a rule that rsync knows');
  if (modifiers !== '') return other(`the modifier ${modifiers} has no equivalent`);
  return pattern === '' ? other('it has no pattern') : { kind, pattern };
}

function trimStart(text: string): string {
  return text.replace(/^[ \t\v\f\r\n]+/, '');
}
