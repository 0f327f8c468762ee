/** Whether bytes have moved between two looks: who fetches, or is served, waits for the main thread. */
export type Still = {
  /** True where none have since the look before; nothing was seen before the first. */
  look(): boolean;
};

/** @param traffic bytes that came and went so far. */
export function createStill(traffic: () => number): Still {
  let seen = 0;
  return {
    look() {
      const now = traffic();
      const same = now === seen;
      seen = now;
      return same;
    },
  };
}
