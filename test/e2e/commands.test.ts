/** The commands that people and scripts use on a running mesh: fields, lines and exit codes of the contract. */
import {
  appendFileSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Agent, converged, until, withMesh } from './lib/mesh.ts';

function furnish(top: string): void {
  mkdirSync(join(top, 'dir'));
  writeFileSync(join(top, 'dir', 'inner'), 'inner');
  writeFileSync(join(top, 'top file'), 'top');
}

function jsonOf(text: string): unknown {
  return JSON.parse(text);
}

async function twoAgents(check: (writer: Agent, replica: Agent) => Promise<void>): Promise<void> {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    await writer.must(['wait', '--all', '--timeout', '30s']);
    await check(writer, replica);
  });
}

test('status, peers and wait say where everybody is', async () => {
  await twoAgents(async (writer, replica) => {
    const share = await writer.status();
    assert.is(share.name, 'www');
    assert.is(share.role, 'writer');
    assert.is(share.state, 'in-sync');
    assert.is(share.files, 2);
    assert.is(share.bytes, 8);
    assert.is(share.membersKnown, 2);
    assert.is(share.membersAtHead, 2);
    assert.match(share.applied?.root ?? '', /^[0-9a-f]{64}$/);
    const followed = await replica.status();
    assert.is(followed.role, 'replica');
    assert.equal(followed.applied, share.applied);

    const [peer, ...others] = await writer.peers();
    assert.equal(others, []);
    assert.is(peer?.name, 'one');
    assert.is(peer?.connected, true);
    assert.equal(peer?.applied, share.applied);
    const version = `${share.applied?.epoch}.${share.applied?.sequence}`;
    assert.match(
      await writer.must(['peers']),
      new RegExp(`2 of 2 at version ${version.replace('.', '\\.')}`),
    );

    for (const args of [
      ['--all'],
      ['--peers', '1'],
      ['--version', version],
      ['--version', String(share.applied?.sequence)],
    ]) {
      assert.is((await replica.command(['wait', ...args, '--timeout', '20s'])).code, 0, args.join(' '));
    }
    const future = `${share.applied?.epoch}.${(share.applied?.sequence ?? 0) + 1000}`;
    assert.is((await replica.command(['wait', '--version', future, '--timeout', '1s'])).code, 3);
    assert.is((await replica.command(['wait', '--peers', '5', '--timeout', '1s'])).code, 3);
  });
});

test('one who was killed does not count as being at the version it had', async () => {
  await twoAgents(async (writer, replica) => {
    await writer.kill();
    await until('the dead one is out', async () => (await replica.status()).membersAtHead === 1);
    const { membersKnown, head } = await replica.status();
    assert.is(membersKnown, 2);
    assert.is((await replica.peers())[0]?.state, 'offline');
    const text = await replica.must(['peers']);
    assert.match(text, new RegExp(`^1 of 2 at version ${head?.epoch}\\.${head?.sequence}$`, 'm'));
    await writer.start();
    await until('it is back', async () => (await replica.status()).membersAtHead === 2);
  });
});

test('wait may be called together with run: the agent need not listen yet', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const starting = writer.start();
    const { code, stderr } = await writer.command(['wait', '--timeout', '60s']);
    assert.is(code, 0, stderr);
    await starting;
    assert.is((await writer.status()).state, 'in-sync');
  });
});

test('one whose invitation was used up before says so in its status', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    await writer.start();
    const invitation = (await writer.must(['invite', '--uses', '1'])).trim();
    const [first, second] = [await mesh.agent('first'), await mesh.agent('second')];
    for (const { must, directory, name, address } of [first, second]) {
      const more = ['--name', name, '--listen', address, '--http', 'off'];
      await must(['join', invitation, directory, ...more]);
    }
    await first.start();
    await converged(writer, [first]);
    await second.start();
    await until('it is told', async () => (await second.status()).state === 'error');
    const [error] = (await second.status()).errors;
    assert.is(error?.code, 'bad-invitation');
    assert.match(error?.message ?? '', /used up: ask for a new one: p2psync invite/);
    assert.not.match(await second.must(['status']), /100 %/);
    assert.is((await first.status()).state, 'in-sync');
  });
});

test('wait --all returns only when the change is on the replica', async () => {
  await twoAgents(async (writer, replica) => {
    for (let round = 0; round < 5; round += 1) {
      const before = (await writer.status()).applied?.sequence ?? 0;
      writeFileSync(join(writer.directory, 'page'), `round ${round}`);
      await writer.must(['wait', '--version', String(before + 1), '--all', '--timeout', '30s']);
      assert.is(readFileSync(join(replica.directory, 'page'), 'utf8'), `round ${round}`);
    }
  });
});

