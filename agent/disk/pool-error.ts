/** Errors on their way from a worker thread: class, code and fields survive, which structured cloning drops. Pure. */
import { AssertionFailed } from '../base/assert.ts';
import { type ErrorCode, type ErrorFields, P2psyncError, systemCode } from '../base/errors.ts';

export type PackedError =
  | {
      readonly kind: 'p2psync';
      readonly code: ErrorCode;
      readonly message: string;
      readonly fields: ErrorFields;
      readonly stack: string | undefined;
    }
  | {
      readonly kind: 'assertion' | 'other';
      readonly code: string | undefined;
      readonly message: string;
      readonly stack: string | undefined;
    };

export function packError(error: unknown): PackedError {
  if (error instanceof P2psyncError) {
    const { code, message, fields, stack } = error;
    return { kind: 'p2psync', code, message, fields, stack };
  }
  const kind = error instanceof AssertionFailed ? 'assertion' : 'other';
  const message = error instanceof Error ? error.message : String(error);
  return { kind, code: systemCode(error), message, stack: error instanceof Error ? error.stack : undefined };
}

export function unpackError(packed: PackedError): Error {
  const error = rebuild(packed);
  if (packed.stack !== undefined) error.stack = packed.stack;
  return error;
}

function rebuild(packed: PackedError): Error {
  if (packed.kind === 'p2psync') return new P2psyncError(packed.code, packed.message, packed.fields);
  if (packed.kind === 'assertion') return new AssertionFailed(packed.message);
  const error = new Error(packed.message);
  return packed.code === undefined ? error : Object.assign(error, { code: packed.code });
}
