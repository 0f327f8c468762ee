/** Everything a running agent answers over its socket and port: `AgentApi` on top of its shares. */
import { P2psyncError } from '../base/errors.ts';
import type { AgentApi, AgentEvent, SetupResult, ShareResult, VerifyRow } from '../http/api.ts';
import type { InvitationReport } from '../http/api-members.ts';
import type { Access } from './access.ts';
import { authorityEvent, invitedEvent, setupEvent } from './audit-setup.ts';
import { type Config, readConfig } from './config.ts';
import { changedKeys } from './config-changes.ts';
import { watchEvents } from './event-stream.ts';
import { readShares } from './home.ts';
import { noteInvitation, readIssued } from './issued.ts';
import { diffVersions, listEntries } from './listing.ts';
import type { LiveLimits } from './live-limits.ts';
import type { Log } from './log.ts';
import { renderMetrics } from './metrics.ts';
import type { Rates } from './rates.ts';
import type { Records } from './records.ts';
import { draftRemoval, removeResult } from './remove-member.ts';
import { reportHistory, reportMembers, reportPeers, reportReady, reportShare } from './report.ts';
import type { Agent } from './run.ts';
import { initShare, invite, joinShare, pickShare } from './setup.ts';
import type { Share } from './share-types.ts';
import { diffDisk, verifyShare } from './verify.ts';
import { agentVersion } from './version.ts';
import { waitForVersion } from './wait.ts';

export type ApiPorts = {
  readonly agent: Agent;
  readonly home: string;
  readonly config: Config;
  readonly access: Access;
  readonly rates: Rates;
  readonly limits: LiveLimits;
  readonly listeners: Set<() => void>;
  readonly records: Records;
  readonly log: Log;
};

export function createApi(ports: ApiPorts): AgentApi {
  const { agent, home, listeners } = ports;
  const { record } = ports.records.audit;
  const reportPorts = { host: agent.host, sessions: agent.sessions, rates: ports.rates };

  // Changes while running.
  let { config } = ports;

  const all = (): Share[] => [...agent.shares.values()];
  const pick = (named: string | undefined): Share => {
    const found = pickShare(
      all().map(({ record }) => record),
      named,
    );
    const share = agent.shares.get(found.id);
    if (share === undefined) throw new P2psyncError('not-found', `share ${found.name} does not run`);
    return share;
  };
  /** All of them where none is named. */
  const some = (named: string | undefined): Share[] => (named === undefined ? all() : [pick(named)]);
  const results = (shares: readonly Share[]): ShareResult[] =>
    shares.map((share) => ({ share: share.record.name, state: share.state() }));
  const uptimeSeconds = (): number => Math.round((Date.now() - agent.startedMs) / 1000);

  /** Our own first, then one of each connected member: a newcomer finds its way though we are down. */
  function addressesToDial(share: Share): readonly string[] {
    const own = agent.host.addresses();
    const others = share.membership.rows().flatMap(({ peer }) => {
      return agent.sessions.info(peer)?.addresses.slice(0, 1) ?? [];
    });
    return [...new Set([...own.slice(0, 2), ...others, ...own.slice(2)])];
  }

  /** Starts what was just set up on disk. */
  async function adopt(event: 'share-created' | 'share-joined', result: SetupResult): Promise<SetupResult> {
    config = await readConfig(home);
    const shareRecord = (await readShares(home)).find((one) => one.id === result.id);
    const shareConfig = config.shares.find((one) => one.name === result.share);
    if (shareRecord === undefined || shareConfig === undefined) {
      throw new P2psyncError(
        'config',
        `share ${result.share} was set up but is not in ${result.config}: start the agent again`,
      );
    }
    agent.addShare(shareRecord, shareConfig);
    await record(setupEvent(event, result));
    return result;
  }

  const api: AgentApi = {
    async status() {
      return {
        agent: {
          name: config.name,
          peerId: agent.host.peer,
          version: agentVersion,
          uptimeSeconds: uptimeSeconds(),
          addresses: agent.host.addresses(),
          warnings: ports.records.warnings(),
        },
        shares: all().map((share) => reportShare(share, reportPorts)),
      };
    },
    peers: async () => all().flatMap((share) => reportPeers(share, reportPorts)),
    async members() {
      const issued = await readIssued(home);
      const invitationsOf = ({ record: { id, name }, membership }: Share): readonly InvitationReport[] => {
        const own = issued.filter(({ shareId }) => shareId === id);
        return membership.invitations(own).map((one) => ({ share: name, ...one }));
      };
      return {
        members: all().flatMap((share) => reportMembers(share, agent.host.peer)),
        invitations: all().flatMap(invitationsOf),
      };
    },
    history: async ({ share }) => some(share).flatMap(reportHistory),
    wait: (request, { signal }) =>
      waitForVersion(pick(request.share), request, { self: agent.host.peer, listeners }, signal),

    async *ls(request) {
      yield* listEntries(pick(request.share), request);
    },
    async *diff(request, { signal }) {
      const share = pick(request.share);
      if (request.disk === true) yield* diffDisk(share, request, signal);
      else yield* diffVersions(share, request);
    },
    async *verify(request, { signal }): AsyncGenerator<VerifyRow> {
      const chosen = some(request.share);
      // Of several shares one may have the path.
      const mustExist = chosen.length === 1;
      for (const share of chosen) yield* verifyShare(share, { ...request, mustExist }, signal);
    },

    init: async (request) => adopt('share-created', await initShare({ ...request, home })),
    async invite(request) {
      const share = pick(request.share);
      const result = invite(home, share.record, request, addressesToDial(share));
      await noteInvitation(home, result);
      await record(invitedEvent(result));
      return result;
    },
    async remove(request) {
      const share = pick(request.share);
      const drafted = draftRemoval(home, share.record, share.membership, request.peer);
      await agent.sessions.remove(share.id, drafted.removal);
      const told = share.membership.rows().filter(({ peer }) => agent.sessions.info(peer) !== undefined);
      return removeResult(share.record, drafted, told.length);
    },
    async noteAuthority(note) {
      await record(authorityEvent(note));
      return note;
    },
    join: async (request) =>
      adopt('share-joined', await joinShare({ ...request, home }, { isRunning: true })),
    async pause({ share }) {
      const chosen = some(share);
      for (const one of chosen) await one.pause(true);
      return results(chosen);
    },
    async resume({ share, yes }) {
      const chosen = some(share);
      for (const one of chosen) {
        await one.pause(false);
        if (yes) await one.allow();
      }
      return results(chosen);
    },
    async rescan({ share }) {
      const chosen = some(share);
      for (const one of chosen) await one.rescan();
      return results(chosen);
    },
    async reload() {
      ports.records.reopen();
      const next = await readConfig(home);
      const { live, restart } = changedKeys(config, next);
      for (const share of all()) {
        const shareConfig = next.shares.find((one) => one.name === share.record.name);
        if (shareConfig !== undefined) share.reconfigure(shareConfig);
      }
      ports.limits.change(next.limits);
      config = next;
      if (live.includes('access')) {
        await ports.access.change(next.access);
        agent.host.reviewAddresses();
      }
      if (live.length + restart.length > 0) await record({ event: 'config-changed', live, restart });
      return { changed: live, restart };
    },

    health: async () => ({ ok: true, name: config.name, uptimeSeconds: uptimeSeconds() }),
    ready: async ({ share }) => reportReady(some(share), config.ready.maxLagMs),
    async metrics() {
      return renderMetrics(await api.status());
    },
    events: ({ signal }): AsyncIterable<AgentEvent> => watchEvents(all, listeners, signal),
  };
  return api;
}
