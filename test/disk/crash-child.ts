/** Commits the new tree of `crash.ts` over the old one and kills itself at a system call. Started by `crash.test.ts`. */
import { text } from 'node:stream/consumers';
import type { SharePath } from '../../agent/core/path.ts';
import type { DiskStat } from '../../agent/core/stat.ts';
import { cutAfter, newTree, oldTree } from './crash.ts';
import { openShare, treeOf } from './share.ts';

type Order = { readonly root: string; readonly at: number; readonly index: readonly [SharePath, string][] };

const order: Order = JSON.parse(await text(process.stdin));
const { calls } = cutAfter(order.at, () => process.kill(process.pid, 'SIGKILL'));
const share = await openShare({ root: order.root, calls });
share.tree = treeOf(oldTree(share.library));
for (const [path, stat] of order.index) share.index.set(path, statFrom(stat));
await share.committer.commit(share.inputOf(treeOf(newTree(share.library)), { whole: true }), {
  signal: new AbortController().signal,
});

function statFrom(json: string): DiskStat {
  return JSON.parse(json, (_, value: unknown) =>
    typeof value === 'string' && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
  );
}
