/** Where events of the audit log come from: members, grants, refusals. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { auditRefusalKindsMax, auditRefusalsMs, clockSkewMs } from '../../agent/base/limits.ts';
import { revoke } from '../../agent/core/admission.ts';
import { signGrant } from '../../agent/core/grant.ts';
import { shareIdOf } from '../../agent/core/keys.ts';
import type { Roster } from '../../agent/core/roster.ts';
import type { AuditEvent } from '../../agent/daemon/audit-event.ts';
import { auditMembership } from '../../agent/daemon/audit-members.ts';
import { createRefusals } from '../../agent/daemon/audit-refusals.ts';
import { type Agent, withMesh } from './agents.ts';

function auditOf(agent: Agent) {
  const events: AuditEvent[] = [];
  const record = async (event: AuditEvent): Promise<void> => void events.push(event);
  return { events, ...auditMembership(agent.membership, { share: 'www', record }) };
}

test('who joins and who is removed is noted once, by whatever way it came', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const invitation = mesh.invite();
    const ana = await mesh.add('ana', invitation);
    const audit = auditOf(writer);
    await mesh.connect(ana, writer);
    await audit.look();
    await audit.look();
    const { invite } = invitation.signed.terms;
    assert.equal(audit.events, [
      { event: 'joined', share: 'www', peer: ana.peer, name: 'ana', role: 'replica', invitation: invite },
    ]);
    await mesh.publishRoster(writer, (roster): Roster => {
      const outcome = revoke(roster, ana.keyPair.publicKey, Date.now());
      if (outcome.kind !== 'changed') throw new Error('a member can be removed');
      return outcome.roster;
    });
    await audit.look();
    assert.equal(audit.events.slice(1), [{ event: 'removed', share: 'www', peer: ana.peer, name: 'ana' }]);
    const bo = await mesh.add('bo', mesh.invite());
    await mesh.connect(bo, writer);
    await audit.look();
    await mesh.remove(writer, bo);
    await audit.look();
    assert.equal(
      audit.events.slice(2).map(({ event }) => event),
      ['joined', 'removed'],
    );
    await audit.look();
    assert.is(audit.events.length, 4);
  });
});

test('a membership answers when what it did is written down', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const order: string[] = [];
    const { membership } = auditMembership(writer.membership, {
      share: 'www',
      async record({ event }) {
        await new Promise((resolve) => setImmediate(resolve));
        order.push(event);
      },
    });
    const admitted = await membership.admit(ana.membership.certificate, []);
    order.push(admitted.kind);
    assert.equal(order, ['joined', 'member']);
    await membership.admit(ana.membership.certificate, []);
    assert.equal(order, ['joined', 'member']);
    // A member's word for one whose invitation has expired since is passed on.
    const expiresMs = Date.now() - 10 * clockSkewMs;
    const late = await mesh.add('late', mesh.invite({ issuedMs: expiresMs - 1, expiresMs }));
    assert.is((await membership.admit(late.membership.certificate, [])).kind, 'refused');
    assert.is((await membership.admit(late.membership.certificate, [], { introduced: true })).kind, 'member');
  });
});

test('a new grant is a promotion, the first one is not', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const audit = auditOf(ana);
    const share = shareIdOf(mesh.authority.publicKey);
    await mesh.connect(ana, writer);
    await audit.look();
    assert.equal(
      audit.events.map(({ event }) => event),
      ['joined'],
    );
    const grant = signGrant(
      { share, epoch: 2, writer: ana.keyPair.publicKey, base: null, timeMs: Date.now() },
      mesh.authority,
    );
    assert.is(await audit.membership.takeGrant(grant.body, grant.signature), true);
    assert.equal(audit.events.slice(1), [
      { event: 'promoted', share: 'www', epoch: 2, peer: ana.peer, name: 'ana' },
    ]);
  });
});

test('a refused peer is told of by the sessions, with the reason', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const invitation = mesh.invite({ uses: 1 });
    await mesh.connect(await mesh.add('ana', invitation), writer);
    const late = await mesh.add('bo', invitation);
    await mesh.connect(late, writer);
    assert.equal(
      writer.refused.map(({ peer, code, name }) => [peer, code, name]),
      [[late.peer, 'bad-invitation', 'bo']],
    );
  });
});

function withRefusals(
  check: (refusals: ReturnType<typeof createRefusals>, events: AuditEvent[]) => void,
): void {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const events: AuditEvent[] = [];
    check(
      createRefusals((event) => void events.push(event)),
      events,
    );
  } finally {
    mock.timers.reset();
  }
}

const refusal = { peer: 'ana', code: 'revoked', reason: 'it was removed' };

test('a refusal is noted at once, its repetitions within a minute as one line', () => {
  withRefusals((refusals, events) => {
    for (let times = 0; times < 5; times += 1) refusals.refused(refusal);
    refusals.refused({ ...refusal, peer: 'bo' });
    assert.equal(
      events.map((event) => event.event === 'refused' && [event.peer, event.times]),
      [
        ['ana', 1],
        ['bo', 1],
      ],
    );
    mock.timers.tick(auditRefusalsMs);
    assert.equal(events.slice(2), [{ event: 'refused', ...refusal, times: 4 }]);
    refusals.refused(refusal);
    assert.equal(events.slice(3), [{ event: 'refused', ...refusal, times: 1 }]);
  });
});

test('kinds beyond a bound share a line', () => {
  withRefusals((refusals, events) => {
    for (let kind = 0; kind < auditRefusalKindsMax + 10; kind += 1)
      refusals.refused({ address: `192.0.2.${kind}`, code: 'access', reason: 'not allowed' });
    assert.is(events.length, auditRefusalKindsMax);
    refusals.close();
    assert.equal(
      events
        .slice(auditRefusalKindsMax)
        .map((event) => event.event === 'refused' && [event.code, event.times]),
      [['others', 10]],
    );
  });
});

test.run();
