import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { createOwners, type Owners } from '../../agent/disk/owner.ts';

const passwd =
  '# accounts\nroot:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:\nsecond:x:33:33::/:\nwww-data:x:99:99::/:\nbroken\n';
const group = 'root:x:0:\nwww-data:x:33:\nweb:x:50:ana,bo\n';

function withOwners(use: (owners: Owners, directory: string) => void): void {
  const directory = fs.mkdtempSync(join(tmpdir(), 'owner-'));
  try {
    fs.writeFileSync(join(directory, 'passwd'), passwd);
    fs.writeFileSync(join(directory, 'group'), group);
    use(createOwners(directory), directory);
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

const web = { uid: 7, gid: 8, user: 'www-data', group: 'web' };

test('numbers get the first name of the files, or none', () => {
  withOwners((owners) => {
    assert.equal(owners.nameOf(33, 50), { uid: 33, gid: 50, user: 'www-data', group: 'web' });
    assert.equal(owners.nameOf(4242, 4242), { uid: 4242, gid: 4242, user: '', group: '' });
  });
});

test('by name: the number of the name here, or the number it came with', () => {
  withOwners((owners) => {
    assert.equal(owners.idsOf(web, 'name'), { uid: 33, gid: 50 });
    assert.equal(owners.idsOf({ uid: 7, gid: 8, user: 'nobody-here', group: '' }, 'name'), {
      uid: 7,
      gid: 8,
    });
  });
});

test('by number: the number as it came; off: nobody', () => {
  withOwners((owners) => {
    assert.equal(owners.idsOf(web, 'numeric'), { uid: 7, gid: 8 });
    assert.is(owners.idsOf(web, 'off'), null);
  });
});

test('a fixed account is looked up, and refused by name where it does not exist', () => {
  withOwners((owners) => {
    assert.equal(owners.idsOf(web, { user: 'www-data', group: 'www-data' }), { uid: 33, gid: 33 });
    assert.equal(owners.idsOf(web, { user: '12', group: '34' }), { uid: 12, gid: 34 });
    try {
      owners.idsOf(web, { user: 'www-data', group: 'nogroup-here' });
      assert.unreachable('an unknown group is refused');
    } catch (error) {
      assert.ok(hasCode(error, 'config'));
      assert.match(error.message, 'nogroup-here');
    }
  });
});

test('without the files every account is a number', () => {
  const owners = createOwners(join(tmpdir(), 'there-is-no-such-directory'));
  assert.equal(owners.nameOf(0, 0), { uid: 0, gid: 0, user: '', group: '' });
  assert.equal(owners.idsOf(web, 'name'), { uid: 7, gid: 8 });
});

test.run();
