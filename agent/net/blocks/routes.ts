/** Whether TLS is worth a try with a peer, from what came of it so far. Pure: a state of each connected peer, and time as an argument. */
import { bulkBreaksMax, bulkRetryMaxMs, bulkRetryMinMs, linkProvenMs } from '../../base/limits.ts';
import type { PeerId } from '../../core/keys.ts';
import type { BlockRoute } from './transport.ts';

/**
 * Of the connection to ask a peer on: it came up, did not, broke, or was closed because nobody asked. Of a key that
 * the peer got from us: it came with it, or did not.
 */
export type TlsNews = 'up' | 'failed' | 'broke' | 'idle' | 'used' | 'unused';

export type Routes = {
  /** @returns true where this is the first that says so of a peer: blocks go over libp2p from now on. */
  note(peer: PeerId, news: TlsNews, nowMs: number): boolean;
  mayTry(peer: PeerId, nowMs: number): boolean;
  /** Null where nothing was tried. */
  of(peer: PeerId): BlockRoute | null;
  forget(peer: PeerId): void;
};

type Known = {
  readonly route: BlockRoute;
  readonly upMs: number;
  /** Breaks of connections that had not proven themselves, in a row. */
  readonly breaks: number;
  readonly retryAtMs: number;
  readonly pauseMs: number;
};

const fresh: Known = { route: 'tls', upMs: 0, breaks: 0, retryAtMs: 0, pauseMs: bulkRetryMinMs };

export function createRoutes(): Routes {
  // Changes while running.
  const known = new Map<PeerId, Known>();

  return {
    note(peer, news, nowMs) {
      const before = known.get(peer);
      const after = next(before ?? fresh, news, nowMs);
      if (before !== undefined || news !== 'idle') known.set(peer, after);
      return after.route === 'libp2p' && before?.route !== 'libp2p';
    },
    mayTry: (peer, nowMs) => (known.get(peer)?.retryAtMs ?? 0) <= nowMs,
    of: (peer) => known.get(peer)?.route ?? null,
    forget: (peer) => void known.delete(peer),
  };
}

function next(before: Known, news: TlsNews, nowMs: number): Known {
  switch (news) {
    case 'up':
      return { ...before, route: 'tls', upMs: nowMs };
    case 'idle':
      return before;
    case 'used':
      // Good to know, but no help while the other direction fails.
      return before.retryAtMs > before.upMs ? before : { ...before, route: 'tls' };
    case 'unused':
      return { ...before, route: 'libp2p' };
    case 'failed':
      return fallBack(before, nowMs);
    case 'broke': {
      const proven = nowMs - before.upMs >= linkProvenMs;
      const breaks = proven ? 1 : before.breaks + 1;
      const pauseMs = proven ? bulkRetryMinMs : before.pauseMs;
      const after = { ...before, breaks, pauseMs };
      return breaks >= bulkBreaksMax ? fallBack(after, nowMs) : after;
    }
  }
}

function fallBack(before: Known, nowMs: number): Known {
  return {
    ...before,
    route: 'libp2p',
    retryAtMs: nowMs + before.pauseMs,
    pauseMs: Math.min(2 * before.pauseMs, bulkRetryMaxMs),
  };
}
