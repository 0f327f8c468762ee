/** Who hears and says what on which topic: the door alone, and hosts of which one does not belong. */
import type { RPC } from '@libp2p/gossipsub/message';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gossipIdsMax, gossipTopicBytesMax, gossipTopicsPerPeerMax } from '../../agent/base/limits.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { createGossipDoor } from '../../agent/net/gossip-door.ts';
import { befriend, closeAll, ofKind, startTestHost, type TestHost } from './hosts.ts';

const [ana, bo] = ['ana', 'bo'] as PeerId[] as [PeerId, PeerId];

function rpcOf(said: {
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly messages?: readonly string[];
  readonly control?: Partial<RPC.ControlMessage>;
}): RPC {
  const { subscribe = [], unsubscribe = [], messages = [], control } = said;
  return {
    subscriptions: [
      ...subscribe.map((topic) => ({ topic, subscribe: true })),
      ...unsubscribe.map((topic) => ({ topic, subscribe: false })),
    ],
    messages: messages.map((topic) => ({ topic, data: Uint8Array.of(1) })),
    ...(control === undefined
      ? {}
      : { control: { ihave: [], iwant: [], graft: [], prune: [], idontwant: [], ...control } }),
  };
}

/** A door to topic `open` for everybody, and to topic `closed` for those that `members` names. */
function openDoor(members: Set<PeerId> = new Set()) {
  const door = createGossipDoor(
    (topic, peer) => topic === 'open' || (topic === 'closed' && members.has(peer)),
  );
  for (const peer of [ana, bo]) door.attach(peer);
  return door;
}

test('what a peer says of a topic that does not admit it reaches nobody: subscription, message, graft, prune, ihave', () => {
  const door = openDoor();
  const topics = ['open', 'closed', 'elsewhere'];
  const passed = door.pass(
    ana,
    rpcOf({
      subscribe: topics,
      messages: topics,
      control: {
        graft: topics.map((topicID) => ({ topicID })),
        prune: topics.map((topicID) => ({ topicID, peers: [] })),
        ihave: topics.map((topicID) => ({ topicID, messageIDs: [Uint8Array.of(1)] })),
      },
    }),
  );
  assert.equal(
    [passed.subscriptions, passed.messages].map((of) => of.map(({ topic }) => topic)),
    [['open'], ['open']],
  );
  const { graft = [], prune = [], ihave = [] } = passed.control ?? {};
  assert.equal(
    [graft, prune, ihave].map((of) => of.map(({ topicID }) => topicID)),
    [['open'], ['open'], ['open']],
  );
});

test('a message is given by its id to those whom its topic admits, and one that nobody knows to none', () => {
  const door = openDoor(new Set([bo]));
  const [known, secret, unknown] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  door.sawMessage(known, 'open');
  door.sawMessage(secret, 'closed');
  const asked = rpcOf({ control: { iwant: [{ messageIDs: [known, secret, unknown] }] } });
  assert.equal(door.pass(ana, asked).control?.iwant, [{ messageIDs: [known] }]);
  assert.equal(door.pass(bo, asked).control?.iwant, [{ messageIDs: [known, secret] }]);
});

test('a subscription and a graft wait until the peer is admitted, and are said once', () => {
  const members = new Set<PeerId>();
  const door = openDoor(members);
  door.pass(ana, rpcOf({ subscribe: ['closed'], control: { graft: [{ topicID: 'closed' }] } }));
  assert.equal(door.review(ana), { kind: 'same' });
  members.add(ana);
  const found = door.review(ana);
  assert.is(found.kind, 'let in');
  if (found.kind === 'let in') {
    assert.equal(found.rpc.subscriptions, [{ topic: 'closed', subscribe: true }]);
    assert.equal(found.rpc.control?.graft, [{ topicID: 'closed' }]);
  }
  assert.equal(door.review(ana), { kind: 'same' });
});

test('one who subscribed and is admitted no more is to be put out, unless it has left by itself', () => {
  const members = new Set([ana, bo]);
  const door = openDoor(members);
  for (const peer of [ana, bo]) door.pass(peer, rpcOf({ subscribe: ['closed'] }));
  assert.is(door.pass(bo, rpcOf({ unsubscribe: ['closed'] })).subscriptions.length, 1);
  members.clear();
  assert.equal([door.review(ana), door.review(bo)], [{ kind: 'put out' }, { kind: 'same' }]);
});

