/** Which program this is: reads the version from the package it was installed with. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

let known: string | undefined;

/** `0.1.0`; the nearest `package.json` above this file says so, in a checkout and in an installed package alike. */
export function programVersion(): string {
  known ??= readVersion();
  return known;
}

function readVersion(): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const file = join(directory, 'package.json');
    if (existsSync(file)) {
      const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
      const has = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
      if (has && typeof manifest.version === 'string') return manifest.version;
    }
    if (dirname(directory) === directory) return 'unknown';
  }
}
