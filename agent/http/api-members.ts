/** Members, invitations and the authority key, as commands ask and agents answer. Types only; `api.ts` has the calls. */
import type { Role } from '../core/keys.ts';

export type MemberReport = {
  readonly share: string;
  readonly peerId: string;
  readonly name: string;
  readonly role: Role;
  /** ISO 8601; null where the roster does not say. */
  readonly joined: string | null;
  /** ISO 8601: until when its certificate counts here, unless the writer renews it; null for the writer and on it. */
  readonly expires: string | null;
  readonly revoked: boolean;
  /** ISO 8601, of one who was removed; null for a member. */
  readonly removed: string | null;
  /** True in the row of the agent that answers. */
  readonly self: boolean;
};

export type InvitationReport = {
  readonly share: string;
  readonly id: string;
  readonly role: Role;
  /** ISO 8601. */
  readonly expires: string;
  readonly uses: number;
  /** As far as this agent knows. */
  readonly used: number;
  readonly left: number;
  /** Not expired, and with uses left. */
  readonly open: boolean;
};

export type MembersReport = {
  readonly members: readonly MemberReport[];
  readonly invitations: readonly InvitationReport[];
};

export type RemoveRequest = {
  readonly share?: string;
  /** A name, an id, or the beginning of an id. */
  readonly peer: string;
};

export type RemoveResult = {
  readonly share: string;
  readonly peerId: string;
  readonly name: string;
  readonly role: Role;
  /** ISO 8601. */
  readonly time: string;
  /** Members that were connected and were told at once; 0 where no agent runs: it tells them from its next start on. */
  readonly told: number;
};

/** Where a share's authority key lies. */
export type AuthorityReport = {
  readonly share: string;
  readonly id: string;
  /** In this home. */
  readonly here: boolean;
  readonly path: string | null;
  /** SHA-256 of the public key: 64 lower-case hex digits, which begin with the share's id. */
  readonly fingerprint: string;
};

/** What was done with it, for the audit log. */
export type AuthorityNote = {
  readonly share: string;
  readonly did: 'exported' | 'moved' | 'imported';
  readonly fingerprint: string;
};

export type AuthorityResult = AuthorityNote & {
  readonly id: string;
  /** The file outside the home. */
  readonly file: string;
};
