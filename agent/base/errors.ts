/** The one error class of p2psync and every code it can carry. */

/** Stable names of everything that can go wrong; scripts and logs rely on them. */
export type ErrorCode =
  // What a stranger or an old file sent.
  | 'malformed'
  | 'limit-exceeded'
  | 'bad-signature'
  | 'bad-grant'
  | 'bad-digest'
  | 'bad-path'
  | 'bad-invitation'
  | 'expired'
  | 'revoked'
  | 'not-a-member'
  | 'protocol-mismatch'
  // What is not here.
  | 'page-missing'
  | 'block-missing'
  | 'not-found'
  // What the local machine did.
  | 'io'
  | 'disk-full'
  | 'changed-while-read'
  | 'outside-share'
  | 'not-supported'
  | 'permission'
  | 'watch-limit'
  // What a person typed or configured.
  | 'usage'
  | 'config'
  | 'conflict'
  | 'locked'
  | 'not-running'
  | 'timeout'
  | 'differences'
  | 'held-back'
  | 'unreachable-peer'
  | 'cancelled';

export type ErrorFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * An expected failure: a stable code, a sentence that says what, which and what to do,
 * and the culprit as fields.
 */
export class P2psyncError extends Error {
  override readonly name = 'P2psyncError';
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}, options: ErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.fields = fields;
  }
}

export function hasCode(error: unknown, code: ErrorCode): error is P2psyncError {
  return error instanceof P2psyncError && error.code === code;
}

/** The system's own code (`ENOENT`) of an error that Node threw, if it carries one. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** One line for a person, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
