/** Who belongs to a share: newcomers, refusals, removals, and what strangers say. */
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clockSkewMs, introductionGraceMs } from '../../agent/base/limits.ts';
import { revoke } from '../../agent/core/admission.ts';
import { signGrant } from '../../agent/core/grant.ts';
import { shareIdOf } from '../../agent/core/keys.ts';
import type { Roster } from '../../agent/core/roster.ts';
import { signStatement } from '../../agent/core/statement.ts';
import { encodeControl } from '../../agent/wire/control.ts';
import { protocolNumber } from '../../agent/wire/frames.ts';
import { exampleStatement } from '../core/documents.ts';
import { type Agent, withMesh } from './agents.ts';

const namesOf = (agent: Agent): string[] =>
  agent.membership
    .rows()
    .map((row) => row.name)
    .sort();
const inRoster = (agent: Agent): string[] =>
  (agent.membership.roster()?.roster.members ?? []).map((one) => one.certificate.certificate.name).sort();

test('a newcomer with an invitation is taken into the roster by the writer, and everybody hears of it', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const bo = await mesh.add('bo', mesh.invite());
    await mesh.connect(ana, writer);
    assert.equal(
      [inRoster(writer), inRoster(ana)],
      [
        ['ana', 'writer'],
        ['ana', 'writer'],
      ],
    );
    assert.ok(writer.admitted.has(ana.peer) && ana.admitted.has(writer.peer));
    await mesh.connect(bo, writer);
    for (const agent of [writer, ana, bo]) assert.equal(inRoster(agent), ['ana', 'bo', 'writer'], agent.name);
    assert.ok(ana.heard.includes('joined writer'));
    assert.is(ana.membership.roleOf(writer.keyPair.publicKey), 'writer');
  });
});

test('a replica admits a newcomer while the writer is away, and tells it when it comes', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    await mesh.connect(ana, writer);
    mesh.disconnect(ana, writer);
    const bo = await mesh.add('bo', mesh.invite());
    await mesh.connect(bo, ana);
    assert.ok(ana.heard.includes('joined bo') && bo.heard.includes('joined ana'));
    assert.equal(namesOf(ana), ['ana', 'bo', 'writer']);
    assert.equal(inRoster(ana), ['ana', 'writer']);
    assert.equal(
      ana
        .reopen()
        .rows()
        .map((row) => row.name)
        .sort(),
      ['ana', 'bo', 'writer'],
      'also after a restart',
    );
    await mesh.connect(ana, writer);
    for (const agent of [writer, ana, bo]) assert.equal(inRoster(agent), ['ana', 'bo', 'writer'], agent.name);
  });
});

test('a newcomer that a replica took in before its invitation expired is taken in by the writer after it, by the word of that replica', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite({ expiresMs: Date.now() + 3_600_000 }));
    await mesh.connect(ana, writer);
    mesh.disconnect(ana, writer);
    const bo = await mesh.add('bo', mesh.invite({ expiresMs: Date.now() + 3_600_000 }));
    const late = await mesh.add('late', mesh.invite({ expiresMs: Date.now() + 3_600_000 }));
    await mesh.connect(bo, ana);
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 5 * 3_600_000 });
    try {
      // One who comes with an expired invitation itself is nobody's guest.
      await mesh.connect(late, ana);
      assert.ok(late.heard.includes('refused ana expired'), late.heard.join());
      await mesh.connect(bo, writer);
      assert.ok(bo.heard.includes('refused writer expired'), bo.heard.join());
      await mesh.connect(ana, writer);
      for (const agent of [writer, ana, bo])
        assert.equal(inRoster(agent), ['ana', 'bo', 'writer'], agent.name);
      assert.ok(writer.heard.includes('joined bo') && bo.heard.includes('joined writer'), bo.heard.join());
    } finally {
      mock.timers.reset();
    }
  });
});

test('a word for a newcomer holds for a while after its invitation expired, not for ever', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    await mesh.connect(ana, writer);
    mesh.disconnect(ana, writer);
    await mesh.connect(await mesh.add('bo', mesh.invite()), ana);
    mock.timers.enable({
      apis: ['Date'],
      now: Date.now() + 3_600_000 + introductionGraceMs + 2 * clockSkewMs,
    });
    try {
      await mesh.connect(ana, writer);
      assert.equal(inRoster(writer), ['ana', 'writer']);
    } finally {
      mock.timers.reset();
    }
  });
});

