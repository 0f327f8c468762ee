/** What `pause`, `resume` and `rescan` answer: the shares as they are now. */
import { printable } from '../../base/printable.ts';
import type { ShareResult } from '../../http/api.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';

export async function reportShares(invocation: Invocation, results: readonly ShareResult[]): Promise<number> {
  await invocation.print(results);
  for (const { share, state } of results) await invocation.mention(`${printable(share)}: ${state}`);
  return exitCodes.done;
}
