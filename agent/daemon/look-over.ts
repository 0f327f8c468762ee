/**
 * Looks at everything for what no event told of. What it finds are hints, as events give: whoever takes them looks again, so
 * that nothing is handed over as it was a while ago, and what is told meanwhile need not wait until everything was seen.
 */
import { type DirectoryPath, nameOf, parentOf, type SharePath, topDirectory } from '../core/path.ts';
import type { Listing, Scanner, Skipped } from '../disk/scan.ts';
import type { Dirty } from '../disk/watch.ts';
import type { ShareStore } from '../store/share-store.ts';
import { compareListings } from './compare.ts';

export type Seen = {
  /** Directories in which something differs, whole, and names of those that are not there any more. */
  readonly hints: readonly Dirty[];
  readonly skipped: readonly Skipped[];
  /** Nothing differs in these, and the index has no fingerprint of them. */
  readonly uncounted: readonly DirectoryPath[];
};

/**
 * Every directory that the index knows, in batches, at the pace of the consumer. What is below an unknown one is told of when that is taken in.
 * @param options.before is asked before these are listed, after the consumer has had what is above them.
 * @throws {P2psyncError} io, where nobody can say what is in the share's directory.
 */
export async function* lookOver(
  { scanner, store }: { readonly scanner: Pick<Scanner, 'tree'>; readonly store: ShareStore },
  options: {
    readonly signal: AbortSignal;
    readonly before: (directories: readonly DirectoryPath[]) => Promise<void>;
    readonly checkTop: (listing: Listing) => void;
  },
): AsyncGenerator<Seen, void, undefined> {
  const isKnown = (directory: DirectoryPath): boolean =>
    directory === topDirectory || store.record(directory as SharePath)?.stat.kind === 'directory';
  const before = (directories: readonly DirectoryPath[]): Promise<void> =>
    options.before(directories.filter(isKnown));
  for await (const listings of scanner.tree(topDirectory, { signal: options.signal, before })) {
    const hints: Dirty[] = [];
    const uncounted: DirectoryPath[] = [];
    for (const listing of listings) {
      options.checkTop(listing);
      const { directory } = listing;
      if (!isKnown(directory)) continue;
      if (listing.gone) {
        const path = directory as SharePath;
        hints.push({ directory: parentOf(path), names: [nameOf(path)] });
        continue;
      }
      const compared = compareListings(store, [listing]);
      if (compared.changes.length > 0) hints.push({ directory, names: null });
      for (const one of compared.uncounted) uncounted.push(one);
    }
    yield { hints, uncounted, skipped: listings.flatMap(({ skipped }) => skipped) };
  }
}
