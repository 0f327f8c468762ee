/** Gives up root as an agent does, with worker threads and a port that were there before; says as JSON what came of it. */

import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../../agent/base/errors.ts';
import { parseConfig } from '../../agent/daemon/config.ts';
import { becomeAccount } from '../../agent/daemon/privileges.ts';
import { isCapable } from '../../agent/disk/capabilities.ts';

const [home = '', share = ''] = process.argv.slice(2);
const warnings: string[] = [];
const note = () => undefined;
const log = {
  trace: note,
  debug: note,
  info: note,
  error: note,
  warn: (_fields: unknown, text: string) => void warnings.push(text),
  child: () => log,
};

const worker = new Worker(
  `require('node:worker_threads').parentPort.on('message', (path) => {
    let written = 'yes';
    try { require('node:fs').writeFileSync(path, ''); } catch (error) { written = error.code; }
    require('node:worker_threads').parentPort.postMessage({ euid: process.geteuid(), written });
  })`,
  { eval: true },
);
await once(worker, 'online');
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');

const account = { uid: 65_534, gid: 65_533, groupsOf: null, text: 'nobody:65533' };
const { shares } = parseConfig(`[[share]]\nname = "www"\npath = ${JSON.stringify(share)}\n`, 'c.toml');
const before = isCapable('chown');
let failure = '';
try {
  becomeAccount(account, { home, shares, log });
} catch (error) {
  failure = messageOf(error);
}
const identities = readdirSync('/proc/self/task').map((task) => {
  const status = readFileSync(`/proc/self/task/${task}/status`, 'utf8');
  return ['Uid', 'Gid', 'Groups', 'CapEff']
    .map((name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim())
    .join(' | ');
});
worker.postMessage(join(share, 'by-a-thread'));
const [inThread] = await once(worker, 'message');
const owners = (...names: string[]): string[] =>
  names.map((name) => {
    const stat = statSync(name);
    return `${stat.uid}:${stat.gid}`;
  });
let back = 'refused';
try {
  process.setuid?.(0);
  back = 'root again';
} catch {}
writeFileSync(
  1,
  JSON.stringify({
    failure,
    warnings,
    before,
    after: isCapable('chown'),
    identities: [...new Set(identities)],
    threads: identities.length,
    inThread,
    back,
    listening: server.listening,
    home: failure === '' ? owners(home, join(home, 'index'), join(home, 'index/data')) : [],
    share: owners(share, join(share, 'page'), join(share, '.p2psync'), join(share, '.p2psync/kept')),
    kept: owners(join(share, '.p2psync/kept/old')),
    outside: owners(join(home, '../outside'), join(home, '../linked')),
  }),
);
process.exit(0);
