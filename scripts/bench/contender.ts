/** What the bench asks of each program it compares. Contenders know nothing of scenarios. */
import type { Place } from './fabric.ts';
import type { Processes } from './processes.ts';
import type { ContenderName } from './results.ts';

export type Site = {
  readonly source: Place;
  readonly destinations: readonly Place[];
  readonly processes: Processes;
};

export type Contender = {
  readonly name: ContenderName;
  /** What it is, for those who read the table. */
  readonly summary: string;
  /** Programs that have to be there. */
  readonly programs: readonly string[];
  /** What it cannot do, so that nobody waits for it. */
  readonly misses?: { readonly symlinks?: string };
  /** Its version, in one line. */
  version(): Promise<string>;
  /** Writes keys and configuration; nothing runs yet. The destinations' trees may be empty, equal to the source's, or anything. */
  prepare(site: Site): Promise<Session>;
};

export type Session = {
  /** Starts what runs on the destinations; resolves when all of it answers. */
  startDestinations(): Promise<void>;
  /** Starts what runs on the source; resolves at once, from here on it finds out by itself what there is to do. */
  startSource(): void;
  /** Of a contender that does not follow changes by itself: one push to all; resolves when it is done. */
  readonly push?: () => Promise<void>;
  /** Ends what runs on the source and waits for its end. */
  stopSource(): Promise<void>;
};
