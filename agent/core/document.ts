/** The parts that several signed documents have in common, and how each is written. Pure; checks no signature. */
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { addressBytesMax, addressesMax, labelBytesMax } from '../base/limits.ts';
import type { Reader, Writer } from './codec.ts';
import {
  keyBytes,
  type PublicKey,
  publicKeyBytes,
  publicKeyFromBytes,
  type Role,
  type ShareId,
  shareIdBytes,
  shareIdFromBytes,
} from './keys.ts';
import { parseAddress, parseLabel } from './label.ts';
import type { Version } from './version.ts';

/** A document as it is kept and sent: the exact bytes that were signed, never encoded again. */
export type SignedBytes = { readonly body: Bytes; readonly signature: Bytes };

/** The first byte of each document. Another number is another layout, which this program does not know. */
const format = 1;

export function writeFormat(writer: Writer): void {
  writer.byte(format);
}

/** @throws {P2psyncError} protocol-mismatch. */
export function readFormat(reader: Reader, what: string): void {
  const found = reader.byte();
  if (found === format) return;
  throw new P2psyncError(
    'protocol-mismatch',
    `${what} has format ${found}; this agent knows ${format}: upgrade it`,
  );
}

export function writeShare(writer: Writer, share: ShareId): void {
  writer.raw(keyBytes(share));
}

export function readShare(reader: Reader): ShareId {
  return shareIdFromBytes(reader.raw(shareIdBytes));
}

export function writeKey(writer: Writer, key: PublicKey): void {
  writer.raw(keyBytes(key));
}

export function readKey(reader: Reader): PublicKey {
  return publicKeyFromBytes(reader.raw(publicKeyBytes));
}

export function writeVersion(writer: Writer, version: Version): void {
  writer.varint(version.epoch);
  writer.varint(version.sequence);
}

export function readVersion(reader: Reader): Version {
  return { epoch: reader.varint(), sequence: reader.varint() };
}

/** A byte 0 for null, or a byte 1 and the value. */
export function writeOptional<Value>(
  writer: Writer,
  value: Value | null,
  write: (value: Value) => void,
): void {
  writer.byte(value === null ? 0 : 1);
  if (value !== null) write(value);
}

/** @throws {P2psyncError} malformed, where the byte is neither 0 nor 1. */
export function readOptional<Value>(reader: Reader, read: () => Value): Value | null {
  const present = reader.byte();
  if (present > 1)
    throw new P2psyncError('malformed', `${present} where 0 or 1 tells whether a value follows`);
  return present === 1 ? read() : null;
}

export function readLabel(reader: Reader, what: string): string {
  return parseLabel(reader.text(labelBytesMax), what);
}

const roles: readonly Role[] = ['writer', 'replica', 'standby', 'archive'];

export function writeRole(writer: Writer, role: Role): void {
  writer.byte(roles.indexOf(role));
}

export function readRole(reader: Reader): Role {
  return readChoice(reader, roles, 'a role');
}

/** One byte that counts into `choices`. @throws {P2psyncError} malformed, where it counts past them. */
export function readChoice<Choice>(reader: Reader, choices: readonly Choice[], what: string): Choice {
  const index = reader.byte();
  const choice = choices[index];
  if (choice === undefined) throw new P2psyncError('malformed', `${index} is not ${what}`);
  return choice;
}

export function writeAddresses(writer: Writer, addresses: readonly string[]): void {
  writer.varint(addresses.length);
  for (const address of addresses) writer.text(address);
}

export function readAddresses(reader: Reader): readonly string[] {
  const addresses: string[] = [];
  const count = reader.varint(addressesMax);
  for (let index = 0; index < count; index += 1) addresses.push(parseAddress(reader.text(addressBytesMax)));
  return addresses;
}
