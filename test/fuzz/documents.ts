/** Decoders of what is signed or named by a digest: documents, pages of trees and of block lists, entries. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, fromHex } from '../../agent/base/bytes.ts';
import { buildBlockList, listPageReferences } from '../../agent/core/blocklist.ts';
import { buildTree } from '../../agent/core/build.ts';
import { decodeCertificate, encodeCertificate } from '../../agent/core/certificate.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { decodeGrant, encodeGrant } from '../../agent/core/grant.ts';
import { decodeHead, encodeHead } from '../../agent/core/head.ts';
import { decodeTerms, encodeTerms } from '../../agent/core/invitation.ts';
import { decodePage, encodePage } from '../../agent/core/page.ts';
import { decodeEntry, encodeEntry } from '../../agent/core/record.ts';
import { decodeRemoval, encodeRemoval, type Removal } from '../../agent/core/removal.ts';
import { decodeRoster, encodeRoster } from '../../agent/core/roster.ts';
import { decodeStatement, encodeStatement } from '../../agent/core/statement.ts';
import { packSigned, unpackSigned } from '../../agent/daemon/state.ts';
import {
  exampleGrant,
  exampleHead,
  exampleStatement,
  exampleTerms,
  invite,
  invited,
  nowMs,
  replica,
  salt,
  share,
  writerCertificate,
} from '../core/documents.ts';
import { siteOf } from '../core/trees.ts';
import type { Target } from './engine.ts';
import { reading } from './reading.ts';

const refusals = ['malformed', 'limit-exceeded', 'bad-path', 'bad-digest', 'protocol-mismatch'] as const;

const vectors = read('documents.json') as { readonly roster: { readonly body: string } };
const tree = read('tree.json') as {
  readonly leaf: string;
  readonly entries: readonly { readonly bytes: string }[];
};
const roster = decodeRoster(bytesOf(vectors.roster.body));
const removal: Removal = {
  share,
  member: replica.publicKey,
  name: 'web2',
  role: 'replica',
  invite: invite.publicKey,
  timeMs: nowMs,
};

/** Each is read and written in one way only. */
export const documentTargets: readonly Target[] = [
  reading({ ...canonical('head', decodeHead, encodeHead), seeds: seedsOf(encodeHead, exampleHead) }),
  reading({ ...canonical('grant', decodeGrant, encodeGrant), seeds: seedsOf(encodeGrant, exampleGrant) }),
  reading({
    ...canonical('roster', decodeRoster, encodeRoster),
    seeds: seedsOf(encodeRoster, roster, { ...roster, members: [] }),
  }),
  reading({ ...canonical('removal', decodeRemoval, encodeRemoval), seeds: seedsOf(encodeRemoval, removal) }),
  reading({
    ...canonical('certificate', decodeCertificate, encodeCertificate),
    seeds: seedsOf(encodeCertificate, writerCertificate, invited(replica, 'web2')),
  }),
  reading({
    ...canonical('statement', decodeStatement, encodeStatement),
    seeds: seedsOf(encodeStatement, exampleStatement, { ...exampleStatement, applied: null, addresses: [] }),
  }),
  reading({ ...canonical('terms', decodeTerms, encodeTerms), seeds: seedsOf(encodeTerms, exampleTerms) }),
  reading({
    ...canonical('entry', decodeEntry, encodeEntry),
    seeds: tree.entries.map(({ bytes }) => bytesOf(bytes)),
  }),
  reading({
    ...canonical('page', decodePage, encodePage),
    seeds: [bytesOf(tree.leaf), ...buildTree(siteOf(400), salt).pages.values()],
  }),
  reading({ name: 'list-page', seeds: listPages(), read: listPageReferences, codes: refusals }),
  reading({
    ...canonical('stored-document', unpackSigned, packSigned),
    seeds: [packSigned({ body: Uint8Array.of(1, 2, 3), signature: new Uint8Array(64) })],
  }),
];

function listPages(): readonly Bytes[] {
  const refs = Array.from({ length: 500 }, (_, at) => ({
    digest: digestOf(Uint8Array.of(at & 255, at >> 8)),
    length: 20_000 + at,
  }));
  return [...buildBlockList(refs).pages.values()];
}

function canonical<Value>(name: string, decode: (bytes: Bytes) => Value, encode: (value: Value) => Bytes) {
  return { name, read: decode, write: encode, canonical: true, codes: refusals };
}

function seedsOf<Value>(encode: (value: Value) => Bytes, ...values: readonly Value[]): readonly Bytes[] {
  return values.map(encode);
}

function bytesOf(hex: string): Bytes {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new Error(`not hex: ${hex}`);
  return bytes;
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', file), 'utf8'));
}
