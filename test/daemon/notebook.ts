/** A log that is kept in memory, for tests that ask what was said. */
import type { Log } from '../../agent/daemon/log.ts';

export type Line = {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly text: string;
};
export type Notebook = { readonly log: Log; readonly lines: Line[] };

export function createNotebook(): Notebook {
  const lines: Line[] = [];
  const write = (level: string) => (fields: Readonly<Record<string, unknown>>, text: string) =>
    void lines.push({ level, fields, text });
  const log: Log = {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => log,
  };
  return { log, lines };
}
