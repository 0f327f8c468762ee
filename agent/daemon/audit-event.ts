/** The events of the audit log, and the line each becomes: hash-chained, so that none can be altered unnoticed. Pure. */

import { hash } from 'node:crypto';
import { parseJson } from '../base/json.ts';
import type { Role } from '../core/keys.ts';

export type AuditEvent =
  /** `config`: SHA-256 of the configuration's text, so that an edit between two runs shows. */
  | {
      readonly event: 'agent-started';
      readonly peer: string;
      readonly version: string;
      readonly pid: number;
      readonly config: string;
    }
  | { readonly event: 'agent-stopped'; readonly pid: number }
  | {
      readonly event: 'share-created' | 'share-joined';
      readonly share: string;
      readonly id: string;
      readonly path: string;
      readonly role: Role;
    }
  | {
      readonly event: 'invited';
      readonly share: string;
      readonly role: Role;
      readonly uses: number;
      /** ISO 8601. */
      readonly expires: string;
      /** Public half of the invitation's key: `joined` names it too. */
      readonly invitation: string;
    }
  /** The share's authority key left this home, was copied out of it, or came to it. `fingerprint`: as `authority status` has it. */
  | {
      readonly event: 'authority-exported' | 'authority-moved' | 'authority-imported';
      readonly share: string;
      readonly fingerprint: string;
    }
  /** This agent takes that one for a member from now on. */
  | {
      readonly event: 'joined';
      readonly share: string;
      readonly peer: string;
      readonly name: string;
      readonly role: Role;
      /** null: the authority itself took it in. */
      readonly invitation: string | null;
    }
  | { readonly event: 'removed'; readonly share: string; readonly peer: string; readonly name: string }
  /** `times`: more than once where the same was refused again within a minute. */
  | {
      readonly event: 'refused';
      readonly share?: string;
      readonly peer?: string;
      readonly address?: string;
      readonly name?: string | null;
      readonly code: string;
      readonly reason: string;
      readonly times: number;
    }
  /** That agent writes from this epoch on. */
  | {
      readonly event: 'promoted';
      readonly share: string;
      readonly epoch: number;
      readonly peer: string;
      readonly name: string;
    }
  | {
      readonly event: 'published';
      readonly share: string;
      readonly version: string;
      readonly root: string;
      readonly files: number;
      readonly bytes: number;
    }
  /** Paths of `from` were brought back, here or as version `version`. */
  | {
      readonly event: 'restored';
      readonly share: string;
      readonly version: string;
      readonly from: string;
      readonly paths: number;
    }
  /** Paths that were not as the signed tree has them and are again; `kept`: local changes that were moved aside. */
  | {
      readonly event: 'healed';
      readonly share: string;
      readonly paths: number;
      readonly first: string;
      readonly kept: number;
    }
  | {
      readonly event: 'config-changed';
      readonly live: readonly string[];
      readonly restart: readonly string[];
    }
  /** Of the log itself: what was found when it was opened, or that an older file goes before this one. */
  | { readonly event: 'log-repaired'; readonly found: string; readonly bytes: number }
  | { readonly event: 'log-continued'; readonly after: string }
  | { readonly event: 'events-lost'; readonly count: number };

/** Where a chain stands: number and hash of its last line. */
export type ChainEnd = { readonly seq: number; readonly hash: string };

export const chainStart: ChainEnd = { seq: 0, hash: '0'.repeat(64) };

export type AuditLine = Readonly<Record<string, unknown>> & {
  readonly seq: number;
  /** ISO 8601. */
  readonly time: string;
  readonly event: string;
  readonly prev: string;
  readonly hash: string;
};

/** `,"hash":"` 64 digits `"}`: what follows the hashed part of a line. */
const tailLength = 9 + 64 + 2;

/** The line after `end`, with its newline. Its hash is SHA-256 of all that stands before `,"hash"` in it. */
export function nextLine(
  end: ChainEnd,
  event: AuditEvent,
  timeMs: number,
): { readonly text: string; readonly end: ChainEnd } {
  const seq = end.seq + 1;
  const time = new Date(timeMs).toISOString();
  const hashed = JSON.stringify({ seq, time, ...event, prev: end.hash }).slice(0, -1);
  const digest = hash('sha256', hashed, 'hex');
  return { text: `${hashed},"hash":"${digest}"}\n`, end: { seq, hash: digest } };
}

/** @param bytes a line without its newline. @returns why it cannot be one of ours as it was written, or the line. */
export function readLine(
  bytes: Buffer,
): { readonly kind: 'line'; readonly line: AuditLine } | { readonly kind: 'wrong'; readonly reason: string } {
  const split = bytes.length - tailLength;
  const tail = split > 0 ? bytes.subarray(split).toString('latin1') : '';
  const written = /^,"hash":"([0-9a-f]{64})"\}$/.exec(tail)?.[1];
  if (written === undefined) return { kind: 'wrong', reason: 'it is no line of an audit log' };
  if (hash('sha256', bytes.subarray(0, split), 'hex') !== written)
    return { kind: 'wrong', reason: 'it was altered: its hash is another' };
  const line = parseLine(bytes.toString());
  if (line === undefined) return { kind: 'wrong', reason: 'it is no line of an audit log' };
  return { kind: 'line', line };
}

function parseLine(text: string): AuditLine | undefined {
  try {
    const line = parseJson(text) as Partial<AuditLine> | null;
    const whole =
      Number.isSafeInteger(line?.seq) &&
      [line?.time, line?.event, line?.prev, line?.hash].every((field) => typeof field === 'string');
    return whole ? (line as AuditLine) : undefined;
  } catch {
    return undefined;
  }
}
