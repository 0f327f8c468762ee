/** What `[run] user` and `group` mean on a machine with these accounts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { accountOf } from '../../agent/daemon/accounts.ts';
import { isCapable, parseEffective } from '../../agent/disk/capabilities.ts';

const etc = mkdtempSync(join(tmpdir(), 'p2psync-etc-'));
writeFileSync(
  join(etc, 'passwd'),
  '# x\nroot:x:0:0::/root:/bin/sh\nwww-data:x:33:34::/var/www:/bin/false\n+nis::::::\nbroken\n',
);
writeFileSync(join(etc, 'group'), 'root:x:0:\nwww:x:34:\nstaff:x:50:www-data\n');
test.after(() => rmSync(etc, { recursive: true }));

const root = { uid: 0, gid: 0, mayBecome: true };
const someone = { uid: 1000, gid: 1000, mayBecome: false };

test('a user brings its groups, a group alone is one, numbers need no account', () => {
  const cases: [user: string, group: string, expected: unknown][] = [
    ['', '', null],
    ['root', '', null],
    ['www-data', '', { uid: 33, gid: 34, groupsOf: 'www-data', text: 'www-data:34' }],
    ['33', '', { uid: 33, gid: 34, groupsOf: 'www-data', text: '33:34' }],
    ['www-data', 'staff', { uid: 33, gid: 50, groupsOf: 'www-data', text: 'www-data:staff' }],
    ['', 'staff', { uid: 0, gid: 50, groupsOf: null, text: '0:staff' }],
    ['4711', '4712', { uid: 4711, gid: 4712, groupsOf: null, text: '4711:4712' }],
  ];
  for (const [user, group, expected] of cases) assert.equal(accountOf({ user, group }, root, etc), expected);
});

test('accounts that are not there, and a number without a group, are refused by name', () => {
  const cases: [user: string, group: string, words: string][] = [
    ['nobdy', '', 'no user nobdy'],
    ['www-data', 'nogrp', 'no group nogrp'],
    ['4711', '', 'set [run] group'],
    ['4294967295', '1', 'no user 4294967295'],
    ['-1', '', 'no user -1'],
  ];
  for (const [user, group, words] of cases) {
    assert.throws(
      () => accountOf({ user, group }, root, etc),
      (error: unknown) => hasCode(error, 'config') && error.message.includes(words),
    );
  }
});

test('who is not root becomes nobody else, and need not become who it is', () => {
  assert.throws(
    () => accountOf({ user: 'www-data', group: '' }, someone, etc),
    (error: unknown) => hasCode(error, 'permission') && error.message.includes('www-data'),
  );
  assert.is(accountOf({ user: 'www-data', group: '' }, { uid: 33, gid: 34, mayBecome: false }, etc), null);
});

test('capabilities are read bit by bit, of whoever runs this', () => {
  assert.is(parseEffective('Name:\tx\nCapEff:\t000001ffffffffff\n'), 0x1ffffffffffn);
  assert.is(parseEffective('CapEff:\t0000000000000000\n'), 0n);
  assert.is(parseEffective('CapPrm:\t1\n'), null);
  // What an ordinary user may never, and what root may unless it was taken away.
  if (process.geteuid?.() !== 0) assert.not(isCapable('setuid') || isCapable('dacOverride'));
  else assert.is(typeof isCapable('chown'), 'boolean');
});

test.run();
