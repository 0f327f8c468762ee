/** Shares and peers as `status`, `peers` and `members` show them. Reads, never changes anything. */

import type { SignedHead } from '../core/head.ts';
import type { PeerId } from '../core/keys.ts';
import { compareVersions, formatVersion } from '../core/version.ts';
import type { HistoryRow, PeerReport, ReadyReport, ShareReport, VersionReport } from '../http/api.ts';
import type { MemberReport } from '../http/api-members.ts';
import type { Host, Traffic } from '../net/host.ts';
import type { MemberRow } from './membership-rows.ts';
import type { Rates } from './rates.ts';
import type { PeerInfo, Sessions } from './session.ts';
import { isStale } from './share-state.ts';
import type { Share } from './share-types.ts';
import type { Applied } from './state.ts';

export type ReportPorts = {
  readonly host: Pick<Host, 'peer' | 'traffic' | 'route'>;
  readonly sessions: Pick<Sessions, 'info'>;
  readonly rates: Rates;
};

export function reportShare(share: Share, ports: ReportPorts): ShareReport {
  const head = share.head();
  const applied = share.applied();
  const progress = share.progress();
  const counts = head?.head.counts;
  const rows = share.membership.rows().filter((row) => !row.revoked);
  return {
    name: share.record.name,
    id: share.record.id,
    path: share.record.path,
    role: share.membership.roleOf(share.membership.certificate.certificate.member) ?? 'replica',
    state: share.state(),
    applied: applied === null ? null : toVersionReport(applied),
    head: head === null ? null : { ...headReport(head), ageSeconds: ageSeconds(head) },
    files: counts?.files ?? 0,
    bytes: counts?.bytes ?? 0,
    pending: {
      files: progress?.pendingFiles ?? 0,
      bytes: progress?.pendingBytes ?? 0,
      blocks: progress?.pendingBlocks ?? 0,
    },
    progress: isAtHead(share) ? 1 : head === null ? 0 : (progress?.done ?? 0),
    errors: share.faults.list(),
    traffic: {
      sentBytes: share.traffic().sent,
      receivedBytes: share.traffic().received,
      duplicateBytes: progress?.duplicateBytes ?? 0,
    },
    membersKnown: rows.length,
    membersAtHead: rows.filter((row) => isMemberAtHead(share, row.peer, ports)).length,
    peersConnected: rows.filter((row) => ports.sessions.info(row.peer) !== undefined).length,
  };
}

/** As far as is known now: one who is gone does not count, whatever it had when it went. */
function isMemberAtHead(share: Share, peer: PeerId, ports: ReportPorts): boolean {
  if (peer === ports.host.peer) return isAtHead(share);
  if (isGone(share, peer, ports.sessions.info(peer))) return false;
  const head = share.head();
  const applied = share.peers.appliedBy(peer);
  return head !== null && applied !== null && compareVersions(applied, head.head.version) >= 0;
}

export function isAtHead(share: Pick<Share, 'head' | 'applied'>): boolean {
  const head = share.head();
  return head !== null && share.applied()?.root === head.head.root;
}

export function reportPeers(share: Share, ports: ReportPorts): PeerReport[] {
  return share.membership
    .rows()
    .filter((row) => row.peer !== ports.host.peer && !row.revoked)
    .map((row) => {
      const info = ports.sessions.info(row.peer);
      const statement = share.peers.of(row.key)?.signed.statement;
      const applied = latestApplied(share, row);
      const traffic: Traffic = ports.host.traffic(row.peer) ?? { sentBytes: 0, receivedBytes: 0 };
      const rates = ports.rates.of(row.peer);
      const struck = share.strikes.of(row.peer);
      return {
        share: share.record.name,
        peerId: row.peer,
        name: row.name,
        role: row.role,
        addresses: addressesOf(info, statement?.addresses, row.addresses),
        connected: info !== undefined,
        direction: info?.connected.direction ?? null,
        state:
          statement === undefined ? 'unknown' : isGone(share, row.peer, info) ? 'offline' : statement.state,
        applied,
        lagSeconds: lagSeconds(share, applied),
        progress:
          statement === undefined ? null : isBehind(share, applied) ? statement.progressPermille / 1000 : 1,
        rttMs: info?.rttMs ?? null,
        transport: ports.host.route(row.peer),
        sentBytes: traffic.sentBytes,
        receivedBytes: traffic.receivedBytes,
        sentRate: rates.sent,
        receivedRate: rates.received,
        strikes: struck?.strikes ?? 0,
        lastStrike:
          struck === null ? null : { time: new Date(struck.atMs).toISOString(), reason: struck.reason },
        aside: share.neighbours().some((one) => one.peer === row.peer && one.isAside),
        lastSeen: isoOrNull(share.peers.lastSeenMs(row.peer)),
        agentVersion: info?.agentVersion ?? statement?.agentVersion ?? null,
      };
    });
}

