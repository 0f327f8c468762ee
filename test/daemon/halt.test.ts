/** A head of its own that a writer does not know: for how long that holds, and what is said of it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { signHead } from '../../agent/core/head.ts';
import { generateKeyPair } from '../../agent/core/keys.ts';
import { forgottenFault, isForgotten, readForgotten, writeForgotten } from '../../agent/daemon/halt.ts';
import { openStore } from '../../agent/store/database.ts';
import { exampleHead } from '../core/documents.ts';
import { withDirectory } from './directory.ts';

const keyPair = generateKeyPair();
const headOf = (sequence: number) =>
  signHead({ ...exampleHead, version: { epoch: 1, sequence }, writer: keyPair.publicKey }, keyPair);

test('a head that was forgotten holds over a restart until it is known, or a higher epoch', async () => {
  await withDirectory(async (directory) => {
    const index = openStore(directory);
    const store = index.share(exampleHead.share);
    assert.is(readForgotten(store, { epoch: 1, head: null }), null);
    await store.writeDurably(writeForgotten(headOf(3)));
    assert.is(readForgotten(store, { epoch: 1, head: null })?.head.version.sequence, 3);
    assert.is(readForgotten(store, { epoch: 1, head: headOf(2) })?.head.version.sequence, 3);
    assert.is(readForgotten(store, { epoch: 1, head: headOf(3) }), null);
    assert.is(readForgotten(store, { epoch: 2, head: headOf(2) }), null);
    await index.close();
  });
});

test('a head of its own that is newer than all it knows is forgotten, one that it knows is not', () => {
  assert.ok(isForgotten(headOf(3), null));
  assert.ok(isForgotten(headOf(3), headOf(2)));
  assert.not(isForgotten(headOf(3), headOf(3)));
  assert.not(isForgotten(headOf(2), headOf(3)));
});

test('the fault names both versions, what follows, and where it says what to do', () => {
  const { message } = forgottenFault(headOf(3), headOf(2));
  assert.match(
    message,
    /version 1\.3, signed by this agent, .* knows of 1\.2 only.*Nothing is published.*OPERATING/,
  );
});

test.run();
