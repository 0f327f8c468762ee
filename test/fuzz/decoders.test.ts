/** A short run of `npm run fuzz` with fixed seeds: each decoder gives a value or an error of ours, whatever it is given. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../agent/base/bytes.ts';
import { caseOf, type Finding, faultOf, fuzz } from './engine.ts';
import { targets } from './targets.ts';

/** Cases of each decoder; more come from `npm run fuzz`. */
const casesOfEach = 2_000;

for (const target of targets) {
  test(`${target.name}: changed and random bytes are values or refusals`, async () => {
    for (const seed of target.seeds) assert.is(await faultOf(target, seed, Number.POSITIVE_INFINITY), null);
    const findings: Finding[] = [];
    await fuzz(target, {
      seed: 1,
      goesOn: (cases) => cases < casesOfEach && findings.length === 0,
      onFinding: (finding) => void findings.push(finding),
    });
    assert.equal(findings, []);
  });
}

/** What longer runs have found. */
const found: readonly (readonly [target: string, bytes: string])[] = [
  // A size of 2^64 - 1, which no number holds.
  ['index-record', `40${'00'.repeat(36)}${'ff'.repeat(8)}${'00'.repeat(24)}61`],
  ['stage-list', hexOf('[30000,true,[null,["aa",1]]]')],
  ['stage-list', hexOf('[1,true,[[7,1]]]')],
  ['transfer-line', transferLine('"from":[{"peer":1,"name":2,"address":3,"bytes":4}]')],
  ['transfer-line', transferLine('"from":[null]')],
  ['transfer-line', transferLine('"from":[],"link":null')],
  ['transfer-line', transferLine('"from":[],"sum":[]')],
];

test('what was found once is refused', async () => {
  for (const [name, hex] of found) {
    const target = targets.find((one) => one.name === name);
    const bytes = fromHex(hex);
    assert.ok(target !== undefined && bytes !== undefined, name);
    assert.is(await faultOf(target, bytes, Number.POSITIVE_INFINITY), null, `${name} ${hex}`);
  }
});

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex');
}

function transferLine(rest: string): string {
  const texts = '"time":"","op":"recv","share":"","version":"1.1","path":"a","kind":"file","change":""';
  return hexOf(`{${texts},"pid":1,"size":1,"mode":1,"uid":1,"gid":1,"mtimeUs":1,"bytes":1,${rest}}`);
}

test('a finding can be repeated by its seed, and is told with the bytes that make it', async () => {
  const target = {
    name: 'picky',
    seeds: [Uint8Array.of(1, 2, 3, 4)],
    check(bytes: Uint8Array): void {
      if (bytes.includes(0xff)) throw new TypeError('0xff');
    },
  };
  const findings: Finding[] = [];
  const cases = await fuzz(target, {
    seed: 7,
    goesOn: () => findings.length === 0,
    onFinding: (finding) => void findings.push(finding),
  });
  const [finding] = findings;
  assert.is(finding?.seed, 7 + cases - 1);
  assert.match(finding?.what ?? '', /^TypeError: 0xff/);
  assert.ok(finding?.hex.includes('ff'));
  const again = caseOf(target, finding?.seed ?? 0);
  assert.is(Buffer.from(again).toString('hex'), finding?.hex);
  assert.match((await faultOf(target, again, 1)) ?? '', /^TypeError/);
});

test.run();
