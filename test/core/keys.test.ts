/** Keys and signatures: RFC 8032's own vectors, libp2p's names, and what must not pass. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bytes, fromHex, toHex, utf8 } from '../../agent/base/bytes.ts';
import { digestOf } from '../../agent/core/digest.ts';
import {
  generateKeyPair,
  keyBytes,
  keyPairFromSeed,
  peerIdOf,
  publicKeyOfPeer,
  shareIdOf,
  sign,
  verify,
} from '../../agent/core/keys.ts';
import { keyOf, throwsCode } from './documents.ts';

function bytesOf(hex: string): Bytes {
  const bytes = fromHex(hex);
  assert.ok(bytes);
  return bytes;
}

test('a seed gives the public key of RFC 8032, section 7.1', () => {
  const pair = keyPairFromSeed(bytesOf('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'));
  assert.is(pair.publicKey, 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
});

test('a seed of another length is refused', () => {
  throwsCode(() => keyPairFromSeed(new Uint8Array(31)), 'malformed');
});

test('a signature holds for its key, its domain and its bytes, and for nothing else', () => {
  const pair = generateKeyPair();
  const body = utf8('a body');
  const signature = sign(pair, 'p2psync head v1\0', body);
  assert.is(signature.byteLength, 64);
  assert.ok(verify(pair.publicKey, 'p2psync head v1\0', body, signature));
  assert.not.ok(verify(generateKeyPair().publicKey, 'p2psync head v1\0', body, signature));
  assert.not.ok(verify(pair.publicKey, 'p2psync grant v1\0', body, signature));
  assert.not.ok(verify(pair.publicKey, 'p2psync head v1\0', utf8('a bodx'), signature));
  assert.not.ok(verify(pair.publicKey, 'p2psync head v1\0', body, signature.subarray(0, 63)));
  for (let bit = 0; bit < 512; bit += 7) {
    const wrong = signature.slice();
    wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.not.ok(verify(pair.publicKey, 'p2psync head v1\0', body, wrong), `bit ${bit}`);
  }
});

test('a key that is no point of the curve verifies nothing and throws nothing', () => {
  const signature = sign(keyOf(1), 'p2psync head v1\0', utf8('x'));
  for (let value = 0; value < 256; value += 1) {
    const key = toHex(new Uint8Array(32).fill(value)) as ReturnType<typeof generateKeyPair>['publicKey'];
    assert.not.ok(verify(key, 'p2psync head v1\0', utf8('x'), signature));
  }
});

test('changing the caller’s seed afterwards does not change the pair', () => {
  const seed = new Uint8Array(32).fill(9);
  const pair = keyPairFromSeed(seed);
  seed.fill(0);
  assert.ok(
    verify(pair.publicKey, 'p2psync head v1\0', utf8('x'), sign(pair, 'p2psync head v1\0', utf8('x'))),
  );
});

test('a PeerId is the one of the libp2p specification', () => {
  // The Ed25519 test vector of libp2p's peer-ids specification.
  const publicKey = toHex(
    bytesOf('1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e'),
  ) as Parameters<typeof peerIdOf>[0];
  assert.is(peerIdOf(publicKey), '12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq');
  assert.is(publicKeyOfPeer(peerIdOf(publicKey)), publicKey);
});

test('every key comes back from its PeerId', () => {
  for (let number = 1; number < 50; number += 1) {
    const { publicKey } = keyOf(number);
    const peerId = peerIdOf(publicKey);
    assert.is(peerId.length, 52);
    assert.is(publicKeyOfPeer(peerId), publicKey);
  }
});

test('what is no PeerId of an Ed25519 key is refused', () => {
  const good = peerIdOf(keyOf(1).publicKey);
  const others = [
    '',
    'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
    good.slice(1),
    `${good}1`,
    `${good.slice(0, -1)}0`,
    `2${good.slice(1)}`,
    '1'.repeat(52),
    'z'.repeat(52),
    '1'.repeat(1_000_000),
  ];
  for (const other of others) throwsCode(() => publicKeyOfPeer(other), 'malformed');
});

test('a share is named by the first half of the digest of its authority', () => {
  const { publicKey } = keyOf(1);
  assert.is(shareIdOf(publicKey), digestOf(keyBytes(publicKey)).slice(0, 32));
});

test.run();
