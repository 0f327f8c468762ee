/** The small documents a share keeps in its store: their keys, and how they are read and written. */
import { type Bytes, fromUtf8, utf8 } from '../base/bytes.ts';
import { documentBytesMax } from '../base/limits.ts';
import { createReader, createWriter } from '../core/codec.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import type { SignedBytes } from '../core/document.ts';
import { openGrant, type SignedGrant } from '../core/grant.ts';
import { openHead, type SignedHead } from '../core/head.ts';
import type { PublicKey } from '../core/keys.ts';
import type { Version } from '../core/version.ts';
import type { ShareStore, StoreBatch } from '../store/share-store.ts';

export const stateKeys = {
  /** The highest head ever accepted. */
  head: 'head',
  /** Version and root of what is on the disk. */
  applied: 'applied',
  /** The writer's tree as far as it was observed; differs from the head's root between `take` and `seal`. */
  working: 'working',
  grant: 'grant',
  roster: 'roster',
  /** This agent's own certificate. */
  certificate: 'certificate',
  /** Certificates that were accepted and are not in a roster yet. */
  admissions: 'admissions',
  /** Removals that the authority signed, all that were heard of. */
  removals: 'removals',
  /** Where members were last heard of: JSON, peer id to addresses. */
  addresses: 'addresses',
  paused: 'paused',
  /** The two heads of one version that halt an epoch: JSON. */
  halted: 'halted',
  /** A head that this agent signed, and that its index did not know. */
  forgotten: 'forgotten',
  /** Versions that were applied lately: JSON. */
  versions: 'versions',
  /** How many versions there were since pages were swept, as of a clean stop: a number in text. */
  unswept: 'unswept',
} as const;

export type Applied = { readonly version: Version; readonly root: Digest };

export function writeHead(signed: SignedHead): StoreBatch {
  return { state: new Map([[stateKeys.head, packSigned(signed)]]) };
}

export function readHead(store: ShareStore): SignedHead | null {
  const packed = unpackSigned(store.state(stateKeys.head));
  return packed === null ? null : openHead(packed.body, packed.signature);
}

export function writeGrant(signed: SignedGrant): readonly [string, Bytes] {
  return [stateKeys.grant, packSigned(signed)];
}

export function readGrant(store: ShareStore, authority: PublicKey): SignedGrant | null {
  const packed = unpackSigned(store.state(stateKeys.grant));
  return packed === null ? null : openGrant(packed.body, packed.signature, authority);
}

/** Root of the writer's working tree. */
export function readWorking(store: ShareStore): Digest | null {
  const stored = store.state(stateKeys.working);
  const text = stored === undefined ? undefined : fromUtf8(stored);
  return text === undefined ? null : parseDigest(text);
}

export function writeApplied(applied: Applied): readonly [string, Bytes] {
  return [stateKeys.applied, utf8(`${applied.version.epoch} ${applied.version.sequence} ${applied.root}`)];
}

export function readApplied(store: ShareStore): Applied | null {
  const stored = store.state(stateKeys.applied);
  const [epoch, sequence, root] = (stored === undefined ? '' : (fromUtf8(stored) ?? '')).split(' ');
  if (epoch === undefined || sequence === undefined || root === undefined) return null;
  return { version: { epoch: Number(epoch), sequence: Number(sequence) }, root: parseDigest(root) };
}

/** Body and signature in one run of bytes. */
export function packSigned(signed: { readonly body: Bytes; readonly signature: Bytes }): Bytes {
  const writer = createWriter(signed.body.byteLength + 80);
  writer.bytes(signed.body);
  writer.bytes(signed.signature);
  return writer.finish();
}

/** @throws {P2psyncError} malformed. */
export function unpackSigned(bytes: Bytes): SignedBytes;
export function unpackSigned(bytes: Bytes | undefined): SignedBytes | null;
export function unpackSigned(bytes: Bytes | undefined): SignedBytes | null {
  if (bytes === undefined) return null;
  const reader = createReader(bytes, 'a stored document');
  const packed = { body: reader.bytes(documentBytesMax), signature: reader.bytes(documentBytesMax) };
  reader.end();
  return packed;
}
