/** Certificates that renew themselves, on a clock that the test turns, and roles, which nobody gives himself. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { certificateLifeMs, certificateRenewMs, clockSkewMs } from '../../agent/base/limits.ts';
import {
  certifyByAuthority,
  certifyByInvitation,
  decodeCertificate,
  encodeCertificate,
} from '../../agent/core/certificate.ts';
import { signTerms } from '../../agent/core/invitation.ts';
import { shareIdOf } from '../../agent/core/keys.ts';
import { signRoster } from '../../agent/core/roster.ts';
import { createFaults } from '../../agent/daemon/faults.ts';
import { tellStanding } from '../../agent/daemon/standing.ts';
import { encodeControl } from '../../agent/wire/control.ts';
import { type Agent, type Mesh, withMesh } from './agents.ts';

const dayMs = 24 * 3600 * 1000;

/** `turn` moves the clock; then every agent looks at what it has to do by now. */
async function onClock(
  use: (mesh: Mesh, turn: (agents: readonly Agent[], byMs: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  mock.timers.enable({ apis: ['Date'], now: Date.now() });
  try {
    await withMesh(
      (mesh) =>
        use(mesh, async (agents, byMs) => {
          mock.timers.setTime(Date.now() + byMs);
          for (const { sessions } of agents) await sessions.keepCurrent();
          await mesh.settle();
        }),
      // Nobody is silent for longer than it takes to turn a clock.
      { nowMs: () => 0 },
    );
  } finally {
    mock.timers.reset();
  }
}

const expiries = (agent: Agent): (number | null)[] =>
  agent.membership
    .rows()
    .filter(({ key }) => key !== agent.keyPair.publicKey && agent.membership.roleOf(key) !== 'writer')
    .map(({ expiresMs }) => expiresMs);

async function three(mesh: Mesh): Promise<readonly [Agent, Agent, Agent]> {
  const [writer, ana, bo] = [
    await mesh.add('writer'),
    await mesh.add('ana', mesh.invite()),
    await mesh.add('bo', mesh.invite()),
  ];
  await mesh.connect(ana, writer);
  await mesh.connect(bo, writer);
  await mesh.connect(ana, bo);
  return [writer, ana, bo];
}

test('the writer renews every certificate when a third of its life is left, and not before', async () => {
  await onClock(async (mesh, turn) => {
    const [writer, ana, bo] = await three(mesh);
    const version = writer.membership.roster()?.roster.version ?? 0;
    const madeMs = writer.membership.roster()?.roster.timeMs ?? 0;
    assert.equal(expiries(ana), [madeMs + certificateLifeMs]);
    assert.equal(expiries(writer), [null, null], 'on the writer nobody’s expires');
    await turn([writer, ana, bo], certificateLifeMs - certificateRenewMs - dayMs);
    assert.is(writer.membership.roster()?.roster.version, version);
    await turn([writer, ana, bo], 2 * dayMs);
    for (const agent of [writer, ana, bo])
      assert.is(agent.membership.roster()?.roster.version, version + 1, agent.name);
    assert.ok((expiries(ana)[0] ?? 0) > madeMs + certificateLifeMs + 50 * dayMs);
    // For years, as long as the writer is there.
    for (let month = 0; month < 24; month += 1) await turn([writer, ana, bo], 30 * dayMs);
    for (const agent of [ana, bo]) {
      assert.not(
        agent.heard.some((line) => line.startsWith('left')),
        agent.name,
      );
      assert.ok(agent.membership.isMember(writer.keyPair.publicKey), agent.name);
    }
    assert.ok(ana.membership.isMember(bo.keyPair.publicKey));
  });
});

test('without the writer members put each other out when their certificates have expired, and say why', async () => {
  await onClock(async (mesh, turn) => {
    const [writer, ana, bo] = await three(mesh);
    for (const agent of [ana, bo]) mesh.disconnect(agent, writer);
    const faults = createFaults();
    await turn([writer, ana, bo], certificateLifeMs - dayMs);
    tellStanding('www', ana.membership, faults);
    assert.equal([ana.membership.isMember(bo.keyPair.publicKey), faults.list()], [true, []]);
    await turn([writer, ana, bo], dayMs + 2 * clockSkewMs);
    assert.ok(ana.heard.includes('left bo') && bo.heard.includes('left ana'));
    await mesh.connect(ana, bo);
    assert.ok(bo.heard.includes('refused ana expired'), bo.heard.join());
    assert.is(ana.heard.filter((line) => line === 'joined bo').length, 1);
    tellStanding('www', ana.membership, faults);
    assert.match(faults.list()[0]?.message ?? '', /90 days old. The writer renews them/);

    // The writer takes in whom its roster names, however late, and renews.
    mesh.disconnect(ana, bo);
    await mesh.connect(ana, writer);
    assert.is(ana.heard.filter((line) => line === 'joined writer').length, 2);
    await turn([writer, ana, bo], 0);
    tellStanding('www', ana.membership, faults);
    assert.equal(faults.list(), []);
    // Bo hears of it from ana.
    await mesh.connect(ana, bo);
    assert.is(ana.heard.filter((line) => line === 'joined bo').length, 2, ana.heard.join());
    assert.is(bo.heard.filter((line) => line === 'joined ana').length, 2, bo.heard.join());
  });
});

test('one who was removed is out everywhere when its certificate expires, also where nobody could tell', async () => {
  await onClock(async (mesh, turn) => {
    const [writer, ana, bo] = await three(mesh);
    mesh.disconnect(ana, writer);
    mesh.disconnect(bo, writer);
    mesh.disconnect(ana, bo);
    await mesh.remove(writer, bo);
    await mesh.connect(bo, ana);
    assert.is(ana.heard.filter((line) => line === 'joined bo').length, 2, 'ana cannot know');
    await turn([writer, ana, bo], certificateLifeMs + 2 * clockSkewMs);
    assert.ok(ana.expelled.has(bo.peer));
    // A new certificate from the invitation that it came by is not newer than that invitation.
    await mesh.connect(bo, ana);
    assert.is(ana.heard.filter((line) => line === 'joined bo').length, 2);
  });
});

test('a writer that was off for a year takes its members in, and renews at once', async () => {
  await onClock(async (mesh, turn) => {
    const [writer, ana, bo] = await three(mesh);
    mesh.disconnect(ana, writer);
    mock.timers.setTime(Date.now() + 365 * dayMs);
    await mesh.connect(ana, writer);
    await turn([writer, ana, bo], 0);
    assert.ok(ana.heard.slice(-5).join().includes('documents changed'));
    const ageMs = Date.now() - (ana.membership.roster()?.roster.timeMs ?? 0);
    assert.ok(ageMs < dayMs, `${ageMs / dayMs} days`);
  });
});

test('a roster that a replica signs, in its own name or the writer’s, changes nothing for anybody', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const [writer, ana, bo] = await three(mesh);
    const roster = bo.membership.roster();
    assert.ok(roster);
    const { publicKey } = ana.keyPair;
    const own = signRoster({ ...roster.roster, version: 99, writer: publicKey, revoked: [] }, ana.keyPair);
    const forged = { ...own, body: signRoster({ ...roster.roster, version: 99 }, writer.keyPair).body };
    for (const document of [own, forged]) {
      await mesh.inject(ana, bo, encodeControl({ kind: 'roster', share, document }));
      assert.match(bo.hungUp.at(-1) ?? '', /^ana: /);
      assert.equal(bo.membership.roster(), roster);
      assert.is(bo.membership.roleOf(publicKey), 'replica');
      await mesh.connect(ana, bo);
    }
  });
});

