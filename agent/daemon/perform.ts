/** Performs the effects of a share's machine and feeds back what came of them. Decides nothing. */

import { unreachable } from '../base/assert.ts';
import type { Bytes } from '../base/bytes.ts';
import { messageOf, P2psyncError } from '../base/errors.ts';
import { applyRetryMs, failedPathRetryMs, failedPathRetryMsMax } from '../base/limits.ts';
import { pause } from '../base/pause.ts';
import { updateTree } from '../core/build.ts';
import { changesOfEdits } from '../core/diff.ts';
import { type Digest, digestOf } from '../core/digest.ts';
import type { Change } from '../core/entry.ts';
import type { SignedHead } from '../core/head.ts';
import type { PeerId, ShareId } from '../core/keys.ts';
import { withMoves } from '../core/moved.ts';
import { ancestorsOf, comparePaths, type SharePath } from '../core/path.ts';
import type { Stage } from '../disk/stage.ts';
import type { Host } from '../net/host.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { Effect, Event, InlineChanges } from '../swarm/events.ts';
import type { BlockRequest, HeadMessage } from '../swarm/messages.ts';
import { encodeHeadMessage, headsTopic } from '../wire/gossip.ts';
import type { Applier } from './apply.ts';
import { createBlame } from './blame.ts';
import type { Content } from './content.ts';
import type { Faults } from './faults.ts';
import type { Log } from './log.ts';
import type { Sessions } from './session.ts';
import { type Applied, writeHead } from './state.ts';
import type { StrikeTally } from './strikes.ts';

/** The bulk plane as one share sees it: under ids of its own. */
export type ShareBlocks = {
  request(peer: PeerId, request: BlockRequest): void;
  cancel(peer: PeerId, id: number): void;
};

export type PerformPorts = {
  readonly share: ShareId;
  readonly salt: Bytes;
  readonly store: ShareStore;
  readonly stage: Stage;
  readonly content: Content;
  readonly applier: Applier;
  readonly host: Host;
  readonly blocks: ShareBlocks;
  readonly sessions: Sessions;
  readonly faults: Faults;
  readonly strikes: StrikeTally;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly feed: (event: Event) => void;
  readonly onApplied: (applied: Applied) => void;
  readonly onHalted: (heads: readonly [SignedHead, SignedHead]) => void;
  /** For `status`: something it shows has changed. */
  readonly onChange: () => void;
};

export type Performer = {
  perform(effect: Effect): void;
  /** True while pages that came with a head are on their way into the store. */
  isStoring(): boolean;
  stop(): void;
};

type Made = { readonly pages: ReadonlyMap<Digest, Bytes>; readonly inline: InlineChanges };

