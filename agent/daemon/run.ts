/**
 * A running agent: opens everything in order, joins it, and closes it in the opposite order. The one place where
 * host, shares, dialer and HTTP meet.
 */
import { P2psyncError } from '../base/errors.ts';
import { rateSampleMs } from '../base/limits.ts';
import { decodeCertificate } from '../core/certificate.ts';
import { keyPairFromSeed, type PeerId, publicKeyOfPeer, type ShareId } from '../core/keys.ts';
import { startHttp } from '../http/server.ts';
import { hostOfText } from '../net/address.ts';
import { createDialer, type Dialer } from '../net/dialer.ts';
import { type Host, startHost } from '../net/host.ts';
import { openStore } from '../store/database.ts';
import { loadIdentity } from '../store/identity.ts';
import { lockHome } from '../store/lock.ts';
import { readSecret } from '../store/secrets.ts';
import { compileAccess } from './access.ts';
import { accountOf } from './accounts.ts';
import { createAddressBook } from './address-book.ts';
import { createApi } from './api.ts';
import { auditMembership } from './audit-members.ts';
import { bulkPortOf } from './bulk-port.ts';
import { type Config, type ShareConfig } from './config.ts';
import { checkShareDirectories } from './config-shares.ts';
import { limitThreads } from './heap.ts';
import { indexDirectory, readShares, type ShareRecord, socketPath } from './home.ts';
import { createLiveLimits } from './live-limits.ts';
import type { Log } from './log.ts';
import { openMembership } from './membership.ts';
import { becomeAccount } from './privileges.ts';
import { createRates } from './rates.ts';
import { openRecords, type RecordsOptions } from './records.ts';
import { createRequestIds } from './request-ids.ts';
import { createSessions, type Sessions } from './session.ts';
import { openShare } from './share.ts';
import { createShareNotes } from './share-notes.ts';
import type { Share } from './share-types.ts';
import { stateKeys } from './state.ts';
import { agentVersion } from './version.ts';

export type RunOptions = {
  readonly home: string;
  readonly config: Config;
  readonly log: Log;
  /** Its abort stops the agent. */
  readonly signal: AbortSignal;
} & Pick<RecordsOptions, 'onAudit' | 'warnings'>;

/** Resolves when the agent was asked to stop and has. @throws {P2psyncError} locked, config, conflict, permission. */
export async function runAgent(options: RunOptions): Promise<void> {
  const { home, log, signal } = options;
  limitThreads();
  await using closers = new AsyncDisposableStack();
  const lock = await lockHome(home);
  closers.defer(() => lock.release());
  const agent = await startAgent(options, closers);
  log.info(
    { peer: agent.host.peer, addresses: agent.host.addresses(), version: agentVersion },
    'agent started',
  );
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  log.info({}, 'agent stops');
}

export type Agent = {
  readonly host: Host;
  readonly sessions: Sessions;
  readonly shares: ReadonlyMap<ShareId, Share>;
  readonly startedMs: number;
  /** Starts a share that `init` or `join` has just set up. */
  addShare(record: ShareRecord, config: ShareConfig): void;
};