test('a role is what the authority gave: a certificate that claims another is refused by every member', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const [writer, ana, bo] = await three(mesh);
    const invitation = mesh.invite({ uses: 5 });
    const thief = await mesh.add('thief', invitation);
    const { publicKey: member } = thief.keyPair;
    const fields = { share, member, name: 'thief', issuedMs: Date.now() };
    const asStandby = { ...invitation.signed.terms, role: 'standby' as const };
    const honest = certifyByInvitation(invitation, { member, name: 'thief', nowMs: Date.now() });
    const claims = {
      // Terms that it wrote itself, under the authority's signature of others.
      terms: {
        ...certifyByInvitation(
          {
            ...invitation,
            signed: { ...signTerms(asStandby, mesh.authority), signature: invitation.signed.signature },
          },
          { member, name: 'thief', nowMs: Date.now() },
        ),
      },
      // A role that its invitation does not give.
      role: certifyByInvitation(
        { ...invitation, signed: { ...invitation.signed, terms: asStandby } },
        { member, name: 'thief', nowMs: Date.now() },
      ),
      // A certificate as the authority would make it, signed by itself.
      writer: {
        ...honest,
        ...certifyByAuthority({ ...fields, share: shareIdOf(member), role: 'writer' }, thief.keyPair),
        certificate: { ...fields, role: 'writer' as const },
        invitation: null,
      },
    };
    for (const agent of [writer, ana, bo]) {
      for (const [how, certificate] of Object.entries(claims)) {
        // As it comes over the wire.
        const shown = decodeCertificate(encodeCertificate(certificate));
        const outcome = await agent.membership.admit(shown, []);
        assert.is(outcome.kind, 'refused', `${how} at ${agent.name}`);
      }
    }
    assert.is((await bo.membership.admit(honest, [])).kind, 'member');
    assert.is(bo.membership.roleOf(member), 'replica');
  });
});

test('who is certified as a writer and was granted nothing counts as a standby', async () => {
  await withMesh(async (mesh) => {
    const share = shareIdOf(mesh.authority.publicKey);
    const [writer, ana] = await three(mesh);
    const other = await mesh.add('other', mesh.invite());
    const { publicKey: member } = other.keyPair;
    const certificate = certifyByAuthority(
      { share, member, name: 'other', role: 'writer', issuedMs: Date.now() },
      mesh.authority,
    );
    assert.is((await ana.membership.admit(certificate, [])).kind, 'member');
    assert.is(ana.membership.roleOf(member), 'standby');
    assert.is(ana.membership.roleOf(writer.keyPair.publicKey), 'writer');
    const grant = ana.membership.grant();
    assert.ok(grant);
    let code = '';
    try {
      await ana.membership.takeGrant(grant.body, new Uint8Array(64));
    } catch (error) {
      code = hasCode(error, 'bad-signature') ? 'bad-signature' : String(error);
    }
    assert.is(code, 'bad-signature');
  });
});

test.run();
