/** Files made of strings, for imports that touch no disk. */
import { P2psyncError } from '../../../agent/base/errors.ts';
import type { Environment } from '../../../agent/daemon/rsyncd/expand.ts';
import { type ImportNote, importRsyncd, type RsyncdImport } from '../../../agent/daemon/rsyncd/import.ts';
import type { Load } from '../../../agent/daemon/rsyncd/modules.ts';

/** By path; an array is a directory with these names. */
export type Files = Readonly<Record<string, string | readonly string[]>>;

export function loadFrom(files: Files): Load {
  return async (path) => {
    const found = files[path];
    if (found === undefined) throw new P2psyncError('not-found', `there is no ${path}`);
    return typeof found === 'string' ? { kind: 'file', text: found } : { kind: 'directory', names: found };
  };
}

export function importText(text: string, files: Files = {}, env: Environment = {}): Promise<RsyncdImport> {
  return importRsyncd('rsyncd.conf', loadFrom({ ...files, 'rsyncd.conf': text }), env);
}

/** The one note on that parameter. */
export function noteOn({ notes }: RsyncdImport, parameter: string): ImportNote {
  const [first, ...more] = notes.filter((note) => note.parameter === parameter);
  if (first === undefined || more.length > 0)
    throw new Error(`${parameter}: ${more.length + (first === undefined ? 0 : 1)} notes`);
  return first;
}
