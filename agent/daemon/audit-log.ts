/**
 * The audit log of a home: one writer at a time, lines in one chain, never rewritten. What it is told is in the file at
 * once and durable soon; whoever needs it to be durable first awaits. A disk that takes nothing delays events, and
 * stops nobody.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, renameSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';

import { basename } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { auditBacklogMax, auditFileBytesMax, auditSealMs } from '../base/limits.ts';
import type { KeyPair } from '../core/keys.ts';
import type { AgentWarning } from '../http/api.ts';
import { lockPart } from '../store/lock.ts';
import { type AuditEvent, type ChainEnd, nextLine } from './audit-event.ts';
import { auditFile } from './audit-files.ts';
import { findEnd } from './audit-open.ts';
import { writeSeal } from './audit-seal.ts';

export type AuditLog = {
  /** Resolves when the event is durable and sealed, or when the disk will not have it for now; never rejects. */
  record(event: AuditEvent): Promise<void>;
  /** null where every event was written. */
  warning(): AgentWarning | null;
  /** Everything is durable and sealed, as far as it can be. */
  close(): Promise<void>;
};

export type AuditOptions = {
  readonly home: string;
  readonly keyPair: KeyPair;
  /** Each line as it is written, for syslog. */
  readonly onLine?: (line: string) => void;
  /** Bytes after which a new file is begun. */
  readonly fileBytesMax?: number;
};

/** @throws {P2psyncError} locked, where another process writes it; io, where it cannot be read. */
export async function openAudit(options: AuditOptions): Promise<AuditLog> {
  const { home, keyPair } = options;
  const path = auditFile(home);
  const fileBytesMax = options.fileBytesMax ?? auditFileBytesMax;
  const lock = await lockPart(home, 'audit');
  const found = await findEnd(home, keyPair.publicKey).catch((error: unknown) => {
    lock.release();
    throw error;
  });

  // Changes while running.
  let end: ChainEnd = found.end;
  let sealed: number = found.sealed;
  let descriptor: number | null = null;
  /** Of whole lines in the file; null before it is opened. */
  let bytes: number | null = null;
  const backlog: string[] = [];
  let unseen = 0;
  let lost = 0;
  let reason = '';
  let timer: NodeJS.Timeout | undefined;
  let sealing: Promise<void> = Promise.resolve();
  let closed = false;

  /** Half a line that a full disk left is cut off. */
  function opened(): number {
    if (descriptor === null) {
      descriptor = openSync(path, 'a', 0o600);
      const { size } = fstatSync(descriptor);
      if (bytes !== null && size > bytes) ftruncateSync(descriptor, bytes);
      else bytes = size;
    }
    return descriptor;
  }

  function shut(): void {
    if (descriptor !== null) closeSync(descriptor);
    descriptor = null;
  }

  function writeLine(text: string): void {
    const line = Buffer.from(text);
    try {
      if (writeSync(opened(), line) < line.length) throw new Error('the disk took a part of a line');
      bytes = (bytes ?? 0) + line.length;
    } catch (error) {
      shut();
      throw error;
    }
  }

  function append(event: AuditEvent): void {
    const next = nextLine(end, event, Date.now());
    end = next.end;
    backlog.push(next.text);
    options.onLine?.(next.text.trimEnd());
  }

  function writeBacklog(): void {
    try {
      while (backlog[0] !== undefined) {
        writeLine(backlog[0]);
        backlog.shift();
      }
      reason = '';
    } catch (error) {
      reason = messageOf(error);
      return;
    }
    if (unseen > 0) {
      append({ event: 'events-lost', count: unseen });
      unseen = 0;
      return writeBacklog();
    }
    if (bytes !== null && bytes > fileBytesMax) startFile();
  }

  /** The chain goes on in a new file; the old one is named after its last line. */
  function startFile(): void {
    const aside = `${path}.${end.seq}`;
    try {
      fsyncSync(opened());
      shut();
      renameSync(path, aside);
      bytes = null;
    } catch (error) {
      reason = messageOf(error);
      return;
    }
    append({ event: 'log-continued', after: basename(aside) });
    writeBacklog();
  }

  /** One after the other; what was recorded meanwhile goes with the next. */
  function seal(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    sealing = sealing.then(sealNow).catch((error: unknown) => {
      reason = messageOf(error);
    });
    return sealing;
  }

  async function sealNow(): Promise<void> {
    writeBacklog();
    // What waits in memory is not in the file.
    if (backlog.length > 0 || end.seq === sealed) return;
    const now = end;
    const file = await open(path, 'r');
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
    await writeSeal(home, now, keyPair);
    sealed = now.seq;
  }

  function sealLater(): void {
    timer ??= setTimeout(() => {
      void seal().then(() => {
        if (!closed && end.seq > sealed) sealLater();
      });
    }, auditSealMs);
    timer.unref();
  }

  const audit: AuditLog = {
    async record(event) {
      if (backlog.length >= auditBacklogMax) {
        unseen += 1;
        lost += 1;
        return;
      }
      append(event);
      writeBacklog();
      sealLater();
      if (isWaitedFor(event)) await seal();
    },
    warning() {
      if (reason === '' && lost === 0) return null;
      const waiting = backlog.length > 0 ? `, ${backlog.length} wait` : '';
      const why = reason === '' ? 'it works again' : reason;
      return {
        code: 'audit-log',
        message: `${path}: ${lost} events are lost${waiting}: ${why}`,
        count: lost,
      };
    },
    async close() {
      closed = true;
      await seal();
      clearTimeout(timer);
      shut();
      lock.release();
    },
  };
  for (const event of found.events) await audit.record(event);
  return audit;
}

/** Publishes and what heals come often, and the signed trees tell of them too; a flood of refusals must not wear a disk. */
function isWaitedFor({ event }: AuditEvent): boolean {
  return event !== 'published' && event !== 'healed' && event !== 'refused';
}
