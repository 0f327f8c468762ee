/** `doctor`: looks at what an agent needs on this machine, and says what to type where something is wrong. */
import { messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { type Config, readConfig } from '../../daemon/config.ts';
import { isAgentRunning } from '../../http/client.ts';
import { type Check, fail, ok, warn } from '../doctor/check.ts';
import { checkHome, checkShares, countDirectories } from '../doctor/files.ts';
import { checkBulk, checkPort, listenHostPort } from '../doctor/ports.ts';
import { checkClock, checkDescriptors, checkInotify, checkNode, readOrNothing } from '../doctor/system.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { type Color, paint } from '../render/text.ts';

export async function run(invocation: Invocation): Promise<number> {
  const checks: Check[] = [];
  const isHealthy = (): boolean => checks.every(({ state }) => state !== 'fail');
  for await (const check of examine(invocation)) {
    checks.push(check);
    if (check.state !== 'ok' || !invocation.quiet) await invocation.say(lineOf(check, invocation.color));
  }
  await invocation.print({ ok: isHealthy(), checks });
  return isHealthy() ? exitCodes.done : exitCodes.failed;
}

async function* examine(invocation: Invocation): AsyncIterable<Check> {
  const { home, terminal } = invocation;
  yield checkNode(terminal.nodeVersion);
  yield checkClock(new Date());
  yield* await checkHome(home, terminal.uid);
  const running = await isAgentRunning(invocation.socketPath).catch((error: unknown) => messageOf(error));
  if (typeof running === 'string')
    yield fail('agent', printable(running), 'run this as the user that runs the agent');
  else yield ok('agent', running ? 'an agent is running on this home' : 'no agent is running on this home');

  let config: Config | undefined;
  try {
    config = await readConfig(home);
    yield config.file === null
      ? warn('config', 'there is no config.toml yet', 'p2psync init DIR, or p2psync join INVITATION DIR')
      : ok('config', `${printable(config.file)} is understood`);
  } catch (error) {
    yield fail('config', printable(messageOf(error)), 'put that line right');
  }
  const shares = config?.shares ?? [];
  yield* await checkShares(shares, home);
  yield checkDescriptors(await readOrNothing('/proc/self/limits'));
  yield* checkInotify(
    {
      watches: await readOrNothing('/proc/sys/fs/inotify/max_user_watches'),
      instances: await readOrNothing('/proc/sys/fs/inotify/max_user_instances'),
    },
    await countDirectories(shares.map(({ path }) => path)),
  );
  if (config === undefined) return;
  for (const listen of config.listen)
    yield await checkPort('listen', listenHostPort(listen), running === true);
  yield* await checkBulk(config, running === true ? await invocation.agent.peers() : null);
  if (config.http.listen !== null) yield await checkPort('http', config.http.listen, running === true);
}

const colors: Readonly<Record<Check['state'], Color>> = { ok: 'green', warn: 'yellow', fail: 'red' };

function lineOf(check: Check, color: boolean): string {
  const remedy = check.remedy === null ? '' : `; type or do: ${check.remedy}`;
  return `${paint(check.state, colors[check.state], color)}${' '.repeat(6 - check.state.length)}${check.check}: ${check.message}${remedy}`;
}
