/** When a file that was read counts as one that stood still. Pure. */
import type { DiskStat } from '../core/stat.ts';

/** Whether what was read is the file as it was at the start. */
export function held(before: DiskStat, after: DiskStat, restless: boolean): boolean {
  if (restless) return after.size >= before.size;
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs;
}
