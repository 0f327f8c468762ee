/** What a committer asks of its worker, and when it need not. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CommitCalls, createCommitterOn } from '../../agent/disk/commit.ts';
import type { Pool } from '../../agent/disk/pool.ts';
import { openShare } from './share.ts';

test('is busy until a commit is settled, and asks for what is not durable once', async () => {
  const asked: string[] = [];
  const pool: Pool<CommitCalls> = {
    threads: 1,
    // What a worker without journals says to what is asked here.
    async call<Name extends keyof CommitCalls>(name: Name) {
      asked.push(name);
      const tidied = { kept: [], failed: [], taken: [] };
      const answers: { readonly [Each in keyof CommitCalls]?: unknown } = {
        recover: { tag: null, rehash: [], rehashAll: false },
        whole: { kind: 'done', done: [], tidied },
        settle: 1,
        undurable: [],
      };
      return answers[name] as never;
    },
    tell: () => assert.unreachable('nobody tells'),
    close: async () => undefined,
  };
  const share = await openShare();
  const committer = createCommitterOn(pool, share.stage, { durability: 'deferred' });
  const { signal } = new AbortController();
  await committer.recover(() => false);
  assert.not(committer.isBusy());
  await committer.durable({ signal });
  await committer.durable({ signal });
  await committer.commit(share.inputOf(share.tree), { signal });
  assert.ok(committer.isBusy());
  await committer.settle();
  assert.not(committer.isBusy());
  await committer.durable({ signal });
  await committer.durable({ signal });
  await share.close();
  assert.equal(asked, ['recover', 'undurable', 'whole', 'settle', 'undurable']);
});

test.run();
