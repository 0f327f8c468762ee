/** Events of a share's machine, one after the other, and their effects in order. Owns the queue; knows no effect. */
import { storedEventsAtOnce } from '../base/limits.ts';
import type { Version } from '../core/version.ts';
import type { Effect, Event } from '../swarm/events.ts';
import type { Replica } from '../swarm/replica.ts';
import type { Log } from './log.ts';

export type EventQueue = {
  /** In order. An effect may feed the next event: it waits until this one's effects are all begun. */
  feed(...events: readonly Event[]): void;
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
    for (let events = next(); events.length > 0; events = next()) {
      for (const event of events) if (event.kind === 'headStored') ports.onHeadStored(event.version);
      try {
        for (const effect of machine.stepAll(events, performance.now())) ports.perform(effect);
      } catch (error) {
        ports.log.error({ err: error, event: events[0]?.kind }, 'a bug: an event could not be handled');
      }
    }
    isDraining = false;
  }

  /** One, or what was stored together: to look after each block what is to be asked next costs more than the block. */
  function next(): readonly Event[] {
    let count = Math.min(1, queue.length);
    if (queue[0]?.kind === 'stored')
      while (count < storedEventsAtOnce && queue[count]?.kind === 'stored') count += 1;
    return queue.splice(0, count);
  }

  return {
    feed(...events) {
      queue.push(...events);
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
