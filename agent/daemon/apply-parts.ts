/**
 * The first version of a share, which is every entry of its tree: some at a time, each time a commit of its own, so that
 * what is held in memory does not grow with the tree. Decides nothing about a commit; whoever calls holds the gate.
 */
import type { Change } from '../core/entry.ts';
import type { CommitResult } from '../disk/commit.ts';
import type { Outcome } from './apply.ts';

/** These were committed. */
export type OnPart = (changes: readonly Change[], result: CommitResult) => void;

export type PartsPorts = {
  /** With the last part the version counts as applied. */
  readonly commit: (changes: readonly Change[], options: { readonly isLast: boolean }) => Promise<Outcome>;
  readonly onPart: OnPart;
  readonly partChanges: number;
};

/**
 * What was committed stays when a later part is not: who begins again finds it done.
 * @param changes in byte order of path, so that what lies in a directory comes after it, and a file before its other names.
 */
export async function applyInParts(changes: Iterable<Change>, ports: PartsPorts): Promise<Outcome> {
  const kept: CommitResult['kept'][number][] = [];
  const failed: CommitResult['failed'][number][] = [];

  async function commit(part: readonly Change[], isLast: boolean): Promise<Outcome> {
    const outcome = await ports.commit(part, { isLast });
    if (outcome.kind !== 'applied') return outcome;
    ports.onPart(part, outcome.result);
    for (const one of outcome.result.kept) kept.push(one);
    for (const one of outcome.result.failed) failed.push(one);
    return outcome;
  }

  let part: Change[] = [];
  for (const change of changes) {
    if (part.length >= ports.partChanges) {
      const outcome = await commit(part, false);
      if (outcome.kind !== 'applied') return outcome;
      part = [];
    }
    part.push(change);
  }
  const outcome = await commit(part, true);
  return outcome.kind === 'applied'
    ? { kind: 'applied', result: { done: [], kept, failed, lost: [] } }
    : outcome;
}
