/** Numbers as people read them. Pure. */

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `0 B`, `999 B`, `1.5 KiB`, `12 MiB`: two to four digits. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < sizeUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${sizeUnits[unit]}`;
}

/** `-` where nothing moves. */
export function formatRate(bytesPerSecond: number): string {
  return bytesPerSecond < 1 ? '-' : `${formatBytes(bytesPerSecond)}/s`;
}

/** `12,345` */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `12,345 files`, `1 file`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `0.3 s`, `12 s`, `3 min`, `4 h 10 min`, `3 d 4 h`: two units at most. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(seconds / 3600);
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** `0.42 ms`, `31 ms`. */
export function formatMs(ms: number): string {
  return `${ms < 9.95 ? Number(ms.toFixed(ms < 0.995 ? 2 : 1)) : Math.round(ms)} ms`;
}

/** `now`, `12 s ago`. `iso` is ISO 8601. */
export function formatAgo(iso: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(iso)) / 1000;
  if (!Number.isFinite(seconds)) return '?';
  return seconds < 2 ? 'now' : `${formatDuration(seconds)} ago`;
}

/** `2026-11-21 09:30:15` in UTC, as logs have it. */
export function formatTime(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}

/** Never 100 % before it is done. */
export function formatPercent(part: number): string {
  return part >= 1 ? '100 %' : `${Math.min(99, Math.floor(part * 100))} %`;
}

/** `[######----]`, `width` with the brackets. */
export function progressBar(part: number, width: number): string {
  const inner = Math.max(1, width - 2);
  const full = part >= 1 ? inner : Math.min(inner - 1, Math.max(0, Math.floor(part * inner)));
  return `[${'#'.repeat(full)}${'-'.repeat(inner - full)}]`;
}

/** `rwxr-sr-x`, as ls(1) has it. */
export function formatMode(mode: number): string {
  const bits = Array.from('rwxrwxrwx', (letter, index) => ((mode >> (8 - index)) & 1 ? letter : '-'));
  const special = (bit: number, at: number, set: string, alone: string): void => {
    if (mode & bit) bits[at] = bits[at] === 'x' ? set : alone;
  };
  special(0o4000, 2, 's', 'S');
  special(0o2000, 5, 's', 'S');
  special(0o1000, 8, 't', 'T');
  return bits.join('');
}
