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
  /** Directories whose time differs: some contenders never set them. */
  readonly directoryTimes: number;
  /** What is said where nothing can be said. */
  readonly unknown?: string;
};

/** Asks until all are equal or patience ends; the probe file does not count. */
export async function judge(source: Place, destinations: readonly Place[]): Promise<Verdict> {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const verdict = await compare(source, destinations);
    if (verdict.differences.length === 0 || performance.now() > deadlineMs) return verdict;
    await delay(500);
  }
}

async function compare(source: Place, destinations: readonly Place[]): Promise<Verdict> {
  const differences: string[] = [];
  let directoryTimes = 0;
  for (const destination of destinations) {
    let lines: string[];
    try {
      lines = await rsyncLines(source.directory, destination.directory);
    } catch (error) {
      if (isMissing(error))
        return { differences: [], directoryTimes: 0, unknown: 'not judged: rsync is missing' };
      throw error;
    }
    const { times, others } = sortLines(lines);
    directoryTimes = Math.max(directoryTimes, times);
    differences.push(...others.map((line) => `${destination.name}: ${line}`));
  }
  return { differences, directoryTimes };
}

async function rsyncLines(source: string, destination: string): Promise<string[]> {
  const args = ['-naHic', '--delete', '--exclude=/.p2psync', `${source}/`, `${destination}/`];
  const { stdout } = await promisify(execFile)('rsync', args, { maxBuffer: 256 * 1024 * 1024 });
  return stdout.split('\n').filter((line) => line !== '');
}

/** The top directory's own attributes are nobody's business; times of directories are counted apart. */
export function sortLines(lines: readonly string[]): {
  readonly times: number;
  readonly others: readonly string[];
} {
  const others = lines.filter((line) => !/^\.d\S* \.\/$/.test(line) && !/^\.d\.\.t\.{6} /.test(line));
  const times = lines.filter((line) => /^\.d\.\.t\.{6} (?!\.\/$)/.test(line)).length;
  return { times, others };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
