/**
 * What is missing, and who said they have it. Owns the wanted digests, which of them nobody was asked for yet
 * (open), and what partial holders announced; never decides whom to ask.
 */
import { havesMax } from '../base/limits.ts';
import type { Digest } from '../core/digest.ts';
import type { PeerId } from '../core/keys.ts';

export type Plane = 'page' | 'block';

/** The file that waits for a block; shared by all its wants. */
export type WaitingFile = { left: number };

export type Want = {
  // Fixed at start.
  readonly digest: Digest;
  readonly plane: Plane;
  /** Expected bytes: exact for a block of the tree, a guess for a page. */
  readonly bytes: number;
  readonly file: WaitingFile | null;
  /** True where this belongs to the tree that is applied here: who has that tree should have this. */
  readonly lost: boolean;

  // Changes while running.
  /** Neighbours that announced it. */
  holders: number;
  /** Neighbours that were asked and did not have it. */
  refusals: PeerId[] | null;
  /** Index in the list of open wants, -1 while somebody is asked. */
  place: number;
  /** Neighbours in the tree's order, so that a run of them is asked in one request. */
  before: Want | null;
  after: Want | null;
};

export type Wants = {
  /** @returns the want; one that was wanted before stays as it is. */
  add(input: { digest: Digest; plane: Plane; bytes: number; file: WaitingFile | null; lost: boolean }): Want;
  /** A block and a page may share a digest: somebody can store a page's bytes as a file. */
  get(plane: Plane, digest: Digest): Want | undefined;
  /** It is here, or nobody needs it any more. */
  settle(plane: Plane, digest: Digest): Want | undefined;
  open(want: Want): void;
  close(want: Want): void;
  openOf(plane: Plane): readonly Want[];
  /** What `peer` announced and was wanted then; settled and closed wants linger until `skipOffer`. */
  offersOf(peer: PeerId): readonly Want[];
  skipOffer(peer: PeerId, index: number): void;
  hold(peer: PeerId, digest: Digest): void;
  holds(peer: PeerId, digest: Digest): boolean;
  holdersOf(digest: Digest): readonly PeerId[];
  /** It said it has this and has not. */
  refuse(peer: PeerId, want: Want): void;
  /** It may have now what it had not; without a peer, all may. */
  forgive(peer?: PeerId): void;
  forgetPeer(peer: PeerId): void;
  /** Forgets every want; announcements stay. */
  clear(): void;
  count(): number;
  openCount(): number;
  bytes(): number;
};

export function createWants(): Wants {
  const wants = { page: new Map<Digest, Want>(), block: new Map<Digest, Want>() };
  const open = { page: [] as Want[], block: [] as Want[] };
  const holders = new Map<Digest, PeerId[]>();
  const offers = new Map<PeerId, Want[]>();
  let last: Want | null = null;
  let bytes = 0;

  function insert(want: Want): void {
    if (want.place >= 0) return;
    want.place = open[want.plane].push(want) - 1;
    for (const peer of holders.get(want.digest) ?? []) offer(peer, want);
  }

  function extract(want: Want): void {
    if (want.place < 0) return;
    swapRemove(open[want.plane], want.place, (moved, index) => {
      moved.place = index;
    });
    want.place = -1;
  }

  function both(digest: Digest): Want[] {
    return [wants.page.get(digest), wants.block.get(digest)].filter((want) => want !== undefined);
  }

  function offer(peer: PeerId, want: Want): void {
    const list = offers.get(peer);
    if (list === undefined) offers.set(peer, [want]);
    else list.push(want);
  }

  return {
    add({ digest, plane, bytes: expected, file, lost }) {
      const known = wants[plane].get(digest);
      if (known !== undefined) return known;
      const want: Want = {
        digest,
        plane,
        bytes: expected,
        file,
        lost,
        holders: holders.get(digest)?.length ?? 0,
        refusals: null,
        place: -1,
        before: plane === 'block' ? last : null,
        after: null,
      };
      if (plane === 'block') {
        if (last !== null) last.after = want;
        last = want;
      }
      wants[plane].set(digest, want);
      bytes += expected;
      return want;
    },
    get: (plane, digest) => wants[plane].get(digest),
    settle(plane, digest) {
      holders.delete(digest);
      const want = wants[plane].get(digest);
      if (want === undefined) return undefined;
      extract(want);
      wants[plane].delete(digest);
      bytes -= want.bytes;
      if (want.before !== null) want.before.after = want.after;
      if (want.after !== null) want.after.before = want.before;
      if (last === want) last = want.before;
      return want;
    },
    open: insert,
    close: extract,
    openOf: (plane) => open[plane],
    offersOf: (peer) => offers.get(peer) ?? [],
    skipOffer(peer, index) {
      const list = offers.get(peer);
      if (list !== undefined) swapRemove(list, index, () => {});
    },
    hold(peer, digest) {
      const known = holders.get(digest);
      if (known === undefined) {
        holders.set(digest, [peer]);
        if (holders.size > havesMax) forgetOldest(holders);
      } else if (known.includes(peer)) return;
      else known.push(peer);
      for (const want of both(digest)) {
        pardon(want, peer);
        want.holders += 1;
        if (want.place >= 0) offer(peer, want);
      }
    },
    holds: (peer, digest) => holders.get(digest)?.includes(peer) ?? false,
    holdersOf: (digest) => holders.get(digest) ?? [],
    refuse(peer, want) {
      if (want.refusals === null) want.refusals = [peer];
      else if (!want.refusals.includes(peer)) want.refusals.push(peer);
      const known = holders.get(want.digest);
      const index = known?.indexOf(peer) ?? -1;
      if (known === undefined || index < 0) return;
      known.splice(index, 1);
      want.holders = Math.max(0, want.holders - 1);
    },
    forgive(peer) {
      for (const want of [...wants.page.values(), ...wants.block.values()]) {
        if (peer === undefined) want.refusals = null;
        else pardon(want, peer);
      }
    },
    forgetPeer(peer) {
      offers.delete(peer);
      for (const [digest, known] of holders) {
        const index = known.indexOf(peer);
        if (index < 0) continue;
        known.splice(index, 1);
        if (known.length === 0) holders.delete(digest);
        for (const want of both(digest)) want.holders = Math.max(0, want.holders - 1);
      }
    },
    clear() {
      wants.page.clear();
      wants.block.clear();
      open.page.length = 0;
      open.block.length = 0;
      offers.clear();
      last = null;
      bytes = 0;
    },
    count: () => wants.page.size + wants.block.size,
    openCount: () => open.page.length + open.block.length,
    bytes: () => bytes,
  };
}

function pardon(want: Want, peer: PeerId): void {
  if (want.refusals !== null) want.refusals = want.refusals.filter((other) => other !== peer);
}

function swapRemove(list: Want[], index: number, moved: (want: Want, index: number) => void): void {
  const tail = list.pop();
  if (tail === undefined || index >= list.length) return;
  list[index] = tail;
  moved(tail, index);
}

function forgetOldest(holders: Map<Digest, PeerId[]>): void {
  for (const digest of holders.keys()) {
    holders.delete(digest);
    return;
  }
}
