/** What each agent gossips of itself: which version it holds and how it is, signed with its own key. Pure. */
import { assert } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { agentVersionBytesMax } from '../base/limits.ts';
import { createReader, createWriter, type Reader } from './codec.ts';
import type { Digest } from './digest.ts';
import {
  readAddresses,
  readChoice,
  readFormat,
  readKey,
  readLabel,
  readOptional,
  readShare,
  readVersion,
  writeAddresses,
  writeFormat,
  writeKey,
  writeOptional,
  writeShare,
  writeVersion,
} from './document.ts';
import { type KeyPair, type PublicKey, requireSignature, type ShareId, sign } from './keys.ts';
import { parseAgentVersion } from './label.ts';
import type { Version } from './version.ts';

/** What a share is doing on one agent, in the words of `status`. */
export type ShareState = 'starting' | 'scanning' | 'syncing' | 'in-sync' | 'stale' | 'paused' | 'error';

/** A version and its root. */
export type Applied = { readonly version: Version; readonly root: Digest };

export type Statement = {
  readonly share: ShareId;
  readonly member: PublicKey;
  readonly name: string;
  readonly agentVersion: string;
  readonly applied: Applied | null;
  readonly state: ShareState;
  /** 0 to 1000. */
  readonly progressPermille: number;
  readonly addresses: readonly string[];
  /** When this was signed, ms since 1970; of two of one member the later holds. */
  readonly timeMs: number;
};

/** What is kept and sent: the exact bytes that were signed, never encoded again. */
export type SignedStatement = {
  readonly statement: Statement;
  readonly body: Bytes;
  readonly signature: Bytes;
};

export function signStatement(statement: Statement, member: KeyPair): SignedStatement {
  assert(statement.member === member.publicKey, 'a statement is signed by the member it is about');
  const body = encodeStatement(statement);
  return { statement, body, signature: sign(member, statementDomain, body) };
}

/** Parses, and checks the signature against the member named inside. @throws {P2psyncError} malformed, bad-signature. */
export function openStatement(body: Bytes, signature: Bytes): SignedStatement {
  const statement = decodeStatement(body);
  requireSignature(
    statement.member,
    statementDomain,
    { body, signature },
    `the statement of ${statement.name}`,
  );
  return { statement, body, signature };
}

export function encodeStatement(statement: Statement): Bytes {
  const writer = createWriter();
  writeFormat(writer);
  writeShare(writer, statement.share);
  writeKey(writer, statement.member);
  writer.text(statement.name);
  writer.text(statement.agentVersion);
  writeOptional(writer, statement.applied, (applied) => {
    writeVersion(writer, applied.version);
    writer.digest(applied.root);
  });
  writer.byte(states.indexOf(statement.state));
  writer.varint(statement.progressPermille);
  writeAddresses(writer, statement.addresses);
  writer.varint(statement.timeMs);
  return writer.finish();
}

/** @throws {P2psyncError} malformed, limit-exceeded. */
export function decodeStatement(body: Bytes): Statement {
  const reader = createReader(body, 'a statement');
  readFormat(reader, 'a statement');
  const statement: Statement = {
    share: readShare(reader),
    member: readKey(reader),
    name: readLabel(reader, "an agent's name"),
    agentVersion: parseAgentVersion(reader.text(agentVersionBytesMax)),
    applied: readOptional(reader, () => readApplied(reader)),
    state: readChoice(reader, states, 'a state'),
    progressPermille: reader.varint(1000),
    addresses: readAddresses(reader),
    timeMs: reader.varint(),
  };
  reader.end();
  return statement;
}

const statementDomain = 'p2psync statement v1\0';
const states: readonly ShareState[] = [
  'starting',
  'scanning',
  'syncing',
  'in-sync',
  'stale',
  'paused',
  'error',
];

function readApplied(reader: Reader): Applied {
  return { version: readVersion(reader), root: reader.digest() };
}
