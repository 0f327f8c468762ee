/** `wait`: until members have applied a version. Looks again whenever something changed. */
import { P2psyncError } from '../base/errors.ts';
import type { Digest } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';
import { compareVersions, type Version } from '../core/version.ts';
import type { WaitRequest, WaitResult } from '../http/api.ts';
import type { Share } from './share-types.ts';

export type WaitPorts = {
  readonly self: PeerId;
  readonly listeners: Set<() => void>;
};

type Target = { readonly version: Version; readonly root: Digest | null };

export async function waitForVersion(
  share: Share,
  request: WaitRequest,
  ports: WaitPorts,
  signal: AbortSignal,
): Promise<WaitResult> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(request.timeoutMs)]);
  // What is newest when the question is asked; later versions hold it too.
  let target = resolveTarget(share, request.version);
  for (;;) {
    const changed = nextChange(ports.listeners, deadline);
    target ??= resolveTarget(share, request.version);
    const result = judge(share, target, request, ports.self);
    if (result.reached || deadline.aborted) {
      changed.forget();
      if (signal.aborted) throw new P2psyncError('cancelled', 'nobody waits any more');
      return result;
    }
    await changed.promise;
  }
}

function nextChange(
  listeners: Set<() => void>,
  signal: AbortSignal,
): { readonly promise: Promise<void>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = (): void => {
    listeners.delete(done);
    signal.removeEventListener('abort', done);
  };
  const done = (): void => {
    forget();
    resolve();
  };
  listeners.add(done);
  signal.addEventListener('abort', done, { once: true });
  if (signal.aborted) done();
  return { promise, forget };
}

/** @returns null where no head has come yet. @throws {P2psyncError} usage, not-found. */
function resolveTarget(share: Share, named: string | undefined): Target | null {
  const head = share.head()?.head;
  if (named === undefined) return head === undefined ? null : head;
  const known = [...(head === undefined ? [] : [head]), ...share.versions.recent()].find(
    ({ root }) => named.length >= 8 && root.startsWith(named.toLowerCase()),
  );
  if (known !== undefined) return known;
  const match = /^(?:(\d{1,15})\.)?(\d{1,15})$/.exec(named);
  if (match !== null) {
    const epoch = match[1] === undefined ? (head?.version.epoch ?? 1) : Number(match[1]);
    return { version: { epoch, sequence: Number(match[2]) }, root: null };
  }
  throw new P2psyncError(
    'not-found',
    `${named} is no version of share ${share.record.name}: say EPOCH.SEQUENCE, a sequence, or at least 8 digits of a root`,
  );
}

function judge(share: Share, target: Target | null, request: WaitRequest, self: PeerId): WaitResult {
  const members = share.membership.rows().filter((row) => !row.revoked);
  const base = { share: share.record.name, membersKnown: members.length };
  if (target === null) {
    return {
      ...base,
      reached: false,
      version: null,
      membersAtVersion: 0,
      missing: members.map((row) => row.name),
    };
  }
  const has = (peer: PeerId): boolean => {
    const applied = peer === self ? (share.applied()?.version ?? null) : share.peers.appliedBy(peer);
    return applied !== null && compareVersions(applied, target.version) >= 0;
  };
  const late = members.filter((row) => !has(row.peer));
  const others = members.length - late.length - (has(self) ? 1 : 0);
  const enough = request.all === true ? late.length === 0 : others >= (request.peers ?? 0);
  const needed =
    request.all === true || request.peers !== undefined ? late : late.filter((row) => row.peer === self);
  return {
    ...base,
    reached: has(self) && enough,
    version: { ...target.version, root: target.root },
    membersAtVersion: members.length - late.length,
    missing: needed.map((row) => row.name),
  };
}
