/** Bodies of the control socket's requests, checked. Pure. */

import * as v from 'valibot';
import { P2psyncError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import type {
  DiffRequest,
  InitRequest,
  InviteRequest,
  JoinRequest,
  LsRequest,
  VerifyRequest,
  WaitRequest,
} from './api.ts';
import type { AuthorityNote, RemoveRequest } from './api-members.ts';

/** Longest wait, ms: what a timer of Node can hold. */
const waitMsMax = 2 ** 31 - 1;

const text = v.pipe(v.string(), v.maxLength(8192));
const maybe = v.exactOptional(text);
const flag = v.boolean();
const absolute = v.pipe(text, v.startsWith('/'));
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const role = v.picklist(['replica', 'standby', 'archive']);

export const shareRequest = v.strictObject({ share: maybe });
export const emptyRequest = v.strictObject({});
export const resumeRequest = v.strictObject({ share: maybe, yes: flag });
export const waitRequest: v.GenericSchema<unknown, WaitRequest> = v.strictObject({
  share: maybe,
  version: maybe,
  all: v.exactOptional(flag),
  peers: v.exactOptional(whole),
  timeoutMs: v.pipe(whole, v.maxValue(waitMsMax)),
});
export const lsRequest: v.GenericSchema<unknown, LsRequest> = v.strictObject({
  share: maybe,
  path: text,
  version: maybe,
  long: flag,
  recursive: flag,
});
export const diffRequest: v.GenericSchema<unknown, DiffRequest> = v.strictObject({
  share: maybe,
  from: maybe,
  to: maybe,
  path: maybe,
  disk: v.exactOptional(flag),
});
export const verifyRequest: v.GenericSchema<unknown, VerifyRequest> = v.strictObject({
  share: maybe,
  path: maybe,
  repair: flag,
});
export const initRequest: v.GenericSchema<unknown, InitRequest> = v.strictObject({
  directory: absolute,
  share: maybe,
  name: maybe,
  listen: maybe,
  http: maybe,
});
export const inviteRequest: v.GenericSchema<unknown, InviteRequest> = v.strictObject({
  share: maybe,
  role,
  expiresMs: v.pipe(whole, v.minValue(1)),
  uses: v.pipe(whole, v.minValue(1)),
});
export const joinRequest: v.GenericSchema<unknown, JoinRequest> = v.strictObject({
  invitation: v.pipe(v.string(), v.maxLength(60_000)),
  directory: absolute,
  name: maybe,
  listen: maybe,
  http: maybe,
  force: flag,
});

export const removeRequest: v.GenericSchema<unknown, RemoveRequest> = v.strictObject({
  share: maybe,
  peer: text,
});
export const authorityNote: v.GenericSchema<unknown, AuthorityNote> = v.strictObject({
  share: text,
  did: v.picklist(['exported', 'moved', 'imported']),
  fingerprint: v.pipe(text, v.regex(/^[0-9a-f]{64}$/)),
});

/** @throws {P2psyncError} usage. */
export function parseBody<Value>(schema: v.GenericSchema<unknown, Value>, body: string): Value {
  let data: unknown;
  try {
    data = body === '' ? {} : parseJson(body);
  } catch {
    throw new P2psyncError('usage', 'the body is not JSON');
  }
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new P2psyncError('usage', `${v.getDotPath(issue) ?? 'the body'}: ${issue.message}`);
}
