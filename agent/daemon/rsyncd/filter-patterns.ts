/**
 * rsync's patterns as gitignore rules, where the two mean the same. rsync asks its rules in order and the first that
 * matches decides; gitignore lets the last one decide: so the order turns round. Pure.
 * Sources: rsync(1), "FILTER RULES" and "PATTERN MATCHING RULES"; gitignore(5).
 */
import type { FilterRule } from './filter-rules.ts';

export type Translation = {
  /** gitignore rules, in their order. */
  readonly ignore: readonly string[];
  /** Sentences, one for each rule that is not among them. */
  readonly leftOut: readonly string[];
};

/** Rules in the order in which rsync asks them. */
export function translateFilters(rules: readonly FilterRule[]): Translation {
  const ignore: string[] = [];
  const leftOut: string[] = [];
  const bringsBack = rules.some(({ kind }) => kind === 'include');
  for (const rule of rules) {
    if (rule.kind === 'clear') ignore.length = 0;
    else if (rule.kind === 'other') leftOut.push(`${rule.text}: ${rule.why}`);
    else {
      const translated = translatePattern(rule.pattern, rule.kind, bringsBack);
      if (typeof translated === 'string') leftOut.push(`${rule.pattern}: ${translated}`);
      else ignore.unshift(...translated);
    }
  }
  // What only brings back what nothing took away says nothing.
  while (ignore[0]?.startsWith('!') === true) ignore.shift();
  // Without them the order means nothing, and the one of the file reads better.
  if (!ignore.some((rule) => rule.startsWith('!'))) ignore.reverse();
  return { ignore, leftOut };
}

/** The rules, or in a sentence why there are none. @param bringsBack there are includes, which may name a directory that this excludes. */
export function translatePattern(
  pattern: string,
  kind: 'exclude' | 'include',
  bringsBack: boolean,
): readonly string[] | string {
  if (/[\0\r\n]/.test(pattern)) return 'a rule is one line';
  if (/[\t\v\f]/.test(pattern)) return 'white space other than spaces';
  const isForDirectories = pattern.length > 1 && pattern.endsWith('/');
  const body = isForDirectories ? pattern.slice(0, -1) : pattern;
  if (body === '' || body === '/') return 'it names nothing inside the directory';
  if (/(^|\/)\.{0,2}(\/|$)/.test(body.replace(/^\//, ''))) return 'it has an empty part, "." or ".."';
  // The *** that a daemon appends to an excluded directory is a wildcard, too.
  const wild = /[*?[]/.test(body) || (kind === 'exclude' && isForDirectories);
  const text = wild ? body : body.replaceAll('\\', '\\\\');
  if (wild && !hasWholeClasses(text)) return 'a [ without its ], or a backslash at the end';
  const isAnchored = text.startsWith('/');
  const parts = (isAnchored ? text.slice(1) : text).split('/');
  const ending = parts.length > 1 || isAnchored ? endingOf(parts.at(-1) ?? '') : 'name';
  const inner = ending === 'name' ? parts : parts.slice(0, -1);
  const not = kind === 'include' ? '!' : '';
  if (parts.length === 1 && !isAnchored && /^\*{2,}$/.test(text))
    return [not === '!' && isForDirectories ? '!*/' : `${not}*`];
  if (isForDirectories && ending !== 'name') return 'a slash behind **';
  if (inner.length === 0) return [`${not}/**`];
  const start = isAnchored ? '/' : inner.length > 1 || ending !== 'name' ? '**/' : '';
  const first = !isAnchored && inner[0] === '**';
  const translated: string[] = [];
  for (const [at, part] of inner.entries()) {
    if (part === '**') {
      // At the very start it may stand for nothing, elsewhere rsync wants at least one directory for it.
      if (at === 0 && first) continue;
      translated.push('*', '**');
    } else if (part.includes('**'))
      return '** beside other characters also crosses directories, which gitignore cannot say';
    else translated.push(part);
  }
  if (translated.length === 0) return '** alone before the end';
  if (translated.at(-1) === '**' && ending === 'name') return '** alone at the end of a directory pattern';
  const path = `${first ? '**/' : start}${translated.map(quoteEnd).join('/')}`;
  return rulesOf(path, { kind, isForDirectories, ending, bringsBack });
}

/** `**` takes what is inside, `***` the directory too; both are for whole parts only. */
function endingOf(part: string): 'name' | 'inside' | 'both' {
  return part === '**' ? 'inside' : part === '***' ? 'both' : 'name';
}

function rulesOf(
  path: string,
  options: {
    readonly kind: 'exclude' | 'include';
    readonly isForDirectories: boolean;
    readonly ending: 'name' | 'inside' | 'both';
    readonly bringsBack: boolean;
  },
): readonly string[] {
  const { kind, isForDirectories, ending, bringsBack } = options;
  const rule = /^[#!]/.test(path) ? `\\${path}` : path;
  const inside = `${path.includes('/') ? rule : `**/${path}`}/**`;
  if (kind === 'include') {
    if (ending === 'inside') return [`!${inside}`];
    return ending === 'both' ? [`!${rule}/`, `!${inside}`] : [`!${rule}${isForDirectories ? '/' : ''}`];
  }
  if (ending === 'inside') return [inside];
  if (ending === 'name' && !isForDirectories) return [rule];
  // To a daemon DIR/ is DIR/***: where an include brings DIR back, what is in it stays out.
  return bringsBack ? [`${rule}/`, inside] : [`${rule}/`];
}

/** gitignore drops spaces at the end of a line unless they are quoted. */
function quoteEnd(part: string, index: number, parts: readonly string[]): string {
  return index === parts.length - 1 ? part.replace(/ +$/, (spaces) => '\\ '.repeat(spaces.length)) : part;
}

/** Brackets closed before the part ends, backslashes with something behind them. */
function hasWholeClasses(text: string): boolean {
  return /^(?:[^\\[]|\\[^/]|\[[!^]?\]?(?:\[:[a-z]+:\]|[^\]\\[/])*\])*$/.test(text);
}