test('ls and diff read the signed tree, and diff --disk tells it from the disk', async () => {
  await twoAgents(async (writer, replica) => {
    assert.equal((await replica.must(['ls'])).trim().split('\n').sort(), ['dir/', 'top file']);
    assert.ok((await replica.must(['ls', 'dir'])).includes('inner'));
    assert.ok((await replica.must(['ls', '--recursive'])).includes('dir/inner'));
    assert.is((await replica.command(['ls', 'no such path'])).code, 1);
    const { stderr } = await replica.command(['ls', '--version', '7.7']);
    const now = (await replica.status()).applied;
    assert.ok(stderr.endsWith(`is not kept here; these are: ${now?.epoch}.${now?.sequence}\n`), stderr);

    const from = (await writer.status()).applied;
    writeFileSync(join(writer.directory, 'added'), 'added');
    writeFileSync(join(writer.directory, 'top file'), 'changed');
    await converged(writer, [replica]);
    await writer.must(['wait', '--all', '--timeout', '30s']);
    const to = (await writer.status()).applied;
    const changed = await replica.must([
      'diff',
      `${from?.epoch}.${from?.sequence}`,
      `${to?.epoch}.${to?.sequence}`,
    ]);
    assert.ok(changed.includes('added') && changed.includes('top file'), changed);
    assert.not.ok(changed.includes('inner'), changed);

    assert.is((await writer.command(['diff', '--disk'])).code, 0);
  });
});

test('verify finds what is not as it was signed, and --repair heals it', async () => {
  await twoAgents(async (_, replica) => {
    assert.is((await replica.command(['verify'])).code, 0);
    const nothing = await replica.command(['verify', 'no such path']);
    assert.equal([nothing.code, nothing.stdout], [1, '']);
    await replica.must(['pause']);
    writeFileSync(join(replica.directory, 'top file'), 'TOP');
    const found = await replica.command(['verify']);
    assert.is(found.code, 4, found.stdout + found.stderr);
    assert.ok(found.stdout.includes('top file'), found.stdout);
    assert.is((await replica.command(['verify', 'dir'])).code, 0);
    await replica.must(['resume']);
    assert.is((await replica.command(['verify', '--repair'])).code, 0);
    assert.is(readFileSync(join(replica.directory, 'top file'), 'utf8'), 'top');
  });
});

test('verify --repair heals also where local changes are only told of, and nothing that it was not asked for', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer(furnish);
    const replica = await mesh.replica('one');
    appendFileSync(join(replica.home, 'config.toml'), 'local_changes = "alert"\n');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    writeFileSync(join(replica.directory, 'top file'), 'TOP');
    writeFileSync(join(replica.directory, 'dir', 'stray'), 'stray');
    rmSync(join(replica.directory, 'dir', 'inner'));
    await replica.must(['rescan']);
    assert.is(readFileSync(join(replica.directory, 'top file'), 'utf8'), 'TOP');
    const found = await replica.command(['verify', 'dir', '--repair']);
    assert.is(found.code, 0, found.stdout + found.stderr);
    assert.equal(readdirSync(join(replica.directory, 'dir')), ['inner']);
    assert.is(readFileSync(join(replica.directory, 'top file'), 'utf8'), 'TOP');
    assert.is((await replica.command(['verify', '--repair'])).code, 0);
    await converged(writer, [replica]);
    const kept = globSync('**/*', { cwd: join(replica.directory, '.p2psync', 'kept') });
    assert.ok(kept.some((path) => path.endsWith('top file')) && kept.some((path) => path.endsWith('stray')));
  });
});

test('--json prints one document on stdout, whatever the command', async () => {
  await twoAgents(async (writer) => {
    for (const args of [
      ['status'],
      ['peers'],
      ['history'],
      ['members'],
      ['ls'],
      ['diff'],
      ['verify'],
      ['wait'],
      ['doctor'],
    ]) {
      const { stdout, stderr } = await writer.command([...args, '--json']);
      try {
        jsonOf(stdout);
      } catch (error) {
        throw new Error(`${args.join(' ')} --json printed ${JSON.stringify(stdout)} (${stderr})`, {
          cause: error,
        });
      }
    }
  });
});

test('a second agent on the same home is refused by name and pid', async () => {
  await twoAgents(async (writer) => {
    const { code, stderr } = await writer.command(['run']);
    assert.is(code, 1);
    const pid = readFileSync(join(writer.home, 'agent.pid'), 'utf8').split(' ')[0] ?? '';
    assert.ok(stderr.includes(pid) && stderr.includes(writer.home), stderr);
  });
});

test.run();
