/** Trees that are made once and copied to every contender. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from './scenario.ts';

/** @returns the directory, made by `make` where it is not there yet. */
export function masterTree(bench: Bench, name: string, make: (top: string) => void): string {
  const top = join(bench.workspace, `master-${name}`);
  if (existsSync(top)) return top;
  bench.say(`  making ${name}`);
  mkdirSync(top, { mode: 0o755 });
  make(top);
  return top;
}
