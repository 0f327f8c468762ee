/** `invite`: one line that lets others join, alone on standard output. Through the agent where one runs. */
import { printable } from '../../base/printable.ts';
import { parseDuration } from '../../daemon/config-values.ts';
import type { InviteRequest, InviteResult } from '../../http/api.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { formatTime } from '../render/format.ts';
import { throughAgentOr } from '../starting.ts';

export async function run(invocation: Invocation): Promise<number> {
  const request: InviteRequest = {
    ...invocation.share(),
    role: roleOf(invocation.text('role')),
    expiresMs: Math.max(1, invocation.parsed('expires', parseDuration) ?? parseDuration('24h')),
    uses: invocation.count('uses', 1) ?? 1,
  };
  const { answer: result } = await throughAgentOr(
    invocation,
    () => invocation.agent.invite(request),
    () => inviteAlone(invocation.home, request),
  );
  await invocation.print(result);
  await invocation.say(result.invitation);
  if (!invocation.quiet && !invocation.json && invocation.terminal.errIsTerminal) {
    const uses = result.uses === 1 ? 'one agent' : `${result.uses} agents`;
    const until = `${formatTime(result.expires)} UTC`;
    invocation.terminal.complain(
      `good for ${uses} as ${result.role} of ${printable(result.share)} until ${until}`,
    );
  }
  return exitCodes.done;
}

async function inviteAlone(home: string, request: InviteRequest): Promise<InviteResult> {
  const { createInvitation } = await import('../../daemon/setup.ts');
  const { invitedEvent, recordAlone } = await import('../../daemon/audit-setup.ts');
  const result = await createInvitation({ ...request, home });
  await recordAlone(home, invitedEvent(result));
  return result;
}

/** The parser has admitted no other. */
function roleOf(text: string | undefined): InviteRequest['role'] {
  return text === 'standby' || text === 'archive' ? text : 'replica';
}
