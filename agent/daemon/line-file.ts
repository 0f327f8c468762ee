/** A file that lines are added to: opened when there is one, opened anew when told (rotation), whole lines only. */
import { type FileHandle, open } from 'node:fs/promises';

export type LineFile = {
  /** Whole lines, each with its end. One call at a time. @throws what the system says; what was written of it is cut off by the next line's start. */
  append(text: string): Promise<void>;
  /** The next line goes to whatever has the name then. */
  reopen(): void;
  close(): Promise<void>;
};

/** @param path absolute. */
export function createLineFile(path: string): LineFile {
  // Changes while running.
  let file: FileHandle | null = null;
  let stale = false;
  let torn = false;

  async function closeFile(): Promise<void> {
    const old = file;
    file = null;
    await old?.close();
  }

  async function opened(): Promise<FileHandle> {
    if (stale) await closeFile();
    stale = false;
    if (file === null) {
      // At its end, also after somebody has emptied it (copytruncate).
      file = await open(path, 'a', 0o640);
      torn = false;
      const { size } = await file.stat();
      if (size > 0) torn = !(await endsWhole(path, size));
    }
    return file;
  }

  return {
    async append(text) {
      const target = await opened();
      try {
        await target.appendFile(torn ? `\n${text}` : text);
        torn = false;
      } catch (error) {
        torn = true;
        throw error;
      }
    },
    reopen() {
      stale = true;
    },
    close: closeFile,
  };
}

/** A crash or a full disk may have left half a line. */
async function endsWhole(path: string, size: number): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    return bytesRead === 0 || buffer[0] === 0x0a;
  } finally {
    await file.close();
  }
}
