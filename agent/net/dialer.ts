/** Keeps the wanted neighbours connected: the shell of `neighbours.ts`. Never decides who is a member. */
import { setMaxListeners } from 'node:events';
import { messageOf } from '../base/errors.ts';
import { membersMax } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import type { Connected, Host, NoteFields } from './host.ts';
import { type Candidate, createNeighbours, type DialEffect, type NeighbourEvent } from './neighbours.ts';

export type { Candidate };

export type DialerOptions = {
  /** Static addresses whose owners are not known yet: multiaddrs or HOST:PORT. */
  readonly bootstrap: readonly string[];
  readonly note: (text: string, fields: NoteFields) => void;
};

export type Dialer = {
  /** All current members besides this agent, with addresses best first; replaces what was told before. */
  members(members: readonly Candidate[]): void;
  /** To be told of the host's `connected` and `disconnected`. */
  connected(connected: Connected): void;
  disconnected(peer: PeerId): void;
  /** False where there are neighbours enough; for the host's `allow` of an inbound peer. */
  accepts(peer: PeerId): boolean;
  /** Ends dials in progress; resolves when none is left. */
  close(): Promise<void>;
};

export function createDialer(host: Pick<Host, 'peer' | 'dial'>, options: DialerOptions): Dialer {
  const neighbours = createNeighbours({
    self: host.peer,
    bootstrap: options.bootstrap,
    random: Math.random,
  });
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  // Changes while running.
  const dials = new Set<Promise<void>>();
  /** Where each peer answered last, `IP:PORT`. */
  const answeredAt = new Map<PeerId, string>();
  /** What was said of a target last, so that a machine that is off for days is one line. */
  const said = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;

  function step(event: NeighbourEvent): void {
    if (closing.signal.aborted) return;
    for (const effect of neighbours.step(event, Date.now())) {
      const dial = perform(effect).finally(() => dials.delete(dial));
      dials.add(dial);
    }
    clearTimeout(timer);
    const inMs = neighbours.nextMs() - Date.now();
    if (Number.isFinite(inMs)) timer = setTimeout(() => step({ kind: 'tick' }), Math.max(1, inMs));
  }

  async function perform({ key, peer, addresses }: DialEffect): Promise<void> {
    try {
      const found = await host.dial(lastGoodFirst(addresses, peer), { peer, signal: closing.signal });
      said.delete(key);
      step({ kind: 'dialed', key, peer: found });
    } catch (error) {
      if (closing.signal.aborted) return;
      const reason = messageOf(error);
      if (said.get(key) !== reason) options.note('dial failed', { target: key, reason });
      said.set(key, reason);
      step({ kind: 'dialed', key, peer: null });
    }
  }

  function lastGoodFirst(addresses: readonly string[], peer: PeerId | null): readonly string[] {
    const good = peer === null ? undefined : answeredAt.get(peer);
    if (good === undefined) return addresses;
    const endsWell = (address: string) => address === good || `${address}/`.startsWith(multiaddrOf(good));
    return [...addresses.filter(endsWell), ...addresses.filter((address) => !endsWell(address))];
  }

  // The static addresses need no list of members.
  step({ kind: 'tick' });

  return {
    members(members) {
      const known = new Set(members.map((member) => member.peer));
      for (const peer of answeredAt.keys())
        if (!known.has(peer) && answeredAt.size > membersMax) answeredAt.delete(peer);
      for (const key of said.keys())
        if (!known.has(key as PeerId) && said.size > membersMax) said.delete(key);
      step({ kind: 'members', members });
    },
    connected({ peer, direction, address }) {
      if (direction === 'outbound') answeredAt.set(peer, address);
      step({ kind: 'connected', peer });
    },
    disconnected: (peer) => step({ kind: 'disconnected', peer }),
    accepts: (peer) => neighbours.accepts(peer),
    async close() {
      closing.abort();
      clearTimeout(timer);
      await Promise.all(dials);
    },
  };
}

/** `IP:PORT` as the start of a multiaddr. */
function multiaddrOf(address: string): string {
  const colon = address.lastIndexOf(':');
  const ip = address.slice(0, colon);
  const host = ip.startsWith('[') ? `/ip6/${ip.slice(1, -1)}` : `/ip4/${ip}`;
  return `${host}/tcp/${address.slice(colon + 1)}/`;
}
