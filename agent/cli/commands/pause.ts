/** `pause`: stops publishing and applying. */
import type { Invocation } from '../invocation.ts';
import { reportShares } from './shares.ts';

export async function run(invocation: Invocation): Promise<number> {
  return await reportShares(invocation, await invocation.agent.pause(invocation.share()));
}
