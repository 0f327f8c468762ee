/** A share of a running agent, as the rest of the daemon sees it. Types only. */
import type { Bytes } from '../base/bytes.ts';
import type { SignedHead } from '../core/head.ts';
import type { KeyPair, PeerId } from '../core/keys.ts';
import type { SharePath } from '../core/path.ts';
import type { ShareState } from '../http/api.ts';
import type { Host } from '../net/host.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { BlockAnswer, BlockRequest } from '../swarm/messages.ts';
import type { Replica } from '../swarm/replica.ts';
import type { ShareConfig } from './config.ts';
import type { ShareDisk } from './disk.ts';
import type { Faults } from './faults.ts';
import type { ShareRecord } from './home.ts';
import type { ShareSide } from './judge.ts';
import type { LiveLimits } from './live-limits.ts';
import type { Log } from './log.ts';
import type { Membership } from './membership.ts';
import type { PeerTable } from './peers.ts';
import type { ShareBlocks } from './perform.ts';
import type { Sessions } from './session.ts';
import type { ShareNotes } from './share-notes.ts';
import type { Applied } from './state.ts';
import type { StrikeTally } from './strikes.ts';
import type { Versions } from './versions.ts';

export type ShareOptions = {
  readonly record: ShareRecord;
  readonly config: ShareConfig;
  readonly agent: { readonly name: string; readonly version: string; readonly keyPair: KeyPair };
  readonly salt: Bytes;
  readonly store: ShareStore;
  readonly membership: Membership;
  readonly host: Host;
  readonly blocks: ShareBlocks;
  readonly sessions: Sessions;
  readonly notes: ShareNotes;
  readonly limits: LiveLimits;
  readonly log: Log;
  /** Something that `status` or `peers` shows has changed. */
  readonly onChange: () => void;
  readonly onMembers: () => void;
};

export type Share = ShareSide & {
  readonly record: ShareRecord;
  readonly config: () => ShareConfig;
  readonly store: ShareStore;
  readonly peers: PeerTable;
  readonly faults: Faults;
  /** Of members that are here or were. */
  readonly strikes: Pick<StrikeTally, 'of'>;
  readonly versions: Versions;
  state(): ShareState;
  writes(): boolean;
  head(): SignedHead | null;
  applied(): Applied | null;
  progress(): ReturnType<Replica['progress']> | null;
  traffic(): { readonly sent: number; readonly received: number };
  neighbours(): ReturnType<Replica['neighbours']>;
  /** The disk side; null before the directory could be opened. */
  disk(): ShareDisk | null;
  pause(paused: boolean): Promise<void>;
  /** Lets a publish go that was held back. */
  allow(): Promise<void>;
  rescan(): Promise<void>;
  /** Differences that `verify` found: they are put right like any drift. Resolves when that is done or has failed. */
  repair(paths: readonly SharePath[], options: { readonly signal: AbortSignal }): Promise<void>;
  reconfigure(config: ShareConfig): void;
  blockRequest(peer: PeerId, request: BlockRequest): void;
  /** A returned promise is back-pressure. */
  blockAnswer(peer: PeerId, answer: BlockAnswer): Promise<void> | undefined;
  requestsLost(peer: PeerId): void;
  /** It broke the rules of the bulk plane. */
  violated(peer: PeerId, reason: string): void;
  close(): Promise<void>;
};