test('one who knows nobody yet has the role of its invitation', async () => {
  await withMesh(async (mesh) => {
    await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    assert.is(ana.membership.roleOf(ana.keyPair.publicKey), 'replica');
    assert.equal(
      ana.membership.rows().map((row) => row.role),
      ['replica'],
    );
  });
});

test('newcomers are passed on to members that are not their neighbours', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const bo = await mesh.add('bo', mesh.invite());
    await mesh.connect(ana, writer);
    await mesh.connect(bo, ana);
    for (const agent of [writer, ana, bo]) assert.equal(inRoster(agent), ['ana', 'bo', 'writer'], agent.name);
  });
});

test('an invitation that is used up, expired or of another share admits nobody', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const once = mesh.invite({ uses: 1 });
    await mesh.connect(await mesh.add('ana', once), writer);
    const late = await mesh.add('bo', once);
    await mesh.connect(late, writer);
    assert.ok(late.heard.includes('refused writer bad-invitation'), late.heard.join());

    const hourAgoMs = Date.now() - 3_600_000;
    const expired = await mesh.add('cy', mesh.invite({ issuedMs: hourAgoMs - 1000, expiresMs: hourAgoMs }));
    await mesh.connect(expired, writer);
    assert.ok(expired.heard.includes('refused writer expired'), expired.heard.join());

    const namesake = await mesh.add('ana', mesh.invite());
    await mesh.connect(namesake, writer);
    assert.equal(inRoster(writer), ['ana', 'ana', 'writer']);
    assert.ok(writer.admitted.has(namesake.peer));
    for (const refused of [late, expired]) assert.not(writer.admitted.has(refused.peer));
  });
});

test('a certificate of somebody else admits nobody', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    await mesh.connect(ana, writer);
    const thief = await mesh.add('thief', mesh.invite());
    const before = writer.heard.length;
    const hello = encodeControl({
      kind: 'hello',
      protocol: protocolNumber,
      agentVersion: '1',
      name: 'thief',
      addresses: [],
      shares: [
        {
          share: shareIdOf(mesh.authority.publicKey),
          certificate: ana.membership.certificate,
          rosterVersion: 0,
          grantEpoch: 0,
        },
      ],
    });
    writer.sessions.connected({ peer: thief.peer, direction: 'inbound', address: '127.0.0.1:2' });
    await mesh.inject(thief, writer, hello);
    assert.not(writer.heard.slice(before).includes('joined thief'));
  });
});

test('the word of one who is no member brings nobody in', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const late = await mesh.add('late', mesh.invite());
    const stranger = await mesh.add('stranger', mesh.invite());
    const share = shareIdOf(mesh.authority.publicKey);
    const { certificate } = late.membership;
    const introduction = encodeControl({ kind: 'introduce', share, certificate, addresses: [] });
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 5 * 3_600_000 });
    try {
      // A member's word counts for a while after the invitation's end; this one never showed that it is one.
      writer.sessions.connected({ peer: stranger.peer, direction: 'inbound', address: '127.0.0.1:2' });
      await mesh.inject(stranger, writer, introduction);
      assert.equal(inRoster(writer), ['writer']);
    } finally {
      mock.timers.reset();
    }
  });
});

test('a member that was removed is put out everywhere, and not let in again', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const bo = await mesh.add('bo', mesh.invite());
    await mesh.connect(ana, writer);
    await mesh.connect(bo, writer);
    await mesh.connect(ana, bo);
    bo.isStubborn = true;
    await mesh.publishRoster(writer, (roster) => {
      const outcome = revoke(roster, bo.keyPair.publicKey, Date.now());
      if (outcome.kind !== 'changed') throw new Error('it is removed');
      return { ...outcome.roster, version: roster.version };
    });
    assert.ok(writer.expelled.has(bo.peer) && ana.expelled.has(bo.peer));
    assert.ok(ana.heard.includes('left bo'));
    await mesh.connect(bo, ana);
    assert.ok(bo.heard.includes('refused ana revoked'), bo.heard.join());
    assert.is(ana.heard.filter((line) => line === 'joined bo').length, 1);
  });
});

