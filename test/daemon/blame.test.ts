/** What the writer did wrong: shown until it is made good, and a halted epoch stays halted over restarts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createBlame, readHalted } from '../../agent/daemon/blame.ts';
import { createFaults } from '../../agent/daemon/faults.ts';
import type { StoreBatch } from '../../agent/store/share-store.ts';

const version = (epoch: number, sequence: number) => ({ epoch, sequence });

function open(stored = new Map<string, Uint8Array>()) {
  const faults = createFaults();
  const store = {
    state: (key: string) => stored.get(key),
    async writeDurably({ state = new Map() }: StoreBatch) {
      for (const [key, value] of state) {
        if (value === null) stored.delete(key);
        else stored.set(key, value);
      }
    },
  };
  return {
    blame: createBlame({ store, faults }),
    store,
    stored,
    codes: () => faults.list().map(({ code }) => code),
  };
}

test('a tree that is none is told of until a newer version is applied', async () => {
  const { blame, codes, stored } = open();
  assert.not(await blame.noted('something else', { code: 'conflict', version: '1.3' }));
  assert.ok(await blame.noted('no tree', { code: 'malformed', version: '1.3' }));
  await blame.applied(version(1, 2));
  await blame.applied(version(1, 3));
  assert.equal([codes(), stored.size], [['malformed'], 0]);
  await blame.applied(version(1, 4));
  assert.equal(codes(), []);
});

test('two heads of one version are told of until a newer epoch comes, also by the next start, and kept with both', async () => {
  const first = open();
  await first.blame.noted('two heads', { code: 'equivocation', version: '1.3', bodyA: 'aa', bodyB: 'bb' });
  await first.blame.noted('no tree', { code: 'malformed', version: '1.4' });
  await first.blame.applied(version(1, 9));
  const { blame, codes, store, stored } = open(first.stored);
  assert.equal([first.codes(), codes(), readHalted(store)], [['equivocation'], ['equivocation'], 1]);
  assert.match(Buffer.from([...stored.values()][0] ?? []).toString(), /"bodyA":"aa","bodyB":"bb"/);
  await blame.applied(version(2, 1));
  assert.equal([codes(), readHalted(store)], [[], null]);
});

test.run();
