/** One use of an invitation, and two who came by it: members that took them in could not know of each other. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Agent, type Mesh, withMesh } from './agents.ts';

const known = (agent: Agent): string[] =>
  agent.membership
    .rows()
    .map((row) => row.name)
    .sort();
const inRoster = (agent: Agent): string[] =>
  (agent.membership.roster()?.roster.members ?? []).map((one) => one.certificate.certificate.name).sort();

type Two = readonly [Agent, Agent];

/** Two members, without their writer and apart, each of which has taken one newcomer in. */
async function apart(
  mesh: Mesh,
): Promise<{ readonly writer: Agent; readonly hosts: Two; readonly guests: Two }> {
  const writer = await mesh.add('writer');
  const hosts: Two = [await mesh.add('ana', mesh.invite()), await mesh.add('bo', mesh.invite())];
  for (const host of hosts) await mesh.connect(host, writer);
  for (const host of hosts) mesh.disconnect(host, writer);
  const once = mesh.invite({ uses: 1 });
  const guests: Two = [await mesh.add('first', once), await mesh.add('second', once)];
  for (const at of [0, 1] as const) {
    await mesh.connect(guests[at], hosts[at]);
    assert.ok(hosts[at].heard.includes(`joined ${guests[at].name}`));
  }
  return { writer, hosts, guests };
}

for (const [stays, goes] of [
  [0, 1],
  [1, 0],
] as const) {
  const [winner, loser] = [['first', 'second'][stays], ['first', 'second'][goes]];
  test(`of two who came by one use, ${winner} stays where the writer hears of it first, and ${loser} is out everywhere and told`, async () => {
    await withMesh(async (mesh) => {
      const { writer, hosts, guests } = await apart(mesh);
      await mesh.connect(hosts[stays], writer);
      await mesh.connect(hosts[goes], writer);
      await mesh.connect(hosts[0], hosts[1]);
      for (const agent of [writer, ...hosts]) {
        assert.equal(known(agent), ['ana', 'bo', guests[stays].name, 'writer'].sort(), agent.name);
        assert.equal(inRoster(agent), known(agent), agent.name);
        assert.equal(agent.membership.waiting(), [], 'nobody is spoken for any more');
      }
      const host = hosts[goes];
      assert.ok(host.heard.includes(`left ${guests[goes].name}`) && host.expelled.has(guests[goes].peer));
      for (const agent of [writer, ...hosts]) {
        await mesh.connect(guests[goes], agent);
        assert.ok(
          guests[goes].heard.includes(`refused ${agent.name} bad-invitation`),
          guests[goes].heard.join(),
        );
      }
    });
  });
}

test('until the writer says so each member keeps whom it took in, and takes the other one in no more', async () => {
  await withMesh(async (mesh) => {
    const { hosts, guests } = await apart(mesh);
    await mesh.connect(hosts[0], hosts[1]);
    assert.equal(known(hosts[0]), ['ana', 'bo', 'first', 'writer']);
    assert.equal(known(hosts[1]), ['ana', 'bo', 'second', 'writer']);
    await mesh.connect(guests[1], hosts[0]);
    assert.ok(guests[1].heard.includes('refused ana bad-invitation'), guests[1].heard.join());
  });
});

test.run();