/** In a large mesh a member need not be our neighbour to be there: its statements come by gossip. */
function isGone(share: Share, peer: PeerId, info: PeerInfo | undefined): boolean {
  return info === undefined && share.peers.isSilent(peer, Date.now());
}

function latestApplied(share: Share, { peer, key }: MemberRow): VersionReport | null {
  const version = share.peers.appliedBy(peer);
  if (version === null) return null;
  const stated = share.peers.of(key)?.signed.statement.applied;
  const head = share.head()?.head;
  if (stated && compareVersions(stated.version, version) >= 0)
    return { ...stated.version, root: stated.root };
  // The heartbeat names no root; of the head's version it is the head's.
  if (head !== undefined && compareVersions(head.version, version) === 0)
    return { ...version, root: head.root };
  return stated ? { ...stated.version, root: stated.root } : null;
}

function isBehind(share: Share, applied: VersionReport | null): boolean {
  const head = share.head()?.head;
  return head !== undefined && (applied === null || compareVersions(applied, head.version) < 0);
}

function lagSeconds(share: Share, applied: VersionReport | null): number | null {
  const head = share.head();
  if (head === null) return null;
  if (!isBehind(share, applied)) return 0;
  return applied === null ? null : share.versions.lagSeconds(applied);
}

function addressesOf(
  info: PeerInfo | undefined,
  stated: readonly string[] | undefined,
  inRoster: readonly string[],
): readonly string[] {
  if (info !== undefined && info.addresses.length > 0) return info.addresses;
  return stated !== undefined && stated.length > 0 ? stated : inRoster;
}

export function reportMembers(share: Share, self: PeerId): MemberReport[] {
  return share.membership.rows().map((row) => ({
    share: share.record.name,
    peerId: row.peer,
    name: row.name,
    role: row.role,
    joined: isoOrNull(row.admittedMs),
    expires: isoOrNull(row.expiresMs),
    revoked: row.revoked,
    removed: isoOrNull(row.removedMs ?? null),
    self: row.peer === self,
  }));
}

export function reportHistory(share: Share): HistoryRow[] {
  return share.versions.recent().map(({ version, root, timeMs, writer, counts }) => ({
    share: share.record.name,
    ...version,
    root,
    version: formatVersion(version),
    time: new Date(timeMs).toISOString(),
    writer: share.membership.certificateOf(writer)?.certificate.name ?? writer,
    ...counts,
    label: null,
  }));
}

/** Why a load balancer should not send visitors here; nothing where it may. */
/** What counts for it of a share. */
export type ReadyShare = Pick<Share, 'record' | 'state' | 'head' | 'applied' | 'faults' | 'versions'>;

export function reportReady(shares: readonly ReadyShare[], maxLagMs: number): ReadyReport {
  const reasons = shares.flatMap((share) => {
    const name = share.record.name;
    const state = share.state();
    const head = share.head();
    if (state === 'error') return [`share ${name}: ${share.faults.list()[0]?.message ?? 'error'}`];
    if (share.applied() === null || head === null) return [`share ${name} has no version yet`];
    if (isStale(head, Date.now())) {
      return [`share ${name}: the writer has not been heard of for ${ageSeconds(head)} s`];
    }
    const lagMs = isAtHead(share) ? 0 : share.versions.lagSeconds(share.applied()?.version ?? null) * 1000;
    return lagMs < maxLagMs || lagMs === 0 ? [] : [`share ${name} is ${Math.round(lagMs / 1000)} s behind`];
  });
  return { ready: reasons.length === 0, reasons };
}

export function toVersionReport(applied: Applied): VersionReport {
  return { ...applied.version, root: applied.root };
}

export function headReport(head: SignedHead): VersionReport {
  return { ...head.head.version, root: head.head.root };
}

function ageSeconds(head: SignedHead): number {
  return Math.max(0, Math.round((Date.now() - head.head.timeMs) / 100) / 10);
}

export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
