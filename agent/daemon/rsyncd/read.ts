/** Reads what an import asks for from the disk, within a bound. Changes nothing. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf, P2psyncError, systemCode } from '../../base/errors.ts';
import { rsyncdBytesMax } from '../../base/limits.ts';
import type { Load } from './modules.ts';

/** Paths are relative to `directory`. All that one of these reads counts against one bound. */
export function createLoad(directory: string): Load {
  let bytes = 0;
  return async (path) => {
    const place = resolve(directory, path);
    try {
      const found = await stat(place);
      if (found.isDirectory()) return { kind: 'directory', names: await readdir(place) };
      if (!found.isFile()) throw new P2psyncError('io', `${path} is not a file`, { file: path });
      bytes += found.size;
      if (bytes > rsyncdBytesMax)
        throw new P2psyncError(
          'limit-exceeded',
          `${path}: with it these files are larger than ${rsyncdBytesMax} bytes; nobody wrote them by hand`,
          { file: path },
        );
      return { kind: 'file', text: await readFile(place, 'utf8') };
    } catch (error) {
      if (error instanceof P2psyncError) throw error;
      throw failure(path, error);
    }
  };
}

function failure(path: string, error: unknown): P2psyncError {
  const code = systemCode(error);
  const options = { cause: error };
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new P2psyncError('not-found', `there is no ${path}`, { file: path }, options);
  if (code === 'EACCES' || code === 'EPERM')
    return new P2psyncError(
      'permission',
      `${path} cannot be read by this user; use one that can, such as root`,
      { file: path },
      options,
    );
  return new P2psyncError('io', `cannot read ${path}: ${messageOf(error)}`, { file: path }, options);
}
