/** What real agents write down: transfers as rsyncd would, through a rotation, and an audit log that nobody alters unnoticed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StatusReport } from '../../agent/http/api.ts';
import { type Agent, converged, until, withMesh } from './lib/mesh.ts';
import { root } from './lib/program.ts';

/** Lines of a command that stays. */
function follow(agent: Agent, args: readonly string[]) {
  const child = spawn(join(root, 'scripts', 'p2psync'), [...args, '--follow', '--home', agent.home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return {
    lines: () => text.split('\n').filter((line) => line !== ''),
    async end() {
      child.kill('SIGINT');
      await once(child, 'close');
      return child.exitCode;
    },
  };
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const pidOf = (agent: Agent): number =>
  Number(readFileSync(join(agent.home, 'agent.pid'), 'utf8').split(' ')[0]);

async function logged(agent: Agent, line: string): Promise<void> {
  await until(`${agent.name} logs ${line}`, async () =>
    lines(await agent.must(['log', '--format', '%o %i %f'])).includes(line),
  );
}

test('transfers are logged as rsyncd would log them, and a rotation loses no line', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
    const replica = await mesh.replica('one');
    assert.equal(await replica.must(['log']), '');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    await logged(replica, 'recv >f+++++++++ page');
    await logged(writer, 'send <f+++++++++ page');

    const { peerId } = (JSON.parse(await writer.must(['status', '--json'])) as StatusReport).agent;
    const [line = ''] = lines(await replica.must(['log']));
    const stamp = `\\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d \\[${pidOf(replica)}\\]`;
    assert.match(line, new RegExp(`^${stamp} recv writer \\[127\\.0\\.0\\.1\\] www \\(${peerId}\\) page 5$`));
    const [record] = JSON.parse(await replica.must(['log', '--json'])) as { path: string; bytes: number }[];
    assert.equal([record?.path, record?.bytes], ['page', 5]);
    const formatted = await replica.must([
      'log',
      '--format',
      '%t|%5l|%P|%u',
      '--timefmt',
      'day %j',
      '--share',
      'www',
    ]);
    assert.match(formatted, new RegExp(`^day \\d{3}\\|    5\\|${replica.directory}\\|${peerId}\n$`));
    assert.equal(await replica.must(['log', '--share', 'other']), '');

    const followed = follow(replica, ['log', '--format', '%o %i %f']);
    await until('the follower has what is there', () => followed.lines().length === 1);
    const file = join(replica.home, 'transfer.log');
    renameSync(file, `${file}.1`);
    chmodSync(join(writer.directory, 'page'), 0o600);
    await until('the old file has it', () => readFileSync(`${file}.1`, 'utf8').includes('.f...p'));
    process.kill(pidOf(replica), 'SIGHUP');
    writeFileSync(join(writer.directory, 'new\nline'), 'x');
    rmSync(join(writer.directory, 'page'));
    await logged(replica, 'recv >f+++++++++ new\\#012line');
    await logged(replica, 'del. *deleting   page');
    await until('the follower has gone over to the new file', () => followed.lines().length === 4);
    assert.equal(followed.lines().slice(0, 2), ['recv >f+++++++++ page', 'recv .f...p..... page']);
    assert.is(await followed.end(), 0);
    const report = JSON.parse(await replica.must(['status', '--json'])) as StatusReport;
    assert.equal(report.agent.warnings, []);
  });
});

test('a transfer log that cannot be written is told and stops nothing; one that is off is said to be', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
    const replica = await mesh.replica('one');
    appendFileSync(join(writer.home, 'config.toml'), '\n[log]\ntransfers = "off"\n');
    appendFileSync(join(replica.home, 'config.toml'), '\n[log]\ntransfers = "/dev/full"\n');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    await until('the replica says so', async () => {
      const report = JSON.parse(await replica.must(['status', '--json'])) as StatusReport;
      return report.agent.warnings.some(({ code, count }) => code === 'transfer-log' && count >= 1);
    });
    assert.match(await replica.must(['status']), /warning: .*\/dev\/full.*ENOSPC/);
    assert.is((await replica.status()).state, 'in-sync');
    const { code, stderr } = await writer.command(['log']);
    assert.is(code, 1);
    assert.match(stderr, 'transfers is "off"');
  });
});

test('the audit log tells who came, what was published and healed, and whether it is as it was written', async () => {
  await withMesh(async (mesh) => {
    const writer = await mesh.writer((top) => writeFileSync(join(top, 'page'), 'first'));
    const replica = await mesh.replica('one');
    await Promise.all([writer.start(), replica.start()]);
    await converged(writer, [replica]);
    writeFileSync(join(replica.directory, 'page'), 'by hand');
    await until(
      'the page is healed',
      () => readFileSync(join(replica.directory, 'page'), 'utf8') === 'first',
    );
    await until('and that is noted', async () => (await replica.must(['audit'])).includes('healed'));

    type Line = { seq: number; event: string; name?: string; first?: string };
    const events = async (agent: Agent): Promise<Line[]> =>
      JSON.parse(await agent.must(['audit', '--json'])) as Line[];
    const ofWriter = await events(writer);
    assert.equal(
      ofWriter.map(({ seq }) => seq),
      ofWriter.map((_, at) => at + 1),
    );
    const kinds = ofWriter.map(({ event }) => event);
    for (const kind of ['share-created', 'invited', 'agent-started', 'published', 'joined'])
      assert.ok(kinds.includes(kind), `${kind} in ${kinds.join()}`);
    assert.is(ofWriter.find(({ event }) => event === 'joined')?.name, 'one');
    const healed = (await events(replica)).find(({ event }) => event === 'healed');
    assert.is(healed?.first, 'page');
    await writer.must(['invite']);
    assert.is((await events(writer)).at(-1)?.event, 'invited', 'durable before it is printed');

    for (const agent of [writer, replica]) await agent.must(['audit', 'verify']);
    await replica.kill();
    await replica.start();
    await replica.must(['audit', 'verify']);
    for (const agent of [writer, replica]) assert.is(await agent.stop(), 0);
    assert.is((await events(replica)).at(-1)?.event, 'agent-stopped');
    await replica.must(['audit', 'verify']);

    const file = join(writer.home, 'audit.log');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"name":"one"', '"name":"two"'));
    const altered = await writer.command(['audit', 'verify']);
    assert.is(altered.code, 4);
    const joinedAt = lines(text).findIndex((line) => line.includes('"joined"')) + 1;
    assert.match(altered.stdout, `audit.log line ${joinedAt}: it was altered`);
    writeFileSync(file, text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
    const cut = await writer.command(['audit', 'verify', '--json']);
    assert.is(cut.code, 4);
    assert.match(JSON.parse(cut.stdout).wrong.reason, 'its last line is missing');
  });
});

test.run();
