/** p2psync from this checkout, as a user starts it: `scripts/p2psync init`, `invite`, `join`, `run`. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Contender, Session, Site } from '../contender.ts';
import type { Place } from '../fabric.ts';
import type { Owned } from '../processes.ts';

const program = join(import.meta.dirname, '..', '..', 'p2psync');
/** An agent that does not answer by then has failed, ms. */
const answerTimeoutMs = 120_000;

export const p2psync: Contender = {
  name: 'p2psync',
  summary: 'one agent a node',
  programs: [],
  version: async () => (await command(['--version'])).trim(),
  prepare,
};

async function command(args: readonly string[]): Promise<string> {
  const env = { ...process.env, NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)(program, args, { env, maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

async function prepare({ source, destinations, processes }: Site): Promise<Session> {
  const homeOf = (place: Place): string => join(place.state, 'home');
  const addresses = new Map<Place, string>();
  for (const place of [source, ...destinations])
    addresses.set(place, `${place.address}:${await place.port()}`);
  const flags = (place: Place): string[] => {
    const listen = addresses.get(place) ?? '';
    return ['--home', homeOf(place), '--name', place.name, '--listen', listen, '--http', 'off'];
  };
  await command(['init', source.directory, '--share', 'bench', ...flags(source)]);
  const uses = String(destinations.length);
  const invitation = (await command(['invite', '--uses', uses, '--home', homeOf(source)])).trim();
  for (const place of destinations)
    await command(['join', invitation, place.directory, '--force', ...flags(place)]);
  // The writer knows where its replicas are, as the others do of theirs; or a start would measure when a replica dials again.
  const config = join(homeOf(source), 'config.toml');
  const bootstrap = destinations.map((place) => addresses.get(place));
  writeFileSync(config, `bootstrap = ${JSON.stringify(bootstrap)}\n${readFileSync(config, 'utf8')}`);

  const start = (place: Place): Owned =>
    processes.start(
      place === source ? 'source' : 'destination',
      [...place.enter, program, 'run', '--no-color', '--home', homeOf(place)],
      { log: join(place.state, 'log') },
    );
  let writer: Owned | undefined;

  async function answers(place: Place, agent: Owned): Promise<void> {
    const deadlineMs = performance.now() + answerTimeoutMs;
    const socket = join(homeOf(place), 'control.sock');
    for (;;) {
      const answered =
        existsSync(socket) && (await command(['status', '--home', homeOf(place)]).then(yes, no));
      if (answered) return;
      if (!agent.isRunning() || performance.now() > deadlineMs)
        throw new Error(`the agent of ${place.name} does not answer; see ${join(place.state, 'log')}`);
      await delay(100);
    }
  }

  return {
    async startDestinations() {
      await Promise.all(destinations.map((place) => answers(place, start(place))));
    },
    startSource() {
      writer = start(source);
    },
    async stopSource() {
      if (writer !== undefined) await processes.stop(writer);
    },
  };
}

const yes = (): boolean => true;
const no = (): boolean => false;
