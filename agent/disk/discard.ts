/** Takes a file of the agent's own directory away, whether it is there or not. */
import type { Confined } from './confined.ts';
import { hasErrorCode } from './system-errors.ts';

export function discard(confined: Confined, path: string): void {
  try {
    confined.unlink(path);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
}
