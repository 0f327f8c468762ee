/** Waiting for a share to have nothing left to do. */
import { repairLookMs, repairStalledMs } from '../base/limits.ts';
import { pause } from '../base/pause.ts';

/** Or until nothing has moved for so long that nobody seems to have what is missing, or the signal. */
export async function untilIdle(
  share: { readonly isIdle: () => boolean; readonly progress: () => unknown },
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  let leftMs = repairStalledMs;
  while (!signal.aborted && !share.isIdle() && leftMs > 0) {
    const now = JSON.stringify(share.progress());
    leftMs = now === last ? leftMs - repairLookMs : repairStalledMs;
    last = now;
    await pause(repairLookMs, signal);
  }
}
