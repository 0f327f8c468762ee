/** `join`: takes part in a share, with its files in a directory. Through the agent where one runs. */
import { readdir } from 'node:fs/promises';
import { messageOf, P2psyncError, systemCode } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { agentDirectory } from '../../core/path.ts';
import type { JoinRequest, SetupResult } from '../../http/api.ts';
import { isAgentRunning } from '../../http/client.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { countOf } from '../render/format.ts';
import { agentSettings } from './settings.ts';

export async function run(invocation: Invocation): Promise<number> {
  const directory = invocation.absolute(invocation.argument(1) ?? '');
  const settings = agentSettings(invocation);
  const entries = await entriesIn(directory);
  if (entries > 0 && !invocation.has('force')) await confirm(invocation, directory, entries);
  const request: JoinRequest = {
    invitation: (invocation.argument(0) ?? '').trim(),
    directory,
    ...settings,
    force: entries > 0,
  };
  const running = await isAgentRunning(invocation.socketPath);
  const result = running ? await invocation.agent.join(request) : await joinAlone(invocation, request);
  await invocation.print(result);
  await invocation.mention(
    [
      `${printable(result.name)} is a ${result.role} of share ${printable(result.share)} in ${printable(result.path)}`,
      ...(running ? [] : [`start it: ${invocation.next('run')}`]),
    ].join('\n'),
  );
  return exitCodes.done;
}

async function joinAlone({ home }: Invocation, request: JoinRequest): Promise<SetupResult> {
  const { joinShare } = await import('../../daemon/setup.ts');
  const { recordAlone, setupEvent } = await import('../../daemon/audit-setup.ts');
  const result = await joinShare({ ...request, home });
  await recordAlone(home, setupEvent('share-joined', result));
  return result;
}

/** 0 for a directory that is not there; our own entry does not count. */
async function entriesIn(directory: string): Promise<number> {
  try {
    return (await readdir(directory)).filter((name) => name !== agentDirectory).length;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    if (systemCode(error) === 'ENOTDIR') throw new P2psyncError('config', `${directory} is not a directory`);
    throw new P2psyncError('io', `cannot look into ${directory}: ${messageOf(error)}`, {}, { cause: error });
  }
}

/** @throws {P2psyncError} conflict, where nobody says yes. */
async function confirm(invocation: Invocation, directory: string, entries: number): Promise<void> {
  const what = `${printable(directory)} is not empty (${countOf(entries, 'entry', 'entries')})`;
  const { terminal } = invocation;
  if (terminal.inIsTerminal && terminal.errIsTerminal && !invocation.json) {
    terminal.complain(
      `${what}. What is the same is reused; what differs or does not belong is kept in ${agentDirectory}/kept.`,
    );
    if (/^y(?:es)?$/i.test((await terminal.ask('Go on? [y/N] ')).trim())) return;
    throw new P2psyncError('conflict', 'nothing was changed');
  }
  throw new P2psyncError(
    'conflict',
    `${what}: with --force it is compared and reused, and a stray file is kept aside in ${agentDirectory}/kept`,
  );
}
