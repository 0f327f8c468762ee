/** The program's version, from its package.json, which lies one directory above what was built, and two above this source. */

import { readFileSync } from 'node:fs';
import { P2psyncError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';

export const agentVersion = readVersion();

function readVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), 'utf8');
      const found = parseJson(text);
      if (
        typeof found === 'object' &&
        found !== null &&
        'version' in found &&
        typeof found.version === 'string'
      ) {
        return found.version;
      }
    } catch {
      // It lies in the other place then.
    }
  }
  throw new P2psyncError('io', 'package.json of p2psync is missing: install it again');
}
