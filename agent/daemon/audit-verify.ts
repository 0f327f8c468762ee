/** Goes through the whole audit log of a home and finds the first line that is not as it was written. Reads only. */
import { basename } from 'node:path';
import type { PublicKey } from '../core/keys.ts';
import { type ChainEnd, chainStart, readLine } from './audit-event.ts';
import { auditFiles, linesOf } from './audit-files.ts';
import { readSeal } from './audit-seal.ts';

export type AuditFault = {
  /** Name in the home. */
  readonly file: string;
  /** From 1; 0: not of one line. */
  readonly line: number;
  readonly reason: string;
};

export type AuditVerdict = {
  readonly lines: number;
  /** Numbers of the first and the last event; the first is above 1 where older files were taken away. */
  readonly first: number | null;
  readonly last: number | null;
  /** Number of the last event that the agent's signature covers. */
  readonly sealed: number | null;
  /** The first that is wrong. */
  readonly wrong: AuditFault | null;
};

/** @throws {P2psyncError} io. */
export async function verifyAudit(home: string, publicKey: PublicKey): Promise<AuditVerdict> {
  // The seal first: of a log that is being written it is never ahead.
  const seal = await readSeal(home, publicKey);
  const sealed = seal === null || seal === 'wrong' ? null : seal;
  const files = await auditFiles(home);

  let lines = 0;
  let first: number | null = null;
  let end: ChainEnd | null = null;
  let isSealMet = false;
  const verdict = (wrong: AuditFault | null): AuditVerdict => ({
    lines,
    first,
    last: end?.seq ?? null,
    sealed: sealed?.seq ?? null,
    wrong,
  });

  for (const path of files) {
    const file = basename(path);
    for await (const { bytes, number, isWhole } of linesOf(path)) {
      const wrong = (reason: string): AuditVerdict => verdict({ file, line: number, reason });
      if (!isWhole) return wrong('it has no end: the agent died while it wrote it, or it was cut');
      const read = readLine(bytes);
      if (read.kind === 'wrong') return wrong(read.reason);
      const { line } = read;
      const fault = linkFault(end, line);
      if (fault !== null) return wrong(fault);
      end = { seq: line.seq, hash: line.hash };
      first ??= line.seq;
      lines += 1;
      if (sealed?.seq === end.seq) {
        if (sealed.hash !== end.hash) return wrong('the agent signed another line of this number');
        isSealMet = true;
      }
    }
  }
  const file = 'audit.seal';
  if (seal === 'wrong') return verdict({ file, line: 0, reason: 'it is not what this agent signed' });
  if (sealed === null) {
    if (lines === 0) return verdict(null);
    return verdict({
      file,
      line: 0,
      reason: 'it is missing: whether lines at the end are missing is not known',
    });
  }
  if (isSealMet || (end !== null && sealed.seq < (first ?? 0))) return verdict(null);
  const missing = sealed.seq - (end?.seq ?? 0);
  return verdict({
    file: 'audit.log',
    line: 0,
    reason: `it was cut: its last ${missing === 1 ? 'line is' : `${missing} lines are`} missing`,
  });
}

/** Why a line cannot follow where the chain stands; null: it does. */
function linkFault(
  end: ChainEnd | null,
  line: { readonly seq: number; readonly prev: string; readonly event: string },
): string | null {
  if (end === null) {
    if (line.seq === chainStart.seq + 1) {
      return line.prev === chainStart.hash ? null : 'it does not begin the chain though it is the first';
    }
    // Files that were put aside may be taken away; single lines may not.
    return line.event === 'log-continued' ? null : `lines before it are missing: it is number ${line.seq}`;
  }
  if (line.seq !== end.seq + 1) return `it is number ${line.seq} where ${end.seq + 1} is due`;
  return line.prev === end.hash ? null : 'it does not follow the line before it';
}
