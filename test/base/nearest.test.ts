import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nearest } from '../../agent/base/nearest.ts';

const keys = ['path', 'name', 'apply', 'listen', 'bootstrap'];

test('a word that is mistyped by a letter or two finds what was meant', () => {
  assert.equal(
    ['pth', 'paht', 'nmae', 'lisen', 'Listen', 'bootstarp', 'appply'].map((word) => nearest(word, keys)),
    ['path', 'path', 'name', 'listen', 'listen', 'bootstrap', 'apply'],
  );
});

test('a word that resembles nothing finds nothing', () => {
  for (const word of ['', 'xyz', 'connections', 'x'.repeat(10_000)])
    assert.is(nearest(word, keys), undefined, word);
});

test.run();
