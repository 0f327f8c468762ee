/**
 * What an agent offers to those who ask it: every JSON document of `contract.md` as a type, and the calls that
 * give them. Values only. The server answers from an `AgentApi`, the client is one over a socket.
 */
import type { Role } from '../core/keys.ts';
import type { AuthorityNote, MembersReport, RemoveRequest, RemoveResult } from './api-members.ts';

/** A version with the digest of its tree: 64 lower-case hex digits. */
export type VersionReport = { readonly epoch: number; readonly sequence: number; readonly root: string };

export type HeadReport = VersionReport & { readonly ageSeconds: number };

export type ShareState = 'starting' | 'scanning' | 'syncing' | 'in-sync' | 'stale' | 'paused' | 'error';

/** Something that stands in the way of one path (`''`: of the whole share). */
export type ShareFault = { readonly path: string; readonly code: string; readonly message: string };

export type ShareReport = {
  readonly name: string;
  readonly id: string;
  readonly path: string;
  readonly role: Role;
  readonly state: ShareState;
  readonly applied: VersionReport | null;
  readonly head: HeadReport | null;
  readonly files: number;
  readonly bytes: number;
  readonly pending: { readonly files: number; readonly bytes: number; readonly blocks: number };
  /** 0 to 1. */
  readonly progress: number;
  readonly errors: readonly ShareFault[];
  /** Since the agent started. */
  readonly traffic: {
    readonly sentBytes: number;
    readonly receivedBytes: number;
    readonly duplicateBytes: number;
  };
  /** This agent counts too. */
  readonly membersKnown: number;
  /** Those that are there and have the head; this agent counts too. */
  readonly membersAtHead: number;
  readonly peersConnected: number;
};

/** Something of the agent itself that does not work and stands in nobody's way: a log that cannot be written. */
export type AgentWarning = {
  readonly code: string;
  readonly message: string;
  /** Lines or events that were lost. */
  readonly count: number;
};

export type StatusReport = {
  readonly agent: {
    readonly name: string;
    readonly peerId: string;
    /** Of the program. */
    readonly version: string;
    readonly uptimeSeconds: number;
    readonly addresses: readonly string[];
    readonly warnings: readonly AgentWarning[];
  };
  readonly shares: readonly ShareReport[];
};

/** Another member as this agent sees it. */
export type PeerReport = {
  readonly share: string;
  readonly peerId: string;
  readonly name: string;
  readonly role: Role;
  readonly addresses: readonly string[];
  readonly connected: boolean;
  readonly direction: 'inbound' | 'outbound' | null;
  /** The share's state over there, as far as it is known; `offline` where there is no connection. */
  readonly state: ShareState | 'offline' | 'unknown';
  readonly applied: VersionReport | null;
  /** 0 where it is at the head; null where that is not known. */
  readonly lagSeconds: number | null;
  /** 0 to 1; null where it is not known. */
  readonly progress: number | null;
  readonly rttMs: number | null;
  /** How blocks travel: over TLS, or where its port is shut over libp2p, slower; null: not connected, or no block was asked for yet. */
  readonly transport: 'tls' | 'libp2p' | null;
  /** To that peer, since the agent started. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** Bytes a second over the last few seconds. */
  readonly sentRate: number;
  readonly receivedRate: number;
  /** What it did wrong when blocks were asked of it, since this agent started: wrong bytes count three. */
  readonly strikes: number;
  readonly lastStrike: { readonly time: string; readonly reason: string } | null;
  /** With three strikes and more it is asked for nothing, until one of them is forgiven: one a minute. */
  readonly aside: boolean;
  /** ISO 8601; null where it was never seen. */
  readonly lastSeen: string | null;
  readonly agentVersion: string | null;
};

/** One kept version. */
export type HistoryRow = VersionReport & {
  readonly share: string;
  /** `EPOCH.SEQUENCE` */
  readonly version: string;
  /** ISO 8601, when it was first signed. */
  readonly time: string;
  /** Name of the writer, or its id where the name is not known. */
  readonly writer: string;
  readonly entries: number;
  readonly files: number;
  readonly bytes: number;
  readonly label: string | null;
};

export type WaitRequest = {
  readonly share?: string;
  /** As typed: `EPOCH.SEQUENCE`, a sequence, a label, digits of a root. Default: the newest head. */
  readonly version?: string;
  /** Every known member. */
  readonly all?: boolean;
  /** This many members besides this agent. */
  readonly peers?: number;
  readonly timeoutMs: number;
};

export type WaitResult = {
  /** False where the time was up before. */
  readonly reached: boolean;
  readonly share: string;
  /** What was waited for; null where no head came at all. */
  readonly version: {
    readonly epoch: number;
    readonly sequence: number;
    readonly root: string | null;
  } | null;
  /** Members that have applied it, this one too. */
  readonly membersAtVersion: number;
  readonly membersKnown: number;
  /** Names of the members that were waited for and have not applied it. */
  readonly missing: readonly string[];
};

export type LsRequest = {
  readonly share?: string;
  /** A file, or a directory whose entries are listed; `''` is the share's top. */
  readonly path: string;
  readonly version?: string;
  readonly long: boolean;
  readonly recursive: boolean;
};

export type LsRow = {
  /** From the share's top. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Bytes; null where the entry is not a file. */
  readonly size: number | null;
  /** Permission bits, 0 to 0o7777; null for a symlink and a hard link. */
  readonly mode: number | null;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly user: string | null;
  readonly group: string | null;
  /** ISO 8601. */
  readonly mtime: string | null;
  /** Of a symlink or a hard link. */
  readonly target: string | null;
};

