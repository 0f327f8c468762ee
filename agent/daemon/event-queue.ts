/** Events of a share's machine, one after the other, and their effects in order. Owns the queue; knows no effect. */
import type { Version } from '../core/version.ts';
import type { Effect, Event } from '../swarm/events.ts';
import type { Replica } from '../swarm/replica.ts';
import type { Log } from './log.ts';

export type EventQueue = {
  /** An effect may feed the next event: it waits until this one's effects are all begun. */
  feed(event: Event): void;
  /** Forgets what waits: it was for a machine that is no more. */
  clear(): void;
  /** Events wait while the work goes on. */
  hold(work: () => Promise<void>): Promise<void>;
};

export type EventQueuePorts = {
  /** null: nothing runs yet, events wait. */
  readonly machine: () => Replica | null;
  readonly perform: (effect: Effect) => void;
  readonly onHeadStored: (version: Version) => void;
  readonly log: Log;
};

export function createEventQueue(ports: EventQueuePorts): EventQueue {
  // Changes while running.
  const queue: Event[] = [];
  let isDraining = false;
  let isHeld = false;

  function drain(): void {
    const machine = ports.machine();
    if (isDraining || isHeld || machine === null) return;
    isDraining = true;
    for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
      if (event.kind === 'headStored') ports.onHeadStored(event.version);
      try {
        for (const effect of machine.step(event, performance.now())) ports.perform(effect);
      } catch (error) {
        ports.log.error({ err: error, event: event.kind }, 'a bug: an event could not be handled');
      }
    }
    isDraining = false;
  }

  return {
    feed(event) {
      queue.push(event);
      drain();
    },
    clear() {
      queue.length = 0;
    },
    async hold(work) {
      isHeld = true;
      try {
        await work();
      } finally {
        isHeld = false;
        drain();
      }
    },
  };
}
