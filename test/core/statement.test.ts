/** Statements, and the texts that strangers may put into documents. */
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAddress, parseAddresses, parseAgentVersion, parseLabel } from '../../agent/core/label.ts';
import {
  decodeStatement,
  encodeStatement,
  openStatement,
  signStatement,
} from '../../agent/core/statement.ts';
import { exampleStatement, mutations, replica, statements, survives, throwsCode } from './documents.ts';

test('a signed statement opens to what was signed', () => {
  fc.assert(
    fc.property(statements, (statement) => {
      const signed = signStatement(statement, replica);
      assert.equal(openStatement(signed.body, signed.signature), signed);
    }),
    { numRuns: 50 },
  );
});

test('a statement that its member did not sign is refused', () => {
  const { body } = signStatement(exampleStatement, replica);
  throwsCode(() => openStatement(body, new Uint8Array(64)), 'bad-signature');
});

test('mutated statements are values or refusals, and what is read is canonical', () => {
  fc.assert(
    fc.property(mutations(encodeStatement(exampleStatement)), (bytes) => {
      survives((body) => assert.equal(encodeStatement(decodeStatement(body)), new Uint8Array(body)), bytes);
    }),
  );
});

test('progress above one, a state nobody knows, and a ninth address are refused', () => {
  throwsCode(
    () => decodeStatement(encodeStatement({ ...exampleStatement, progressPermille: 1001 })),
    'limit-exceeded',
  );
  const nine = Array<string>(9).fill('a:1');
  throwsCode(
    () => decodeStatement(encodeStatement({ ...exampleStatement, addresses: nine })),
    'limit-exceeded',
  );
  const body = encodeStatement({
    ...exampleStatement,
    applied: null,
    state: 'error',
    addresses: [],
    timeMs: 0,
  });
  // The end: state, progress 1000 in two bytes, no addresses, time 0.
  body[body.byteLength - 5] = 7;
  throwsCode(() => decodeStatement(body), 'malformed');
});

test('addresses are multiaddrs or HOST:PORT and nothing else', () => {
  const good = [
    '/ip4/10.0.0.1/tcp/8873/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq',
    '/ip6/::1/tcp/1',
    '/dns4/web1.example.org/tcp/8873',
    'web1:8873',
    '10.0.0.1:65535',
    '[::1]:1',
    '[fe80::1]:8873',
  ];
  for (const address of good) assert.is(parseAddress(address), address);
  const bad = [
    '',
    'web1',
    'web1:0',
    'web1:65536',
    'web1:x',
    ':1',
    '::1:80',
    '/',
    '/ip4',
    '/ip4/',
    '/ip4/1 2',
    '/ip4/ü',
    'a b:1',
    'a\n:1',
    `${'a'.repeat(400)}:1`,
    `/ip4/${'1'.repeat(400)}`,
  ];
  for (const address of bad) throwsCode(() => parseAddress(address), 'malformed');
  assert.equal(parseAddresses(good), good);
});

test('labels are short, visible and without a space at either end', () => {
  for (const label of ['a', 'web-1', 'Büro 2', '日本', 'x'.repeat(64)])
    assert.is(parseLabel(label, 'a name'), label);
  for (const label of [
    '',
    'x'.repeat(65),
    'ü'.repeat(33),
    'a\tb',
    'a\u007f',
    'a\u0085',
    'a\u2028',
    'a\u200b',
    '\ud800',
    'a ',
    ' a',
  ]) {
    throwsCode(() => parseLabel(label, 'a name'), 'malformed');
  }
});

test('an agent’s version is printable', () => {
  assert.is(parseAgentVersion('1.2.3-rc.1'), '1.2.3-rc.1');
  for (const version of ['', 'x'.repeat(33), '1 2', '1\n'])
    throwsCode(() => parseAgentVersion(version), 'malformed');
});

test.run();