async function startAgent(options: RunOptions, closers: AsyncDisposableStack): Promise<Agent> {
  const { home, config, log } = options;
  const identity = loadIdentity(home);
  if (identity === undefined) {
    throw new P2psyncError(
      'config',
      `there is no identity in ${home}: begin with p2psync init DIR or p2psync join INVITATION DIR`,
    );
  }
  const keyPair = keyPairFromSeed(identity.seed);
  const planned = await matchShares(home, config);
  await checkShareDirectories(config.shares, home);
  const account = accountOf(config.run);

  const records = await openRecords({ ...options, keyPair });
  closers.defer(() => records.close());
  const stopping = new AbortController();
  closers.defer(() => stopping.abort());
  const access = await compileAccess(config.access, {
    signal: stopping.signal,
    note: (text, fields) => log.warn(fields, text),
  });
  const store = openStore(indexDirectory(home));
  closers.defer(() => store.close());

  // Changes while running.
  const shares = new Map<ShareId, Share>();
  const listeners = new Set<() => void>();
  const requestIds = createRequestIds();
  const rates = createRates();
  const limits = createLiveLimits(config.limits);
  const book = createAddressBook();
  const late: { dialer: Dialer | null } = { dialer: null };
  /** The host may have guests before there are shares to greet them with: what they do waits. null: it waits no more. */
  let waiting: (() => void)[] | null = [];

  function whenReady(work: () => void): void {
    if (waiting === null) work();
    else waiting.push(work);
  }

  const sessions = createSessions({
    host: () => host,
    shares: () => shares.values(),
    name: config.name,
    agentVersion,
    log,
    onRefused: ({ share, ...refusal }) =>
      records.refused({ ...refusal, share: shares.get(share)?.record.name ?? share }),
    idleMs: limits.idleMs,
    onAddresses: (peer, addresses) => {
      book.learn(peer, addresses);
      nameMembers();
    },
  });

  const host = await startHost(
    {
      seed: identity.seed,
      listen: config.listen,
      announce: config.announce,
      bulkPort: bulkPortOf(config),
      connectionsMax: config.limits.connections,
      discovery: config.discovery,
      upload: limits.upload,
      download: limits.download,
      idleMs: limits.idleMs,
    },
    {
      allowAddress(address) {
        const isAllowed = access.allows(address);
        if (!isAllowed)
          records.refused({
            address: hostOfText(address),
            code: 'access',
            reason: '[access] does not allow it',
          });
        return isAllowed;
      },
      allow(peer, _address, direction) {
        const key = publicKeyOfPeer(peer);
        const memberships = [...shares.values()].map((share) => share.membership);
        const isMember = memberships.some((membership) => membership.isMember(key));
        // One who was removed may come as a stranger, to be told so; nobody goes to see it.
        if (direction === 'outbound' && !isMember && memberships.some((one) => one.isRevoked(key)))
          return false;
        return direction === 'outbound' || !isMember || late.dialer?.accepts(peer) !== false;
      },
      connected: (connected) =>
        whenReady(() => {
          late.dialer?.connected(connected);
          sessions.connected(connected);
        }),
      disconnected: (peer, reason) =>
        whenReady(() => {
          log.info({ peer, reason }, 'disconnected');
          late.dialer?.disconnected(peer);
          sessions.disconnected(peer);
          requestIds.closeAll(peer);
        }),
      control: (peer, frame) => whenReady(() => sessions.control(peer, frame)),
      blockRequest: (peer, request) => shares.get(request.share)?.blockRequest(peer, request),
      blockAnswer(peer, answer) {
        const request = requestIds.find(peer, answer.id);
        if (request === undefined) return undefined;
        if (answer.kind === 'done' || answer.kind === 'busy') requestIds.close(peer, request);
        return shares.get(request.share)?.blockAnswer(peer, { ...answer, id: request.id });
      },
      requestsLost(peer) {
        requestIds.closeAll(peer);
        for (const share of shares.values()) share.requestsLost(peer);
      },
      violated(peer, reason) {
        for (const share of shares.values()) share.violated(peer, reason);
      },
      note: (text, fields) => log.info(fields, text),
      discovered: (peer, addresses) =>
        whenReady(() => {
          book.learn(peer, addresses);
          nameMembers();
        }),
    },
  );
  closers.defer(() => host.close());

  const agent: Agent = { host, sessions, shares, startedMs: Date.now(), addShare };
  const api = createApi({ agent, home, config, access, rates, limits, listeners, records, log });
  const server = await startHttp({
    api,
    socketPath: socketPath(home),
    listen: config.http.listen,
    hosts: config.http.hosts,
    onFailure: (error, path) => log.error({ err: error, path }, 'a request failed'),
  });
  closers.defer(() => server.close());
  // Ports and logs are open, and nothing of a share is yet.
  if (account !== null) becomeAccount(account, { home, shares: config.shares, log });

  function addShare(record: ShareRecord, shareConfig: ShareConfig): void {
    const shareStore = store.share(record.id);
    const certificate = shareStore.state(stateKeys.certificate);
    const salt = readSecret(home, { kind: 'salt', share: record.id });
    if (certificate === undefined || salt === undefined) {
      throw new P2psyncError(
        'config',
        `share ${record.name} is not whole in ${home}: its certificate or its salt is missing; join it anew`,
      );
    }
    const { membership, look } = auditMembership(
      openMembership({
        share: record.id,
        authority: record.authority,
        self: keyPair,
        certificate: decodeCertificate(certificate),
        store: shareStore,
      }),
      { share: record.name, record: records.audit.record },
    );
    book.load(shareStore);
    const blocks = {
      request: (peer: PeerId, request: Parameters<Share['blockRequest']>[1]) =>
        host.blocks.request(peer, {
          ...request,
          share: record.id,
          id: requestIds.open(peer, { share: record.id, id: request.id }),
        }),
      cancel(peer: PeerId, id: number) {
        const wireId = requestIds.close(peer, { share: record.id, id });
        if (wireId !== undefined) host.blocks.cancel(peer, wireId);
      },
    };
    const share = openShare({
      record,
      config: shareConfig,
      agent: { name: config.name, version: agentVersion, keyPair },
      salt,
      store: shareStore,
      membership,
      host,
      blocks,
      sessions,
      notes: createShareNotes({
        share: record.name,
        store: shareStore,
        transfers: records.transfers,
        audit: (event) => void records.audit.record(event),
        self: host.peer,
        nameOf: (peer) => membership.certificateOf(publicKeyOfPeer(peer))?.certificate.name ?? '',
        addressOf: (peer) => hostOfText(sessions.info(peer)?.connected.address ?? ''),
        writer: () => membership.grant()?.grant.writer,
      }),
      limits,
      log: log.child({ share: record.name }),
      onChange: notify,
      onMembers() {
        void look();
        nameMembers();
      },
    });
    shares.set(record.id, share);
    nameMembers();
    sessions.greetAll();
  }

  function notify(): void {
    for (const listener of listeners) listener();
  }

  /** The dialer wants to know of every member of any share, once. */
  function nameMembers(): void {
    const members = new Map<PeerId, readonly string[]>();
    for (const share of shares.values()) {
      for (const { peer, addresses, revoked } of share.membership.rows()) {
        if (peer === host.peer || revoked || share.membership.isOut()) continue;
        members.set(peer, [...new Set([...book.of(peer), ...addresses, ...(members.get(peer) ?? [])])]);
      }
      book.save(share.store);
    }
    if (config.discovery !== 'static') {
      late.dialer?.members([...members].map(([peer, addresses]) => ({ peer, addresses })));
    }
  }

  closers.defer(async () => {
    await sessions.close();
    await Promise.all([...shares.values()].map((share) => share.close()));
  });
  for (const { record, shareConfig } of planned) addShare(record, shareConfig);
  const dialer = createDialer(host, {
    bootstrap: config.bootstrap,
    note: (text, fields) => log.debug(fields, text),
  });
  late.dialer = dialer;
  nameMembers();
  for (const work of waiting) work();
  waiting = null;
  const sampling = setInterval(() => {
    const peers = [...shares.values()].flatMap((share) => share.membership.rows().map((row) => row.peer));
    const traffic = [...new Set(peers)].flatMap((peer) => {
      const counted = host.traffic(peer);
      return counted === null ? [] : [[peer, counted] as const];
    });
    rates.sample(traffic, performance.now());
  }, rateSampleMs);
  closers.defer(async () => {
    clearInterval(sampling);
    await dialer.close();
  });
  return agent;
}

/** Shares of the configuration with what `init` and `join` recorded of them. @throws {P2psyncError} config. */
async function matchShares(
  home: string,
  config: Config,
): Promise<readonly { readonly record: ShareRecord; readonly shareConfig: ShareConfig }[]> {
  const records = await readShares(home);
  return config.shares.map((shareConfig) => {
    const record = records.find((one) => one.name === shareConfig.name);
    if (record === undefined) {
      throw new P2psyncError(
        'config',
        `share ${shareConfig.name} of ${config.file} was never set up here: p2psync init ${shareConfig.path} --share ${shareConfig.name}, or p2psync join INVITATION ${shareConfig.path}`,
      );
    }
    return { record: { ...record, path: shareConfig.path }, shareConfig };
  });
}
