/**
 * A bounded number of places for those who have not shown who they are, shared out by address: when all are taken, the
 * address that has most gives up its oldest for one from an address with fewer. So whoever has a few addresses keeps nobody
 * out, and one address alone keeps to its own bound. Closes nothing itself.
 */
import { ipOf } from './address.ts';

export type Places<Guest> = {
  /** @returns false where there is none for it. Given back with `leave`. */
  take(guest: Guest, address: string): boolean;
  /** Of one that has none it does nothing. */
  leave(guest: Guest): void;
  taken(): number;
};

export type PlacesOptions<Guest> = {
  readonly max: number;
  readonly perAddressMax: number;
  /** It has lost its place and is to go. */
  readonly evict: (guest: Guest) => void;
};

export function createPlaces<Guest>({ max, perAddressMax, evict }: PlacesOptions<Guest>): Places<Guest> {
  // Changes while running. Oldest first.
  const networks = new Map<string, Set<Guest>>();
  const networkOfGuest = new Map<Guest, string>();

  function leave(guest: Guest): void {
    const network = networkOfGuest.get(guest);
    if (network === undefined) return;
    networkOfGuest.delete(guest);
    const guests = networks.get(network);
    guests?.delete(guest);
    if (guests?.size === 0) networks.delete(network);
  }

  /** Those who have come before are done sooner: only an address with two more than the newcomer's loses one. */
  function makeRoom(has: number): boolean {
    let most: Set<Guest> | undefined;
    for (const guests of networks.values()) if (guests.size > (most?.size ?? has + 1)) most = guests;
    for (const oldest of most ?? []) {
      leave(oldest);
      evict(oldest);
      return true;
    }
    return false;
  }

  return {
    take(guest, address) {
      const network = networkOf(address);
      const has = networks.get(network)?.size ?? 0;
      if (has >= perAddressMax || (networkOfGuest.size >= max && !makeRoom(has))) return false;
      networks.set(network, (networks.get(network) ?? new Set()).add(guest));
      networkOfGuest.set(guest, network);
      return true;
    },
    leave,
    taken: () => networkOfGuest.size,
  };
}

/** Of `IP:PORT` the IP; of an IPv6 the first half, for whoever has one address has all that begin so. */
function networkOf(address: string): string {
  const ip = ipOf(address);
  if (!ip.startsWith('[')) return ip;
  const [head = '', tail] = ip.slice(1, -1).split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  return [...front, ...Array<string>(zeros).fill('0'), ...back].slice(0, 4).join(':');
}
