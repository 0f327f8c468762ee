/** Keeps the wanted neighbours connected: the shell of `neighbours.ts`. Never decides who is a member. */
import type { PeerId } from '../core/keys.ts';
import type { Connected, Host } from './host.ts';

export type Candidate = { readonly peer: PeerId; readonly addresses: readonly string[] };

export type DialerOptions = {
  /** Static addresses whose owners are not known yet: multiaddrs or HOST:PORT. */
  readonly bootstrap: readonly string[];
  readonly note: (text: string, fields: Readonly<Record<string, string | number>>) => void;
};

export type Dialer = {
  /** All current members besides this agent, with addresses best first; replaces what was told before. */
  members(members: readonly Candidate[]): void;
  /** To be told of the host's `connected` and `disconnected`. */
  connected(connected: Connected): void;
  disconnected(peer: PeerId): void;
  close(): Promise<void>;
};

export function createDialer(host: Host, options: DialerOptions): Dialer {
  throw new Error(`not yet: ${host.peer} ${options.bootstrap.join(' ')}`);
}
