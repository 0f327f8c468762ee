/** Prometheus text: what `status` and `peers` show, as numbers. */
import type { ShareReport, StatusReport } from '../http/api.ts';

type Metric = {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly value: (share: ShareReport) => number | null;
};

const shareMetrics: readonly Metric[] = [
  gauge('p2psync_files', 'Files of the newest version.', (share) => share.files),
  gauge('p2psync_bytes', 'Bytes of the newest version.', (share) => share.bytes),
  gauge('p2psync_in_sync', '1 where the applied version is the newest and fresh.', (share) =>
    Number(share.state === 'in-sync'),
  ),
  gauge('p2psync_applied_epoch', 'Epoch of the applied version.', (share) => share.applied?.epoch ?? null),
  gauge(
    'p2psync_applied_sequence',
    'Sequence of the applied version.',
    (share) => share.applied?.sequence ?? null,
  ),
  gauge(
    'p2psync_head_sequence',
    'Sequence of the newest version heard of.',
    (share) => share.head?.sequence ?? null,
  ),
  gauge(
    'p2psync_head_age_seconds',
    'Since the writer last signed its head.',
    (share) => share.head?.ageSeconds ?? null,
  ),
  gauge('p2psync_pending_bytes', 'Bytes still to be fetched.', (share) => share.pending.bytes),
  gauge('p2psync_errors', 'Paths that something stands in the way of.', (share) => share.errors.length),
  gauge('p2psync_members_known', 'Members, this agent too.', (share) => share.membersKnown),
  gauge(
    'p2psync_members_at_head',
    'Members that applied the newest version.',
    (share) => share.membersAtHead,
  ),
  gauge('p2psync_peers_connected', 'Members that are connected.', (share) => share.peersConnected),
  counter('p2psync_sent_bytes_total', 'Content sent to peers.', (share) => share.traffic.sentBytes),
  counter(
    'p2psync_received_bytes_total',
    'Content received from peers.',
    (share) => share.traffic.receivedBytes,
  ),
  counter(
    'p2psync_duplicate_bytes_total',
    'Content received more than once.',
    (share) => share.traffic.duplicateBytes,
  ),
];

export function renderMetrics(status: StatusReport): string {
  const lines = [
    '# HELP p2psync_uptime_seconds Since the agent started.',
    '# TYPE p2psync_uptime_seconds gauge',
    `p2psync_uptime_seconds ${status.agent.uptimeSeconds}`,
  ];
  for (const metric of shareMetrics) {
    lines.push(`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`);
    for (const share of status.shares) {
      const value = metric.value(share);
      if (value !== null) lines.push(`${metric.name}{share="${escapeLabel(share.name)}"} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function gauge(name: string, help: string, value: Metric['value']): Metric {
  return { name, help, type: 'gauge', value };
}

function counter(name: string, help: string, value: Metric['value']): Metric {
  return { name, help, type: 'counter', value };
}

/** After the exposition format: backslash, quote and line feed. */
function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
