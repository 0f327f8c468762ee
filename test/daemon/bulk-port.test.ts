import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bulkPortOf } from '../../agent/daemon/bulk-port.ts';

for (const [listen, port] of [
  [['0.0.0.0:8873'], 9873],
  [['[::]:8873', '0.0.0.0:8873'], 9873],
  [['/ip4/127.0.0.1/tcp/7001'], 8001],
  [['127.0.0.1:65000'], 64_000],
  [['127.0.0.1:0'], 0],
] as const) {
  test(`an agent on ${listen[0]} has its blocks on port ${port}`, () => {
    assert.is(bulkPortOf({ listen }), port);
  });
}

test.run();
