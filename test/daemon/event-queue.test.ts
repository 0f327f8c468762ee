/** Events of a share's machine: in order, those that were stored together in one step, within a bound. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { storedEventsAtOnce } from '../../agent/base/limits.ts';
import type { Digest } from '../../agent/core/digest.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { createEventQueue } from '../../agent/daemon/event-queue.ts';
import type { Effect, Event } from '../../agent/swarm/events.ts';
import type { Replica } from '../../agent/swarm/replica.ts';
import { createNotebook } from './notebook.ts';

const peer = 'ana' as PeerId;
const stored: Event = { kind: 'stored', peer, id: 1, digest: '00' as Digest, bytes: 1 };
const tick: Event = { kind: 'tick' };
const note: Effect = { kind: 'note', text: 'seen', fields: {} };

function create(perform: (feed: (...events: readonly Event[]) => void) => void = () => undefined) {
  const steps: string[] = [];
  const machine: Pick<Replica, 'stepAll'> = {
    stepAll(events) {
      steps.push(`${events[0]?.kind} × ${events.length}`);
      return events[0]?.kind === 'tick' ? [note] : [];
    },
  };
  const queue = createEventQueue({
    machine: () => machine as Replica,
    perform: () => perform(queue.feed),
    onHeadStored: () => undefined,
    log: createNotebook().log,
  });
  return { queue, steps };
}

test('what was stored together is one step, as far as the bound goes, and everything else a step of its own', () => {
  const { queue, steps } = create();
  queue.feed(tick, tick, ...Array<Event>(storedEventsAtOnce + 2).fill(stored), tick);
  assert.equal(steps, ['tick × 1', 'tick × 1', `stored × ${storedEventsAtOnce}`, 'stored × 2', 'tick × 1']);
});

test('what an effect feeds comes after what was fed before it', () => {
  let left = 1;
  const { queue, steps } = create((feed) => {
    if (left > 0) feed(stored, stored);
    left -= 1;
  });
  queue.feed(tick, stored, tick);
  assert.equal(steps, ['tick × 1', 'stored × 1', 'tick × 1', 'stored × 2']);
});

test.run();
