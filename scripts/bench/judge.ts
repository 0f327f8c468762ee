/** Whether the destinations equal the source in the end: `rsync` is asked, with checksums. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Place } from './fabric.ts';

/** A destination that differs at first may still be busy; what it has to be equal by, ms. */
const patienceMs = 30_000;

export type Verdict = {
  /** Lines of rsync, without those that only tell of a directory's time; empty where all are equal. */
  readonly differences: readonly string[];
  /** Directories and symlinks of which only the time differs: some contenders never set it. */
  readonly times: number;
  /** What is said where nothing can be said. */
  readonly unknown?: string;
};

export type JudgeOptions = {
  readonly source: Place;
  readonly destinations: readonly Place[];
  /** False for who does not copy them. */
  readonly symlinks: boolean;
};

/** Asks until all are equal or patience ends. */
export async function judge(options: JudgeOptions): Promise<Verdict> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const verdict = await compare(options);
    if (verdict.differences.length === 0 || performance.now() > deadlineMs) return verdict;
    await delay(500);
  }
}

async function compare({ source, destinations, symlinks }: JudgeOptions): Promise<Verdict> {
  const differences: string[] = [];
  let times = 0;
  for (const destination of destinations) {
    let lines: string[];
    try {
      const all = await rsyncLines(source.directory, destination.directory);
      lines = symlinks ? all : all.filter((line) => line[1] !== 'L');
    } catch (error) {
      if (isMissing(error)) return { differences: [], times: 0, unknown: 'not judged: rsync is missing' };
      throw error;
    }
    const sorted = sortLines(lines);
    times = Math.max(times, sorted.times);
    differences.push(...sorted.others.map((line) => `${destination.name}: ${line}`));
  }
  return { differences, times };
}

async function rsyncLines(source: string, destination: string): Promise<string[]> {
  const args = ['-naHic', '--delete', '--exclude=/.p2psync', `${source}/`, `${destination}/`];
  const { stdout } = await promisify(execFile)('rsync', args, { maxBuffer: 256 * 1024 * 1024 });
  return stdout.split('\n').filter((line) => line !== '');
}

/** The top directory's own attributes are nobody's business. */
export function sortLines(lines: readonly string[]): {
  readonly times: number;
  readonly others: readonly string[];
} {
  const counted = lines.filter((line) => !/^\.d\S* \.\/$/.test(line));
  const others = counted.filter((line) => !/^\.[dL]\.\.t\.+ /.test(line));
  return { times: counted.length - others.length, others };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
