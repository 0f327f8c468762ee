/** What a share does when it has nothing better to do: files made durable, staging cleared, old pages swept. */
import { durableDelayMs, heapLookMs } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { ShareDisk } from './disk.ts';
import { createHeapTrimmer } from './heap.ts';
import type { Log } from './log.ts';
import { readWorking } from './state.ts';
import { createStill } from './still.ts';
import { sweepPages } from './sweep.ts';
import { createUnswept } from './unswept.ts';

export type HousekeeperPorts = {
  readonly store: ShareStore;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** null while the directory is not open. */
  readonly disk: () => ShareDisk | null;
  /** True where no sync is going on: nothing in staging is waited for. */
  readonly isIdle: () => boolean;
  /** Bytes that went to peers and came from them, since the start. */
  readonly traffic: () => number;
  /** Of every tree that is in use or may be asked for. */
  readonly roots: () => readonly Digest[];
  /** Runs the work while nothing else reads or adds pages; false: not now. */
  readonly exclusively: (work: () => Promise<void>) => Promise<boolean>;
};

export type Housekeeper = {
  /** A version was applied or published. */
  applied(): void;
  /** Notes how many versions there were since the last sweep: the next run goes on from there. The store is open still. */
  close(): Promise<void>;
};

const nothing: ReadonlySet<Digest> = new Set();
/** One for all shares: they have one heap. */
const heap = createHeapTrimmer();

export function createHousekeeper(ports: HousekeeperPorts): Housekeeper {
  const unswept = createUnswept(ports.store);
  const still = createStill(ports.traffic);

  // Changes while running.
  let timer: NodeJS.Timeout | undefined;
  let busy = false;

  async function work(): Promise<void> {
    const disk = ports.disk();
    if (disk === null) return;
    await unswept.forget();
    // At once, and not when a million files are durable.
    await trim();
    await disk.committer.durable({ signal: ports.signal });
    if (!ports.isIdle()) return;
    await disk.stage.prune({ digests: nothing, contents: nothing });
    if (unswept.isDue()) {
      const dropped = await sweepPages(ports);
      if (dropped === null) return;
      unswept.swept();
      ports.log.debug({ dropped }, 'pages of old versions swept');
    }
    await trim();
  }

  /** Stops the main thread: not while blocks come or go, which is what a version is followed by. */
  async function trim(): Promise<void> {
    if (still.look() && ports.isIdle()) await heap.trim();
  }

  /** What was served to a newcomer is no version, and leaves garbage as well. */
  function look(): void {
    if (ports.disk() !== null) void attempt(trim());
  }
  const looking = setInterval(look, heapLookMs).unref();

  function attempt(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) => {
      if (!ports.signal.aborted)
        ports.log.warn({ err: error }, 'housekeeping failed; it is tried again after the next version');
    });
  }

  function run(): void {
    if (busy) return schedule();
    busy = true;
    void attempt(work()).finally(() => {
      busy = false;
    });
  }

  function schedule(): void {
    clearTimeout(timer);
    timer = setTimeout(run, durableDelayMs);
  }

  return {
    applied() {
      unswept.applied();
      still.look();
      schedule();
    },
    async close() {
      clearTimeout(timer);
      clearInterval(looking);
      await unswept.keep();
    },
  };
}

/** Of trees whose pages stay: what is applied and heard of, what the writer has not signed yet, and the versions that are kept. */
export function rootsInUse(
  store: ShareStore,
  current: readonly (Digest | undefined)[],
  kept: readonly { readonly root: Digest }[],
): readonly Digest[] {
  return [...current, readWorking(store), ...kept.map(({ root }) => root)].filter(
    (root) => root !== undefined && root !== null,
  );
}
