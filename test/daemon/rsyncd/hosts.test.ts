import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../../agent/daemon/config.ts';
import { translateHosts } from '../../../agent/daemon/rsyncd/hosts.ts';

const all = ['0.0.0.0/0', '::/0'];

const cases: readonly (readonly [
  title: string,
  allow: string | undefined,
  deny: string | undefined,
  expected: { readonly allow: readonly string[]; readonly deny: readonly string[]; readonly says?: string },
])[] = [
  ['no lists', undefined, undefined, { allow: [], deny: [] }],
  ['empty lists', ' ', '', { allow: [], deny: [] }],
  [
    'addresses, networks, masks and names',
    '10.0.0.1, 10.1.0.0/16\t10.2.0.0/255.255.0.0 Web1.example.com fd00::/8',
    undefined,
    {
      allow: ['10.0.0.1', '10.1.0.0/16', '10.2.0.0/255.255.0.0', 'web1.example.com', 'fd00::/8'],
      deny: [],
    },
  ],
  ['deny alone', undefined, '10.0.0.1', { allow: [], deny: ['10.0.0.1'] }],
  ['deny all', undefined, '*', { allow: [], deny: all, says: 'nobody can connect' }],
  ['all but those in allow', '10.0.0.0/8', '*', { allow: ['10.0.0.0/8'], deny: [], says: 'refused anyway' }],
  ['the same, as a network', '10.0.0.0/8', '0.0.0.0/0', { allow: ['10.0.0.0/8'], deny: [] }],
  [
    'both, apart from each other: the stricter',
    '10.0.0.0/8',
    '0.0.0.0/32',
    {
      allow: ['10.0.0.0/8'],
      deny: ['0.0.0.0/32'],
      says: 'rsync lets in who is in neither list',
    },
  ],
  [
    'both, one in the other: deny would win here',
    '10.0.0.1',
    '10.0.0.0/8 192.0.2.0/24',
    {
      allow: ['10.0.0.1'],
      deny: ['192.0.2.0/24'],
      says: '10.0.0.0/8: left out',
    },
  ],
  [
    'nobody knows what a name stands for',
    'web1',
    '10.0.0.0/8',
    { allow: ['web1'], deny: [], says: '10.0.0.0/8: left out' },
  ],
  ['allow everybody', '*', '10.0.0.1', { allow: [], deny: [], says: 'everybody' }],
  [
    'what cannot be said in allow admits nobody',
    '*.example.com @admins 10.0.0.1',
    undefined,
    {
      allow: ['10.0.0.1'],
      deny: [],
      says: '*.example.com: a pattern of host names',
    },
  ],
  [
    'and where nothing is left, nobody',
    '192.168.9.*',
    undefined,
    { allow: [], deny: all, says: 'nobody is admitted' },
  ],
  [
    'what cannot be said in deny is told',
    undefined,
    '*.example.com fe80::1%eth0 10.0.0.1',
    {
      allow: [],
      deny: ['10.0.0.1'],
      says: 'an address with a scope, so that it refuses nobody here',
    },
  ],
  [
    'what is no network',
    '10.0.0.0/33 10.0.0.0/255.0.255.0 x/8 1.2.3 10.0.0.1',
    undefined,
    { allow: ['10.0.0.1'], deny: [] },
  ],
];

for (const [title, allow, deny, { says, ...expected }] of cases) {
  test(`hosts: ${title}`, () => {
    const { allowNotes, denyNotes, ...lists } = translateHosts(allow, deny);
    assert.equal({ allow: lists.allow, deny: lists.deny }, expected);
    if (says !== undefined) assert.match([...allowNotes, ...denyNotes].join('\n'), says);
  });
}

test('whatever stands in the lists, the rules are ones that our configuration takes', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '*',
      '10.0.0.1',
      '10.0.0.0/8',
      '::1',
      'fe80::1%x',
      'web',
      '@g',
      '1.2.3',
      '/',
      '10.0.0.0/255.255.0.0',
      '::/::',
      'a/b/c',
    ),
    fc.string({ maxLength: 12 }),
  );
  const list = fc.array(word, { maxLength: 5 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(list, list, (allowText, denyText) => {
      const { allow, deny } = translateHosts(allowText, denyText);
      const text = `[access]\nallow = ${JSON.stringify(allow)}\ndeny = ${JSON.stringify(deny)}\n`;
      assert.equal(parseConfig(text, null).access, { allow, deny });
    }),
  );
});

test('a list that names somebody in rsync never opens the door to everybody here', () => {
  const word = fc.constantFrom(
    '10.0.0.1',
    '10.0.0.0/8',
    '::1',
    'fe80::1%x',
    'web',
    '@g',
    'w*',
    '1.2.3',
    '10.0.0.0/99',
  );
  const list = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(','));
  fc.assert(
    fc.property(list, fc.option(list, { nil: undefined }), (allowText, denyText) => {
      const { allow, deny } = translateHosts(allowText, denyText);
      assert.ok(allow.length > 0 || deny.includes('0.0.0.0/0'));
    }),
  );
});

test.run();
