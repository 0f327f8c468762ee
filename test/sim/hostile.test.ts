/** Members that misbehave: content is never wrong, everybody else has a release in less than twice the time, and strikes tell who it was. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { faults, measureHostile } from './hostile.ts';

const swarms = [
  { nodes: 3, bad: 1, seed: 1 },
  { nodes: 10, bad: 2, seed: 1 },
  { nodes: 10, bad: 3, seed: 2 },
] as const;

for (const fault of faults) {
  test(`${fault}: less than twice the time, and strikes for nobody else`, () => {
    for (const swarm of swarms) {
      const { slowdown, strikes, wrongStrikes, violations } = measureHostile(fault, swarm);
      const which = `${swarm.bad} of ${swarm.nodes}, seed ${swarm.seed}`;
      assert.equal(violations, [], which);
      assert.ok(slowdown < 2, `${which}: ${slowdown.toFixed(2)} times as long`);
      assert.ok(strikes > 0, which);
      assert.is(wrongStrikes, 0, which);
    }
  });
}

test.run();
