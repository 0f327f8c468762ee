/** Results as an SVG. Pure. */
import type { Results } from './results.ts';

export function renderChart(results: Results): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${results.rows.length}" height="1"/>`;
}
