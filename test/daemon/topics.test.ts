/** What is taken from gossip: heads of the granted writer alone, statements of members alone. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { statementRelayMs } from '../../agent/base/limits.ts';
import { certifyByAuthority } from '../../agent/core/certificate.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { signGrant } from '../../agent/core/grant.ts';
import { signHead } from '../../agent/core/head.ts';
import { generateKeyPair, peerIdOf, shareIdOf } from '../../agent/core/keys.ts';
import { signStatement } from '../../agent/core/statement.ts';
import { headsHandlers, peersHandlers } from '../../agent/daemon/topics.ts';
import { encodeHeadMessage, encodeStatementMessage } from '../../agent/wire/gossip.ts';
import { exampleHead, exampleStatement } from '../core/documents.ts';
import { type Agent, addThree, withMesh } from './agents.ts';

const admits = (): boolean => true;

test('a head that a member signed, by its own right or in the writer’s name, is taken by nobody', async () => {
  await withMesh(async (mesh) => {
    const { share, writer, ana, bo } = await addThree(mesh);
    const version = { epoch: 1, sequence: 99 };
    const headOf = (agent: Agent, epoch = 1): Uint8Array => {
      const { publicKey } = agent.keyPair;
      const head = { ...exampleHead, share, version: { ...version, epoch }, writer: publicKey };
      return encodeHeadMessage({ kind: 'head', head: signHead(head, agent.keyPair), operations: null });
    };
    const forged = (): Uint8Array => {
      const named = { ...exampleHead, share, version, writer: writer.keyPair.publicKey };
      const { body } = signHead(named, writer.keyPair);
      const { signature } = signHead({ ...named, writer: ana.keyPair.publicKey }, ana.keyPair);
      const head = { head: named, body, signature };
      return encodeHeadMessage({ kind: 'head', head, operations: null });
    };
    const ofAnotherShare = (): Uint8Array => {
      const other = { ...exampleHead, version, writer: writer.keyPair.publicKey };
      assert.is.not(other.share, share);
      return encodeHeadMessage({ kind: 'head', head: signHead(other, writer.keyPair), operations: null });
    };
    for (const agent of [writer, ana, bo]) {
      const delivered: string[] = [];
      const { validate } = headsHandlers(
        { share, membership: agent.membership, admits },
        (peer) => void delivered.push(peer),
      );
      assert.is(validate(headOf(writer), writer.peer), 'take', agent.name);
      assert.is(validate(headOf(ana), ana.peer), 'ignore', agent.name);
      // An epoch that nobody granted, and signatures that do not hold.
      assert.is(validate(headOf(ana, 2), ana.peer), 'ignore', agent.name);
      assert.is(validate(headOf(writer, 2), writer.peer), 'ignore', agent.name);
      assert.is(validate(forged(), ana.peer), 'reject', agent.name);
      assert.is(validate(ofAnotherShare(), writer.peer), 'reject', agent.name);
      assert.is(validate(digestBytes(), ana.peer), 'reject', agent.name);
    }
    // Once ana was granted an epoch it is the former writer whose heads are not taken.
    const { publicKey } = ana.keyPair;
    const grant = signGrant(
      { share, epoch: 2, writer: publicKey, base: null, timeMs: Date.now() },
      mesh.authority,
    );
    await bo.membership.takeGrant(grant.body, grant.signature);
    const { validate } = headsHandlers({ share, membership: bo.membership, admits }, () => undefined);
    assert.equal(
      [validate(headOf(ana, 2), ana.peer), validate(headOf(writer), writer.peer)],
      ['take', 'ignore'],
    );
  });
});

test('a head of a standby or an archive is taken by nobody, nor one of who is certified as a writer and was granted nothing', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const [writer, bo] = [await mesh.add('writer'), await mesh.add('bo', mesh.invite())];
    await mesh.connect(bo, writer);
    for (const role of ['standby', 'archive', 'writer'] as const) {
      const keyPair = generateKeyPair();
      const { publicKey: member } = keyPair;
      const fields = { share, member, name: role, role, issuedMs: Date.now() };
      assert.is((await bo.membership.admit(certifyByAuthority(fields, mesh.authority), [])).kind, 'member');
      assert.is(bo.membership.roleOf(member), role === 'writer' ? 'standby' : role);
      const { validate } = headsHandlers({ share, membership: bo.membership, admits }, () => undefined);
      const head = { ...exampleHead, share, version: { epoch: 1, sequence: 99 }, writer: member };
      const bytes = encodeHeadMessage({ kind: 'head', head: signHead(head, keyPair), operations: null });
      assert.is(validate(bytes, peerIdOf(member)), 'ignore', role);
    }
  });
});

test('a statement of one who is no member, or was removed, is not passed on', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const stranger = await mesh.add('stranger', mesh.invite());
    await mesh.connect(ana, writer);
    const { validate } = peersHandlers({ share, membership: writer.membership, admits }, () => undefined);
    const statementOf = ({ keyPair }: Agent): Uint8Array =>
      encodeStatementMessage(
        signStatement({ ...exampleStatement, share, member: keyPair.publicKey }, keyPair),
      );
    assert.is(validate(statementOf(ana), ana.peer), 'accept');
    assert.is(validate(statementOf(stranger), ana.peer), 'ignore');
    await mesh.remove(writer, ana);
    assert.is(validate(statementOf(ana), stranger.peer), 'ignore');
  });
});

test('in a small mesh a statement that its member sent itself is taken, and passed on once in a while', async () => {
  await withMesh(async (mesh) => {
    const { share, writer, ana, bo } = await addThree(mesh);
    let now = 0;
    const options = { share, membership: writer.membership, admits, nowMs: () => now };
    const { validate } = peersHandlers(options, () => undefined);
    const heard = (of: Agent, from: Agent): string =>
      validate(
        encodeStatementMessage(
          signStatement({ ...exampleStatement, share, member: of.keyPair.publicKey }, of.keyPair),
        ),
        from.peer,
      );
    assert.equal([heard(ana, ana), heard(ana, ana), heard(bo, bo)], ['accept', 'take', 'accept']);
    // Whoever relays one is followed: somebody may not have it yet.
    assert.is(heard(ana, bo), 'accept');
    now = statementRelayMs;
    assert.equal([heard(ana, ana), heard(ana, ana)], ['accept', 'take']);
  });
});

function digestBytes(): Uint8Array {
  return Buffer.from(digestOf(Uint8Array.of(1)));
}

test.run();
