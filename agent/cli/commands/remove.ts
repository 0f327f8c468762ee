/** `remove`: puts a member out for good, everywhere. Through the agent where one runs, else noted for its next start. */
import { printable } from '../../base/printable.ts';
import type { RemoveRequest } from '../../http/api-members.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { countOf } from '../render/format.ts';
import { throughAgentOr } from '../starting.ts';

export async function run(invocation: Invocation): Promise<number> {
  const request: RemoveRequest = { ...invocation.share(), peer: invocation.argument(0) ?? '' };
  const { home, agent } = invocation;
  const { answer, byAgent } = await throughAgentOr(
    invocation,
    () => agent.remove(request),
    async () => (await import('../../daemon/remove-member.ts')).removeAlone({ ...request, home }),
  );
  await invocation.print(answer);
  const next = byAgent
    ? `${countOf(answer.told, 'connected member')} told; who is away learns of it before it takes anybody in`
    : `noted: this agent tells the others when it runs: ${invocation.next('run')}`;
  await invocation.mention(
    `${printable(answer.name)} (${answer.peerId}) was removed from share ${printable(answer.share)}\n${next}`,
  );
  return exitCodes.done;
}
