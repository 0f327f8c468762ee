/** Removing a member: out everywhere and for good, whoever says so first, and whoever was away. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { signGrant } from '../../agent/core/grant.ts';
import { generateKeyPair, shareIdOf } from '../../agent/core/keys.ts';
import { signRemoval } from '../../agent/core/removal.ts';
import { isRevoked, signRoster } from '../../agent/core/roster.ts';
import { encodeControl } from '../../agent/wire/control.ts';
import { type Agent, type Mesh, withMesh } from './agents.ts';

const removedAt = (agent: Agent): string[] =>
  agent.membership
    .rows()
    .filter((row) => row.revoked)
    .map((row) => row.name);
const joinedWith = (agent: Agent, name: string): number =>
  agent.heard.filter((line) => line === `joined ${name}`).length;

/** A writer and replicas, each connected with the writer and with those before it. */
async function meshOf<const Names extends readonly string[]>(
  mesh: Mesh,
  names: Names,
): Promise<[writer: Agent, ...{ [At in keyof Names]: Agent }]> {
  const agents = [await mesh.add('writer')];
  for (const name of names) {
    const agent = await mesh.add(name, mesh.invite());
    for (const other of agents) await mesh.connect(agent, other);
    agents.push(agent);
  }
  return agents as [Agent, ...{ [At in keyof Names]: Agent }];
}

test('one who is removed at any member is out at every member, in the writer’s roster, and knows it', async () => {
  await withMesh(async (mesh) => {
    const [writer, ana, bo, carl] = await meshOf(mesh, ['ana', 'bo', 'carl']);
    bo.isStubborn = true;
    await mesh.remove(ana, bo);
    for (const agent of [writer, ana, carl]) {
      assert.ok(agent.expelled.has(bo.peer), `${agent.name} put it out`);
      assert.ok(agent.heard.includes('left bo'), agent.name);
      assert.equal(removedAt(agent), ['bo'], agent.name);
      const roster = agent.membership.roster()?.roster;
      assert.ok(
        roster !== undefined && isRevoked(roster, bo.keyPair.publicKey),
        `${agent.name} has the roster`,
      );
    }
    assert.ok(bo.membership.isOut());
    assert.ok(bo.reopen().isOut(), 'after a restart, too');
    assert.ok(ana.reopen().isRevoked(bo.keyPair.publicKey), 'after a restart, too');
    for (const agent of [writer, ana, carl]) {
      agent.expelled.clear();
      await mesh.connect(bo, agent);
      assert.ok(agent.expelled.has(bo.peer), `${agent.name} puts it out`);
      assert.is(joinedWith(agent, 'bo'), 1, `${agent.name} does not take it back`);
    }
    assert.ok(bo.heard.includes('refused ana revoked'), bo.heard.join());
  });
});

test('one who is removed is put out by who removes it, also where nobody else is there', async () => {
  await withMesh(async (mesh) => {
    const [writer, ana, bo] = await meshOf(mesh, ['ana', 'bo']);
    for (const other of [ana, bo]) mesh.disconnect(writer, other);
    bo.isStubborn = true;
    await mesh.remove(ana, bo);
    assert.ok(ana.expelled.has(bo.peer));
    assert.ok(ana.heard.includes('left bo'));
  });
});

test('who was away learns of it from whomever it meets first, and takes the removed one in no more', async () => {
  await withMesh(async (mesh) => {
    const [writer, ana, bo, carl] = await meshOf(mesh, ['ana', 'bo', 'carl']);
    for (const other of [writer, ana, bo]) mesh.disconnect(carl, other);
    bo.isStubborn = true;
    await mesh.remove(writer, bo);
    assert.not(carl.membership.isRevoked(bo.keyPair.publicKey));
    await mesh.connect(carl, ana);
    assert.equal(removedAt(carl), ['bo']);
    await mesh.connect(bo, carl);
    assert.is(joinedWith(carl, 'bo'), 1);
    assert.ok(bo.heard.includes('refused carl revoked'), bo.heard.join());
  });
});

test('one who was away takes the removed one for a member until it hears of it, and puts it out then', async () => {
  await withMesh(async (mesh) => {
    const [writer, ana, bo] = await meshOf(mesh, ['ana', 'bo']);
    for (const other of [writer, bo]) mesh.disconnect(ana, other);
    bo.isStubborn = true;
    await mesh.remove(writer, bo);
    await mesh.connect(ana, writer);
    await mesh.connect(ana, bo);
    assert.is(joinedWith(ana, 'bo'), 1);
    mesh.disconnect(ana, writer);
    const late = await mesh.add('late', mesh.invite());
    await mesh.connect(late, ana);
    assert.equal(removedAt(late), ['bo'], 'a newcomer hears of it with the roster');
  });
});

test('one who was away when it was removed is told when it comes, and takes nobody in itself', async () => {
  await withMesh(async (mesh) => {
    const [writer, ana, bo] = await meshOf(mesh, ['ana', 'bo']);
    for (const other of [writer, ana]) mesh.disconnect(bo, other);
    bo.isStubborn = true;
    await mesh.remove(writer, bo);
    assert.not(bo.membership.isOut());
    await mesh.connect(bo, ana);
    assert.ok(bo.membership.isOut());
    const before = bo.heard.length;
    await mesh.connect(await mesh.add('late', mesh.invite()), bo);
    assert.not(
      bo.heard.slice(before).some((line) => line.startsWith('joined')),
      bo.heard.slice(before).join(),
    );
  });
});