export type DiffRequest = {
  readonly share?: string;
  /** Default: the version before `to`. */
  readonly from?: string;
  /** Default: the applied version. */
  readonly to?: string;
  readonly path?: string;
  /** Compare `from` (default: the applied version) with the disk. */
  readonly disk?: boolean;
};

export type DiffRow = {
  readonly path: string;
  readonly change: 'added' | 'changed' | 'removed';
  /** Of a changed path: `kind`, `content`, `size`, `mode`, `owner`, `time`, `target`. */
  readonly what: readonly string[];
};

export type VerifyRequest = { readonly share?: string; readonly path?: string; readonly repair: boolean };

/** One difference each, then one summary a share, last. Paths that agree get no row. */
export type VerifyRow =
  | {
      readonly kind: 'difference';
      readonly share: string;
      readonly path: string;
      readonly state: 'changed' | 'missing' | 'extra' | 'unreadable';
      readonly what: readonly string[];
      /** With `repair`: whether the path is right now. */
      readonly repaired: boolean;
    }
  | {
      readonly kind: 'summary';
      readonly share: string;
      readonly entries: number;
      readonly bytes: number;
      readonly differences: number;
      readonly repaired: number;
    };

export type InitRequest = {
  /** Absolute. */
  readonly directory: string;
  /** Name of the share. Default: the directory's own. */
  readonly share?: string;
  /** Name of the agent. */
  readonly name?: string;
  /** `HOST:PORT` or a multiaddr, as typed. */
  readonly listen?: string;
  /** `HOST:PORT` or `off`. */
  readonly http?: string;
};

export type InviteRequest = {
  /** Default: the only share. */
  readonly share?: string;
  readonly role: Exclude<Role, 'writer'>;
  readonly expiresMs: number;
  readonly uses: number;
};

export type JoinRequest = {
  readonly invitation: string;
  /** Absolute. */
  readonly directory: string;
  readonly name?: string;
  readonly listen?: string;
  readonly http?: string;
  /** A directory that holds files already is all right. */
  readonly force: boolean;
};

/** The same request to a home on which no agent runs: `initShare`, `createInvitation`, `joinShare` of `daemon/setup.ts`, `removeAlone`. */
export type AtHome<Request> = Request & { readonly home: string };

/** Of `init` and `join`. */
export type SetupResult = {
  readonly share: string;
  readonly id: string;
  readonly path: string;
  readonly role: Role;
  readonly name: string;
  readonly peerId: string;
  /** The configuration file that was written. */
  readonly config: string;
};

export type InviteResult = {
  /** One line, to be given to `join`. */
  readonly invitation: string;
  readonly share: string;
  readonly role: Role;
  /** ISO 8601. */
  readonly expires: string;
  readonly uses: number;
};

/** Of `pause`, `resume`, `rescan`: the shares it went for, as they are now. */
export type ShareResult = { readonly share: string; readonly state: ShareState };

export type ReloadResult = {
  /** Keys whose new value is in force, `share.www.ignore`. */
  readonly changed: readonly string[];
  /** Keys whose new value needs a restart. */
  readonly restart: readonly string[];
};

export type HealthReport = { readonly ok: boolean; readonly name: string; readonly uptimeSeconds: number };

export type ReadyReport = {
  readonly ready: boolean;
  /** One sentence each; empty where it is ready. */
  readonly reasons: readonly string[];
};

/** One fact, for `/api/v1/events`. `kind` is lower case with dashes (`head-applied`). */
export type AgentEvent = {
  readonly kind: string;
  /** ISO 8601. */
  readonly time: string;
  readonly share: string | null;
  readonly fields: Readonly<Record<string, string | number | boolean | null>>;
};

/**
 * Everything throws `P2psyncError`: `not-found` for a share, version or path that is not here, `usage` where the
 * share must be named, and what the call itself can meet. `share` is a name or an id; where it may be left out, the
 * call goes for all shares, or for the only one where just one makes sense.
 */
export type AgentApi = {
  status(): Promise<StatusReport>;
  peers(): Promise<readonly PeerReport[]>;
  members(): Promise<MembersReport>;
  history(request: { readonly share?: string }): Promise<readonly HistoryRow[]>;
  wait(request: WaitRequest, options: { readonly signal: AbortSignal }): Promise<WaitResult>;

  ls(request: LsRequest, options: { readonly signal: AbortSignal }): AsyncIterable<LsRow>;
  diff(request: DiffRequest, options: { readonly signal: AbortSignal }): AsyncIterable<DiffRow>;
  verify(request: VerifyRequest, options: { readonly signal: AbortSignal }): AsyncIterable<VerifyRow>;

  init(request: InitRequest): Promise<SetupResult>;
  invite(request: InviteRequest): Promise<InviteResult>;
  join(request: JoinRequest): Promise<SetupResult>;
  /** `permission`: the authority key is not there; `usage`: several members fit; `conflict`: the writer, or itself. */
  remove(request: RemoveRequest): Promise<RemoveResult>;
  /** Notes what a command has done with the authority key. */
  noteAuthority(note: AuthorityNote): Promise<AuthorityNote>;
  pause(request: { readonly share?: string }): Promise<readonly ShareResult[]>;
  resume(request: { readonly share?: string; readonly yes: boolean }): Promise<readonly ShareResult[]>;
  rescan(request: { readonly share?: string }): Promise<readonly ShareResult[]>;
  reload(): Promise<ReloadResult>;

  health(): Promise<HealthReport>;
  ready(request: { readonly share?: string }): Promise<ReadyReport>;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** Ends with the signal. A slow reader loses events, never memory. */
  events(options: { readonly signal: AbortSignal }): AsyncIterable<AgentEvent>;
};
