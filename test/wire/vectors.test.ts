/** The frames are frozen: an example of each is, byte for byte, the one in test/vectors. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Bytes, fromHex, toHex } from '../../agent/base/bytes.ts';
import { type BulkFrame, createBulkDecoder, encodeBulk } from '../../agent/wire/bulk.ts';
import { decodeControl, encodeControl } from '../../agent/wire/control.ts';
import {
  decodeHeadMessage,
  decodeStatementMessage,
  encodeHeadMessage,
  encodeStatementMessage,
} from '../../agent/wire/gossip.ts';
import { exampleBulk, exampleControl, exampleHeadMessage, exampleStatementMessage } from './messages.ts';

type Vectors = {
  readonly control: readonly string[];
  readonly bulk: readonly string[];
  readonly gossip: { readonly head: string; readonly statement: string };
};

const path = join(import.meta.dirname, '..', 'vectors', 'frames.json');
const vectors = JSON.parse(readFileSync(path, 'utf8')) as Vectors;

function bytesOf(hex: string | undefined): Bytes {
  const bytes = hex === undefined ? undefined : fromHex(hex);
  assert.ok(bytes);
  return bytes ?? new Uint8Array(0);
}

function encoded(frame: BulkFrame): string {
  return toHex(Buffer.concat(encodeBulk(frame)));
}

test('each control frame', () => {
  assert.equal(
    exampleControl.map((frame) => toHex(encodeControl(frame))),
    vectors.control,
  );
  assert.equal(
    vectors.control.map((hex) => decodeControl(bytesOf(hex))),
    exampleControl,
  );
});

test('each bulk frame', () => {
  assert.equal(exampleBulk.map(encoded), vectors.bulk);
  const decoder = createBulkDecoder();
  assert.equal(
    vectors.bulk.flatMap((hex) => decoder.push(bytesOf(hex))),
    exampleBulk,
  );
});

test('each gossip payload', () => {
  assert.is(toHex(encodeHeadMessage(exampleHeadMessage)), vectors.gossip.head);
  assert.equal(decodeHeadMessage(bytesOf(vectors.gossip.head)), exampleHeadMessage);
  assert.is(toHex(encodeStatementMessage(exampleStatementMessage)), vectors.gossip.statement);
  assert.equal(decodeStatementMessage(bytesOf(vectors.gossip.statement)), exampleStatementMessage);
});

test.run();
