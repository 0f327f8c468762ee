/**
 * Ed25519 keys, signatures and the names made from them. Synchronous, through node:crypto (RFC 8032).
 * Never touches a disk; a seed is a secret and stays with the caller.
 */
import {
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  randomBytes,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import { base58btc } from 'multiformats/bases/base58';
import { assert } from '../base/assert.ts';
import { type Bytes, fromHex, toHex, utf8 } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { membersMax } from '../base/limits.ts';

/** Ed25519 public key, 64 lower-case hex digits. */
export type PublicKey = string & { readonly __brand: 'PublicKey' };

/** libp2p's name of an Ed25519 key as text, `12D3KooW…`. */
export type PeerId = string & { readonly __brand: 'PeerId' };

/** 32 lower-case hex digits: the first half of SHA-256 of the authority's public key. */
export type ShareId = string & { readonly __brand: 'ShareId' };

export type Role = 'writer' | 'replica' | 'standby' | 'archive';

/** The seed is the 32 secret bytes of RFC 8032, from which the public key follows. */
export type KeyPair = { readonly publicKey: PublicKey; readonly seed: Bytes };

/** What a signature is for: it stands in front of the signed bytes, so that no document passes for another. */
export type Domain =
  | 'p2psync head v1\0'
  | 'p2psync grant v1\0'
  | 'p2psync roster v1\0'
  | 'p2psync removal v1\0'
  | 'p2psync certificate v1\0'
  | 'p2psync invitation v1\0'
  | 'p2psync statement v1\0'
  | 'p2psync audit v1\0';

export const seedBytes = 32;
export const publicKeyBytes = 32;
export const signatureBytes = 64;
export const shareIdBytes = 16;

export function generateKeyPair(): KeyPair {
  return keyPairFromSeed(new Uint8Array(randomBytes(seedBytes)));
}

/** @throws {P2psyncError} malformed, where the seed is not 32 bytes. */
export function keyPairFromSeed(seed: Bytes): KeyPair {
  if (seed.byteLength !== seedBytes)
    throw new P2psyncError('malformed', `a key's seed is ${seedBytes} bytes`);
  const own = seed.slice();
  const der = createPublicKey(privateKeyOf(own)).export({ type: 'spki', format: 'der' });
  return { publicKey: toHex(der.subarray(spkiPrefix.byteLength)) as PublicKey, seed: own };
}

/** @returns 64 bytes. */
export function sign(keyPair: KeyPair, domain: Domain, body: Bytes): Bytes {
  let key = privateKeys.get(keyPair);
  if (key === undefined) {
    key = privateKeyOf(keyPair.seed);
    privateKeys.set(keyPair, key);
  }
  return new Uint8Array(signBytes(null, inDomain(domain, body), key));
}

export function verify(publicKey: PublicKey, domain: Domain, body: Bytes, signature: Bytes): boolean {
  if (signature.byteLength !== signatureBytes) return false;
  return verifyBytes(null, inDomain(domain, body), publicKeyObject(publicKey), signature);
}

/** As `verify`. @throws {P2psyncError} bad-signature, naming `what`. */
export function requireSignature(
  publicKey: PublicKey,
  domain: Domain,
  signed: { readonly body: Bytes; readonly signature: Bytes },
  what: string,
): void {
  if (verify(publicKey, domain, signed.body, signed.signature)) return;
  throw new P2psyncError('bad-signature', `${what} is not signed by ${publicKey}; drop it`, { publicKey });
}

/** @throws {P2psyncError} malformed, where these are not 32 bytes. */
export function publicKeyFromBytes(bytes: Bytes): PublicKey {
  if (bytes.byteLength !== publicKeyBytes) {
    throw new P2psyncError('malformed', `a public key is ${publicKeyBytes} bytes, not ${bytes.byteLength}`);
  }
  return toHex(bytes) as PublicKey;
}

/** The 32 bytes of a key, or the 16 of a share. */
export function keyBytes(key: PublicKey | ShareId): Bytes {
  const bytes = fromHex(key);
  assert(bytes !== undefined, 'a key is hex');
  return bytes;
}

export function shareIdOf(authority: PublicKey): ShareId {
  return hash('sha256', keyBytes(authority), 'hex').slice(0, 2 * shareIdBytes) as ShareId;
}

/** @throws {P2psyncError} malformed, where these are not 16 bytes. */
export function shareIdFromBytes(bytes: Bytes): ShareId {
  if (bytes.byteLength !== shareIdBytes) {
    throw new P2psyncError('malformed', `a share's id is ${shareIdBytes} bytes, not ${bytes.byteLength}`);
  }
  return toHex(bytes) as ShareId;
}

/** The identity multihash of libp2p's protobuf of the key, in base58btc (libp2p peer-ids specification). */
export function peerIdOf(publicKey: PublicKey): PeerId {
  let peerId = peerIds.get(publicKey);
  if (peerId === undefined) {
    const bytes = new Uint8Array(peerIdPrefix.byteLength + publicKeyBytes);
    bytes.set(peerIdPrefix);
    bytes.set(keyBytes(publicKey), peerIdPrefix.byteLength);
    peerId = base58btc.baseEncode(bytes) as PeerId;
    remember(peerIds, publicKey, peerId);
  }
  return peerId;
}

/** @throws {P2psyncError} malformed, where the text does not name an Ed25519 key. */
export function publicKeyOfPeer(peerId: string): PublicKey {
  const bytes = peerIdBytes(peerId);
  const prefix = bytes?.subarray(0, peerIdPrefix.byteLength);
  if (bytes === undefined || prefix === undefined || Buffer.compare(prefix, peerIdPrefix) !== 0) {
    throw new P2psyncError(
      'malformed',
      `not the id of a peer (12D3KooW…): ${JSON.stringify(peerId.slice(0, 80))}`,
    );
  }
  return publicKeyFromBytes(bytes.subarray(peerIdPrefix.byteLength));
}

/** Every PeerId of an Ed25519 key has this many digits: its first six bytes are fixed. */
const peerIdDigits = 52;
/** Identity multihash of 36 bytes; in it, field 1 (type) 1 for Ed25519 and field 2 (data) of 32 bytes. */
const peerIdPrefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);
/** RFC 8410: the fixed DER in front of a raw key. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

const privateKeys = new WeakMap<KeyPair, KeyObject>();
const publicKeys = new Map<PublicKey, KeyObject>();
const peerIds = new Map<PublicKey, PeerId>();

function privateKeyOf(seed: Bytes): KeyObject {
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
}

function publicKeyObject(publicKey: PublicKey): KeyObject {
  let key = publicKeys.get(publicKey);
  if (key === undefined) {
    const der = Buffer.concat([spkiPrefix, keyBytes(publicKey)]);
    key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    remember(publicKeys, publicKey, key);
  }
  return key;
}

/** Twice the members of a share are remembered, the oldest forgotten first: strangers' keys come and go. */
function remember<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  if (map.size >= 2 * membersMax) {
    for (const oldest of map.keys()) {
      map.delete(oldest);
      break;
    }
  }
  map.set(key, value);
}

function inDomain(domain: Domain, body: Bytes): Bytes {
  return Buffer.concat([utf8(domain), body]);
}

function peerIdBytes(peerId: string): Bytes | undefined {
  if (peerId.length !== peerIdDigits) return undefined;
  try {
    return base58btc.baseDecode(peerId);
  } catch {
    return undefined;
  }
}
