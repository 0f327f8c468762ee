/**
 * Lets a unix socket lie at a path of any length, where the system takes 107 bytes: through a descriptor of its
 * directory. Source: unix(7), `sun_path`; proc(5), `/proc/self/fd`.
 */
import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

const socketPathBytesMax = 107;

export type SocketPath = {
  /** To be given to `listen` or `connect`; good until `close`. */
  readonly path: string;
  close(): Promise<void>;
};

/** @throws what `open` throws for the directory, where the path is long. */
export async function openSocketPath(path: string): Promise<SocketPath> {
  if (Buffer.byteLength(path) <= socketPathBytesMax) return { path, close: async () => undefined };
  const directory = await open(dirname(path), 'r');
  return {
    path: `/proc/self/fd/${directory.fd}/${basename(path)}`,
    close: () => directory.close(),
  };
}
