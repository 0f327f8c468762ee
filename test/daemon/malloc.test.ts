/** What was freed between pieces that stay goes back to the system. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MIB } from '../../agent/base/limits.ts';
import { findMallocTrim } from '../../agent/daemon/malloc.ts';

function anonymousBytes(): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kib) * 1024;
}

test('freed memory is given back, also from between what is kept', async () => {
  const trim = await findMallocTrim();
  assert.ok(trim !== null, 'the Node that the tests run with, on glibc, can do so');
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  const pieceBytes = 16_384;
  let pieces = Array.from({ length: 10_000 }, () => Buffer.allocUnsafeSlow(pieceBytes).fill(1));
  pieces = pieces.filter((_, at) => at % 10 === 0);
  collect({ execution: 'sync', flavor: 'last-resort', type: 'major' });
  const before = anonymousBytes();
  trim();
  assert.ok(before - anonymousBytes() > 50 * MIB, `${before} bytes before, ${anonymousBytes()} after`);
  assert.is(pieces.length, 1_000);
});

test.run();
