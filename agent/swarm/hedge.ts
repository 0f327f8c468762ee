/**
 * What is asked a second time, at the end of a sync, because the first who was asked is slow. Owns what that may cost; after
 * the tail requests of Dean & Barroso 2013. Sends nothing itself.
 */
import { MIB, strikesMax } from '../base/limits.ts';
import type { Effect } from './events.ts';
import type { Neighbours } from './neighbours.ts';
import type { Picked, Picker } from './pick.ts';
import type { InFlight, Requests } from './requests.ts';
import type { Want, Wants } from './wants.ts';

export type Hedge = {
  /** A new sync: nothing was asked twice yet. */
  reset(): void;
  /** Who else to ask for what this one still owes, where it is slow: one at a time, until somebody turns out not to be. */
  again(request: InFlight, storedBytes: number, nowMs: number): Picked | undefined;
  /** Somebody else was asked for the rest of it, and has delivered. It shows in the strikes; that alone puts nobody aside. */
  outrun(request: InFlight, nowMs: number): readonly Effect[];
};

/** Blocks asked twice may cost this share of all, and a fixed allowance for small transfers. */
const hedgeShare = 0.05;
const hedgeAllowanceBytes = MIB;
/** So long nothing came, ms, before it is held against anybody that others were faster: a busy machine is not a liar. */
const outrunMsMin = 100;

export function createHedge(options: {
  neighbours: Neighbours;
  wants: Wants;
  requests: Requests;
  picker: Picker;
}): Hedge {
  const { neighbours, wants, requests, picker } = options;

  // Changes while running.
  let hedgedBytes = 0;

  const isSlow = ({ plane, sentMs }: InFlight, nowMs: number): boolean =>
    nowMs >= sentMs + requests.hedgeAfterMs(plane);

  return {
    reset() {
      hedgedBytes = 0;
    },
    again(request, storedBytes, nowMs) {
      if (!isSlow(request, nowMs)) return undefined;
      // What a silent one owes will not come twice.
      const bytes = request.plane === 'page' || request.movedMs === request.sentMs ? 0 : request.bytes;
      const most = hedgeShare * (storedBytes + wants.bytes()) + hedgeAllowanceBytes;
      if (hedgedBytes + bytes > most) return undefined;
      const rest: Want[] = [];
      for (const digest of request.left) {
        const want = wants.get(request.plane, digest);
        const askings = requests.asking(request.plane, digest);
        if (want !== undefined && askings.every((one) => isSlow(one, nowMs))) rest.push(want);
      }
      const other = picker.otherFor(rest, nowMs);
      if (other !== undefined) hedgedBytes += bytes;
      return other;
    },
    outrun(request, nowMs) {
      const { peer, movedMs } = request;
      const neighbour = neighbours.get(peer);
      const isLate = nowMs >= movedMs + outrunMsMin && requests.isOverdue(request, nowMs);
      if (neighbour === undefined || !isLate) return [];
      neighbour.inFlightMax = 1;
      if (neighbour.strikes >= strikesMax - 1) return [];
      return neighbours.strike({ peer, strikes: 1, reason: 'slower than others by far', nowMs });
    },
  };
}
