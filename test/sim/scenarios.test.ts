/** Short runs of every scenario: the same machines that run on a real network, from a handful of seeds. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { play, scenarios } from './scenarios.ts';

const seeds = [1, 2];

for (const scenario of scenarios) {
  test(`${scenario.name}: all agree and no rule is broken`, () => {
    for (const seed of seeds) {
      const { violations } = play(scenario, seed);
      assert.equal(violations, [], `seed ${seed}`);
    }
  });
}

test.run();
