/**
 * Looks at everything for what no event told of. What it finds are hints, as events give: whoever takes them looks again, so
 * that nothing is handed over as it was a while ago, and what is told meanwhile need not wait until everything was seen.
 */
import { type DirectoryPath, nameOf, parentOf, type SharePath, topDirectory } from '../core/path.ts';
import type { Listing, Skipped, WalkOptions } from '../disk/scan.ts';
import type { Dirty } from '../disk/watch.ts';
import { compareListings } from './compare.ts';
import type { ObserverPorts } from './observer-ports.ts';

/**
 * Directories in which something differs, whole, and names of those that are not there any more, in batches, at the pace of the consumer.
 * Only what the index knows is listed: what is below an unknown directory is told of when that is taken in.
 * @param options.before is asked before these are listed, after the consumer has had what is above them.
 * @param options.check hears of each batch first. @throws what it throws.
 */
export async function* lookOver(
  { scanner, store, onSkipped }: Pick<ObserverPorts, 'scanner' | 'store' | 'onSkipped'>,
  {
    signal,
    before,
    check,
  }: Required<WalkOptions> & { readonly check: (listings: readonly Listing[]) => void },
): AsyncGenerator<readonly Dirty[], void, undefined> {
  const isKnown = (directory: DirectoryPath): boolean =>
    directory === topDirectory || store.record(directory as SharePath)?.stat.kind === 'directory';
  const beforeKnown = (directories: readonly DirectoryPath[]) => before(directories.filter(isKnown));
  const skipped: Skipped[] = [];
  for await (const listings of scanner.tree(topDirectory, { signal, before: beforeKnown })) {
    check(listings);
    const hints: Dirty[] = [];
    const uncounted: DirectoryPath[] = [];
    for (const listing of listings) {
      const { directory } = listing;
      for (const one of listing.skipped) skipped.push(one);
      if (!isKnown(directory)) continue;
      if (listing.gone) hints.push(named(directory as SharePath));
      else {
        const compared = compareListings(store, [listing]);
        if (compared.changes.length > 0) hints.push({ directory, names: null });
        uncounted.push(...compared.uncounted);
      }
    }
    if (uncounted.length > 0) await store.write({ recount: uncounted });
    yield hints;
  }
  onSkipped({ directory: topDirectory, whole: true, skipped });
}

function named(path: SharePath): Dirty {
  return { directory: parentOf(path), names: [nameOf(path)] };
}
