/** A whole sync while somebody swaps a directory for a symlink that leads out: committed, listed and read. */
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digestOf } from '../../agent/core/digest.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';
import { createReader } from '../../agent/disk/read.ts';
import { createScanner } from '../../agent/disk/scan.ts';
import { directory, openShare, path } from './share.ts';

const { signal } = new AbortController();
const names = Array.from({ length: 24 }, (_, at) => (at % 2 === 0 ? `f${at}` : `sub/f${at}`));
const bytesOutside = Buffer.from('of somebody else');

/** The same names as in the share, so that whoever follows the link finds them. */
function plantOutside(outside: string): void {
  fs.mkdirSync(join(outside, 'sub'), { recursive: true });
  for (const name of ['only outside', ...names])
    fs.writeFileSync(join(outside, name), bytesOutside, { mode: 0o640 });
}

function stateOf(top: string): string[] {
  return fs
    .readdirSync(top, { recursive: true, encoding: 'utf8' })
    .concat('')
    .sort()
    .map((name) => {
      const { ino, mode, uid, size, nlink, mtimeNs, ctimeNs } = fs.lstatSync(join(top, name), {
        bigint: true,
      });
      return [name, ino, mode, uid, size, nlink, mtimeNs, ctimeNs].join(' ');
    });
}

test('while a directory is swapped for a symlink, nothing outside is changed, listed or read, and what can be done is done', async () => {
  const base = fs.mkdtempSync(join(tmpdir(), 'swapped-'));
  const [root, outside] = [join(base, 'share'), join(base, 'outside')];
  fs.mkdirSync(root);
  plantOutside(outside);
  const before = stateOf(outside);
  const share = await openShare({ root });
  const { library } = share;
  const scanner = createScanner(root, { ignore: createIgnore([]) });
  const reader = createReader(root);
  const treeOfRound = (round: number) => [
    directory('d'),
    directory('d/sub'),
    // Some come, some go, some stay under another name, and all others get new bytes.
    ...names
      .filter((_, at) => (at + round) % 5 !== 0)
      .map((name, at) =>
        library.file(`d/${name}`, at % 4 === 0 ? `always ${at}` : `round ${round} of ${at}`),
      ),
  ];
  assert.equal((await share.apply(treeOfRound(0))).failed, []);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const swaps = new Int32Array(new SharedArrayBuffer(4));
  const flipper = new Worker(new URL('./flipper.ts', import.meta.url), {
    workerData: { root, outside, stop, swaps },
  });
  const ended = once(flipper, 'exit');
  await Atomics.waitAsync(swaps, 0, 0).value;

  const seen = { done: 0, failed: 0, listed: 0, read: 0 };
  const isEnough = () => seen.done > 200 && seen.failed > 50 && seen.listed > 100 && seen.read > 10;
  try {
    for (let round = 1; !isEnough() && round < 500; round += 1) {
      const result = await share.apply(treeOfRound(round));
      seen.done += result.done.length;
      seen.failed += result.failed.length;
      // What was to be copied from below the swapped directory and was not there: an agent fetches it.
      const lost = result.lost.flatMap((digest) => {
        const bytes = library.blocks.get(digest);
        return bytes === undefined ? [] : [{ digest, bytes }];
      });
      assert.equal(await share.stage.put(lost), []);
      for await (const batch of scanner.tree('', { signal })) {
        for (const one of batch.flatMap((listing) => listing.entries())) {
          assert.is.not(one.name, 'only outside');
          seen.listed += 1;
        }
      }
      const items = names.map((name) => ({ path: path(`d/${name}`), cut: null, keepBytes: true }));
      for await (const batch of reader.read(items, { signal })) {
        for (const one of batch) {
          if (one.kind !== 'ok') continue;
          assert.not(
            one.blocks.some(({ digest }) => digest === digestOf(bytesOutside)),
            one.path,
          );
          seen.read += 1;
        }
      }
    }
  } finally {
    Atomics.store(stop, 0, 1);
    await ended;
    await Promise.all([scanner.close(), reader.close(), share.committer.close(), share.stage.close()]);
  }
  assert.ok(isEnough(), JSON.stringify(seen));
  assert.equal(stateOf(outside), before);
  fs.rmSync(base, { recursive: true, force: true });
});

test.run();
