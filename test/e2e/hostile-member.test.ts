/** A member, a stranger and ten thousand half-open handshakes against a real agent, while honest ones go on. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveDigestsMax, KIB, MIB } from '../../agent/base/limits.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { encodeHead, type Head, type SignedHead, signHead } from '../../agent/core/head.ts';
import { generateKeyPair, type PeerId, shareIdOf } from '../../agent/core/keys.ts';
import { signStatement } from '../../agent/core/statement.ts';
import {
  encodeHeadMessage,
  encodeStatementMessage,
  headsTopic,
  peersTopic,
} from '../../agent/wire/gossip.ts';
import { type Agent, converged, until, withMesh } from './lib/mesh.ts';
import { peerOf, type Rogue, startMember, startRogue, statusOf } from './lib/villain.ts';

/** What an attacker may make an agent hold, bytes: queues of 8 MiB each way, content that waits, what is remembered of haves, and room for the collector. */
const growthBytesMax = 192 * MIB;

async function withVictim(
  check: (world: {
    readonly writer: Agent;
    readonly victim: Agent;
    /** Invited, and not started. */
    newcomer(): Promise<Agent>;
    readonly invitation: string;
  }) => Promise<void>,
): Promise<void> {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
    const victim = await mesh.replica('victim');
    const invitation = (await writer.must(['invite', '--uses', '5'])).trim();
    await Promise.all([writer.start(), victim.start()]);
    await converged(writer, [victim], 30_000);
    await check({ writer, victim, newcomer: () => mesh.replica('newcomer'), invitation });
  });
}

function soon(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  return until(what, isSo, 30_000);
}

/** Resident memory of the agent itself, bytes. */
function memoryOf(agent: Agent): number {
  const pid = readFileSync(join(agent.home, 'agent.pid'), 'utf8').split(' ')[0];
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4 * KIB;
}

/** Every head that the rogue was told, newest last. */
function headsHeard({ heard }: Rogue): SignedHead[] {
  return heard.flatMap(({ frame }) =>
    frame.kind === 'share' && frame.message.kind === 'head' ? [frame.message.head] : [],
  );
}

/** It may have been hung up on a moment ago, and the connection not be gone yet. */
async function isMet(rogue: Rogue, victim: Agent, peer: PeerId): Promise<boolean> {
  if (rogue.connected.has(peer)) return true;
  return rogue.meet(victim).then(
    () => true,
    () => false,
  );
}

async function published(writer: Agent, text: string, victim: Agent): Promise<void> {
  writeFileSync(join(writer.directory, 'page'), text);
  await converged(writer, [victim], 30_000);
  // The disk shows a version a moment before the agent says that it is applied.
  await victim.must(['wait', '--timeout', '30s']);
}

test('heads that a member forges or brings again are taken by nobody, and honest members go on', async () => {
  await withVictim(async ({ writer, victim, invitation }) => {
    const rogue = await startMember(invitation);
    try {
      const peer = await rogue.meet(victim);
      await soon('it is told the head', () => headsHeard(rogue).length > 0);
      const [first] = headsHeard(rogue);
      assert.ok(first !== undefined);
      await published(writer, 'second', victim);
      const before = (await statusOf(victim)).shares[0]?.applied;
      const stranger = generateKeyPair();
      const { head } = first;
      const version = { epoch: head.version.epoch, sequence: head.version.sequence + 100 };
      const forge = (change: Partial<Head>, signer = rogue.keyPair): SignedHead =>
        signHead(
          { ...head, version, root: digestOf(Uint8Array.of(1)), writer: signer.publicKey, ...change },
          signer,
        );
      const broken = { ...first, signature: new Uint8Array(64) };
      const named = forge({});
      const body = encodeHead({ ...named.head, writer: head.writer });
      const inItsName = { ...named, body };
      const forged: readonly (readonly [what: string, head: SignedHead])[] = [
        ['by a member who does not write', forge({})],
        ['by a stranger', forge({}, stranger)],
        ['of another epoch', forge({ version: { epoch: 9, sequence: 1 } })],
        ['of another share', forge({ share: shareIdOf(stranger.publicKey) })],
        ['an older one, again', first],
        ['of the writer, with a signature that does not hold', broken],
        ["in the writer's name", inItsName],
      ];
      for (const [what, forgery] of forged) {
        await soon(`it is connected for one ${what}`, () => isMet(rogue, victim, peer));
        const message = { kind: 'head', head: forgery, operations: null } as const;
        rogue.host.publish(headsTopic(rogue.share), encodeHeadMessage(message));
        const hangUps = rogue.hangUps.length;
        rogue.say(peer, { kind: 'share', share: rogue.share, message });
        const pongs = (): number => rogue.heard.filter(({ frame }) => frame.kind === 'pong').length;
        const heard = pongs();
        rogue.say(peer, { kind: 'ping', id: 1 });
        await soon(`one ${what} was handled`, () => pongs() > heard || rogue.hangUps.length > hangUps);
        assert.equal((await statusOf(victim)).shares[0]?.applied, before, what);
      }
      assert.equal((await statusOf(victim)).shares[0]?.errors, []);
      await published(writer, 'third', victim);
    } finally {
      await rogue.close();
    }
  });
});

