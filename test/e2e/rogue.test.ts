/** A member that misbehaves among real agents: what they hold is right all the same, and `peers` tells who it was. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { PeerReport } from '../../agent/http/api.ts';
import { type Agent, converged, until, withMesh } from './lib/mesh.ts';
import { type Manners, startRogue } from './lib/rogue.ts';

const files = 300;
/** Each is one block. */
const fileBytes = 60_000;

/** What is held against it, and whether that puts it aside at once. */
const cases: readonly { readonly manners: Manners; readonly says: RegExp; readonly isAside: boolean }[] = [
  { manners: 'wrong', says: /bytes that are not what was asked/, isAside: true },
  { manners: 'too-many', says: /bytes that are not what was asked/, isAside: true },
  { manners: 'turned', says: /bytes that are not what was asked/, isAside: true },
  { manners: 'slow', says: /slower than others|no answer in time|lacks/, isAside: false },
  { manners: 'silent', says: /slower than others|no answer in time/, isAside: false },
  { manners: 'boastful', says: /lacks what it announced/, isAside: false },
];

async function seenBy(agent: Agent): Promise<PeerReport | undefined> {
  return (await agent.peers()).find(({ name }) => name === 'rogue');
}

for (const { manners, says, isAside } of cases) {
  test(`${manners}: the files are right, and peers shows the strikes`, async () => {
    await withMesh(async (mesh) => {
      const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
      const one = await mesh.replica('one');
      await Promise.all([writer, one].map((agent) => agent.start()));
      await writer.must(['wait', '--all', '--timeout', '60s']);
      const contents = Array.from({ length: files }, () => new Uint8Array(randomBytes(fileBytes)));
      const blocks = new Map<Digest, Uint8Array>(contents.map((bytes) => [digestOf(bytes), bytes]));
      const invitation = await writer.must(['invite']);
      await using rogue = await startRogue({
        manners,
        invitation,
        dial: [writer.address, one.address],
        blocks,
      });
      await until('the replica takes it for a member', async () => (await seenBy(one))?.connected === true);

      // Rounds, as a change may come before the rogue has said that it has it.
      await until('it is struck', async () => {
        mkdirSync(join(writer.directory, 'new'), { recursive: true });
        for (const [at, bytes] of contents.entries())
          writeFileSync(join(writer.directory, 'new', `${at}`), bytes);
        await writer.must(['wait', '--peers', '1', '--timeout', '60s']);
        await converged(writer, [one]);
        const seen = await seenBy(one);
        if (seen !== undefined && says.test(seen.lastStrike?.reason ?? '')) return true;
        for (const bytes of contents) {
          blocks.delete(digestOf(bytes));
          bytes.set(randomBytes(64));
          blocks.set(digestOf(bytes), bytes);
        }
        return false;
      });
      const seen = await seenBy(one);
      assert.is(seen?.peerId, rogue.peer);
      assert.ok(seen !== undefined && seen.strikes >= (isAside ? 3 : 1), `${seen?.strikes} strikes`);
      if (isAside) assert.ok(seen.aside);
      assert.match(await one.must(['peers']), /strikes/);
      const honest = (await one.peers()).find(({ name }) => name === 'writer');
      assert.is(honest?.aside, false);
    });
  });
}

test.run();
