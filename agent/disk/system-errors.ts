/** Errors of system calls, as the disk floor sorts and reports them. Pure. */
import { P2psyncError, systemCode } from '../base/errors.ts';

export function hasErrorCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = systemCode(error);
  return code !== undefined && codes.includes(code);
}

/** `disk-full` for a disk or quota without room, anything else as it is. */
export function explainFull(error: unknown, root: string): unknown {
  if (!hasErrorCode(error, 'ENOSPC', 'EDQUOT')) return error;
  const message = `no room left on the file system of ${root}; free some, it goes on by itself`;
  return new P2psyncError('disk-full', message, { path: root }, { cause: error });
}
