/** Members as an operator sees them: removing one, also while others are away, and the authority key on another machine. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { AuthorityReport, MembersReport } from '../../agent/http/api-members.ts';
import { type Agent, converged, until, withMesh } from './lib/mesh.ts';

async function members(agent: Agent): Promise<MembersReport> {
  return JSON.parse(await agent.must(['members', '--json'])) as MembersReport;
}

/** `wait --all` is about those who are known: whoever has just started may not be. */
async function acquainted(agents: readonly Agent[]): Promise<void> {
  for (const agent of agents) {
    const knowsAll = async (): Promise<boolean> => (await members(agent)).members.length === agents.length;
    await until(`${agent.name} knows all`, knowsAll);
    await agent.must(['wait', '--all', '--timeout', '60s']);
  }
}

async function revokedAt(agent: Agent): Promise<string[]> {
  return (await members(agent)).members.filter((row) => row.revoked).map((row) => row.name);
}

async function namesOfPeers(agent: Agent): Promise<string> {
  return (await agent.peers())
    .map((row) => row.name)
    .sort()
    .join();
}

async function auditOf(agent: Agent): Promise<readonly { readonly event: string; readonly name?: string }[]> {
  return JSON.parse(await agent.must(['audit', '--json'])) as { event: string; name?: string }[];
}

test('one who is removed is gone everywhere, is told so, keeps its files, and does not come back', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
    const one = await mesh.replica('one');
    const gone = await mesh.replica('gone');
    const away = await mesh.replica('away');
    await Promise.all([writer, one, gone, away].map((agent) => agent.start()));
    await acquainted(mesh.agents);
    await until('all know each other', async () => (await namesOfPeers(away)) === 'gone,one,writer');
    await away.stop();
    const refusals = (): number => writer.log.join('').split('it can come back only with').length;

    const wrong = await writer.command(['remove', 'nobody']);
    assert.equal([wrong.code, wrong.stderr.includes('no member nobody')], [1, true], wrong.stderr);
    assert.is((await writer.command(['remove', 'writer'])).code, 1);
    assert.match(
      (await one.command(['remove', 'gone'])).stderr,
      /authority key of share www is not on this machine/,
    );

    const removed = JSON.parse(await writer.must(['remove', 'gone', '--json']));
    assert.is(removed.name, 'gone');
    for (const agent of [writer, one]) {
      await until(`${agent.name} has put it out`, async () => !(await namesOfPeers(agent)).includes('gone'));
      assert.equal(await revokedAt(agent), ['gone']);
    }
    await until('it is told', async () =>
      (await gone.status()).errors.some(({ code }) => code === 'revoked'),
    );
    const told = await gone.status();
    assert.is(told.state, 'error');
    assert.match(
      told.errors[0]?.message ?? '',
      /was removed from share www on .* Its files stay.*p2psync join/,
    );

    // Nothing comes any more, nothing is taken away, and what a person writes there stays.
    writeFileSync(join(writer.directory, 'page'), 'second');
    writeFileSync(join(gone.directory, 'own'), 'mine');
    await converged(writer, [one]);
    await gone.must(['rescan']);
    assert.equal(
      [readFileSync(join(gone.directory, 'page'), 'utf8'), readFileSync(join(gone.directory, 'own'), 'utf8')],
      ['first', 'mine'],
    );

    // One that was down meanwhile, and the removed one after a restart.
    await Promise.all([away.start(), gone.stop()]);
    await until('it has heard', async () => (await revokedAt(away)).includes('gone'));
    const refusedBefore = refusals();
    await gone.start();
    await converged(writer, [away]);
    await until('the removed one has tried again', () => refusals() > refusedBefore);
    for (const agent of [writer, one, away]) {
      assert.not((await namesOfPeers(agent)).includes('gone'), agent.name);
      assert.is((await auditOf(agent)).filter(({ event }) => event === 'removed').length, 1, agent.name);
    }
    assert.is(readFileSync(join(gone.directory, 'page'), 'utf8'), 'first');
    assert.equal([(await gone.status()).peersConnected, (await gone.status()).state], [0, 'error']);
    assert.is((await writer.command(['remove', 'gone'])).code, 1, 'once is enough');
  });
});

test('a removal without a running agent goes out with its next start, and the beginning of an id is enough', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
    const twin = await mesh.replica('twin');
    const other = await mesh.replica('other');
    await Promise.all([writer, twin, other].map((agent) => agent.start()));
    await acquainted(mesh.agents);
    await writer.stop();
    const target = (await members(other)).members.find((row) => row.name === 'twin');
    assert.ok(target);
    const result = JSON.parse(await writer.must(['remove', target.peerId.slice(0, 20), '--json']));
    assert.equal([result.peerId, result.told], [target.peerId, 0]);
    assert.not((await revokedAt(other)).includes('twin'));
    await writer.start();
    await until('it is told', async () => (await revokedAt(other)).includes('twin'));
    await until('it knows', async () => (await twin.status()).state === 'error');
    assert.is((await auditOf(writer)).filter(({ event }) => event === 'removed').length, 1);
  });
});

test('the authority key moves: what needs it says so where it is not, and another member invites and removes', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
    const keeper = await mesh.replica('keeper');
    const gone = await mesh.replica('gone');
    await Promise.all([writer, keeper, gone].map((agent) => agent.start()));
    await acquainted(mesh.agents);
    const status = async (agent: Agent): Promise<AuthorityReport | undefined> =>
      (JSON.parse(await agent.must(['authority', 'status', '--json'])) as AuthorityReport[])[0];
    const before = await status(writer);
    assert.equal([before?.here, (await status(keeper))?.here], [true, false]);
    assert.is((await status(keeper))?.fingerprint, before?.fingerprint);

    const file = join(mesh.directory, 'www.key');
    await writer.must(['authority', 'export', '--move', file]);
    assert.is(statSync(file).mode & 0o777, 0o600);
    assert.not(existsSync(before?.path ?? '/'));
    assert.is((await status(writer))?.here, false);
    for (const words of [['invite'], ['remove', 'gone'], ['authority', 'export', `${file}2`]]) {
      const { code, stderr } = await writer.command(words);
      assert.is(code, 1);
      assert.match(
        stderr,
        /authority key of share www is not on this machine.*p2psync authority import FILE/,
      );
    }
    const line = readFileSync(file, 'utf8');
    writeFileSync(
      `${file}.bad`,
      line.replace(/[0-9a-f](?=\n)/, (digit) => (digit === '0' ? '1' : '0')),
    );
    assert.match((await keeper.command(['authority', 'import', `${file}.bad`])).stderr, /damaged/);
    await keeper.must(['authority', 'import', file]);
    assert.is((await status(keeper))?.here, true);
    assert.match(await keeper.must(['invite', '--uses', '3', '--role', 'standby']), /^p2psync1-/);
    const [open] = (await members(keeper)).invitations.filter((row) => row.role === 'standby');
    assert.equal([open?.uses, open?.left, open?.open], [3, 3, true]);
    await keeper.must(['remove', 'gone']);
    await until('the writer has put it out', async () => (await revokedAt(writer)).includes('gone'));
    await until('it knows', async () => (await gone.status()).state === 'error');
    assert.ok((await auditOf(writer)).some(({ event }) => event === 'authority-moved'));
    assert.ok((await auditOf(keeper)).some(({ event }) => event === 'authority-imported'));
  });
});

test.run();