test('a member that floods and never reads costs bounded memory, and honest members go on', async () => {
  await withVictim(async ({ writer, victim, invitation }) => {
    const rogue = await startMember(invitation, { onRequest: () => undefined });
    try {
      const peer = await rogue.meet(victim);
      await soon('it is told the head', () => headsHeard(rogue).length > 0);
      const before = memoryOf(victim);
      const { share, keyPair } = rogue;
      const statement = (timeMs: number): Parameters<typeof signStatement>[0] => ({
        share,
        member: keyPair.publicKey,
        name: 'rogue',
        agentVersion: '0.0.0',
        applied: null,
        state: 'in-sync',
        progressPermille: 0,
        addresses: [],
        timeMs,
      });
      for (let at = 0; at < 1_000; at += 1) {
        const signed = signStatement(statement(Date.now() + at), keyPair);
        rogue.host.publish(peersTopic(share), encodeStatementMessage(signed));
        rogue.say(peer, { kind: 'statement', statement: signed });
        const version = { epoch: 1, sequence: at };
        rogue.say(peer, {
          kind: 'share',
          share,
          message: { kind: 'status', applied: version, head: version, rosterVersion: at },
        });
        if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      for (let round = 0; round < 80; round += 1) {
        const digests = Array.from({ length: haveDigestsMax }, (_, at) =>
          digestOf(Buffer.from(`${round} ${at}`)),
        );
        rogue.say(peer, { kind: 'share', share, message: { kind: 'have', digests } });
        await new Promise((resolve) => setImmediate(resolve));
      }
      // Requests of what is there, of what is not, and of a share that it has no part in; the answers are not read.
      const wanted = Array.from({ length: 1024 }, (_, at) => digestOf(Buffer.from(`wanted ${at}`)));
      const other = shareIdOf(keyPair.publicKey);
      for (let id = 1; id <= 60; id += 1) {
        rogue.host.blocks.request(peer, {
          id,
          share: id % 2 === 0 ? share : other,
          plane: 'page',
          digests: wanted,
        });
      }
      await published(writer, 'second', victim);
      const grown = memoryOf(victim) - before;
      assert.ok(grown < growthBytesMax, `${Math.round(grown / MIB)} MiB`);
      assert.equal((await statusOf(victim)).shares[0]?.errors, []);
    } finally {
      await rogue.close();
    }
  });
});

test('ten thousand half-open handshakes on both ports keep nobody out', async () => {
  await withVictim(async ({ writer, victim, newcomer: invite }) => {
    const newcomer = await invite();
    const port = Number(victim.address.split(':')[1]);
    const before = memoryOf(victim);
    const open = new Set<Socket>();
    let begun = 0;
    let stop = false;
    const knock = (at: number): void => {
      begun += 1;
      const socket = connectTcp({
        port: port + (at % 2) * 1000,
        host: '127.0.0.1',
        localAddress: `127.0.${1 + (at % 50)}.1`,
      });
      open.add(socket);
      const next = (): void => {
        open.delete(socket);
        if (!stop && begun < 10_000) setImmediate(() => knock(begun));
      };
      socket.on('error', () => undefined);
      socket.once('close', next);
      socket.once('connect', () => void (at % 3 === 0 && socket.write(Uint8Array.of(0))));
      socket.resume();
    };
    for (let at = 0; at < 400; at += 1) knock(at);
    try {
      await newcomer.start();
      await published(writer, 'second', newcomer);
      await soon('ten thousand came', () => begun >= 10_000 || open.size < 100);
      await published(writer, 'third', victim);
    } finally {
      stop = true;
      for (const socket of open) socket.destroy();
    }
    const grown = memoryOf(victim) - before;
    assert.ok(grown < growthBytesMax, `${Math.round(grown / MIB)} MiB`);
    assert.equal((await statusOf(victim)).shares[0]?.errors, []);
  });
});

test('one who shows what is not its own is refused, told why, written down, and gets nothing', async () => {
  await withVictim(async ({ victim, invitation }) => {
    const member = await startMember(invitation);
    const peer = await peerOf(victim);
    // Another key, with the member's certificate: strangers have seen it, it is no secret.
    const shown = member.heard;
    await member.meet(victim);
    await soon('the victim has greeted', () => shown.some(({ frame }) => frame.kind === 'hello'));
    const hello = shown.find(({ frame }) => frame.kind === 'hello')?.frame;
    const certificate = hello?.kind === 'hello' ? hello.shares[0]?.certificate : undefined;
    assert.ok(certificate !== undefined);
    const thief = await startRogue({ keyPair: generateKeyPair(), certificate });
    try {
      await thief.meet(victim);
      thief.host.blocks.request(peer, {
        id: 1,
        share: thief.share,
        plane: 'page',
        digests: [digestOf(Uint8Array.of(1))],
      });
      const refused = (): boolean =>
        thief.heard.some(({ frame }) => frame.kind === 'refused' && frame.code === 'not-a-member');
      await soon('it is refused', refused);
      assert.not(thief.heard.some(({ frame }) => frame.kind === 'share' || frame.kind === 'roster'));
      const audit = JSON.parse(await victim.must(['audit', '--json'])) as { event: string; peer?: string }[];
      assert.ok(audit.some((event) => event.event === 'refused' && event.peer === thief.peer));
    } finally {
      await Promise.all([thief.close(), member.close()]);
    }
  });
});

test.run();
