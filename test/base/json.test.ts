import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseJson } from '../../agent/base/json.ts';
import { jsonDepthMax } from '../../agent/base/limits.ts';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

test('every JSON text gives what JSON.parse gives', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 10 }), (text) => {
      assert.equal(parseJson(text), JSON.parse(text));
    }),
  );
  assert.is(
    parseJson('{"a":1}', (key, value) => (key === '' ? 'revived' : value)),
    'revived',
  );
});

test('what is no JSON is a SyntaxError', () => {
  for (const text of ['', '{', '[1,', '"', '"\\"', '}', ']]]]', '[1]]', 'nul'])
    assert.throws(
      () => parseJson(text),
      (error: unknown) => error instanceof SyntaxError,
      text,
    );
});

test('arrays and objects may lie in each other up to the bound and not beyond it, whether or not they end', () => {
  assert.ok(Array.isArray(parseJson(nested(jsonDepthMax))));
  const objects = `${'{"a":'.repeat(jsonDepthMax + 1)}1${'}'.repeat(jsonDepthMax + 1)}`;
  for (const text of [
    nested(jsonDepthMax + 1),
    objects,
    '[3,['.repeat(4500),
    `["a\\"b]",${nested(jsonDepthMax)}]`,
  ])
    assert.throws(() => parseJson(text), /more than 64 deep/);
});

test('many beside each other, and brackets in strings, are not deep', () => {
  const many = 10 * jsonDepthMax;
  assert.is((parseJson(`[${Array(many).fill('[{}]').join()}]`) as unknown[]).length, many);
  assert.is(parseJson(JSON.stringify('[{'.repeat(many))), '[{'.repeat(many));
  assert.is(parseJson(JSON.stringify(`"\\${'['.repeat(many)}`)), `"\\${'['.repeat(many)}`);
});

test.run();
