/** Commits as somebody who is not root and may give files away. Started by `refusals.test.ts` with the share's directory. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { isCapable } from '../../agent/disk/capabilities.ts';
import { directory, openShare } from './share.ts';

assert.equal(
  [process.geteuid?.(), isCapable('chown'), isCapable('setuid'), isCapable('setgid')],
  [65_534, true, false, false],
);
const share = await openShare({ root: process.argv[2] ?? '' });
const { library, root } = share;
const ana = { uid: 1234, gid: 1235, user: '', group: '' };
const root0 = { uid: 0, gid: 0, user: '', group: '' };
const treeWith = (text: string) => [
  directory('of-ana', { mode: 0o700, owner: ana }),
  library.file('of-ana/secret', `${text} secret`, { mode: 0o600, owner: ana }),
  library.file('of-ana/tool', `${text} tool`, { mode: 0o4755, owner: ana }),
  directory('of-root', { mode: 0o555, owner: root0 }),
  library.file('of-root/page', `${text} page`, { mode: 0o444, owner: root0 }),
];
// The second time over files and in directories that are somebody else's by now.
for (const text of ['old', 'new']) {
  const result = await share.apply(treeWith(text));
  assert.equal([result.failed, result.kept], [[], []], text);
  share.check(treeWith(text));
}
await share.apply([]);
assert.equal(
  fs.readdirSync(root).filter((name) => name !== '.p2psync'),
  [],
);
assert.throws(() => fs.readFileSync(join('/proc/1', 'environ')), /EACCES/);
await share.close();
