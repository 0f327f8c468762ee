/** Where the chain of a home's audit log stands, before the next line is added; half a line that a crash left is cut off. */
import { open } from 'node:fs/promises';
import { systemCode } from '../base/errors.ts';
import { logLineBytesMax } from '../base/limits.ts';
import type { PublicKey } from '../core/keys.ts';
import { type AuditEvent, type ChainEnd, chainStart, readLine } from './audit-event.ts';
import { auditFile } from './audit-files.ts';
import { readSeal } from './audit-seal.ts';

export type Found = {
  readonly end: ChainEnd;
  /** Number of the last line that is sealed. */
  readonly sealed: number;
  /** To be recorded first: what was not as it should be. */
  readonly events: readonly AuditEvent[];
};

/**
 * What looks tampered with is left as it is: the chain goes on from what was sealed, so that `audit verify` finds the
 * place for ever.
 */
export async function findEnd(home: string, publicKey: PublicKey): Promise<Found> {
  const seal = await readSeal(home, publicKey);
  const last = await readLast(home);
  const events: AuditEvent[] = [];
  const note = (found: string, bytes = 0): void => void events.push({ event: 'log-repaired', found, bytes });
  if (last.tornBytes > 0) note('half a line at the end was cut off', last.tornBytes);
  const sealed = seal === null || seal === 'wrong' ? null : seal;
  if (seal === 'wrong') note('audit.seal is not what this agent signed');
  if (seal === null && last.end !== null) note('audit.seal is missing');
  if (last.isDamaged) note('the last line is damaged');
  if (last.end === null || (sealed !== null && sealed.seq > last.end.seq)) {
    if (sealed !== null && !last.isDamaged) note('lines at the end are missing');
    return { end: sealed ?? chainStart, sealed: sealed?.seq ?? 0, events };
  }
  return { end: last.end, sealed: sealed?.seq ?? 0, events };
}

type Last = {
  /** null where there is no line, or none that can be read. */
  readonly end: ChainEnd | null;
  readonly isDamaged: boolean;
  readonly tornBytes: number;
};

const nothing: Last = { end: null, isDamaged: false, tornBytes: 0 };

async function readLast(home: string): Promise<Last> {
  const file = await open(auditFile(home), 'r+').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (file === null) return nothing;
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - 2 * logLineBytesMax);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    const bytes = buffer.subarray(0, bytesRead);
    const endOfLast = bytes.lastIndexOf(0x0a);
    const tornBytes = bytesRead - endOfLast - 1;
    if (tornBytes > 0) await file.truncate(size - tornBytes);
    if (endOfLast < 0) return { ...nothing, tornBytes };
    const startOfLast = endOfLast === 0 ? 0 : bytes.lastIndexOf(0x0a, endOfLast - 1) + 1;
    const read = readLine(bytes.subarray(startOfLast, endOfLast));
    if (read.kind === 'wrong') return { end: null, isDamaged: true, tornBytes };
    return { end: { seq: read.line.seq, hash: read.line.hash }, isDamaged: false, tornBytes };
  } finally {
    await file.close();
  }
}
