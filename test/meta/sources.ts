/** The project's own files as text, for the tests that look at how it is built. Generated code is left out. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');

export type Source = { /** From the project's root. */ readonly path: string; readonly text: string };

export function sourcesIn(...directories: readonly string[]): Source[] {
  return directories
    .flatMap((directory) => globSync(`${directory}/**/*.ts`, { cwd: root }))
    .filter((path) => !path.startsWith('agent/wire/gen/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** What a file imports, also for its types, and the worker files it starts. */
export function importsOf({ text }: Source): string[] {
  const patterns = [
    /^\s*(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]/gms,
    /^\s*import\s+['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
    /new URL\(\s*['"]([^'"]+\.ts)['"]/g,
  ];
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? ''));
}