test('what is remembered of one peer and of messages is bounded', () => {
  const members = new Set<PeerId>();
  const door = createGossipDoor(() => members.has(ana));
  door.attach(ana);
  const long = 'l'.repeat(gossipTopicBytesMax + 1);
  const many = Array.from({ length: gossipTopicsPerPeerMax + 10 }, (_, at) => `topic ${at}`);
  door.pass(ana, rpcOf({ subscribe: [long, ...many] }));
  members.add(ana);
  const found = door.review(ana);
  assert.is(found.kind === 'let in' && found.rpc.subscriptions.length, gossipTopicsPerPeerMax);
  assert.not(found.kind === 'let in' && found.rpc.subscriptions.some(({ topic }) => topic === long));

  const ids = Array.from({ length: gossipIdsMax + 1 }, (_, at) => new Uint8Array(Uint32Array.of(at).buffer));
  for (const id of ids) door.sawMessage(id, 'open');
  const messageIDs = [ids[0], ids[1], ids.at(-1)].filter((id) => id !== undefined);
  const passed = door.pass(ana, rpcOf({ control: { iwant: [{ messageIDs }] } }));
  assert.equal(passed.control?.iwant[0]?.messageIDs, messageIDs.slice(1));
});

/** A host on topic `t`, which admits whom `members` names, and what it heard there. */
function onTopic(host: TestHost, members: ReadonlySet<PeerId> | null): string[] {
  const heard: string[] = [];
  host.joinTopic('t', {
    admits: (peer) => members === null || members.has(peer),
    validate: () => 'accept',
    deliver: (bytes) => void heard.push(Buffer.from(bytes).toString()),
  });
  return heard;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Publishes `TEXT 1`, `TEXT 2` … until the listener has one of them. */
async function saidTo(publisher: TestHost, text: string, heard: readonly string[]): Promise<void> {
  for (let round = 1; !heard.some((one) => one.startsWith(`${text} `)); round += 1) {
    if (round > 400) throw new Error(`nothing of ${text} was heard`);
    publisher.publish('t', bytesOf(`${text} ${round}`));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a host that belongs hears what another relays, one that does not hears nothing, and is not heard', async () => {
  const [writer, member, outsider] = [await startTestHost(), await startTestHost(), await startTestHost()];
  const members = new Set([writer.peer, member.peer]);
  const atWriter = onTopic(writer, members);
  const atMember = onTopic(member, members);
  const atOutsider = onTopic(outsider, null);
  await befriend(writer, member);
  await befriend(outsider, writer);
  await befriend(outsider, member);
  await saidTo(writer, 'news', atMember);
  await saidTo(member, 'answer', atWriter);
  // The outsider takes both for members of its topic, so what it says is on its way to them; a control frame follows it.
  outsider.publish('t', bytesOf('forged'));
  outsider.send(writer.peer, Uint8Array.of(7));
  await writer.until(ofKind('control', outsider.peer));
  assert.equal(atOutsider, []);
  // What it said first does not make the same from a member a duplicate.
  member.publish('t', bytesOf('forged'));
  await saidTo(member, 'last', atWriter);
  assert.is(atWriter.filter((text) => text === 'forged').length, 1);
  assert.is(atMember.filter((text) => text === 'forged').length, 0);
  await closeAll(writer, member, outsider);
});

test('one who is admitted later hears from then on; one who is not any more is disconnected, and hears nothing when it is back', async () => {
  const [host, guest] = [await startTestHost(), await startTestHost()];
  const members = new Set<PeerId>();
  onTopic(host, members);
  const heard = onTopic(guest, null);
  await befriend(guest, host);
  host.publish('t', bytesOf('early'));
  members.add(guest.peer);
  host.review(guest.peer);
  await saidTo(host, 'inside', heard);
  members.delete(guest.peer);
  host.review(guest.peer);
  host.publish('t', bytesOf('late'));
  await guest.until(ofKind('disconnected', host.peer));
  await host.until(ofKind('disconnected', guest.peer));
  await befriend(guest, host);
  for (let round = 0; round < 5; round += 1) host.publish('t', bytesOf(`after ${round}`));
  host.send(guest.peer, Uint8Array.of(7));
  await guest.until(ofKind('control', host.peer));
  assert.not(
    heard.some((text) => !text.startsWith('inside')),
    heard.join(),
  );
  await closeAll(host, guest);
});

test.run();
