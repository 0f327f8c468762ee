/** What an agent says of itself when it starts again after a pause. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { headStaleMs } from '../../agent/base/limits.ts';
import type { ShareReport } from '../../agent/http/api.ts';
import { type Live, running, withHome } from './live.ts';

/** The share, as it is when its directory was looked at. */
async function afterScan(writer: Live): Promise<ShareReport> {
  for (;;) {
    const share = await writer.share('www');
    if (share.state !== 'starting' && share.state !== 'scanning') return share;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a writer that was down for long is in sync as soon as it has looked at its directory', async () => {
  await withHome(['www'], async (home) => {
    await running(home, async (writer) => {
      assert.is((await afterScan(writer)).state, 'in-sync');
    });
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * headStaleMs });
    try {
      await running(home, async (writer) => {
        const share = await afterScan(writer);
        assert.is(share.state, 'in-sync');
        // It signed the version it had, and no further one.
        assert.is(share.applied?.sequence, 1);
      });
    } finally {
      mock.timers.reset();
    }
  });
});

test.run();
