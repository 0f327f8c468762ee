/** `invite`: one line that lets others join, alone on standard output. Through the agent where one runs. */
import { hasCode } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { parseDuration } from '../../daemon/config-values.ts';
import type { InviteRequest, InviteResult } from '../../http/api.ts';
import { isAgentRunning } from '../../http/client.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { formatTime } from '../render/format.ts';

export async function run(invocation: Invocation): Promise<number> {
  const request: InviteRequest = {
    ...invocation.share(),
    role: roleOf(invocation.text('role')),
    expiresMs: Math.max(1, invocation.parsed('expires', parseDuration) ?? parseDuration('24h')),
    uses: invocation.count('uses', 1) ?? 1,
  };
  const running = await isAgentRunning(invocation.socketPath);
  const result = running ? await invocation.agent.invite(request) : await inviteAlone(invocation, request);
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

/** An agent that starts at this moment has the audit log: then it invites. */
async function inviteAlone(invocation: Invocation, request: InviteRequest): Promise<InviteResult> {
  const { home, agent, terminal } = invocation;
  const { createInvitation } = await import('../../daemon/setup.ts');
  const { invitedEvent, recordAlone } = await import('../../daemon/audit-setup.ts');
  const result = await createInvitation({ ...request, home });
  try {
    await recordAlone(home, invitedEvent(result));
    return result;
  } catch (error) {
    if (!hasCode(error, 'locked')) throw error;
    const { askStarting } = await import('../starting.ts');
    return askStarting(home, () => agent.invite(request), {
      timeoutMs: startingMs,
      signal: terminal.signal,
    });
  }
}

/** An agent that starts listens by then, ms. */
const startingMs = 30_000;

/** The parser has admitted no other. */
function roleOf(text: string | undefined): InviteRequest['role'] {
  return text === 'standby' || text === 'archive' ? text : 'replica';
}
