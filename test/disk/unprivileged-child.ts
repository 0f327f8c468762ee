/** Commits as somebody who is not root. Started by `refusals.test.ts` with the share's directory. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { directory, lstat, openShare } from './share.ts';

const share = await openShare({ root: process.argv[2] ?? '' });
const { library, root } = share;
const before = [
  directory('locked', { mode: 0o555 }),
  directory('locked/closed', { mode: 0 }),
  library.file('locked/closed/f', 'x'),
  library.file('locked/f', 'x', { mode: 0 }),
  library.file('locked/gone', 'y'),
  library.file('locked/moves', 'z', { mode: 0o400 }),
];
assert.equal((await share.apply(before)).failed, []);
const foreign = { uid: 0, gid: 0, user: '', group: '' };
const after = [
  directory('locked', { mode: 0o555 }),
  directory('locked/closed', { mode: 0 }),
  library.file('locked/closed/f', 'new x'),
  library.file('locked/f', 'new x 2', { mode: 0 }),
  library.file('locked/moved', 'z', { mode: 0o440 }),
  library.file('setuid', 's', { mode: 0o6755, owner: foreign }),
];
const result = await share.apply(after);
assert.equal([result.failed, result.kept], [[], []]);
assert.is(lstat(root, 'locked')?.mode, 0o555);
assert.is(
  lstat(root, 'locked/closed') === null ? null : fs.lstatSync(join(root, 'locked/closed')).mode & 0o777,
  0,
);
assert.is(lstat(root, 'setuid')?.mode, 0o755, 'nobody runs it as another than its owner');
assert.is(lstat(root, 'setuid')?.uid, process.getuid?.());
assert.equal(fs.readdirSync(join(root, 'locked')).sort(), ['closed', 'f', 'moved']);
fs.chmodSync(join(root, 'locked/closed'), 0o700);
fs.chmodSync(join(root, 'locked/f'), 0o600);
assert.is(fs.readFileSync(join(root, 'locked/closed/f'), 'utf8'), 'new x');
assert.is(fs.readFileSync(join(root, 'locked/f'), 'utf8'), 'new x 2');
fs.chmodSync(join(root, 'locked'), 0o700);
await share.close();
