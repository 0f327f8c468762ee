/**
 * Which paths are not replicated: gitignore rules from the configuration and from every `.p2psyncignore` in the
 * tree, as git reads its exclude file and nested `.gitignore` files. Owns the rules; never touches a disk.
 * Source: gitignore(5), by the `ignore` package.
 */
import type { DirectoryPath, SharePath } from '../core/path.ts';

/** Name of the files that hold rules for their directory and everything below it. */
export const ignoreFileName = '.p2psyncignore';

export type IgnoreRules = {
  /** True for what a rule excludes and for everything inside an excluded directory. */
  ignores(path: SharePath, isDirectory: boolean): boolean;
};

/** One change of the rules; both can be cloned to a worker. */
export type IgnoreChange =
  | { readonly kind: 'patterns'; readonly patterns: readonly string[] }
  | { readonly kind: 'file'; readonly directory: DirectoryPath; readonly text: string | null };

/** Everything there is to know, to be cloned to a worker. */
export type IgnoreSource = {
  readonly patterns: readonly string[];
  readonly files: readonly (readonly [DirectoryPath, string])[];
};

export type Ignore = IgnoreRules & {
  /** Replaces the rules (null: removes them) of one file, or those of the configuration. @returns whether anything changed. */
  change(change: IgnoreChange): boolean;
  /** Hears of every change from now on. @returns a function that ends it. */
  onChange(listener: (change: IgnoreChange) => void): () => void;
  source(): IgnoreSource;
};

export function createIgnore(
  _patterns: readonly string[],
  _files: readonly (readonly [DirectoryPath, string])[] = [],
): Ignore {
  throw new Error('not yet');
}
