/** An agent that knows nothing but what it is given: three shares' worth of plausible answers. */
import { P2psyncError } from '../../agent/base/errors.ts';
import type { AgentApi, LsRow, PeerReport, ShareReport, StatusReport } from '../../agent/http/api.ts';

const root = '8f3a0c12b4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f';

export const shareReport: ShareReport = {
  name: 'www',
  id: '00112233445566778899aabbccddeeff',
  path: '/data/www',
  role: 'replica',
  state: 'in-sync',
  applied: { epoch: 1, sequence: 42, root },
  head: { epoch: 1, sequence: 42, root, ageSeconds: 3.2 },
  files: 12_345,
  bytes: 1_288_490_188,
  pending: { files: 0, bytes: 0, blocks: 0 },
  progress: 1,
  errors: [],
  traffic: { sentBytes: 734_003_200, receivedBytes: 1_288_490_188, duplicateBytes: 65_536 },
  membersKnown: 5,
  membersAtHead: 4,
  peersConnected: 4,
};

export const statusReport: StatusReport = {
  agent: {
    warnings: [],
    name: 'web1',
    peerId: '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
    version: '0.1.0',
    uptimeSeconds: 273_912,
    addresses: ['/ip4/192.0.2.11/tcp/8873'],
  },
  shares: [shareReport],
};

export const peerReport: PeerReport = {
  share: 'www',
  peerId: '12D3KooWGzBmvkUz8D4oVYz2zCuaHBcWLnC8Lxkzgq4f5RTHQyXC',
  name: 'web2',
  role: 'replica',
  addresses: ['/ip4/192.0.2.12/tcp/8873'],
  connected: true,
  direction: 'outbound',
  state: 'in-sync',
  applied: { epoch: 1, sequence: 42, root },
  lagSeconds: 0,
  progress: 1,
  rttMs: 0.42,
  sentBytes: 734_003_200,
  receivedBytes: 1024,
  sentRate: 0,
  receivedRate: 0,
  lastSeen: '2026-11-21T10:00:00.000Z',
  agentVersion: '0.1.0',
  transport: 'tls',
  strikes: 0,
  lastStrike: null,
  aside: false,
};

export const peerReports: readonly PeerReport[] = [
  {
    ...peerReport,
    peerId: '12D3KooWBtp1AcgQzRVLyQzbWuKPBRvaL8oQ8wWEvQsNgHsRwuUw',
    name: 'origin',
    role: 'writer',
    addresses: ['/ip4/192.0.2.10/tcp/8873'],
    direction: 'inbound',
    receivedRate: 48_234_496,
    receivedBytes: 1_288_490_188,
  },
  peerReport,
  {
    ...peerReport,
    peerId: '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo',
    name: 'web3.example.com',
    addresses: ['/ip6/2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff/tcp/8873'],
    state: 'syncing',
    applied: { epoch: 1, sequence: 41, root },
    lagSeconds: 2.5,
    progress: 0.63,
    rttMs: 31,
    sentRate: 12_582_912,
  },
  {
    ...peerReport,
    peerId: '12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X',
    name: 'evil\u001b[2J\u202e',
    role: 'standby',
    addresses: [],
    connected: false,
    direction: null,
    state: 'offline',
    applied: null,
    lagSeconds: null,
    progress: null,
    rttMs: null,
    lastSeen: null,
    agentVersion: null,
    transport: null,
  },
];

export const lsRows: readonly LsRow[] = [
  {
    path: 'css',
    kind: 'directory',
    size: null,
    mode: 0o755,
    uid: 33,
    gid: 33,
    user: 'www-data',
    group: 'www-data',
    mtime: '2026-11-20T08:00:00.000Z',
    target: null,
  },
  {
    path: 'index.html',
    kind: 'file',
    size: 4711,
    mode: 0o644,
    uid: 33,
    gid: 33,
    user: 'www-data',
    group: 'www-data',
    mtime: '2026-11-21T09:30:15.000Z',
    target: null,
  },
  {
    path: 'new\nline',
    kind: 'symlink',
    size: null,
    mode: null,
    uid: 0,
    gid: 0,
    user: 'root',
    group: 'root',
    mtime: '2026-11-21T09:30:15.000Z',
    target: 'index.html',
  },
];

