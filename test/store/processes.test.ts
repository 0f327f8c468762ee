/** The index between processes: what a killed writer had committed, and what a reader beside a writer sees. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { openStore } from '../../agent/store/database.ts';
import { directoryRecord, edit, share } from './model.ts';

const writer = new URL('./writer.ts', import.meta.url).pathname;

async function inDirectory(check: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'p2psync-store-'));
  try {
    await check(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Kills the writer after it has acknowledged so many batches. @returns the last acknowledged. */
async function killAfter(child: ChildProcess, acknowledged: number): Promise<number> {
  assert.ok(child.stdout !== null);
  let last = -1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last === acknowledged) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return last;
}

for (const acknowledged of [3, 60, 200]) {
  test(`kill -9 after ${acknowledged} batches loses none that was acknowledged and leaves none in part`, async () => {
    await inDirectory(async (directory) => {
      const child = spawn(process.execPath, [writer, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
      const last = await killAfter(child, acknowledged);
      assert.ok(last >= acknowledged, `the writer said ${last}`);
      const store = openStore(directory);
      try {
        const index = store.share(share);
        const batches = new Map<string, number>();
        for (const [path] of index.below('')) {
          const batch = path.split('/')[0] ?? '';
          batches.set(batch, (batches.get(batch) ?? 0) + 1);
        }
        for (let batch = 0; batch <= last; batch += 1)
          assert.is(batches.get(`batch${batch}`), 20, `batch ${batch}`);
        // One more may have been committed and not yet acknowledged; it is whole, too.
        for (const [batch, rows] of batches) assert.is(rows, 20, batch);
        assert.ok(batches.size <= last + 2, `${batches.size} batches, ${last} acknowledged`);
        const document = index.state('last');
        assert.is(Number(Buffer.from(document ?? []).toString()), batches.size - 1);
        await index.write({ index: [edit('after', directoryRecord())] });
        assert.ok(index.record('after' as SharePath) !== undefined);
      } finally {
        await store.close();
      }
    });
  });
}

test('a reader in this process sees what a writer in another goes on to commit', async () => {
  await inDirectory(async (directory) => {
    const child = spawn(process.execPath, [writer, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    let store: ReturnType<typeof openStore> | undefined;
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        const batch = Number(line);
        store ??= openStore(directory, { readOnly: true });
        // A snapshot lasts for a turn of the loop, and several lines may come in one.
        await new Promise((resolve) => setTimeout(resolve, 1));
        const seen = store.share(share).record(`batch${batch}/19` as SharePath);
        if (seen === undefined) assert.unreachable(`batch ${batch} was acknowledged and is not seen`);
        if (batch === 50) break;
      }
    } finally {
      child.kill('SIGKILL');
      await store?.close();
    }
  });
});

test('a reader is told what is not there, and makes nothing', async () => {
  await inDirectory(async (directory) => {
    const isNotFound = (error: unknown): boolean => hasCode(error, 'not-found');
    const nowhere = join(directory, 'nowhere');
    assert.throws(() => openStore(nowhere, { readOnly: true }), isNotFound);
    const store = openStore(directory, { readOnly: true });
    assert.throws(() => store.share(share), isNotFound);
    mkdirSync(join(directory, share));
    assert.throws(() => store.share(share), isNotFound);
    await store.close();
  });
});

test.run();
