/**
 * Which head counts. Owns the highest head, the roots of recent versions and the epoch that is halted; the shell has
 * checked signature and grant before. Never lets a version go back.
 */

import { toHex } from '../base/bytes.ts';
import { rememberedRootsMax } from '../base/limits.ts';
import { type SignedHead, sameStatement } from '../core/head.ts';
import { compareVersions, formatVersion, type Version } from '../core/version.ts';
import type { Effect } from './events.ts';
import type { HeadMessage } from './messages.ts';

export type Verdict =
  | { readonly kind: 'news' }
  /** The same version signed again, later. */
  | { readonly kind: 'refreshed' }
  | { readonly kind: 'old' }
  /** Two heads of one version: the epoch is halted from now on. */
  | { readonly kind: 'equivocation'; readonly known: SignedHead; readonly effects: readonly Effect[] };

export type Heads = {
  highest(): SignedHead | null;
  /** As it came, with its operations while they are news to somebody. */
  message(): HeadMessage | null;
  isHalted(epoch: number): boolean;
  offer(message: HeadMessage): Verdict;
};

/** @param haltedEpoch one in which two heads of one version were seen before. */
export function createHeads(stored: SignedHead | null, haltedEpoch: number | null = null): Heads {
  // Changes while running.
  let message: HeadMessage | null = stored === null ? null : { kind: 'head', head: stored, operations: null };
  const recent = new Map<string, SignedHead>();
  const halted = new Set<number>(haltedEpoch === null ? [] : [haltedEpoch]);
  if (stored !== null) recent.set(formatVersion(stored.head.version), stored);

  function remember(head: SignedHead): void {
    recent.set(formatVersion(head.head.version), head);
    for (const oldest of recent.keys()) {
      if (recent.size <= rememberedRootsMax) return;
      recent.delete(oldest);
    }
  }

  return {
    highest: () => message?.head ?? null,
    message: () => message,
    isHalted: (epoch) => halted.has(epoch),
    offer(offered) {
      const { version } = offered.head.head;
      const known = recent.get(formatVersion(version));
      if (known !== undefined && !sameStatement(known.head, offered.head.head)) {
        if (halted.has(version.epoch)) return { kind: 'old' };
        halted.add(version.epoch);
        const effects: readonly Effect[] = [
          evidence(known, offered.head, version),
          { kind: 'halted', heads: [known, offered.head] },
        ];
        return { kind: 'equivocation', known, effects };
      }
      const highest = message?.head.head ?? null;
      const order = highest === null ? 1 : compareVersions(version, highest.version);
      if (order < 0 || halted.has(version.epoch)) return { kind: 'old' };
      if (order > 0) {
        message = offered;
        remember(offered.head);
        return { kind: 'news' };
      }
      if (highest === null || offered.head.head.timeMs <= highest.timeMs) return { kind: 'old' };
      message = { kind: 'head', head: offered.head, operations: message?.operations ?? null };
      remember(offered.head);
      return { kind: 'refreshed' };
    },
  };
}

function evidence(left: SignedHead, right: SignedHead, version: Version): Effect {
  return {
    kind: 'note',
    text: `the writer signed two heads of version ${formatVersion(version)}; its epoch is halted, what is applied stays`,
    fields: {
      code: 'equivocation',
      version: formatVersion(version),
      rootA: left.head.root,
      bodyA: toHex(left.body),
      signatureA: toHex(left.signature),
      rootB: right.head.root,
      bodyB: toHex(right.body),
      signatureB: toHex(right.signature),
    },
  };
}
