/**
 * Protobuf as strangers may send it: the fields are counted and their wire types checked against the schema before
 * any object is made, so that a small message cannot become a large heap. Every fault is a P2psyncError.
 */
import {
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageShape,
  ScalarType,
} from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import type { Bytes } from '../base/bytes.ts';
import { P2psyncError } from '../base/errors.ts';
import { wireFieldsMax } from '../base/limits.ts';

/**
 * Unknown fields are passed over. Fields of type bytes are views of the input.
 * @param what names the message in errors: `a control frame`.
 * @throws {P2psyncError} malformed, limit-exceeded.
 */
export function decodeStrict<Desc extends DescMessage>(
  schema: Desc,
  bytes: Bytes,
  what: string,
): MessageShape<Desc> {
  return guarded(what, () => {
    countFields(schema, bytes, wireFieldsMax, what);
    return fromBinary(schema, bytes, { readUnknownFields: false });
  });
}

/**
 * The number and the extent of the one field that a message consists of.
 * @throws {P2psyncError} malformed, where it is not exactly one field with a length.
 */
export function soleField(bytes: Bytes, what: string): number {
  return guarded(what, () => {
    const reader = new BinaryReader(bytes);
    const [number, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) throw malformed(what, 'its field has no length');
    if (reader.uint32() !== reader.len - reader.pos)
      throw malformed(what, 'it is not one field from end to end');
    return number;
  });
}

/** @throws {P2psyncError} malformed, above 2^53 - 1. */
export function safeNumber(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(what, 'a number is above 2^53 - 1');
  return Number(value);
}

export function malformed(what: string, fault: string): P2psyncError {
  return new P2psyncError('malformed', `${what} is malformed: ${fault}`);
}

/** @throws {P2psyncError} limit-exceeded. */
export function checkCount(count: number, max: number, what: string): void {
  if (count > max)
    throw new P2psyncError('limit-exceeded', `${count} ${what} where at most ${max} are allowed`);
}

/** @returns how many more fields are allowed. */
function countFields(schema: DescMessage, bytes: Bytes, allowed: number, what: string): number {
  const reader = new BinaryReader(bytes);
  let left = allowed;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (left === 0) throw new P2psyncError('limit-exceeded', `${what} has more than ${wireFieldsMax} fields`);
    left -= 1;
    const field = schema.fields.find((candidate) => candidate.number === number);
    if (wireType === WireType.StartGroup || wireType === WireType.EndGroup)
      throw malformed(what, 'it has a group');
    if (field !== undefined && wireType !== wireTypeOf(field)) {
      throw malformed(what, `the field ${field.name} has the wire type ${wireType}`);
    }
    if (field?.message === undefined) reader.skip(wireType, number);
    else left = countFields(field.message, reader.bytes(), left, what);
  }
  return left;
}

/** Of the kinds of fields that our schemas use: numbers are varints, everything else has a length. */
function wireTypeOf(field: DescField): WireType {
  const isText = field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
  return field.message !== undefined || isText ? WireType.LengthDelimited : WireType.Varint;
}

function guarded<Value>(what: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof P2psyncError) throw cause;
    // The library throws Error, RangeError and TypeError for bytes that are no message.
    throw new P2psyncError('malformed', `${what} is malformed: it is no protobuf message`, {}, { cause });
  }
}
