/**
 * `npm run fuzz`: gives every decoder changed and random bytes, and says what it may not do with them. Each finding is a
 * line of JSON with target, seed and bytes; the exit code is 1 where there was any. The same seed gives the same cases.
 *
 *   --seconds 60     for all decoders together       --only control   those whose name begins so; may be given several times
 *   --seed 7         first case                      --hex 0a02…      this case alone, with --only
 *   --slow 500       a case of more ms is a finding  --list           names the decoders
 */
import { parseArgs } from 'node:util';
import { fromHex } from '../agent/base/bytes.ts';
import { faultOf, fuzz } from '../test/fuzz/engine.ts';
import { targets } from '../test/fuzz/targets.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: '1' },
    slow: { type: 'string', default: '1000' },
    hex: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

/** One decoder does not fill the screen. */
const findingsShownMax = 5;

const [seconds, seed, slowMs] = [values.seconds, values.seed, values.slow].map(Number);
if (![seconds, seed, slowMs].every((value) => value !== undefined && value >= 0 && Number.isFinite(value)))
  throw new RangeError('--seconds, --seed and --slow take numbers');
const chosen = targets.filter(
  ({ name }) => values.only.length === 0 || values.only.some((start) => name.startsWith(start)),
);
if (chosen.length === 0) throw new RangeError(`no decoder begins with ${values.only.join(', ')}; see --list`);

let found = 0;
for (const target of chosen) {
  if (values.list) console.log(target.name);
  else if (values.hex !== undefined) await repeat(values.hex);
  else await run();

  async function repeat(hex: string): Promise<void> {
    const bytes = fromHex(hex);
    if (bytes === undefined) throw new RangeError('--hex takes hex digits');
    const what = await faultOf(target, bytes, slowMs ?? 0);
    if (what !== null) found += 1;
    console.log(`${target.name}: ${what ?? 'a value or a refusal'}`);
  }

  async function run(): Promise<void> {
    const untilMs = performance.now() + ((seconds ?? 0) * 1000) / chosen.length;
    let here = 0;
    const cases = await fuzz(target, {
      seed: seed ?? 1,
      ...(slowMs !== undefined && { slowMs }),
      goesOn: () => performance.now() < untilMs && here < findingsShownMax,
      onFinding(finding) {
        here += 1;
        console.log(JSON.stringify(finding));
      },
    });
    found += here;
    console.log(`${here === 0 ? 'ok  ' : 'FAIL'} ${target.name.padEnd(20)} ${cases} cases from seed ${seed}`);
  }
}
process.exitCode = found === 0 ? 0 : 1;
