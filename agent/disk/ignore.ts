/**
 * Which paths are not replicated: gitignore rules from the configuration and from every `.p2psyncignore` in the
 * tree, as git reads its exclude file and nested `.gitignore` files. Owns the rules; never touches a disk.
 * Source: gitignore(5), by the `ignore` package.
 */
import createRules, { type Ignore as Rules } from 'ignore';
import { ignoreRememberedMax } from '../base/limits.ts';
import { agentDirectory, type DirectoryPath, parentOf, type SharePath } from '../core/path.ts';

/** Name of the files that hold rules for their directory and everything below it. */
export const ignoreFileName = '.p2psyncignore';

export type IgnoreRules = {
  /** True for what a rule excludes and for everything inside an excluded directory. */
  ignores(path: SharePath, isDirectory: boolean): boolean;
};

/** One change of the rules; can be cloned to a worker. */
export type IgnoreChange =
  | { readonly kind: 'patterns'; readonly patterns: readonly string[] }
  | { readonly kind: 'file'; readonly directory: DirectoryPath; readonly text: string | null };

/** Everything there is to know; can be cloned to a worker. */
export type IgnoreSource = {
  readonly patterns: readonly string[];
  readonly files: readonly (readonly [DirectoryPath, string])[];
};

export type Ignore = IgnoreRules & {
  /** Replaces the rules of one file (null: removes them) or those of the configuration. @returns whether anything changed. */
  change(change: IgnoreChange): boolean;
  /** Hears of every change from now on. @returns a function that ends it. */
  onChange(listener: (change: IgnoreChange) => void): () => void;
  source(): IgnoreSource;
};

/** @param patterns of the configuration: weaker than any file's, and relative to the share's top. */
export function createIgnore(
  patterns: readonly string[],
  files: readonly (readonly [DirectoryPath, string])[] = [],
): Ignore {
  let general = [...patterns];
  const texts = new Map<DirectoryPath, string>(files);
  const listeners = new Set<(change: IgnoreChange) => void>();
  /** By the directory whose file is the deepest that counts; made when first asked for. */
  const compiled = new Map<DirectoryPath, Remembering>();

  function rulesAt(directory: DirectoryPath): Remembering {
    let holder = directory;
    while (holder !== '' && !texts.has(holder)) holder = parentOf(holder as SharePath);
    let rules = compiled.get(holder);
    if (rules === undefined) {
      rules = remembering(chain(holder));
      compiled.set(holder, rules);
    }
    return rules;
  }

  /** Weakest first, as the last rule that matches decides: configuration, then files from the top down. */
  function chain(directory: DirectoryPath): string[] {
    const patterns: string[] = [];
    for (let at = directory; ; at = parentOf(at as SharePath)) {
      const text = texts.get(at);
      if (text !== undefined) patterns.unshift(...linesOf(text).flatMap((line) => anchored(line, at)));
      if (at === '') break;
    }
    return [...general.flatMap((line) => anchored(line, '')), ...patterns];
  }

  return {
    ignores(path, isDirectory) {
      if (path === agentDirectory || path.startsWith(`${agentDirectory}/`)) return true;
      const rules = rulesAt(parentOf(path));
      return rules !== none && rules.ignores(isDirectory ? `${path}/` : path);
    },
    change(change) {
      if (change.kind === 'patterns') {
        if (JSON.stringify(change.patterns) === JSON.stringify(general)) return false;
        general = [...change.patterns];
      } else {
        if ((texts.get(change.directory) ?? null) === change.text) return false;
        if (change.text === null) texts.delete(change.directory);
        else texts.set(change.directory, change.text);
      }
      compiled.clear();
      for (const listener of listeners) listener(change);
      return true;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    source: () => ({ patterns: general, files: [...texts] }),
  };
}

type Remembering = { ignores(path: string): boolean };
const none: Remembering = { ignores: () => false };

/** The package remembers every path it was ever asked about; this one forgets them in time. */
function remembering(patterns: readonly string[]): Remembering {
  if (patterns.length === 0) return none;
  const make = (): Rules =>
    createRules({ ignorecase: false, allowRelativePaths: true }).add(
      patterns.map((pattern) => ({ pattern })),
    );
  let rules = make();
  let asked = 0;
  return {
    ignores(path) {
      asked += 1;
      if (asked > ignoreRememberedMax) {
        rules = make();
        asked = 1;
      }
      return rules.ignores(path);
    },
  };
}

function linesOf(text: string): string[] {
  return text.replace(/^\ufeff/, '').split(/\r?\n/);
}

/** A line of a rules file in `directory` as a pattern that means the same at the share's top. Comments give none. */
function anchored(line: string, directory: DirectoryPath): string[] {
  const trimmed = withoutTrailingSpaces(line);
  if (trimmed === '' || trimmed.startsWith('#')) return [];
  const negative = trimmed.startsWith('!');
  const body = negative ? trimmed.slice(1) : trimmed;
  if (directory === '') return [trimmed];
  // A separator before the end ties a pattern to its directory; without one it holds at any depth below.
  const tied = body.slice(0, -1).includes('/');
  const below = tied ? body.replace(/^\//, '') : `**/${body}`;
  return [`${negative ? '!' : ''}/${directory.replace(/[*?[\]\\ ]/g, '\\$&')}/${below}`];
}

/** As git: spaces at the end do not count unless a backslash quotes the first of them. */
function withoutTrailingSpaces(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === ' ') end -= 1;
  let quotes = 0;
  while (end - quotes > 0 && line[end - quotes - 1] === '\\') quotes += 1;
  return line.slice(0, quotes % 2 === 1 ? end + 1 : end);
}
