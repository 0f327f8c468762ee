/**
 * `npm run sim`: the real machines on a simulated network. Plays every scenario from many seeds, then measures how a
 * release spreads, beside the figures that were kept in `test/sim/figures.json`. Exits 1 and names the seed where an agent
 * does not converge or breaks a rule, and where a figure is clearly worse than the one that was kept.
 *
 *   --nodes 2,10,100   sizes to measure      --seed 7      first seed
 *   --seeds 20         seeds a scenario      --scenario X  only scenarios whose name contains X, no measurements
 *   --json             one JSON document on stdout
 *   --save             keeps what is measured: to be committed with the change that it comes from
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MIB } from '../agent/base/limits.ts';
import { compareFigures, type Figures, figuresOf, keepFigures } from '../test/sim/figures.ts';
import { measureSpread, measureStaleness, type Spread, type Staleness } from '../test/sim/measure.ts';
import { play, scenarios } from '../test/sim/scenarios.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '5' },
    scenario: { type: 'string' },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
});

const firstSeed = Number(values.seed);
const seedCount = Number(values.seeds);
const sizes = (values.nodes ?? '2,10,100,1000').split(',').map(Number);
if (
  ![firstSeed, seedCount, ...sizes].every((value) => Number.isSafeInteger(value) && value >= 0) ||
  sizes.some((size) => size < 2)
) {
  throw new RangeError('--nodes takes sizes of 2 and more, --seed and --seeds take whole numbers');
}

const failures: { what: string; seed: number; violations: readonly string[] }[] = [];
const keptPath = join(import.meta.dirname, '..', 'test', 'sim', 'figures.json');
const kept = JSON.parse(readFileSync(keptPath, 'utf8')) as readonly Figures[];
const measured: Figures[] = [];
const spreads: Spread[] = [];
const stalenesses: Staleness[] = [];

function say(text: string): void {
  if (values.json !== true) console.log(text);
}

function note(what: string, seed: number, violations: readonly string[]): void {
  if (violations.length === 0) return;
  failures.push({ what, seed, violations });
  say(`FAILED  ${what}, seed ${seed}: ${violations.slice(0, 3).join('; ')}`);
}

function compare(now: Figures): void {
  measured.push(now);
  for (const { title, kept: before, now: after, isWorse } of compareFigures(kept, now)) {
    const text = `${title} ${before.toFixed(2)} → ${after.toFixed(2)}`;
    if (isWorse && values.save !== true) note(`figures of ${now.nodes} nodes`, now.seed, [`worse: ${text}`]);
    else say(`        ${text}`);
  }
}

/** A failed assertion inside a machine is a finding as well, with its seed. */
function guarded<Result>(what: string, seed: number, run: () => Result): Result | undefined {
  try {
    return run();
  } catch (error) {
    note(what, seed, [error instanceof Error ? (error.stack ?? error.message) : String(error)]);
    return undefined;
  }
}

for (const scenario of scenarios) {
  if (values.scenario !== undefined && !scenario.name.includes(values.scenario)) continue;
  const fromMs = performance.now();
  for (let seed = firstSeed; seed < firstSeed + seedCount; seed += 1) {
    const outcome = guarded(scenario.name, seed, () => play(scenario, seed));
    if (outcome !== undefined) note(scenario.name, seed, outcome.violations);
  }
  say(
    `${String(seedCount).padStart(4)} seeds  ${((performance.now() - fromMs) / 1000).toFixed(1).padStart(5)} s  ${scenario.name}`,
  );
}

if (values.scenario === undefined || values.nodes !== undefined) {
  say('\nnodes   MiB   time S/B   writer   busiest   duplicates   control   edits p50 ms   p99 ms');
  for (const nodes of sizes) {
    const bytes = nodes > 200 ? 16 * MIB : 64 * MIB;
    const spread = guarded(`spread to ${nodes}`, firstSeed, () =>
      measureSpread({ nodes, seed: firstSeed, bytes }),
    );
    const edits = nodes > 200 ? 15 : 40;
    const staleness = guarded(`edits to ${nodes}`, firstSeed, () =>
      measureStaleness({ nodes, seed: firstSeed, edits }),
    );
    if (spread === undefined || staleness === undefined) continue;
    spreads.push(spread);
    stalenesses.push(staleness);
    note(`spread to ${nodes}`, firstSeed, spread.violations);
    note(`edits to ${nodes}`, firstSeed, staleness.violations);
    say(
      [
        String(nodes).padStart(5),
        (spread.bytes / MIB).toFixed(0).padStart(6),
        spread.time.toFixed(2).padStart(11),
        spread.writerCopies.toFixed(2).padStart(9),
        spread.busiestCopies.toFixed(2).padStart(10),
        `${(100 * spread.duplicates).toFixed(2)} %`.padStart(13),
        `${(100 * spread.control).toFixed(2)} %`.padStart(10),
        staleness.p50Ms.toFixed(1).padStart(15),
        staleness.p99Ms.toFixed(1).padStart(9),
      ].join(''),
    );
    compare(figuresOf(spread, staleness));
  }
}

if (values.save === true)
  writeFileSync(keptPath, `${JSON.stringify(keepFigures(kept, measured), null, 2)}\n`);
if (values.json === true) console.log(JSON.stringify({ failures, spreads, stalenesses }, null, 2));
if (failures.length > 0) {
  say(`\n${failures.length} failed; repeat one with --scenario NAME --seed ${failures[0]?.seed} --seeds 1`);
  process.exitCode = 1;
}
