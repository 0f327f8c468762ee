/** Simulated time: a heap of what happens when. Events of one instant happen in the order in which they were put in. */

export type Clock = {
  nowMs(): number;
  at(atMs: number, happen: () => void): void;
  after(delayMs: number, happen: () => void): void;
  /** Runs until nothing is left, `untilMs` is reached, or `isDone` says so. @returns how many events happened. */
  run(options: { untilMs: number; isDone?: () => boolean }): number;
};

type Item = { readonly atMs: number; readonly order: number; readonly happen: () => void };

export function createClock(): Clock {
  const heap: Item[] = [];
  let now = 0;
  let order = 0;

  function isBefore(left: Item, right: Item): boolean {
    return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
  }

  function push(item: Item): void {
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || !isBefore(item, parent)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = item;
  }

  function pop(): Item | undefined {
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = heap[childAt];
      const right = heap[childAt + 1];
      if (child !== undefined && right !== undefined && isBefore(right, child)) {
        child = right;
        childAt += 1;
      }
      if (child === undefined || !isBefore(child, last)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
    return top;
  }

  function at(atMs: number, happen: () => void): void {
    order += 1;
    push({ atMs: Math.max(now, atMs), order, happen });
  }

  return {
    nowMs: () => now,
    at,
    after: (delayMs, happen) => at(now + delayMs, happen),
    run({ untilMs, isDone }) {
      let count = 0;
      for (let next = heap[0]; next !== undefined && next.atMs <= untilMs; next = heap[0]) {
        if (isDone?.() === true) return count;
        pop();
        now = next.atMs;
        next.happen();
        count += 1;
      }
      now = Math.max(now, untilMs);
      return count;
    },
  };
}
