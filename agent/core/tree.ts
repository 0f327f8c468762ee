/** Stub. */
import type { Digest } from './digest.ts';
import type { Counts, Entry } from './entry.ts';
import type { PageSource } from './page.ts';
import type { DirectoryPath, SharePath } from './path.ts';

export declare function lookup(pages: PageSource, root: Digest, path: SharePath): Entry | undefined;
export declare function iterate(
  pages: PageSource,
  root: Digest,
  range?: { readonly from?: SharePath; readonly below?: DirectoryPath },
): Generator<Entry, void, void>;
export declare function children(
  pages: PageSource,
  root: Digest,
  directory: DirectoryPath,
): Generator<Entry, void, void>;
export declare function countsOf(pages: PageSource, root: Digest): Counts;
export declare function holdsPage(
  pages: PageSource,
  root: Digest,
  page: { readonly level: number; readonly lastKey: SharePath; readonly digest: Digest },
): boolean;
