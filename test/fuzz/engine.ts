/**
 * Feeds decoders with what strangers could send: valid bytes that were changed, and noise. The same seed gives the same
 * run. A finding names its target, the seed of its case and the bytes.
 */
import { type Bytes, toHex } from '../../agent/base/bytes.ts';
import { messageOf } from '../../agent/base/errors.ts';
import { createRandom } from '../sim/random.ts';
import { mutate } from './mutate.ts';

export type Target = {
  readonly name: string;
  /** Valid ones to begin with. */
  readonly seeds: readonly Bytes[];
  /** Reads the bytes and looks at what came of it. @throws what must not happen. */
  readonly check: (bytes: Bytes) => void | Promise<void>;
};

export type Finding = {
  readonly target: string;
  readonly seed: number;
  readonly what: string;
  /** The bytes that do it. */
  readonly hex: string;
};

export type FuzzOptions = {
  /** Of the first case; the next has the next number, and a case is repeated by its own. */
  readonly seed: number;
  /** Asked before each case. */
  readonly goesOn: (cases: number) => boolean;
  /** A case that takes longer three times in a row is a finding, ms; by default nothing is timed. */
  readonly slowMs?: number;
  readonly onFinding: (finding: Finding) => void;
};

/** @returns how many cases were tried. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<number> {
  let cases = 0;
  for (; options.goesOn(cases); cases += 1) {
    const seed = options.seed + cases;
    const bytes = caseOf(target, seed);
    const what = await faultOf(target, bytes, options.slowMs ?? Number.POSITIVE_INFINITY);
    if (what !== null) options.onFinding({ target: target.name, seed, what, hex: toHex(bytes) });
  }
  return cases;
}

/** The first cases are the seeds themselves, as they are. */
export function caseOf(target: Target, seed: number): Bytes {
  const random = createRandom(seed);
  const bytes = random.pick(target.seeds);
  return random.chance(0.02) ? bytes : mutate(bytes, { random, others: target.seeds });
}

/** @returns what is wrong, or null. */
export async function faultOf(target: Target, bytes: Bytes, slowMs: number): Promise<string | null> {
  for (let round = 0; round < 3; round += 1) {
    const startedMs = performance.now();
    try {
      // A copy: whoever changes what it was given would change the next case.
      await target.check(new Uint8Array(bytes));
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
    }
    if (performance.now() - startedMs <= slowMs) return null;
  }
  return `it took more than ${slowMs} ms, three times in a row`;
}
