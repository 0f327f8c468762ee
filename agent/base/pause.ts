/** Waiting that can be cut short. */

/**
 * Resolves after that time, or as soon as the signal is aborted; never rejects. Without end
 * (`Number.POSITIVE_INFINITY`) the signal alone ends it.
 */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = ms === Number.POSITIVE_INFINITY ? undefined : setTimeout(end, Math.max(0, ms));
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  return promise;

  function end(): void {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    resolve();
  }
}
