/** Parts that several messages have in common, from core values to protobuf and back. Pure; copies what it takes out. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { inlineBytesMax, inlineEditsMax, inlineMovesMax } from '../base/limits.ts';
import { decodeDigest, encodeDigest } from '../core/digest.ts';
import type { SignedBytes } from '../core/document.ts';
import type { Edit } from '../core/entry.ts';
import { openHead } from '../core/head.ts';
import { areApart } from '../core/moved.ts';
import { comparePaths, parsePath } from '../core/path.ts';
import { decodeEntry, encodeEntry } from '../core/record.ts';
import type { Version } from '../core/version.ts';
import type { HeadMessage, Operations } from '../swarm/messages.ts';
import type {
  Document,
  DocumentSchema,
  VersionSchema,
  Version as WireVersion,
} from './gen/p2psync/v1/document_pb.ts';
import type {
  EditSchema,
  HeadMessageSchema,
  OperationsSchema,
  Edit as WireEdit,
  HeadMessage as WireHeadMessage,
  Operations as WireOperations,
} from './gen/p2psync/v1/head_pb.ts';
import { checkCount, malformed, safeNumber } from './strict.ts';

export function toDocument(signed: SignedBytes): MessageInitShape<typeof DocumentSchema> {
  return { body: signed.body, signature: signed.signature };
}

/** @throws {P2psyncError} malformed, where there is none. */
export function fromDocument(document: Document | undefined, what: string): SignedBytes {
  if (document === undefined) throw malformed(what, 'its document is missing');
  return { body: copyOf(document.body), signature: copyOf(document.signature) };
}

export function toVersion(version: Version): MessageInitShape<typeof VersionSchema> {
  return { epoch: BigInt(version.epoch), sequence: BigInt(version.sequence) };
}

/** @throws {P2psyncError} malformed, where there is none or it is no version. */
export function fromVersion(version: WireVersion | undefined, what: string): Version {
  if (version === undefined) throw malformed(what, 'its version is missing');
  return { epoch: safeNumber(version.epoch, what), sequence: safeNumber(version.sequence, what) };
}

export function toHeadMessage(message: HeadMessage): MessageInitShape<typeof HeadMessageSchema> {
  const head = toDocument(message.head);
  return message.operations === null ? { head } : { head, operations: toOperations(message.operations) };
}

/**
 * The head's own signature is checked; whether its writer was granted the epoch is not.
 * @throws {P2psyncError} malformed, limit-exceeded, bad-path, bad-signature.
 */
export function fromHeadMessage(message: WireHeadMessage, what: string): HeadMessage {
  const { body, signature } = fromDocument(message.head, what);
  const operations = message.operations === undefined ? null : fromOperations(message.operations, what);
  return { kind: 'head', head: openHead(body, signature), operations };
}

function toOperations(operations: Operations): MessageInitShape<typeof OperationsSchema> {
  assert(operations.edits.length <= inlineEditsMax, 'inline edits are within their bound');
  assert(operations.moves.length <= inlineMovesMax, 'inline moves are within their bound');
  return {
    base: toVersion(operations.base),
    baseRoot: encodeDigest(operations.baseRoot),
    edits: operations.edits.map(toEdit),
    blocks: [...operations.blocks],
    moves: operations.moves.map(({ from, to }) => ({ from, to })),
  };
}

function fromOperations(operations: WireOperations, what: string): Operations {
  checkCount(operations.edits.length, inlineEditsMax, 'inline edits');
  checkCount(operations.blocks.length, inlineEditsMax, 'inline blocks');
  checkCount(operations.moves.length, inlineMovesMax, 'inline moves');
  let blocksBytes = 0;
  for (const block of operations.blocks) blocksBytes += block.byteLength;
  checkCount(blocksBytes, inlineBytesMax, 'bytes of inline blocks');
  const edits = operations.edits.map((edit) => fromEdit(edit, what));
  for (const [index, edit] of edits.entries()) {
    const before = edits[index - 1];
    if (before !== undefined && comparePaths(before.path, edit.path) >= 0) {
      throw malformed(what, `its edits are not sorted at ${JSON.stringify(edit.path.slice(0, 200))}`);
    }
  }
  const moves = operations.moves.map(({ from, to }) => ({ from: parsePath(from), to: parsePath(to) }));
  if (!areApart(moves)) throw malformed(what, 'its moves touch each other');
  return {
    base: fromVersion(operations.base, what),
    baseRoot: decodeDigest(operations.baseRoot),
    moves,
    edits,
    blocks: operations.blocks.map(copyOf),
  };
}

function toEdit(edit: Edit): MessageInitShape<typeof EditSchema> {
  return edit.entry === null
    ? { edit: { case: 'removed', value: edit.path } }
    : { edit: { case: 'entry', value: encodeEntry(edit.entry) } };
}

function fromEdit({ edit }: WireEdit, what: string): Edit {
  if (edit.case === 'removed') return { path: parsePath(edit.value), entry: null };
  if (edit.case !== 'entry') throw malformed(what, 'an edit says nothing');
  const entry = decodeEntry(edit.value);
  return { path: entry.path, entry };
}

/** What the library gives out are views of the message, which would keep all of it in memory. */
function copyOf(bytes: Bytes): Bytes {
  return new Uint8Array(bytes);
}
