/** Invitations that were made in this home, one small file each, so that `members` lists them before anybody has come. No secrets. */

import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { issuedInvitationsMax } from '../base/limits.ts';
import { readInvitation } from '../core/invitation.ts';
import type { ShareId } from '../core/keys.ts';
import type { InviteResult } from '../http/api.ts';
import { writeDurably } from './home.ts';
import type { Issued } from './membership-rows.ts';

export type IssuedInvitation = Issued & { readonly shareId: ShareId };

const directoryOf = (home: string): string => join(home, 'invitations');

/** Forgets those that have expired; where there are too many, those that expire first. */
export async function noteInvitation(home: string, result: InviteResult): Promise<void> {
  const { share: shareId, invite: id, role } = readInvitation(result.invitation, Date.now()).signed.terms;
  const { expires, uses } = result;
  const issued: IssuedInvitation = { shareId, id, role, expires, uses };
  await mkdir(directoryOf(home), { recursive: true, mode: 0o700 });
  await writeDurably(fileOf(home, id), `${JSON.stringify(issued)}\n`);
  const all = (await readIssued(home)).toSorted(
    (left, right) => Date.parse(right.expires) - Date.parse(left.expires),
  );
  const gone = all.filter((one, at) => at >= issuedInvitationsMax || Date.parse(one.expires) < Date.now());
  for (const one of gone) await rm(fileOf(home, one.id), { force: true });
}

/** What cannot be read as one of ours is passed over: it is a convenience, and no invitation depends on it. */
export async function readIssued(home: string): Promise<readonly IssuedInvitation[]> {
  let names: string[];
  try {
    names = await readdir(directoryOf(home));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
  const found: IssuedInvitation[] = [];
  for (const name of names.filter((one) => one.endsWith('.json')).slice(0, 2 * issuedInvitationsMax)) {
    const one = await readOne(join(directoryOf(home), name));
    if (one !== undefined) found.push(one);
  }
  return found;
}

async function readOne(path: string): Promise<IssuedInvitation | undefined> {
  try {
    const one = parseJson(await readFile(path, 'utf8'));
    return isIssued(one) ? one : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function fileOf(home: string, id: string): string {
  return join(directoryOf(home), `${id}.json`);
}

function isIssued(value: unknown): value is IssuedInvitation {
  if (typeof value !== 'object' || value === null) return false;
  const one: Partial<Record<keyof IssuedInvitation, unknown>> = value;
  return (
    typeof one.shareId === 'string' &&
    typeof one.id === 'string' &&
    /^[0-9a-f]{64}$/.test(one.id) &&
    (one.role === 'replica' || one.role === 'standby' || one.role === 'archive') &&
    typeof one.expires === 'string' &&
    !Number.isNaN(Date.parse(one.expires)) &&
    typeof one.uses === 'number'
  );
}
