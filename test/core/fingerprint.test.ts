/** What is noticed in a directory without a look at each of its entries. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  addEntry,
  addFingerprint,
  decodeFingerprint,
  emptyFingerprint,
  encodeFingerprint,
  type Fingerprint,
  sameFingerprint,
  subtractEntry,
} from '../../agent/core/fingerprint.ts';
import { type DiskKind, type DiskStat, sameStat } from '../../agent/core/stat.ts';

type Named = { readonly name: string; readonly stat: DiskStat };

// Few values each, so that two stats often differ in one field only.
const stat: fc.Arbitrary<DiskStat> = fc.record({
  kind: fc.constantFrom<DiskKind>('file', 'directory', 'symlink'),
  dev: fc.constantFrom(1n, 2n),
  ino: fc.constantFrom(7n, 8n, 2n ** 63n, 2n ** 64n - 1n),
  nlink: fc.constantFrom(1, 2),
  mode: fc.constantFrom(0o644, 0o7777),
  uid: fc.constantFrom(0, 2 ** 32 - 1),
  gid: fc.constantFrom(0, 33),
  size: fc.constantFrom(0, 1, 2 ** 32, 2 ** 53 - 1),
  allocated: fc.constantFrom(0, 4096),
  mtimeNs: fc.constantFrom(0n, -1n, 1_700_000_000_123_456_789n, 1_700_000_000_123_456_790n),
  ctimeNs: fc.constantFrom(0n, 1_700_000_000_123_456_789n),
});
const name = fc.constantFrom('a', 'b', 'ab', 'ba', 'é', '\u{1f600}', 'n'.repeat(255), `${'n'.repeat(254)}m`);
const entries = fc.uniqueArray(fc.record({ name, stat }), { selector: (entry) => entry.name });

function sumOf(all: readonly Named[]): Fingerprint {
  const sum = emptyFingerprint();
  for (const one of all) addEntry(sum, one.name, one.stat);
  return sum;
}

test('two entries have one fingerprint where name and stat are the same, and only there', () => {
  fc.assert(
    fc.property(name, stat, name, stat, (name, stat, otherName, otherStat) => {
      const same = sameFingerprint(sumOf([{ name, stat }]), sumOf([{ name: otherName, stat: otherStat }]));
      assert.is(same, name === otherName && sameStat(stat, otherStat));
    }),
    { numRuns: 2_000 },
  );
});

test('order does not matter, and what is taken away was never there', () => {
  fc.assert(
    fc.property(entries, entries, (stay, go) => {
      const sum = sumOf(go);
      for (const one of stay) addEntry(sum, one.name, one.stat);
      for (const one of go.toReversed()) subtractEntry(sum, one.name, one.stat);
      assert.equal(sum, sumOf(stay.toReversed()));
    }),
  );
});

test('a sum in two parts is one sum, and comes back from its bytes', () => {
  fc.assert(
    fc.property(entries, fc.nat(8), (all, at) => {
      const sum = sumOf(all.slice(0, at));
      addFingerprint(sum, sumOf(all.slice(at)));
      assert.equal(sum, sumOf(all));
      assert.equal(decodeFingerprint(encodeFingerprint(sum)), sum);
    }),
  );
});

test('nothing has the empty fingerprint, and every entry another one', () => {
  assert.ok(sameFingerprint(sumOf([]), emptyFingerprint()));
  fc.assert(fc.property(name, stat, (name, stat) => sumOf([{ name, stat }]).some((lane) => lane !== 0)));
});

test.run();
