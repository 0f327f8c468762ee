/** Seeded randomness of the simulator: the same seed gives the same run. Pure. */

export type Random = {
  /** In [0, 1). */
  next(): number;
  /** Whole, in [0, bound). */
  below(bound: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
  shuffle<Item>(items: readonly Item[]): Item[];
  /** A generator of its own, so that what one part draws does not move what another draws. */
  fork(): Random;
};

/** mulberry32, by Tommy Ettinger. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (bound: number) => Math.floor(next() * bound);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError('nothing to pick from');
      return item;
    },
    shuffle(items) {
      const list = [...items];
      for (let at = list.length - 1; at > 0; at -= 1) {
        const other = below(at + 1);
        const moved = list[at];
        const held = list[other];
        if (moved === undefined || held === undefined) continue;
        list[at] = held;
        list[other] = moved;
      }
      return list;
    },
    fork: () => createRandom(Math.floor(next() * 2 ** 32)),
  };
}
