/**
 * Syncthing: the source sends only, the others receive only, all know each other by address; no discovery, relays or reports.
 * The watcher's delay is the lowest it takes: 1 s.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Contender, Session, Site } from '../contender.ts';
import type { Place } from '../fabric.ts';
import type { Owned } from '../processes.ts';
import { firstLineOf } from '../rsync.ts';

const answerTimeoutMs = 60_000;
const apiKey = 'bench';

type Device = { readonly place: Place; readonly id: string; readonly home: string; readonly listen: string };

export const syncthing: Contender = {
  name: 'syncthing',
  summary: 'send only to receive only, every node knows every other, watcher delay 1 s',
  programs: ['syncthing'],
  version: async () => (await firstLineOf('syncthing', ['--version'])).split(' ').slice(0, 2).join(' '),
  prepare,
};

async function prepare({ source, destinations, processes }: Site): Promise<Session> {
  const devices = await Promise.all([source, ...destinations].map(createDevice));
  for (const device of devices)
    writeFileSync(join(device.home, 'config.xml'), configuration(device, devices, device.place === source));

  const start = ({ place, home }: Device): Owned =>
    processes.start(
      place === source ? 'source' : 'destination',
      [...place.enter, 'syncthing', 'serve', `--home=${home}`, '--no-browser', '--no-restart'],
      // Without its monitor process.
      { log: join(place.state, 'log'), env: { STNORESTART: '1', STMONITORED: 'yes' } },
    );
  let writer: Owned | undefined;
  return {
    async startDestinations() {
      await Promise.all(
        devices.slice(1).map(async (device) => {
          start(device);
          await answers(device);
        }),
      );
    },
    startSource() {
      const [device] = devices;
      if (device !== undefined) writer = start(device);
    },
    async stopSource() {
      if (writer !== undefined) await processes.stop(writer);
    },
  };
}

async function createDevice(place: Place): Promise<Device> {
  const home = join(place.state, 'home');
  mkdirSync(home);
  const run = promisify(execFile);
  await run('syncthing', ['generate', `--home=${home}`, '--no-default-folder', '--skip-port-probing']);
  const { stdout } = await run('syncthing', ['--device-id', `--home=${home}`]);
  return { place, home, id: stdout.trim(), listen: `tcp://${place.address}:${await place.port()}` };
}

function socketOf(device: Device): string {
  return join(device.home, 'gui.sock');
}

async function answers(device: Device): Promise<void> {
  const deadlineMs = performance.now() + answerTimeoutMs;
  while (!(await isUp(device))) {
    if (performance.now() > deadlineMs)
      throw new Error(
        `syncthing of ${device.place.name} does not answer; see ${join(device.place.state, 'log')}`,
      );
    await delay(100);
  }
}

function isUp(device: Device): Promise<boolean> {
  const options = {
    socketPath: socketOf(device),
    path: '/rest/system/ping',
    headers: { 'X-API-Key': apiKey },
  };
  return new Promise((resolve) => {
    get(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    }).once('error', () => resolve(false));
  });
}

function configuration(own: Device, devices: readonly Device[], isSource: boolean): string {
  const known = devices.map(({ id, listen, place }) => {
    const address = id === own.id ? 'dynamic' : listen;
    return `<device id="${id}" name="${place.name}" compression="metadata"><address>${address}</address></device>`;
  });
  const members = devices.map(({ id }) => `<device id="${id}"></device>`);
  return `<configuration version="36">
  <folder id="bench" label="bench" path="${own.place.directory}" type="${isSource ? 'sendonly' : 'receiveonly'}"
    rescanIntervalS="0" fsWatcherEnabled="true" fsWatcherDelayS="1" ignorePerms="false" autoNormalize="false">
    <filesystemType>basic</filesystemType>
    ${members.join('\n    ')}
    <markerName>.</markerName>
  </folder>
  ${known.join('\n  ')}
  <gui enabled="true" tls="false"><address>${socketOf(own)}</address><apikey>${apiKey}</apikey></gui>
  <options>
    <listenAddress>${own.listen}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <reconnectionIntervalS>1</reconnectionIntervalS>
    <startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled>
    <setLowPriority>false</setLowPriority>
  </options>
</configuration>
`;
}
