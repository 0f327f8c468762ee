/** `resume`: goes on after a pause; with `--yes` also with a publish that was held back. */
import type { Invocation } from '../invocation.ts';
import { reportShares } from './shares.ts';

export async function run(invocation: Invocation): Promise<number> {
  const request = { ...invocation.share(), yes: invocation.has('yes') };
  return await reportShares(invocation, await invocation.agent.resume(request));
}