/** `calls` gets the name and the request of every call. */
export function createFakeApi(changes: Partial<AgentApi> = {}, calls: unknown[][] = []): AgentApi {
  const setup = {
    share: 'www',
    id: shareReport.id,
    path: '/data/www',
    role: 'replica',
    name: 'web1',
    peerId: statusReport.agent.peerId,
    config: '/home/config.toml',
  } as const;
  const shares = [{ share: 'www', state: 'paused' }] as const;
  async function answer<Result>(name: string, request: unknown, result: Result): Promise<Result> {
    calls.push([name, request]);
    return result;
  }
  async function* list<Row>(name: string, request: unknown, rows: readonly Row[]): AsyncIterable<Row> {
    calls.push([name, request]);
    yield* rows;
  }
  return {
    status: () => answer('status', null, statusReport),
    peers: () => answer('peers', null, peerReports),
    members: () =>
      answer('members', null, {
        members: [
          {
            share: 'www',
            peerId: statusReport.agent.peerId,
            name: 'web1',
            role: 'writer',
            joined: '2026-11-01T10:00:00.000Z',
            expires: null,
            revoked: false,
            removed: null,
            self: true,
          },
          {
            share: 'www',
            peerId: peerReport.peerId,
            name: 'web2',
            role: 'replica',
            joined: null,
            expires: null,
            revoked: true,
            removed: '2026-11-20T10:00:00.000Z',
            self: false,
          },
        ],
        invitations: [
          {
            share: 'www',
            id: 'ab12',
            role: 'replica',
            expires: '2026-11-22T10:00:00.000Z',
            uses: 5,
            used: 2,
            left: 3,
            open: true,
          },
        ],
      }),
    history: (request) =>
      answer('history', request, [
        {
          share: 'www',
          version: '1.42',
          epoch: 1,
          sequence: 42,
          root,
          time: '2026-11-21T09:30:15.000Z',
          writer: 'origin',
          entries: 12_800,
          files: 12_345,
          bytes: 1_288_490_188,
          label: null,
        },
      ]),
    wait: (request) =>
      answer('wait', request, {
        reached: true,
        share: 'www',
        version: { epoch: 1, sequence: 42, root },
        membersAtVersion: 5,
        membersKnown: 5,
        missing: [],
      }),
    ls: (request) => list('ls', request, lsRows),
    diff: (request) =>
      list('diff', request, [
        { path: 'a.html', change: 'added', what: [] },
        { path: 'b.html', change: 'changed', what: ['content', 'time'] },
        { path: 'c.html', change: 'removed', what: [] },
      ]),
    verify: (request) =>
      list('verify', request, [
        {
          kind: 'difference',
          share: 'www',
          path: 'b.html',
          state: 'changed',
          what: ['content'],
          repaired: false,
        },
        { kind: 'summary', share: 'www', entries: 12_345, bytes: 1_288_490_188, differences: 1, repaired: 0 },
      ]),
    init: (request) => answer('init', request, { ...setup, role: 'writer' }),
    invite: (request) =>
      answer('invite', request, {
        invitation: 'p2psync1qqqq',
        share: 'www',
        role: request.role,
        expires: '2026-11-22T10:00:00.000Z',
        uses: request.uses,
      }),
    join: (request) => answer('join', request, setup),
    remove: (request) =>
      answer('remove', request, {
        share: 'www',
        peerId: peerReport.peerId,
        name: 'web2',
        role: 'replica',
        time: '2026-11-21T09:30:15.000Z',
        told: 3,
      }),
    noteAuthority: (note) => answer('noteAuthority', note, note),
    pause: (request) => answer('pause', request, shares),
    resume: (request) => answer('resume', request, shares),
    rescan: (request) => answer('rescan', request, shares),
    reload: () => answer('reload', null, { changed: ['log.level'], restart: ['listen'] }),
    health: () => answer('health', null, { ok: true, name: 'web1', uptimeSeconds: 5 }),
    ready: (request) => {
      if (request.share === 'none') throw new P2psyncError('not-found', 'there is no share none');
      return answer('ready', request, { ready: false, reasons: ['share www: the head is 31 s old'] });
    },
    metrics: () => answer('metrics', null, '# HELP p2psync_up 1\np2psync_up 1\n'),
    async *events({ signal }) {
      yield {
        kind: 'head-applied',
        time: '2026-11-21T09:30:15.000Z',
        share: 'www',
        fields: { version: '1.42' },
      };
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    ...changes,
  };
}
