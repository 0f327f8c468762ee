/** `peers` for a person: one row a member, then how many are at the head. Pure. */
import { printable } from '../../base/printable.ts';
import type { PeerReport, ShareReport } from '../../http/api.ts';
import { formatAgo, formatDuration, formatMs, formatPercent, formatRate } from './format.ts';
import { stateColor, versionOf } from './status.ts';
import { type Cell, type Column, renderTable, type TableOptions } from './table.ts';
import { byName, paint } from './text.ts';

const columns: readonly Column[] = [
  { title: 'name', least: 8, importance: 12 },
  { title: 'id', least: 9, importance: 1, shorten: 'start' },
  { title: 'role', importance: 8 },
  { title: 'address', least: 15, importance: 2 },
  { title: 'state' },
  { title: 'version', align: 'right', importance: 11 },
  { title: 'lag', align: 'right', importance: 10 },
  { title: 'progress', align: 'right', importance: 9 },
  { title: 'rtt', align: 'right', importance: 4 },
  { title: 'up', align: 'right', importance: 6 },
  { title: 'down', align: 'right', importance: 7 },
  { title: 'last seen', align: 'right', importance: 3 },
];
/** Shown beside them where there is room: of use to who looks for what makes a peer slow. */
const via: Column = { title: 'via' };
const viaWidthMin = 160;
/** Shown where somebody has any: it is what explains the rest of the row. */
const strikes: Column = { title: 'strikes', align: 'right' };

/** The shares that are shown, with the peers of all shares. */
export function renderPeers(
  shares: readonly ShareReport[],
  peers: readonly PeerReport[],
  options: TableOptions & { readonly nowMs: number },
): readonly string[] {
  const lines: string[] = [];
  for (const share of shares) {
    if (lines.length > 0) lines.push('');
    if (shares.length > 1) lines.push(paint(printable(share.name), 'bold', options.color));
    const wide = options.width >= viaWidthMin;
    const members = peers.filter((peer) => peer.share === share.name).sort(byName);
    const struck = members.some((peer) => peer.strikes > 0);
    const rows = members.map((peer) => [
      ...rowOf(peer, options.nowMs),
      ...(struck ? [strikesOf(peer)] : []),
      ...(wide ? [peer.transport ?? '-'] : []),
    ]);
    if (rows.length === 0) lines.push('no other members yet: p2psync invite lets one in');
    else
      lines.push(
        ...renderTable([...columns, ...(struck ? [strikes] : []), ...(wide ? [via] : [])], rows, options),
      );
    lines.push(`${share.membersAtHead} of ${share.membersKnown} at version ${versionOf(share.head)}`);
  }
  return lines;
}

function rowOf(peer: PeerReport, nowMs: number): readonly Cell[] {
  return [
    peer.name,
    peer.peerId,
    peer.role,
    shortAddress(peer.addresses[0]),
    { text: peer.state, color: stateColor(peer.state) },
    versionOf(peer.applied),
    peer.lagSeconds === null ? '-' : peer.lagSeconds === 0 ? '0' : formatDuration(peer.lagSeconds),
    peer.progress === null ? '-' : formatPercent(peer.progress),
    peer.rttMs === null ? '-' : formatMs(peer.rttMs),
    formatRate(peer.sentRate),
    formatRate(peer.receivedRate),
    peer.connected ? 'now' : peer.lastSeen === null ? 'never' : formatAgo(peer.lastSeen, nowMs),
  ];
}

function strikesOf({ strikes: count, aside }: PeerReport): Cell {
  if (count === 0) return '-';
  return { text: aside ? `${count}, aside` : String(count), color: aside ? 'red' : 'yellow' };
}

/** `/ip4/192.0.2.1/tcp/8873/p2p/…` as `192.0.2.1:8873`; what is not such an address stays. */
function shortAddress(address: string | undefined): string {
  if (address === undefined) return '-';
  const match = /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/(\d+)/.exec(address);
  if (match === null) return address;
  const [, kind, host, port] = match;
  return kind === 'ip6' ? `[${host}]:${port}` : `${host}:${port}`;
}
