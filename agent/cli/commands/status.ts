/** `status`: this agent's shares, once or as they change. */
import { P2psyncError } from '../../base/errors.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { showLive } from '../render/live.ts';
import { renderStatus } from '../render/status.ts';
import { widthOfOutput } from './output.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { agent, color, json } = invocation;
  if (!invocation.has('watch')) {
    const report = await agent.status();
    await invocation.print(report);
    await invocation.say(renderStatus(report, { width: widthOfOutput(invocation), color }).join('\n'));
    return exitCodes.done;
  }
  if (json) throw new P2psyncError('usage', '--watch does not go with --json, which is one document');
  await showLive(invocation, async (width) => renderStatus(await agent.status(), { width, color }));
  return exitCodes.done;
}
