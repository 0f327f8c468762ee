/** What those contenders share that send with rsync: a daemon on each destination, and where it is reached. */

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Site } from './contender.ts';
import type { Place } from './fabric.ts';

/** A daemon that does not listen by then has failed, ms. */
const listenTimeoutMs = 10_000;

export type RsyncDaemons = {
  /** `rsync://10.0.0.2:8873/bench/`, one a destination. */
  readonly targets: readonly string[];
  start(): Promise<void>;
};

export async function prepareRsyncDaemons({ destinations, processes }: Site): Promise<RsyncDaemons> {
  const daemons = await Promise.all(destinations.map(async (place) => ({ place, port: await place.port() })));
  for (const { place } of daemons) writeFileSync(join(place.state, 'rsyncd.conf'), configuration(place));
  return {
    targets: daemons.map(({ place, port }) => `rsync://${place.address}:${port}/bench/`),
    async start() {
      for (const { place, port } of daemons) {
        const config = `--config=${join(place.state, 'rsyncd.conf')}`;
        const daemon = [
          'rsync',
          '--daemon',
          '--no-detach',
          config,
          `--port=${port}`,
          `--address=${place.address}`,
        ];
        processes.start('destination', [...place.enter, ...daemon], { log: join(place.state, 'log') });
      }
      await Promise.all(daemons.map(({ place, port }) => listens(place, port)));
    },
  };
}

function configuration(place: Place): string {
  const owner = process.getuid?.() === 0 ? 'uid = 0\ngid = 0\n' : '';
  return `use chroot = false
munge symlinks = false
${owner}log file = ${join(place.state, 'rsyncd.log')}
[bench]
path = ${place.directory}
read only = false
`;
}

async function listens(place: Place, port: number): Promise<void> {
  const deadlineMs = performance.now() + listenTimeoutMs;
  while (!(await isListening(place, port))) {
    if (performance.now() > deadlineMs)
      throw new Error(`the rsync daemon of ${place.name} does not listen; see ${join(place.state, 'log')}`);
    await delay(20);
  }
}

/** In a namespace somebody inside has to ask. */
async function isListening(place: Place, port: number): Promise<boolean> {
  if (place.enter.length > 0) {
    const command = [...place.enter, 'rsync', `rsync://${place.address}:${port}/`];
    return promisify(execFile)(command[0] ?? '', command.slice(1)).then(
      () => true,
      () => false,
    );
  }
  return new Promise((resolve) => {
    const socket = connect({ host: place.address, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** The first line that a program prints about itself. */
export async function firstLineOf(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(program, args);
  return (stdout + stderr).trim().split('\n')[0] ?? '';
}
