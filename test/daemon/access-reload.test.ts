/** A reload of `[access]` in a running agent: it takes effect on what stands. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ShareId } from '../../agent/core/keys.ts';
import { ofKind } from '../net/hosts.ts';
import { createGuest, isTakenIn } from './guest.ts';
import { withWriter } from './live.ts';

test('an address that a reload denies is cut off, and comes back when another one admits it', async () => {
  await withWriter(['www'], async (writer) => {
    const guest = await createGuest('guest');
    try {
      const share = (await writer.share('www')).id as ShareId;
      const certificate = guest.certify(await writer.invite('www'));
      await guest.visit(writer.peer, writer.addresses, [certificate]);
      await guest.hears(isTakenIn(share));
      const file = join(writer.home, 'config.toml');
      const open = readFileSync(file, 'utf8');

      writeFileSync(file, `${open}\n[ready]\nmax_lag = "31s"\n`);
      assert.equal((await writer.api.reload()).changed, ['ready']);
      assert.is(guest.host.count('disconnected'), 0, 'what has nothing to do with it cuts nobody');

      writeFileSync(file, `${open}\n[access]\ndeny = ["127.0.0.0/8"]\n`);
      assert.equal(await writer.api.reload(), { changed: ['ready', 'access'], restart: [] });
      await guest.host.until(ofKind('disconnected', writer.peer));
      assert.is((await writer.share('www')).peersConnected, 0);

      writeFileSync(file, open);
      await writer.api.reload();
      await guest.visit(writer.peer, writer.addresses, [certificate]);
      assert.is(guest.host.count('connected', writer.peer), 2);
    } finally {
      await guest.close();
    }
  });
});

test.run();
