/** Fingerprints of files, versions as text, digests as bytes. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { decodeDigest, digestOf, encodeDigest, parseDigest } from '../../agent/core/digest.ts';
import { type DiskStat, isSparse, mtimeUsOf, sameStat } from '../../agent/core/stat.ts';
import { compareVersions, formatVersion, parseVersion } from '../../agent/core/version.ts';

const file: DiskStat = {
  kind: 'file',
  dev: 1n,
  ino: 2n,
  nlink: 1,
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 8192,
  allocated: 8192,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 5n,
};
const directory: DiskStat = { ...file, kind: 'directory' };

test('whatever a user could see in a file makes another fingerprint', () => {
  for (const change of [
    { kind: 'symlink' as const },
    { ino: 3n },
    { mode: 0o600 },
    { uid: 1 },
    { gid: 1 },
    { size: 8193 },
    { mtimeNs: 1n },
    { ctimeNs: 6n },
  ]) {
    assert.not(sameStat(file, { ...file, ...change }), Object.keys(change)[0]);
  }
  for (const same of [{ dev: 9n }, { nlink: 2 }]) assert.ok(sameStat(file, { ...file, ...same }));
});

test('a directory is the same whatever its size and ctime say, not with another mtime or mode', () => {
  assert.ok(sameStat(directory, { ...directory, size: 1, ctimeNs: 9n, nlink: 7 }));
  assert.not(sameStat(directory, { ...directory, mtimeNs: 1n }));
  assert.not(sameStat(directory, { ...directory, mode: 0o700 }));
});

test('a time in microseconds is the floor, before 1970 too, and always a safe integer', () => {
  const at = (mtimeNs: bigint): number => mtimeUsOf({ ...file, mtimeNs });
  assert.is(at(1_700_000_000_123_456_789n), 1_700_000_000_123_456);
  assert.is(at(-1n), -1);
  assert.is(at(-1000n), -1);
  assert.is(at(-1001n), -2);
  assert.is(at(2n ** 80n), Number.MAX_SAFE_INTEGER);
  assert.is(at(-(2n ** 80n)), Number.MIN_SAFE_INTEGER);
});

test('a file with less on disk than its size has holes', () => {
  assert.not(isSparse(file));
  assert.ok(isSparse({ ...file, allocated: 4096 }));
  assert.not(isSparse({ ...directory, allocated: 0 }));
});

test('versions are ordered by epoch, then sequence, and come back from text', () => {
  const version = fc.record({ epoch: fc.nat(5), sequence: fc.nat(5) }, { noNullPrototype: true });
  fc.assert(
    fc.property(version, version, (left, right) => {
      const expected = Math.sign(left.epoch * 10 + left.sequence - right.epoch * 10 - right.sequence);
      assert.is(Math.sign(compareVersions(left, right)), expected);
      assert.equal(parseVersion(formatVersion(left)), left);
    }),
  );
  for (const text of ['', '1', '1.', '.1', '1.2.3', '-1.2', '1.x', `1.${'9'.repeat(16)}`]) {
    assert.throws(
      () => parseVersion(text),
      (error: unknown) => hasCode(error, 'usage'),
      text,
    );
  }
});

test('a digest comes back from bytes and text; other lengths, algorithms and cases are malformed', () => {
  const digest = digestOf(new TextEncoder().encode('abc'));
  assert.is(digest, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  const bytes = encodeDigest(digest);
  assert.is(decodeDigest(bytes), digest);
  assert.is(parseDigest(digest), digest);
  for (const broken of [
    () => decodeDigest(bytes.subarray(1)),
    () => decodeDigest(Uint8Array.of(0x13, ...bytes.subarray(1))),
    () => parseDigest(digest.toUpperCase()),
    () => parseDigest(digest.slice(2)),
  ]) {
    assert.throws(broken, (error: unknown) => hasCode(error, 'malformed'));
  }
});

test.run();