test('a newcomer whom the writer does not take in is put out by those who did', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const once = mesh.invite({ uses: 1 });
    const [ana, bo] = [await mesh.add('ana', mesh.invite()), await mesh.add('bo', mesh.invite())];
    await mesh.connect(ana, writer);
    await mesh.connect(bo, writer);
    mesh.disconnect(bo, writer);
    const [first, second] = [await mesh.add('first', once), await mesh.add('second', once)];
    await mesh.connect(second, bo);
    assert.ok(bo.heard.includes('joined second'));
    await mesh.connect(first, writer);
    await mesh.connect(bo, writer);
    assert.not(namesOf(bo).includes('second'));
    assert.ok(bo.heard.includes('left second') && bo.expelled.has(second.peer));
  });
});

test('a hello that cannot be judged without a roster is judged when the roster comes', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const longAgoMs = Date.now() - 10_000_000;
    const [old, fresh] = [await mesh.add('old', mesh.invite()), await mesh.add('fresh', mesh.invite())];
    // Was taken in while its invitation lived, which nobody can know without the roster.
    const expired = mesh.invite({ issuedMs: longAgoMs, expiresMs: longAgoMs + 1000 });
    const veteran = await mesh.add('veteran', expired);
    await mesh.connect(old, writer);
    await mesh.publishRoster(writer, (roster: Roster) => ({
      ...roster,
      members: [
        ...roster.members,
        { certificate: veteran.membership.certificate, admittedMs: longAgoMs, addresses: [] },
      ].sort((left, right) =>
        left.certificate.certificate.member < right.certificate.certificate.member ? -1 : 1,
      ),
    }));
    await mesh.connect(fresh, veteran);
    assert.not(fresh.heard.includes('joined veteran'));
    assert.not(
      veteran.heard.some((line) => line.startsWith('refused')),
      veteran.heard.join(),
    );
    await mesh.connect(fresh, writer);
    assert.ok(fresh.heard.includes('joined veteran'), fresh.heard.join());
  });
});

test('a frame that makes no sense costs its sender the connection, and nobody else', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const [ana, bo] = [await mesh.add('ana', mesh.invite()), await mesh.add('bo', mesh.invite())];
    await mesh.connect(ana, writer);
    await mesh.connect(bo, writer);
    await mesh.inject(ana, writer, new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f]));
    assert.is(writer.hungUp.length, 1);
    assert.match(writer.hungUp[0] ?? '', /^ana: it sent a frame that makes no sense/);
    assert.ok(writer.heard.includes('left ana') && !writer.heard.includes('left bo'));
  });
});

test('a document that was signed by nobody who may costs its sender the connection', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    await mesh.connect(ana, writer);
    const share = shareIdOf(mesh.authority.publicKey);
    const document = writer.membership.roster();
    if (document === null) throw new Error('there is a roster');
    const signature = new Uint8Array(document.signature);
    signature[0] = (signature[0] ?? 0) ^ 1;
    await mesh.inject(
      ana,
      writer,
      encodeControl({ kind: 'roster', share, document: { ...document, signature } }),
    );
    assert.match(writer.hungUp[0] ?? '', /^ana: /);
  });
});

test('a second grant of one epoch changes nothing, and is told of once', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    await mesh.connect(ana, writer);
    const share = shareIdOf(mesh.authority.publicKey);
    const grant = (epoch: number, to: Agent): Uint8Array => {
      const { publicKey } = to.keyPair;
      const document = signGrant(
        { share, epoch, writer: publicKey, base: null, timeMs: Date.now() + 1 },
        mesh.authority,
      );
      return encodeControl({ kind: 'grant', share, document });
    };
    assert.is(ana.membership.dispute(), null);
    const before = ana.heard.length;
    const second = grant(1, ana);
    await mesh.inject(writer, ana, second);
    await mesh.inject(writer, ana, second);
    assert.is(ana.membership.grant()?.grant.writer, writer.keyPair.publicKey);
    const { code, message } = ana.membership.dispute() ?? {};
    assert.is(code, 'bad-grant');
    assert.match(message ?? '', /epoch 1 was granted twice, to writer and to ana/);
    assert.is(ana.notebook.lines.filter((line) => line.level === 'warn' && line.text === message).length, 1);
    assert.equal(ana.heard.slice(before), ['documents changed']);
    assert.equal(ana.hungUp, []);
    // The next epoch ends it.
    await mesh.inject(writer, ana, grant(2, ana));
    assert.is(ana.membership.dispute(), null);
  });
});

