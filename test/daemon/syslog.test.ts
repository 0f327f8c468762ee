/** Lines for syslog through the real `logger`, to a socket that stands in for /dev/log. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../agent/base/errors.ts';
import { parseConfig } from '../../agent/daemon/config.ts';
import { openLog } from '../../agent/daemon/log.ts';
import { openSyslog } from '../../agent/daemon/syslog.ts';
import { withDirectory } from './directory.ts';

/** logger takes a stream where there is no datagram socket. `heard(n)` resolves with the first n lines. */
async function listen(path: string) {
  let text = '';
  let wake = Promise.withResolvers<void>();
  const server: Server = createServer((socket) => {
    socket.on('data', (chunk) => {
      text += chunk.toString();
      wake.resolve();
      wake = Promise.withResolvers();
    });
    socket.on('error', () => undefined);
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    async heard(count: number): Promise<string[]> {
      for (;;) {
        const lines = text.split('\n').filter((line) => line !== '');
        if (lines.length >= count) return lines;
        await wake.promise;
      }
    },
    close: () => server.close(),
  };
}

test('lines arrive with facility, severity, name and process', async () => {
  await withDirectory(async (top) => {
    const socket = join(top, 'log');
    const devLog = await listen(socket);
    const syslog = await openSyslog({ facility: 'local3', socket });
    syslog.write('error', 'a disk is full');
    syslog.write('debug', 'ä <3> stays text');
    const lines = await devLog.heard(2);
    await syslog.close();
    devLog.close();
    const shape = /^<(\d+)>\w{3} [ \d]\d [\d:]{8} p2psync\[(\d+)\]: (.*)$/;
    assert.equal(
      lines.map((line) => shape.exec(line)?.slice(1)),
      [
        [String(19 * 8 + 3), String(process.pid), 'a disk is full'],
        [String(19 * 8 + 7), String(process.pid), 'ä <3> stays text'],
      ],
    );
    assert.is(syslog.warning(), null);
  });
});

test("the agent's log goes there too, one line a record", async () => {
  await withDirectory(async (top) => {
    const socket = join(top, 'log');
    const devLog = await listen(socket);
    const syslog = await openSyslog({ facility: 'daemon', socket });
    const file = join(top, 'agent.log');
    const sink = openLog({ level: 'info', format: 'json', file, color: false, also: syslog.write });
    sink.log.debug({}, 'below the level');
    sink.log.warn({ peer: 'a\nb', err: new TypeError('x') }, 'refused');
    sink.log.info({}, 'next');
    const [first, second] = await devLog.heard(2);
    sink.close();
    await syslog.close();
    devLog.close();
    assert.match(first ?? '', /^<28>.*: refused peer=.*b" error="x" TypeError: x {5}at /);
    assert.match(second ?? '', /^<30>.*: next$/);
  });
});

test('without a syslog lines are counted and told, and it is tried again until there is one', async () => {
  await withDirectory(async (top) => {
    const socket = join(top, 'log');
    const syslog = await openSyslog({ facility: 'daemon', socket, retryMs: 20 });
    while (!(syslog.warning()?.message ?? '').includes('No such file')) {
      syslog.write('info', 'nobody hears it');
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.is(syslog.warning()?.code, 'syslog');
    const devLog = await listen(socket);
    const heard = devLog.heard(1);
    let isHeard = false;
    void heard.then(() => {
      isHeard = true;
    });
    while (!isHeard) {
      syslog.write('info', 'here again');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.match((await heard)[0] ?? '', 'here again');
    await syslog.close();
    devLog.close();
  });
});

test('where there is no logger the configuration is refused with what to install', async () => {
  try {
    await openSyslog({ facility: 'daemon', program: 'no-such-logger' });
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof P2psyncError && error.code === 'config');
    assert.match(error.message, 'no-such-logger');
    assert.match(error.message, 'bsdutils');
  }
});

test('a facility is a name that syslog knows, or off', () => {
  const facilityOf = (value: string): string | null =>
    parseConfig(`[log]\nsyslog = "${value}"\n`, 'config.toml').log.syslog;
  assert.equal(['off', '', 'daemon', 'local7', 'security'].map(facilityOf), [
    null,
    null,
    'daemon',
    'local7',
    'security',
  ]);
  assert.throws(() => facilityOf('local8'), /config\.toml:2: log\.syslog: "local8" is not "off" or one of/);
  const transfersOf = (value: string): string | null =>
    parseConfig(`[log]\ntransfers = "${value}"\n`, 'config.toml').log.transfers;
  assert.equal(['off', 'other.log', '/var/log/x'].map(transfersOf), [null, 'other.log', '/var/log/x']);
});

test.run();
