/**
 * The transfer log: lines of what arrived, went and was published, gathered and written in the background. Whoever adds
 * never waits and never fails; what cannot be written is counted and told in `status`.
 */
import { setImmediate } from 'node:timers/promises';
import { messageOf, systemCode } from '../base/errors.ts';
import {
  transferBatchMs,
  transferPendingMax,
  transferSliceLines,
  transferWriteBytes,
} from '../base/limits.ts';
import type { AgentWarning } from '../http/api.ts';
import { createLineFile, type LineFile } from './line-file.ts';
import type { TransferRecord } from './transfer-record.ts';

/** Lines that are made when there is time for it. `size`: about how many there are, for the bound. */
export type TransferJob = { readonly size: number; readonly records: () => Iterable<TransferRecord> };

export type TransferLog = {
  add(job: TransferJob): void;
  /** After a rotation. */
  reopen(): void;
  /** null where every line was written. */
  warning(): AgentWarning | null;
  /** What was added is written, as far as it can be. */
  close(): Promise<void>;
};

export type TransferLogOptions = {
  /** Absolute. */
  readonly path: string;
  readonly file?: LineFile;
};

export function createTransferLog({ path, file = createLineFile(path) }: TransferLogOptions): TransferLog {
  // Changes while running.
  let jobs: TransferJob[] = [];
  let pending = 0;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | null = null;
  let lost = 0;
  let reason = '';

  function loses(count: number, why: string): void {
    lost += count;
    reason = why;
  }

  async function write(text: string, lines: number): Promise<void> {
    try {
      await file.append(text);
    } catch (error) {
      loses(lines, `${systemCode(error) ?? 'error'}: ${messageOf(error)}`);
    }
  }

  async function writeJob({ records }: TransferJob): Promise<void> {
    let text = '';
    let lines = 0;
    let sinceRest = 0;
    try {
      for (const record of records()) {
        text += `${JSON.stringify(record)}\n`;
        lines += 1;
        sinceRest += 1;
        if (text.length >= transferWriteBytes) {
          await write(text, lines);
          text = '';
          lines = 0;
          sinceRest = 0;
        } else if (sinceRest >= transferSliceLines) {
          sinceRest = 0;
          await setImmediate();
        }
      }
    } catch (error) {
      // A tree that was swept meanwhile: what it said cannot be told any more.
      loses(1, `a version's changes could not be read: ${messageOf(error)}`);
    }
    if (lines > 0) await write(text, lines);
  }

  async function writeAll(): Promise<void> {
    while (jobs.length > 0) {
      const now = jobs;
      jobs = [];
      for (const job of now) {
        await writeJob(job);
        pending -= job.size;
      }
    }
  }

  function schedule(): void {
    if (writing === null) timer ??= setTimeout(() => void flush(), transferBatchMs);
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeAll().finally(() => {
      writing = null;
      if (jobs.length > 0) schedule();
    });
    return writing;
  }

  return {
    add(job) {
      if (pending + job.size > transferPendingMax) return loses(job.size, 'the disk is too slow for them');
      pending += job.size;
      jobs.push(job);
      schedule();
    },
    reopen: () => file.reopen(),
    warning() {
      if (lost === 0) return null;
      const message = `${lost} lines of ${path} are lost: ${reason}`;
      return { code: 'transfer-log', message, count: lost };
    },
    async close() {
      while (jobs.length > 0 || writing !== null) await flush();
      clearTimeout(timer);
      await file.close().catch((error: unknown) => loses(0, messageOf(error)));
    },
  };
}
