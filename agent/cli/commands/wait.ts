/** `wait`: returns when a version is applied here, by some, or by all. */
import { P2psyncError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { parseDuration } from '../../daemon/config-values.ts';
import type { WaitResult } from '../../http/api.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { versionOf } from '../render/status.ts';
import { askStarting } from '../starting.ts';

export async function run(invocation: Invocation): Promise<number> {
  const all = invocation.has('all');
  const peers = invocation.count('peers', 1);
  if (all && peers !== undefined) {
    throw new P2psyncError('usage', '--all and --peers do not go together; see p2psync wait --help');
  }
  const version = invocation.text('version');
  const timeout = invocation.text('timeout') ?? '60s';
  const timeoutMs = invocation.parsed('timeout', parseDuration) ?? parseDuration(timeout);
  const request = {
    ...invocation.share(),
    ...(version === undefined ? {} : { version }),
    ...(all ? { all } : {}),
    ...(peers === undefined ? {} : { peers }),
  };
  const { signal } = invocation.terminal;
  const result = await askStarting(
    invocation.home,
    (leftMs) => invocation.agent.wait({ ...request, timeoutMs: leftMs }, { signal }),
    { timeoutMs, signal },
  );
  await invocation.print(result);
  if (result.reached) {
    await invocation.mention(summaryOf(result));
    return exitCodes.done;
  }
  const missing = result.missing.length === 0 ? '' : `; missing: ${result.missing.map(printable).join(', ')}`;
  invocation.terminal.complain(`p2psync: timed out after ${timeout}: ${summaryOf(result)}${missing}`);
  return exitCodes.timeout;
}

function summaryOf(result: WaitResult): string {
  if (result.version === null) return `no version of ${printable(result.share)} is known yet`;
  return `${result.membersAtVersion} of ${result.membersKnown} at version ${versionOf(result.version)}`;
}
