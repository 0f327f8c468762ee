/** `init`: a new share over a directory, with this agent as its writer. Through the agent where one runs. */
import { printable } from '../../base/printable.ts';
import { parseName } from '../../daemon/config-values.ts';
import type { InitRequest, SetupResult } from '../../http/api.ts';
import { isAgentRunning } from '../../http/client.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { agentSettings } from './settings.ts';

export async function run(invocation: Invocation): Promise<number> {
  const share = invocation.parsed('share', parseName);
  const request: InitRequest = {
    directory: invocation.absolute(invocation.argument(0) ?? ''),
    ...(share === undefined ? {} : { share }),
    ...agentSettings(invocation),
  };
  const running = await isAgentRunning(invocation.socketPath);
  const result = running ? await invocation.agent.init(request) : await initAlone(invocation, request);
  await invocation.print(result);
  await invocation.mention(
    [
      `share ${printable(result.share)} over ${printable(result.path)}; this agent, ${printable(result.name)}, is its writer`,
      ...(running ? [] : [`start it:        ${invocation.next('run')}`]),
      `let others join: ${invocation.next('invite')}`,
    ].join('\n'),
  );
  return exitCodes.done;
}

async function initAlone({ home }: Invocation, request: InitRequest): Promise<SetupResult> {
  const { initShare } = await import('../../daemon/setup.ts');
  const { recordAlone, setupEvent } = await import('../../daemon/audit-setup.ts');
  const result = await initShare({ ...request, home });
  await recordAlone(home, setupEvent('share-created', result));
  return result;
}