export function createPerformer(ports: PerformPorts): Performer {
  const { share, store, host, log, feed } = ports;
  const blame = createBlame(ports);

  // Changes while running.
  let timer: NodeJS.Timeout | undefined;
  let retry: NodeJS.Timeout | undefined;
  let retryMs = failedPathRetryMs;
  let storing = 0;
  let newest: HeadMessage | null = null;
  const failing = new Set<SharePath>();

  function run(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!ports.signal.aborted) log.error({ err: error }, `${what} failed`);
    });
  }

  /** Tried until it is done or a newer head is to be stored: nothing goes on before. */
  async function storeHead(effect: Extract<Effect, { kind: 'storeHead' }>): Promise<void> {
    newest = effect.message;
    while (newest === effect.message && !ports.signal.aborted) {
      try {
        await storeHeadOnce(effect);
        return ports.faults.setShare('store', null);
      } catch (error) {
        if (ports.signal.aborted) throw error;
        const code = error instanceof P2psyncError ? error.code : 'io';
        ports.faults.setShare('store', { code, message: `a head cannot be stored: ${messageOf(error)}` });
        log.error({ err: error }, 'storing a head failed; it is tried again');
        ports.onChange();
        await pause(applyRetryMs, ports.signal);
      }
    }
  }

  async function storeHeadOnce({
    message,
    inline,
  }: {
    readonly message: HeadMessage;
    readonly inline: boolean;
  }): Promise<void> {
    const { head } = message.head;
    const made = inline ? carryOut(message) : null;
    const staged = made === null ? undefined : stageInline(message);
    await store.writeDurably({ ...(made === null ? {} : { pages: made.pages }), ...writeHead(message.head) });
    // Without its blocks an inline head is like any other: its pages are here, the blocks are fetched.
    await staged;
    feed({ kind: 'headStored', version: head.version, ...(made === null ? {} : { inline: made.inline }) });
    ports.onChange();
  }

  /** @returns the new pages, and what changes, where the operations lead to the head's root. */
  function carryOut({ head, operations }: HeadMessage): Made | null {
    if (operations === null) return null;
    try {
      const page = (digest: Digest): Bytes | undefined => store.page(digest);
      const base = operations.baseRoot;
      const edits = withMoves(page, base, operations);
      const update = updateTree(page, base, edits, ports.salt);
      if (update.root !== head.head.root) return null;
      return { pages: update.pages, inline: { base, changes: changesOfEdits(page, base, edits) } };
    } catch (error) {
      if (!(error instanceof P2psyncError)) throw error;
      log.debug({ reason: error.message }, 'a head came with operations that do not fit; the tree is walked');
      return null;
    }
  }

  async function stageInline({ operations }: HeadMessage): Promise<void> {
    const blocks = (operations?.blocks ?? []).map((bytes) => ({ digest: digestOf(bytes), bytes }));
    try {
      await ports.stage.put(blocks);
    } catch (error) {
      if (!(error instanceof P2psyncError)) throw error;
      log.debug({ reason: error.message }, 'the blocks of a head could not be staged; they are fetched');
    }
  }

  async function apply(effect: Extract<Effect, { kind: 'apply' }>): Promise<void> {
    const { version, root } = effect.head.head;
    const target = { version, root };
    const outcome = await ports.applier
      .apply(target, effect.changes, { signal: ports.signal })
      .catch((error: unknown) => {
        if (ports.signal.aborted) throw error;
        log.error({ err: error }, 'applying a version failed');
        return { kind: 'failed', code: 'io', message: messageOf(error) } as const;
      });
    switch (outcome.kind) {
      case 'applied':
        for (const cause of ['stage', 'apply'] as const) ports.faults.setShare(cause, null);
        await blame.applied(version);
        ports.onApplied(target);
        feed({ kind: 'applied', version, root });
        retryLater(
          effect.changes,
          outcome.result.failed.map(({ path }) => path),
        );
        return;
      case 'lost':
        log.info({ blocks: outcome.digests.length }, 'blocks that were thought to be here are fetched');
        feed({ kind: 'applyFailed', version, lost: outcome.digests, retryMs: 0 });
        return;
      case 'failed':
        ports.faults.setShare('apply', { code: outcome.code, message: outcome.message });
        ports.onChange();
        log.error({ code: outcome.code }, outcome.message);
        feed({ kind: 'applyFailed', version, lost: [], retryMs: applyRetryMs });
        return;
      default:
        return unreachable(outcome);
    }
  }

  /** A path that could not be put right may have been in somebody's hands; so may the directories above it. */
  function retryLater(done: readonly Change[] | null, failed: readonly SharePath[]): void {
    if (done === null) failing.clear();
    else for (const { path } of done) failing.delete(path);
    for (const path of failed) failing.add(path);
    if (failed.length === 0) {
      retryMs = failedPathRetryMs;
      if (failing.size === 0) clearTimeout(retry);
      return;
    }
    clearTimeout(retry);
    retry = setTimeout(() => {
      const paths = new Set([...failing].flatMap((path) => [path, ...ancestorsOf(path)]));
      failing.clear();
      feed({ kind: 'drifted', paths: [...paths].sort(comparePaths) });
    }, retryMs);
    retryMs = Math.min(retryMs * 2, failedPathRetryMsMax);
  }

  async function blameWriter(effect: Extract<Effect, { kind: 'note' }>): Promise<void> {
    if (await blame.noted(effect.text, effect.fields)) ports.onChange();
  }

  function gossip(message: HeadMessage): void {
    host.publish(headsTopic(share), encodeHeadMessage(message));
  }

  function wake(atMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => feed({ kind: 'tick' }), Math.max(0, atMs - performance.now()));
  }

  return {
    perform(effect) {
      switch (effect.kind) {
        case 'send':
          return ports.sessions.send(effect.peer, share, effect.message);
        case 'gossip':
          return gossip(effect.message);
        case 'request':
          ports.content.requested(effect.peer, effect.request);
          return ports.blocks.request(effect.peer, effect.request);
        case 'cancel':
          ports.content.cancelled(effect.peer, effect.id);
          return ports.blocks.cancel(effect.peer, effect.id);
        case 'serve':
          return run('serving', ports.content.serve(effect.peer, effect.request));
        case 'answer':
          return run('answering', host.blocks.answer(effect.peer, effect.answer));
        case 'storeHead':
          storing += 1;
          return run(
            'storing a head',
            storeHead(effect).finally(() => (storing -= 1)),
          );
        case 'assemble':
          return run('assembling', ports.stage.assemble(effect.entry, effect.blocks));
        case 'apply':
          return run('applying', apply(effect));
        case 'wake':
          return wake(effect.atMs);
        case 'strike':
          ports.strikes.strike(effect, Date.now());
          log.warn(
            { peer: effect.peer, strikes: effect.strikes, reason: effect.reason },
            'a peer gets a strike',
          );
          return ports.onChange();
        case 'hangUpBlocks':
          return host.blocks.hangUp(effect.peer);
        case 'halted':
          return ports.onHalted(effect.heads);
        case 'note':
          log.info(effect.fields, effect.text);
          return run('blaming the writer', blameWriter(effect));
        default:
          return unreachable(effect);
      }
    },
    isStoring: () => storing > 0,
    stop() {
      clearTimeout(timer);
      clearTimeout(retry);
    },
  };
}