test('one that speaks another protocol, or has no share in common, is told so and hung up', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const hello = {
      kind: 'hello',
      agentVersion: '9',
      name: 'x',
      addresses: [],
      shares: [],
    } as const;
    for (const protocol of [protocolNumber + 1, protocolNumber]) {
      writer.sessions.connected({ peer: ana.peer, direction: 'inbound', address: '127.0.0.1:2' });
      await mesh.inject(ana, writer, encodeControl({ ...hello, protocol }));
      writer.sessions.disconnected(ana.peer);
    }
    assert.match(writer.hungUp[0] ?? '', /speaks protocol 2, this agent 1/);
    assert.match(writer.hungUp[1] ?? '', /no share in common/);
  });
});

test('what a peer says is heard in order, and only once it is a member', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    const share = shareIdOf(mesh.authority.publicKey);
    const status = { kind: 'status', applied: null, head: null, rosterVersion: 0 } as const;
    writer.sessions.connected({ peer: ana.peer, direction: 'inbound', address: '127.0.0.1:2' });
    await mesh.inject(ana, writer, encodeControl({ kind: 'share', share, message: status }));
    // Neither what it says of the share nor what it passes on.
    const statement = signStatement(
      { ...exampleStatement, share, member: writer.keyPair.publicKey },
      writer.keyPair,
    );
    await mesh.inject(ana, writer, encodeControl({ kind: 'statement', statement }));
    assert.equal(writer.heard, []);
    writer.sessions.disconnected(ana.peer);

    await mesh.connect(ana, writer);
    writer.heard.length = 0;
    const have = { kind: 'have', digests: [] } as const;
    for (const message of [status, have, { kind: 'paused', paused: true } as const, status])
      ana.sessions.send(writer.peer, share, message);
    await mesh.settle();
    assert.equal(writer.heard, [
      'message ana status',
      'message ana have',
      'message ana paused',
      'message ana status',
    ]);
  });
});

test('what a connection left behind is not taken for the next one', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    await mesh.connect(ana, writer);
    const share = shareIdOf(mesh.authority.publicKey);
    writer.heard.length = 0;
    const frame = encodeControl({
      kind: 'share',
      share,
      message: { kind: 'status', applied: null, head: null, rosterVersion: 0 },
    });
    writer.sessions.control(ana.peer, frame);
    writer.sessions.disconnected(ana.peer);
    await mesh.settle();
    assert.equal(writer.heard, ['left ana']);
  });
});

test('who closes waits for what is being judged, and judges nothing after it', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const [ana, bo] = [await mesh.add('ana', mesh.invite()), await mesh.add('bo', mesh.invite())];
    const connecting = mesh.connect(ana, writer);
    // The hello has arrived, and its judgement is on its way to the disk.
    await Promise.resolve();
    await writer.sessions.close();
    const heard = [...writer.heard];
    await connecting;
    await mesh.connect(bo, writer);
    assert.equal(writer.heard, heard);
    assert.not(inRoster(writer).includes('bo'));
  });
});

test('a ping is answered and the round trip is known', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.add('writer');
    const ana = await mesh.add('ana', mesh.invite());
    await mesh.connect(ana, writer);
    assert.is(writer.sessions.info(ana.peer)?.name, 'ana');
    assert.equal(writer.sessions.info(ana.peer)?.addresses, [`/ip4/127.0.0.1/tcp/1/p2p/${ana.peer}`]);
    assert.is(writer.sessions.info('nobody' as never), undefined);
  });
});

test.run();
