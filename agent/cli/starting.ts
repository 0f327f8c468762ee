/** Asks an agent that may be on its way up, as in `p2psync run & p2psync wait`. Starts nothing itself. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, P2psyncError } from '../base/errors.ts';
import { agentAppearsMs, agentLookMs } from '../base/limits.ts';
import { pause } from '../base/pause.ts';
import { isAgentRunning } from '../http/client.ts';
import { holderOf } from '../store/lock.ts';
import type { Invocation } from './invocation.ts';

export type Patience = { readonly timeoutMs: number; readonly signal: AbortSignal };

/**
 * Asks again while nobody answers: until the timeout where a living process has the home, for a moment where none has
 * yet, and not at all where the home was never set up.
 * @param ask gets the time that is left, ms.
 * @throws {P2psyncError} not-running, timeout (an agent runs and does not answer), and what `ask` throws.
 */
export async function askStarting<Answer>(
  home: string,
  ask: (leftMs: number) => Promise<Answer>,
  { timeoutMs, signal }: Patience,
): Promise<Answer> {
  const deadlineMs = performance.now() + timeoutMs;
  let leftMs = timeoutMs;
  let hopeUntilMs = existsSync(join(home, 'identity.key')) ? performance.now() + agentAppearsMs : 0;
  for (;;) {
    try {
      return await ask(leftMs);
    } catch (error) {
      if (!hasCode(error, 'not-running') || signal.aborted) throw error;
      const holder = holderOf(home);
      const nowMs = performance.now();
      if (holder !== undefined) hopeUntilMs = nowMs + agentAppearsMs;
      if (nowMs >= deadlineMs && holder !== undefined) {
        throw new P2psyncError(
          'timeout',
          `the agent on ${home} (pid ${holder.pid}) is still starting: its log says with what`,
        );
      }
      if (nowMs >= Math.min(hopeUntilMs, deadlineMs)) throw error;
    }
    await pause(agentLookMs, signal);
    leftMs = Math.max(0, Math.round(deadlineMs - performance.now()));
  }
}

/**
 * What a command does through the agent where one runs, and by itself where none does. An agent that starts at this moment
 * has the home already: then it is asked.
 */
export async function throughAgentOr<Answer, Alone>(
  { home, socketPath, terminal }: Pick<Invocation, 'home' | 'socketPath' | 'terminal'>,
  ask: () => Promise<Answer>,
  alone: () => Promise<Alone>,
): Promise<{ readonly answer: Answer | Alone; readonly byAgent: boolean }> {
  if (await isAgentRunning(socketPath)) return { answer: await ask(), byAgent: true };
  try {
    return { answer: await alone(), byAgent: false };
  } catch (error) {
    if (!hasCode(error, 'locked')) throw error;
    const patience = { timeoutMs: startingMs, signal: terminal.signal };
    return { answer: await askStarting(home, ask, patience), byAgent: true };
  }
}

/** An agent that starts listens by then, ms. */
const startingMs = 30_000;
