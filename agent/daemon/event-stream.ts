/** The facts of `/api/v1/events`: told apart from the state before, each time something changed. */
import { formatVersion } from '../core/version.ts';
import type { AgentEvent } from '../http/api.ts';
import type { Share } from './share-types.ts';

type Seen = { readonly state: string; readonly applied: string; readonly head: string };

/** Ends with the signal. Changes that come while the reader is slow are seen as one. */
export async function* watchEvents(
  shares: () => readonly Share[],
  listeners: Set<() => void>,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent> {
  const seen = new Map(shares().map((share) => [share.id, look(share)]));
  let wake = Promise.withResolvers<void>();
  const notify = (): void => wake.resolve();
  listeners.add(notify);
  signal.addEventListener('abort', notify, { once: true });
  try {
    while (!signal.aborted) {
      await wake.promise;
      wake = Promise.withResolvers<void>();
      for (const share of shares()) {
        const now = look(share);
        yield* differences(share, seen.get(share.id), now);
        seen.set(share.id, now);
      }
    }
  } finally {
    listeners.delete(notify);
    signal.removeEventListener('abort', notify);
  }
}

function look(share: Share): Seen {
  const applied = share.applied();
  const head = share.head();
  return {
    state: share.state(),
    applied: applied === null ? '' : formatVersion(applied.version),
    head: head === null ? '' : formatVersion(head.head.version),
  };
}

function* differences(share: Share, before: Seen | undefined, now: Seen): Generator<AgentEvent> {
  const fact = (kind: string, fields: AgentEvent['fields']): AgentEvent => ({
    kind,
    time: new Date().toISOString(),
    share: share.record.name,
    fields,
  });
  if (before?.head !== now.head) yield fact('head-received', { version: now.head });
  if (before?.applied !== now.applied) yield fact('head-applied', { version: now.applied });
  if (before?.state !== now.state) yield fact('state-changed', { state: now.state });
}
