import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expandVariables, readBoolean, readInteger } from '../../../agent/daemon/rsyncd/expand.ts';
import { readStatements } from '../../../agent/daemon/rsyncd/syntax.ts';

/** Each statement as one line: `1 [web]`, `2 path=/data`, `3 &merge:/etc/x`, `4 ignored: …`, `5 broken`. */
function shown(text: string): string[] {
  return readStatements(text).map((statement) => {
    switch (statement.kind) {
      case 'section':
        return `${statement.line} [${statement.name}]`;
      case 'parameter':
        return `${statement.line} ${statement.name}=${statement.value}`;
      case 'directive':
        return `${statement.line} ${statement.name}:${statement.value}`;
      case 'ignored':
        return `${statement.line} ignored: ${statement.text}`;
      case 'broken':
        return `${statement.line} broken`;
    }
  });
}

// Each expectation was compared with rsync 3.5.0 by its list of modules and comments.
const cases: readonly (readonly [title: string, text: string, expected: readonly string[]])[] = [
  ['nothing', '', []],
  ['comments and blank lines', '# a\n ; b = c\n\n  \t\n#d', []],
  ['a backslash does not continue a comment', '# a \\\npath = /x', ['2 path=/x']],
  ['a hash inside a value is part of it', 'path = /x # y', ['1 path=/x # y']],
  ['only the first equals sign counts', 'a = b = c', ['1 a=b = c']],
  ['space around and inside', '  max \t connections  =   1  2  ', ['1 max connections=1  2']],
  ['an empty value', 'path =\nx=', ['1 path=', '2 x=']],
  ['a line without an equals sign is ignored', 'ignore errors\na=b', ['1 ignored: ignore errors', '2 a=b']],
  ['the last line needs no end', '[m]\npath=/x', ['1 [m]', '2 path=/x']],
  ['carriage returns go', '[m]\r\npath = /x\r\n', ['1 [m]', '2 path=/x']],
  ['a value goes on behind a backslash', 'a = b \\\n   c\nd = e', ['1 a=b    c', '3 d=e']],
  ['also with space behind it', 'a = b\\  \nc', ['1 a=bc']],
  ['a name, too', 'max \\\n connections = 3', ['1 max connections=3']],
  ["and a module's", '[we\\\nb]\npath=/x', ['1 [web]', '3 path=/x']],
  ['a backslash at the very end stays', 'a = b\\', ['1 a=b\\']],
  ['a backslash at the beginning of a line goes', '\\[m]\n\\ a=b', ['1 [m]', '2 a=b']],
  ["space in a module's name", '[ my \t module ] rest\na=b', ['1 [my module]', '2 a=b']],
  ['a module may hold an opening bracket', '[a[b]', ['1 [a[b]']],
  ['a module that does not close', 'a=b\n[web\npath=/x', ['1 a=b', '2 broken']],
  ['a module without a name', '[ ]\na=b', ['1 broken']],
  ['a value without a name', '= b\na=b', ['1 broken']],
  [
    'directives',
    '&include /etc/a b\n&merge=/x\n&Include = /y',
    ['1 &include:/etc/a b', '2 &merge:/x', '3 &Include:/y'],
  ],
  ['a directive without a value', '&include\na=b', ['1 ignored: &include', '2 a=b']],
  ['a NUL ends the file', 'a=b\nc=d\0e\nf=g', ['1 a=b', '2 c=d']],
  ['what is not ASCII is no space', 'a\u00a0b = \u00a0c', ['1 a\u00a0b=\u00a0c']],
];

for (const [title, text, expected] of cases) {
  test(`statements: ${title}`, () => assert.equal(shown(text), expected));
}

test('any text gives statements, in the order of their lines', () => {
  const piece = fc.constantFrom(
    '[',
    ']',
    '=',
    '\\',
    '\n',
    '\r',
    ' ',
    '\t',
    '#',
    ';',
    '&',
    '\0',
    '%',
    'a',
    'é',
    '\ufeff',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 60 }).map((all) => all.join('')),
      ),
      (text) => {
        const lines = readStatements(text).map(({ line }) => line);
        assert.equal(
          lines,
          lines.toSorted((left, right) => left - right),
        );
        assert.ok((lines.at(-1) ?? 1) <= text.split('\n').length);
      },
    ),
  );
});

test('variables of the environment are put in, everything else stays as it is written', () => {
  const env = { HOME: '/h', NESTED: '%HOME%', EMPTY: '', 'X y': 'z' };
  const cases: readonly (readonly [string, string])[] = [
    ['%HOME%/www', '/h/www'],
    ['%NESTED%', '%HOME%'],
    ['a%EMPTY%b', 'ab'],
    ['%X y%', 'z'],
    ['%NONE%%HOME%', '%NONE%/h'],
    ['%home%', '%home%'],
    ['100%', '100%'],
    ['%%HOME%', '%/h'],
    ['%%', '%%'],
    ['%HOME', '%HOME'],
    ['%t %f %HOME%', '%t %f /h'],
  ];
  for (const [text, expected] of cases) assert.is(expandVariables(text, env), expected, text);
});

test('booleans and numbers are read as rsync reads them', () => {
  const booleans = {
    yes: true,
    TRUE: true,
    '1': true,
    No: false,
    false: false,
    '0': false,
    unset: null,
    '-1': null,
  };
  for (const [text, expected] of Object.entries(booleans)) assert.is(readBoolean(text), expected, text);
  for (const text of ['', 'on', 'off', '2', 'y']) assert.is(readBoolean(text), undefined, text);
  const numbers = { '30': 30, ' 30s': 30, '-1': -1, '+4': 4, x: 0, '': 0, '1e9': 1 };
  for (const [text, expected] of Object.entries(numbers)) assert.is(readInteger(text), expected, text);
});

test.run();
