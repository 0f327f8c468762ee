/** Exit codes, and what a failure says and exits with. Pure. */
import { messageOf, P2psyncError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  timeout: 3,
  differences: 4,
  notRunning: 5,
  /** 128 and the number of SIGINT, as shells have it. */
  interrupted: 130,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof P2psyncError)) return exitCodes.failed;
  switch (error.code) {
    case 'usage':
      return exitCodes.usage;
    case 'timeout':
      return exitCodes.timeout;
    case 'differences':
      return exitCodes.differences;
    case 'not-running':
      return exitCodes.notRunning;
    case 'cancelled':
      return exitCodes.interrupted;
    default:
      return exitCodes.failed;
  }
}

/** What `--json` prints where there is nothing else to print. */
export function failureDocument(error: unknown): {
  readonly error: { readonly code: string; readonly message: string };
} {
  const code = error instanceof P2psyncError ? error.code : 'internal';
  return { error: { code, message: messageOf(error) } };
}

/** One line without its end; with `verbose` the stack and the causes below it. */
export function complaintOf(error: unknown, options: { readonly verbose: boolean }): string {
  const line = `p2psync: ${printable(messageOf(error).replace(/\s*\n\s*/g, ' '))}`;
  if (!options.verbose || !(error instanceof Error)) return line;
  const details: string[] = [];
  for (let at: unknown = error; at instanceof Error && details.length < 8; at = at.cause) {
    details.push((at.stack ?? at.message).split('\n').map(printable).join('\n'));
  }
  return [line, ...details].join('\n');
}
