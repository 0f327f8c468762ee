/** Lines of a log file, as `tail -F` gives them: with `follow` it stays, through rotation and truncation. Reads only. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { followPollMs, logLineBytesMax } from '../base/limits.ts';
import { pause } from '../base/pause.ts';

export type TailOptions = { readonly follow: boolean; readonly signal: AbortSignal };

const chunkBytes = 64 * 1024;

/**
 * Whole lines without their ends; one that is longer than any of ours is left out. A file that is not there has none;
 * with `follow` it is waited for. Ends with the signal. @throws {P2psyncError} io, permission.
 */
export async function* tailLines(path: string, { follow, signal }: TailOptions): AsyncGenerator<string> {
  for (;;) {
    const file = await openOrNull(path);
    if (file !== null) {
      try {
        yield* linesOf(file, path, { follow, signal });
      } finally {
        await file.close();
      }
    }
    if (!follow || signal.aborted) return;
    if (file === null) await pause(followPollMs, signal);
  }
}

/** Ends when it has come to the end, or with `follow` when another file has the name and something is in it. */
async function* linesOf(file: FileHandle, path: string, options: TailOptions): AsyncGenerator<string> {
  const { follow, signal } = options;
  const buffer = Buffer.alloc(chunkBytes);
  let position = 0;
  let rest = Buffer.alloc(0);
  let tooLong = false;
  let isReplaced = false;
  while (!signal.aborted) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
    position += bytesRead;
    let bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a)) {
      if (!tooLong && at > 0) yield bytes.toString('utf8', 0, at);
      tooLong = false;
      bytes = bytes.subarray(at + 1);
    }
    tooLong ||= bytes.length > logLineBytesMax;
    rest = tooLong ? Buffer.alloc(0) : bytes;
    if (bytesRead > 0) continue;
    // Once more after the name has gone over: the last lines may have come between the two looks.
    if (!follow || isReplaced) return;
    isReplaced = await hasSuccessor(file, path);
    if (isReplaced) continue;
    if ((await file.stat()).size < position) {
      position = 0;
      rest = Buffer.alloc(0);
    } else await pause(followPollMs, signal);
  }
}

/** A new file with nothing in it may be made before its writer knows of it, who goes on in the old one. */
async function hasSuccessor(file: FileHandle, path: string): Promise<boolean> {
  const own = await file.stat();
  const now = await stat(path).catch(() => null);
  return now !== null && (now.ino !== own.ino || now.dev !== own.dev) && now.size > 0;
}

async function openOrNull(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return null;
    throw new P2psyncError(
      code === 'EACCES' ? 'permission' : 'io',
      `cannot read ${path}: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
}
