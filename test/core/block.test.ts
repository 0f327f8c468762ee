/** The cutter: frozen cuts, however the bytes come; an edit changes the blocks around it. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Bytes } from '../../agent/base/bytes.ts';
import { KIB, MIB } from '../../agent/base/limits.ts';
import { cutClassFor, cutSizes, gear, nextCut } from '../../agent/core/block.ts';
import { buildBlockList } from '../../agent/core/blocklist.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { CutClass } from '../../agent/core/entry.ts';
import { type ContentKind, contentOf } from './contents.ts';

const small: CutClass = 'small';

function cutWhole(bytes: Bytes, cut: CutClass): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const end = nextCut(bytes, at, bytes.byteLength, cut, true);
    lengths.push(end - at);
    at = end;
  }
  return lengths;
}

/** The rule as it is told, byte by byte. */
function cutPlainly(bytes: Bytes, cut: CutClass): number[] {
  const { min, average, max } = cutSizes[cut];
  const lengths: number[] = [];
  for (let start = 0; start < bytes.byteLength; ) {
    const most = Math.min(bytes.byteLength - start, max);
    let length = Math.min(min, most);
    for (let hash = 0; length < most; ) {
      hash = (Math.imul(hash, 2) + (gear[bytes[start + length] ?? 0] ?? 0)) | 0;
      const bits = Math.log2(average) + (length < average ? 2 : -2);
      length += 1;
      if ((hash << 1) >>> (32 - bits) === 0) break;
    }
    lengths.push(length);
    start += length;
  }
  return lengths;
}

function digestsOf(bytes: Bytes, lengths: readonly number[]): string[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return digestOf(bytes.subarray(at - length, at));
  });
}

type Vector = {
  readonly kind: ContentKind;
  readonly size: number;
  readonly seed: number;
  readonly cut: CutClass;
  readonly content: string;
  readonly lengths: readonly number[];
  readonly list: string;
};

test('the frozen vectors are cut as they were', () => {
  const file = new URL('../vectors/cuts.json', import.meta.url);
  const { gearDigest, cases } = JSON.parse(readFileSync(file, 'utf8')) as {
    gearDigest: string;
    cases: Vector[];
  };
  const gearBytes = new DataView(new ArrayBuffer(1024));
  for (const [index, value] of gear.entries()) gearBytes.setInt32(index * 4, value);
  assert.is(digestOf(new Uint8Array(gearBytes.buffer)), gearDigest);
  assert.ok(cases.length >= 12);
  for (const { cut, content, lengths, list, ...source } of cases) {
    const bytes = contentOf(source);
    assert.is(digestOf(bytes), content, `content of ${JSON.stringify(source)}`);
    assert.equal(cutWhole(bytes, cut), lengths, `cuts of ${JSON.stringify(source)}`);
    const digests = digestsOf(bytes, lengths);
    const refs = lengths.map((length, index) => ({
      digest: digests[index] as ReturnType<typeof digestOf>,
      length,
    }));
    assert.is(buildBlockList(refs).digest, list, `list of ${JSON.stringify(source)}`);
  }
});

test('the fast loop cuts as the rule is told', () => {
  for (const kind of ['random', 'zeros', 'text'] as const) {
    const bytes = contentOf({ kind, size: 3 * MIB + 7, seed: 5 });
    for (const cut of ['small', 'large'] as const) assert.equal(cutWhole(bytes, cut), cutPlainly(bytes, cut));
  }
});

test('blocks keep to their sizes, and random bytes to the average', () => {
  const bytes = contentOf({ kind: 'random', size: 16 * MIB, seed: 11 });
  for (const cut of ['small', 'large'] as const) {
    const lengths = cutWhole(bytes, cut);
    const { min, average, max } = cutSizes[cut];
    assert.ok(lengths.slice(0, -1).every((length) => length > min && length <= max));
    const mean = bytes.byteLength / lengths.length;
    assert.ok(mean > average * 0.7 && mean < average * 1.5, `${cut}: mean ${mean}`);
  }
});

test('the cuts do not depend on how the bytes are fed', () => {
  const bytes = contentOf({ kind: 'random', size: 2 * MIB, seed: 3 });
  const whole = cutWhole(bytes, small);
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 * KIB }), { minLength: 1, maxLength: 20 }),
      (feeds) => {
        const lengths: number[] = [];
        let start = 0;
        let end = 0;
        for (let feed = 0; start < bytes.byteLength; feed += 1) {
          end = Math.min(bytes.byteLength, end + (feeds[feed % feeds.length] ?? 1));
          // What is not here yet must not be looked at.
          const here = new Uint8Array(bytes.subarray(start, end));
          let at = 0;
          while (at < here.byteLength) {
            const cutEnd = nextCut(here, at, here.byteLength, small, end === bytes.byteLength);
            if (cutEnd < 0) break;
            lengths.push(cutEnd - at);
            at = cutEnd;
          }
          start += at;
          if (feeds.every((size) => size < 1024)) end = Math.min(bytes.byteLength, end + 64 * KIB);
        }
        assert.equal(lengths, whole);
      },
    ),
    { numRuns: 20 },
  );
});

test('an edit changes the blocks around it and no others', () => {
  const bytes = contentOf({ kind: 'random', size: 6 * MIB, seed: 9 });
  const before = new Set(digestsOf(bytes, cutWhole(bytes, small)));
  fc.assert(
    fc.property(
      fc.nat(bytes.byteLength),
      fc.uint8Array({ minLength: 0, maxLength: 2000 }),
      fc.nat(2000),
      (at, put, drop) => {
        const edited = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + drop)]);
        const after = digestsOf(edited, cutWhole(edited, small));
        const changed = after.filter((digest) => !before.has(digest));
        assert.ok(changed.length <= 8, `${changed.length} blocks changed`);
      },
    ),
    { numRuns: 30 },
  );
});

test('a file keeps its class until its size leaves it by four times', () => {
  const gib = 1024 * MIB;
  assert.is(cutClassFor(gib, null), 'small');
  assert.is(cutClassFor(gib + 1, null), 'large');
  assert.is(cutClassFor(4 * gib, 'small'), 'small');
  assert.is(cutClassFor(4 * gib + 1, 'small'), 'large');
  assert.is(cutClassFor(gib / 4, 'large'), 'large');
  assert.is(cutClassFor(gib / 4 - 1, 'large'), 'small');
});

test.run();
