/** `rescan`: compares the whole directory with the index now. */
import type { Invocation } from '../invocation.ts';
import { reportShares } from './shares.ts';

export async function run(invocation: Invocation): Promise<number> {
  return await reportShares(invocation, await invocation.agent.rescan(invocation.share()));
}
