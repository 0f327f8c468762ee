/** Medians, percentiles and ratios of measured values. Pure. */

/** The value below or at which `part` (0..1) of the values lie, by nearest rank; NaN for none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  const rank = Math.max(1, Math.ceil(part * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const above = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? above : ((sorted[middle - 1] ?? Number.NaN) + above) / 2;
}

/** How many times the best of `others` `own` is, where less is better; undefined where one of them is not there. */
export function ratioToBest(own: number | undefined, others: readonly number[]): number | undefined {
  const known = others.filter((value) => value > 0);
  if (own === undefined || !Number.isFinite(own) || known.length === 0) return undefined;
  return own / Math.min(...known);
}
