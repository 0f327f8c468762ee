/** Rosters, removals and accepted newcomers as a share's store keeps them. Decides nothing. */
import type { Bytes } from '../base/bytes.ts';
import { documentBytesMax, membersMax, revocationsMax } from '../base/limits.ts';
import { decodeCertificate, encodeCertificate, type SignedCertificate } from '../core/certificate.ts';
import { createReader, createWriter } from '../core/codec.ts';
import type { PublicKey } from '../core/keys.ts';
import { openRemoval, type SignedRemoval } from '../core/removal.ts';
import { openRoster, type SignedRoster } from '../core/roster.ts';
import type { ShareStore } from '../store/share-store.ts';
import { packSigned, stateKeys, unpackSigned } from './state.ts';

type Stored = readonly [string, Bytes];

export function readRoster(store: ShareStore): SignedRoster | null {
  const packed = unpackSigned(store.state(stateKeys.roster));
  return packed === null ? null : openRoster(packed.body, packed.signature);
}

export function writeRoster(roster: SignedRoster): Stored {
  return [stateKeys.roster, packSigned(roster)];
}

export function readAdmissions(store: ShareStore): SignedCertificate[] {
  return readList(store, stateKeys.admissions, membersMax, decodeCertificate);
}

export function writeAdmissions(certificates: Iterable<SignedCertificate>): Stored {
  return writeList(stateKeys.admissions, certificates, encodeCertificate);
}

export function readRemovals(store: ShareStore, authority: PublicKey): SignedRemoval[] {
  return readList(store, stateKeys.removals, revocationsMax, (bytes) => {
    const packed = unpackSigned(bytes);
    return openRemoval(packed.body, packed.signature, authority);
  });
}

export function writeRemovals(removals: Iterable<SignedRemoval>): Stored {
  return writeList(stateKeys.removals, removals, packSigned);
}

function readList<Item>(
  store: ShareStore,
  key: string,
  countMax: number,
  read: (bytes: Bytes) => Item,
): Item[] {
  const stored = store.state(key);
  if (stored === undefined) return [];
  const reader = createReader(stored, `the stored ${key}`);
  const count = reader.varint();
  const found: Item[] = [];
  while (found.length < Math.min(count, countMax)) found.push(read(reader.bytes(documentBytesMax)));
  return found;
}

function writeList<Item>(key: string, items: Iterable<Item>, write: (item: Item) => Bytes): Stored {
  const all = [...items];
  const writer = createWriter();
  writer.varint(all.length);
  for (const item of all) writer.bytes(write(item));
  return [key, writer.finish()];
}
