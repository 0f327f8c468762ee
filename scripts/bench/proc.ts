/** CPU time and memory of processes and all they started, from /proc. Reads only. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux tells CPU time to user space in hundredths of a second, on every architecture. */
const ticksPerSecond = 100;
const pageBytes = 4096;

export type ProcessStat = {
  readonly pid: number;
  readonly parent: number;
  /** Its own and that of its children that have ended and were waited for. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
};

/** `/proc/PID/stat`. The name in brackets may hold spaces and brackets. See proc(5). */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // The third field of proc(5), the state, is the first here.
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid: Number.parseInt(text, 10),
    parent: field(4),
    cpuSeconds: (field(14) + field(15) + field(16) + field(17)) / ticksPerSecond,
    residentBytes: field(24) * pageBytes,
  };
}

/** The processes named and all their descendants that live. */
export function processTree(roots: ReadonlySet<number>): ProcessStat[] {
  if (roots.size === 0) return [];
  const all = new Map<number, ProcessStat>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = statOf(Number(name));
    if (stat !== undefined) all.set(stat.pid, stat);
  }
  const belongs = (stat: ProcessStat | undefined): boolean => {
    if (stat === undefined) return false;
    return roots.has(stat.pid) || (stat.parent > 1 && belongs(all.get(stat.parent)));
  };
  return [...all.values()].filter(belongs);
}

function statOf(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    // It has ended since it was listed.
    return undefined;
  }
}

/** Of its resident memory, what is mapped from files: programs, libraries, an index. 0 where it has ended. See proc(5), `statm`. */
export function mappedBytes({ pid }: Pick<ProcessStat, 'pid'>): number {
  try {
    const [, , shared = '0'] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ');
    return Number(shared) * pageBytes;
  } catch {
    return 0;
  }
}
