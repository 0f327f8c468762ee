/** Refusals on their way into the audit log: the first of a kind at once, what repeats it within a minute as one line. */
import { auditRefusalKindsMax, auditRefusalsMs } from '../base/limits.ts';
import type { AuditEvent } from './audit-event.ts';

export type Refused = Omit<Extract<AuditEvent, { event: 'refused' }>, 'event' | 'times'>;

export type Refusals = {
  refused(refusal: Refused): void;
  /** Writes what was only counted so far. */
  close(): void;
};

type Kind = { readonly refusal: Refused; times: number; readonly timer: NodeJS.Timeout };

/** What stands for all that are too many to tell apart. */
const others: Refused = { code: 'others', reason: 'more kinds of refusals than are told apart' };

export function createRefusals(record: (event: AuditEvent) => void): Refusals {
  // Changes while running.
  const kinds = new Map<string, Kind>();

  function end(key: string): void {
    const kind = kinds.get(key);
    kinds.delete(key);
    clearTimeout(kind?.timer);
    if (kind !== undefined && kind.times > 0)
      record({ event: 'refused', ...kind.refusal, times: kind.times });
  }

  function count(key: string, refusal: Refused, times: number): void {
    const timer = setTimeout(() => end(key), auditRefusalsMs);
    timer.unref();
    kinds.set(key, { refusal, times, timer });
  }

  return {
    refused(refusal) {
      const { share, peer, address, code } = refusal;
      const key = [share, peer ?? address, code].join(' ');
      const known =
        kinds.get(key) ?? (kinds.size < auditRefusalKindsMax ? undefined : kinds.get(others.code));
      if (known !== undefined) known.times += 1;
      else if (kinds.size >= auditRefusalKindsMax) count(others.code, others, 1);
      else {
        record({ event: 'refused', ...refusal, times: 1 });
        count(key, refusal, 0);
      }
    },
    close() {
      // A map may lose entries while it is gone through.
      for (const key of kinds.keys()) end(key);
    },
  };
}
