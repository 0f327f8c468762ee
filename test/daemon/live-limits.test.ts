/** What a reload changes of `[limits]`, and what waits for a restart. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MIB } from '../../agent/base/limits.ts';
import { parseConfig } from '../../agent/daemon/config.ts';
import { changedKeys } from '../../agent/daemon/config-changes.ts';
import { createLiveLimits } from '../../agent/daemon/live-limits.ts';

const configOf = (limits: string) => parseConfig(`[limits]\n${limits}\n`, 'c.toml');

test('rates and idleness change while running, and a rate that stays keeps what it has counted', () => {
  const limits = createLiveLimits(configOf('upload = "1M"').limits);
  const rates = () => [limits.upload.rate(), limits.download.rate()];
  assert.equal([...rates(), limits.idleMs()], [MIB, 0, 600_000]);
  limits.upload.take(MIB);
  limits.change(configOf('upload = "1M"\ndownload = "2M"\nidle_timeout = "0s"').limits);
  assert.equal([...rates(), limits.idleMs()], [MIB, 2 * MIB, Number.POSITIVE_INFINITY]);
  assert.ok(limits.upload.take(1) > 900);
  limits.change(configOf('').limits);
  assert.equal([...rates(), limits.upload.take(MIB)], [0, 0, 0]);
});

test('a reload says by name which limits hold now and which wait for a restart', () => {
  const before = configOf('upload = "1M"\nconnections = 7');
  assert.equal(changedKeys(before, before), { live: [], restart: [] });
  assert.equal(changedKeys(before, configOf('upload = "2M"\nconnections = 7\nidle_timeout = "5s"')), {
    live: ['limits.upload', 'limits.idle_timeout'],
    restart: [],
  });
  assert.equal(changedKeys(before, configOf('upload = "1M"\ndownload = "1M"')), {
    live: ['limits.download'],
    restart: ['limits.connections'],
  });
});

test.run();
