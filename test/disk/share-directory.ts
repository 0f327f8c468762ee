/** A directory under the system's temporary one, for tests that need real files; removed afterwards. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Text is a file's content, null a directory. */
export type Tree = Readonly<Record<string, string | Uint8Array | null>>;

export async function withShare(tree: Tree, use: (root: string) => Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(join(fs.realpathSync(tmpdir()), 'p2psync-disk-'));
  try {
    plant(root, tree);
    await use(root);
  } finally {
    // Node cannot remove what lies deeper than PATH_MAX.
    execFileSync('rm', ['-rf', root]);
  }
}

export function plant(root: string, tree: Tree): void {
  for (const [path, content] of Object.entries(tree)) {
    const full = join(root, path);
    fs.mkdirSync(content === null ? full : dirname(full), { recursive: true });
    if (content !== null) fs.writeFileSync(full, content);
  }
}

/** Makes directories of this name inside each other, `levels` deep, and `content` at the bottom. @returns the path. */
export function plantDeep(root: string, name: string, levels: number, file: string, content: string): string {
  let fd = fs.openSync(root, fs.constants.O_DIRECTORY);
  for (let level = 0; level < levels; level += 1) {
    fs.mkdirSync(`/proc/self/fd/${fd}/${name}`);
    const next = fs.openSync(`/proc/self/fd/${fd}/${name}`, fs.constants.O_DIRECTORY);
    fs.closeSync(fd);
    fd = next;
  }
  fs.writeFileSync(`/proc/self/fd/${fd}/${file}`, content);
  fs.closeSync(fd);
  return `${`${name}/`.repeat(levels)}${file}`;
}

export function makeFifo(path: string): void {
  execFileSync('mkfifo', [path]);
}

/** @returns a function that closes it. */
export async function makeSocket(path: string): Promise<() => Promise<void>> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return () => new Promise((resolve) => server.close(() => resolve()));
}