test('a removal that the writer has not heard of holds, also against a writer who has an older roster', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const [writer, ana, bo, carl] = await meshOf(mesh, ['ana', 'bo', 'carl']);
    for (const other of [ana, bo, carl]) mesh.disconnect(writer, other);
    const old = writer.membership.roster();
    assert.ok(old);
    bo.isStubborn = true;
    await mesh.remove(ana, bo);
    assert.ok(carl.heard.includes('left bo'));
    // Carl writes from now on, and begins with what he had before.
    const { publicKey } = carl.keyPair;
    const grant = signGrant(
      { share, epoch: 2, writer: publicKey, base: null, timeMs: Date.now() },
      mesh.authority,
    );
    const roster = signRoster({ ...old.roster, epoch: 2, version: 99, writer: publicKey }, carl.keyPair);
    for (const document of [
      { kind: 'grant' as const, share, document: grant },
      { kind: 'roster' as const, share, document: roster },
    ]) {
      await mesh.inject(carl, ana, encodeControl(document));
    }
    assert.is(ana.membership.roster()?.roster.version, 99);
    assert.ok(ana.membership.isRevoked(bo.keyPair.publicKey));
    await mesh.connect(bo, ana);
    assert.is(joinedWith(ana, 'bo'), 1);
    assert.ok(await carl.membership.takeGrant(grant.body, grant.signature));
    assert.ok(await carl.membership.takeRoster(roster.body, roster.signature));
    assert.ok(await carl.membership.renew(), 'the new writer enters it');
    assert.ok(isRevoked(carl.membership.roster()?.roster ?? old.roster, bo.keyPair.publicKey));
    assert.not(await carl.membership.renew());
    await mesh.connect(writer, ana);
    assert.equal(removedAt(writer), ['bo'], 'the old writer hears of it, too');
  });
});

test('the use of an invitation stays spent, also where the one who was removed was never seen', async () => {
  await withMesh(async (mesh) => {
    const [writer, ana] = await meshOf(mesh, ['ana']);
    const once = mesh.invite({ uses: 1 });
    mesh.disconnect(ana, writer);
    const bo = await mesh.add('bo', once);
    await mesh.connect(bo, ana);
    mesh.disconnect(bo, ana);
    bo.isStubborn = true;
    await mesh.remove(ana, bo);
    await mesh.connect(ana, writer);
    assert.equal(removedAt(writer), ['bo']);
    const next = await mesh.add('next', once);
    await mesh.connect(next, writer);
    assert.ok(next.heard.includes('refused writer bad-invitation'), next.heard.join());
  });
});

test('the writer cannot be removed, nor a stranger, nor one twice', async () => {
  await withMesh(async (mesh) => {
    const [writer, ana, bo] = await meshOf(mesh, ['ana', 'bo']);
    const refused = (key: Agent['keyPair']['publicKey'], code: 'conflict' | 'not-a-member'): void =>
      assert.throws(
        () => ana.membership.draftRemoval(key),
        (error: unknown) => hasCode(error, code),
      );
    refused(writer.keyPair.publicKey, 'conflict');
    refused(generateKeyPair().publicKey, 'not-a-member');
    bo.isStubborn = true;
    await mesh.remove(ana, bo);
    refused(bo.keyPair.publicKey, 'not-a-member');
  });
});

test('a removal of one who writes waits until another one does', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const [writer, ana] = await meshOf(mesh, ['ana']);
    const { publicKey: member } = writer.keyPair;
    const removal = {
      share,
      member,
      name: 'writer',
      role: 'writer',
      invite: null,
      timeMs: Date.now(),
    } as const;
    await ana.sessions.remove(share, signRemoval(removal, mesh.authority));
    assert.ok(ana.membership.isMember(member));
    const { publicKey } = ana.keyPair;
    const grant = signGrant(
      { share, epoch: 2, writer: publicKey, base: null, timeMs: Date.now() },
      mesh.authority,
    );
    await ana.membership.takeGrant(grant.body, grant.signature);
    assert.ok(ana.membership.isRevoked(member));
  });
});

test('a removal that the authority did not sign removes nobody, and costs its sender the connection', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const [writer, ana, bo] = await meshOf(mesh, ['ana', 'bo']);
    const removal = ana.membership.draftRemoval(bo.keyPair.publicKey);
    const signed = signRemoval(removal, mesh.authority);
    for (const key of [ana.keyPair, writer.keyPair]) {
      const { signature } = signRemoval({ ...removal, share: shareIdOf(key.publicKey) }, key);
      const frame = encodeControl({ kind: 'removal', share, document: { ...signed, signature } });
      await mesh.inject(ana, bo, frame);
      assert.equal(removedAt(bo), []);
      assert.match(bo.hungUp.at(-1) ?? '', /^ana: the removal of bo is not signed by/);
      await mesh.connect(ana, bo);
    }
  });
});

test.run();
