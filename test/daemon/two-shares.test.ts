/** Two shares of one agent: who belongs to one of them is a stranger to the other, on every way that leads there. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import { signStatement } from '../../agent/core/statement.ts';
import type { ControlFrame } from '../../agent/wire/frames.ts';
import { headsTopic, peersTopic } from '../../agent/wire/gossip.ts';
import { exampleStatement } from '../core/documents.ts';
import { ofKind } from '../net/hosts.ts';
import { createGuest, type Guest, isTakenIn } from './guest.ts';
import { type Live, withWriter } from './live.ts';

type Ids = { readonly open: ShareId; readonly closed: ShareId };

/** A writer of `open` and `closed`, and somebody to visit it. */
async function withGuest(use: (writer: Live, guest: Guest, ids: Ids) => Promise<void>): Promise<void> {
  await withWriter(['open', 'closed'], async (writer) => {
    const guest = await createGuest('guest');
    try {
      const [open, closed] = await Promise.all([writer.share('open'), writer.share('closed')]);
      await use(writer, guest, { open: open.id as ShareId, closed: closed.id as ShareId });
    } finally {
      await guest.close();
    }
  });
}

let files = 0;
let trips = 0;

/** Publishes a change, and waits until that is done. */
async function change(writer: Live, share: string): Promise<void> {
  const before = (await writer.share(share)).applied?.sequence ?? 0;
  files += 1;
  writeFileSync(join(writer.directory(share), `file ${files}`), `of ${share}`);
  while (((await writer.share(share)).applied?.sequence ?? 0) === before) await soon();
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** Changes a share until the guest has heard a head of it: subscriptions take a moment. */
async function untilHeard(writer: Live, share: string, guest: Guest, topic: string): Promise<void> {
  const count = (): number => guest.heard.filter((one) => one.topic === topic).length;
  const before = count();
  for (let round = 0; count() === before && round < 50; round += 1) await change(writer, share);
  assert.ok(count() > before, `nothing of ${share} was heard`);
}

function heardOf(guest: Guest, share: ShareId): string[] {
  return guest.heard.map((one) => one.topic).filter((topic) => topic.includes(share));
}

test('a member of one share hears no gossip of another, whatever it subscribes to', async () => {
  await withGuest(async (writer, guest, { open, closed }) => {
    for (const topic of [headsTopic(closed), peersTopic(closed), headsTopic(open)]) guest.listen(topic);
    await guest.visit(writer.peer, writer.addresses, [guest.certify(await writer.invite('open'))]);
    await guest.hears(isTakenIn(open));
    await untilHeard(writer, 'open', guest, headsTopic(open));
    await change(writer, 'closed');
    await untilHeard(writer, 'open', guest, headsTopic(open));
    assert.equal(heardOf(guest, closed), []);
  });
});

test('one who was removed from a share and is a member of another hears no more gossip of the first', async () => {
  await withGuest(async (writer, guest, { open, closed }) => {
    for (const topic of [headsTopic(closed), peersTopic(closed), headsTopic(open)]) guest.listen(topic);
    const certificates = [
      guest.certify(await writer.invite('open')),
      guest.certify(await writer.invite('closed')),
    ];
    await guest.visit(writer.peer, writer.addresses, certificates);
    await guest.hears(isTakenIn(closed));
    await untilHeard(writer, 'closed', guest, headsTopic(closed));
    await writer.api.remove({ share: 'closed', peer: guest.host.peer });
    await guest.hears((frame) => frame.kind === 'removal');
    const before = heardOf(guest, closed).length;
    await guest.visit(writer.peer, writer.addresses, certificates);
    await untilHeard(writer, 'open', guest, headsTopic(open));
    await change(writer, 'closed');
    await untilHeard(writer, 'open', guest, headsTopic(open));
    assert.is(heardOf(guest, closed).length, before);
  });
});

test('one who is removed from one of two shares is told so, is disconnected, and comes back for the other', async () => {
  await withGuest(async (writer, guest, { open, closed }) => {
    const certificates = [
      guest.certify(await writer.invite('open')),
      guest.certify(await writer.invite('closed')),
    ];
    await guest.visit(writer.peer, writer.addresses, certificates);
    await guest.hears(isTakenIn(closed));
    await writer.api.remove({ share: 'closed', peer: guest.host.peer });
    await guest.host.until(ofKind('disconnected'));
    const last = guest.frames().map((frame) => (frame.kind === 'removal' ? frame.share : null));
    assert.ok(last.includes(closed), 'it was told');
    const before = guest.host.events.length;
    await guest.visit(writer.peer, writer.addresses, certificates);
    await guest.hears(
      (frame) => frame.kind === 'refused' && frame.share === closed && frame.code === 'revoked',
    );
    await guest.host.until((event) => guest.host.events.indexOf(event) >= before && event.kind === 'control');
    await untilAsked(writer, guest);
    const welcomes = guest.frames().filter((frame) => frame.kind === 'welcome');
    assert.equal(
      welcomes.flatMap(({ shares }) => shares.map(({ share }) => share)),
      [open, closed, open],
    );
  });
});

test('a member of one share is given no block and no page of another, under the id of either', async () => {
  await withGuest(async (writer, guest, { open, closed }) => {
    await change(writer, 'closed');
    const root = (await writer.share('closed')).applied?.root;
    await guest.visit(writer.peer, writer.addresses, [guest.certify(await writer.invite('open'))]);
    await guest.hears(isTakenIn(open));
    const wanted = [
      { plane: 'page', digests: [root as Digest] },
      { plane: 'block', digests: [digestOf(new TextEncoder().encode('of closed'))] },
    ] as const;
    // Once over libp2p and once over TLS, which the first request for a block brings up.
    for (const route of ['libp2p', 'tls'] as const) {
      while (route === 'tls' && guest.host.route(writer.peer) !== 'tls') await soon();
      const first = route === 'libp2p' ? 10 : 30;
      for (const [at, asked] of wanted.entries()) {
        guest.host.blocks.request(writer.peer, { share: closed, id: first + at, ...asked });
        guest.host.blocks.request(writer.peer, { share: open, id: first + 10 + at, ...asked });
      }
      for (const id of [first + 10, first + 11]) {
        await guest.host.until(
          (event) => event.kind === 'answer' && event.answer.id === id && event.answer.kind === 'done',
        );
      }
      const answers = guest.host.events
        .flatMap((event) => (event.kind === 'answer' ? [event.answer] : []))
        .filter(({ id }) => id >= first);
      assert.equal(
        answers.filter(({ kind }) => kind === 'missing').map(({ id }) => id),
        [first + 10, first + 11],
      );
      assert.not(
        answers.some(({ kind, id }) => kind === 'block' || id < first + 10),
        JSON.stringify(answers),
      );
    }
  });
});

test('a member of one share is told nothing of another on the control stream, and what it says of it is not heard', async () => {
  await withGuest(async (writer, guest, { open, closed }) => {
    await guest.visit(writer.peer, writer.addresses, [guest.certify(await writer.invite('open'))]);
    await guest.hears(isTakenIn(open));
    const version = { epoch: 1, sequence: 999 };
    const statement = signStatement(
      { ...exampleStatement, share: closed, member: guest.keyPair.publicKey },
      guest.keyPair,
    );
    guest.say(writer.peer, { kind: 'statement', statement });
    guest.say(writer.peer, {
      kind: 'share',
      share: closed,
      message: { kind: 'status', applied: version, head: version, rosterVersion: 0 },
    });
    const newcomer = await createGuest('newcomer');
    const invitation = await writer.invite('closed');
    const certificate = newcomer.certify(invitation);
    guest.say(writer.peer, { kind: 'introduce', share: closed, certificate, addresses: [] });
    await change(writer, 'closed');
    await untilAsked(writer, guest);
    const about = guest.frames().filter((frame) => shareOf(frame) === closed);
    assert.equal(about, []);
    const rows = (await writer.api.members()).members.filter((row) => row.share === 'closed');
    // A newcomer that comes by itself is news for the members of that share alone.
    await newcomer.visit(writer.peer, writer.addresses, [certificate]);
    await newcomer.hears(isTakenIn(closed));
    await untilAsked(writer, guest);
    assert.equal(
      guest.frames().filter((frame) => shareOf(frame) === closed),
      [],
    );
    await newcomer.close();
    assert.equal(
      rows.map((row) => row.name),
      ['writer'],
    );
    const peers = (await writer.api.peers()).filter((row) => row.share === 'closed');
    assert.equal(
      peers.map((row) => row.name),
      ['newcomer'],
    );
  });
});

/** A round trip: whatever was said before has been handled. */
async function untilAsked(writer: Live, guest: Guest): Promise<void> {
  trips += 1;
  const id = 4711 + trips;
  guest.say(writer.peer, { kind: 'ping', id });
  await guest.hears((frame) => frame.kind === 'pong' && frame.id === id);
}

function shareOf(frame: ControlFrame): ShareId | null {
  switch (frame.kind) {
    case 'grant':
    case 'roster':
    case 'removal':
    case 'introduce':
    case 'share':
    case 'refused':
      return frame.share;
    case 'statement':
      return frame.statement.statement.share;
    default:
      return null;
  }
}

test.run();
