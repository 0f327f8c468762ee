/**
 * What is written down of a share while it runs: transfers, publishes, drift. Told by the share in passing; never makes
 * it wait and never fails it.
 */
import type { Bytes } from '../base/bytes.ts';
import { iterateBlocks } from '../core/blocklist.ts';
import { diffFromEmpty, diffTrees } from '../core/diff.ts';
import type { Digest } from '../core/digest.ts';
import { type Change, sameContent, sameEntry } from '../core/entry.ts';
import type { SignedHead } from '../core/head.ts';
import { type PeerId, type PublicKey, peerIdOf } from '../core/keys.ts';
import type { SharePath } from '../core/path.ts';
import { lookup } from '../core/tree.ts';
import { compareVersions, formatVersion } from '../core/version.ts';
import type { CommitResult } from '../disk/commit.ts';
import type { ShareStore } from '../store/share-store.ts';
import type { Effect, Event } from '../swarm/events.ts';
import type { Applier } from './apply.ts';
import type { AuditEvent } from './audit-event.ts';
import { type Applied, readHead } from './state.ts';
import type { TransferLog } from './transfer-log.ts';
import { recordOf, type TransferPeer, type TransferRecord } from './transfer-record.ts';
import { createSources } from './transfer-sources.ts';

export type ShareNotes = {
  /** Of the machine's events: blocks that came. `isBlock`: of a file, not of the tree. */
  heard(event: Event, isBlock: (digest: Digest) => boolean): void;
  /** Of the machine's effects: heads that bring their changes with them. */
  performs(effect: Effect): void;
  /** The same applier; what it did is noted. */
  watching(applier: Applier): Applier;
  published(head: SignedHead): void;
};

export type NotesPorts = {
  readonly share: string;
  readonly store: ShareStore;
  /** null: the transfer log is off. */
  readonly transfers: TransferLog | null;
  readonly audit: (event: AuditEvent) => void;
  readonly self: PeerId;
  /** Of a member, by its key or connection. */
  readonly nameOf: (peer: PeerId) => string;
  /** IP address of the connection there is now, or ''. */
  readonly addressOf: (peer: PeerId) => string;
  /** Who writes now; undefined where nobody has said so yet. */
  readonly writer: () => PublicKey | undefined;
};

export function createShareNotes(ports: NotesPorts): ShareNotes {
  const { store, transfers, share } = ports;
  const pages = (digest: Digest): Bytes | undefined => store.page(digest);
  const sources = createSources();

  // Changes while running.
  let published = readHead(store)?.head ?? null;

  /** Looked up once for all lines of a version. */
  type People = Map<PeerId, Omit<TransferPeer, 'bytes'>>;

  function personOf(people: People, peer: PeerId, bytes: number): TransferPeer {
    let person = people.get(peer);
    if (person === undefined) {
      const address = peer === ports.self ? '' : ports.addressOf(peer);
      person = { peer, name: ports.nameOf(peer), address };
      people.set(peer, person);
    }
    return { ...person, bytes };
  }

  /** Where a path's bytes came from, or else who said that it is to be so. */
  function fromOf(people: People, change: Change): readonly TransferPeer[] {
    // What kept its bytes needs none, though a head may have brought them.
    const entry = isMetadata(change) ? null : change.after;
    const bytes = new Map<PeerId, number>();
    const note = (digest: Digest, length: number): void => {
      const peer = sources.take(digest);
      if (peer !== undefined) bytes.set(peer, (bytes.get(peer) ?? 0) + length);
    };
    if (entry?.kind === 'file' && entry.content.kind === 'block') note(entry.content.digest, entry.size);
    if (entry?.kind === 'file' && entry.content.kind === 'list') {
      for (const { digest, length } of iterateBlocks(pages, entry.content.digest)) note(digest, length);
    }
    if (bytes.size > 0) return [...bytes].map(([peer, count]) => personOf(people, peer, count));
    const writer = ports.writer();
    return writer === undefined ? [] : [personOf(people, peerIdOf(writer), 0)];
  }

  function* recordsOf(
    changes: Iterable<Change>,
    about: { readonly op: 'recv' | 'send'; readonly version: string; readonly time: string },
  ): Generator<TransferRecord> {
    const people: People = new Map();
    const own = [personOf(people, ports.self, 0)];
    for (const change of changes) {
      const from = about.op === 'send' ? own : fromOf(people, change);
      const stat = change.after?.kind === 'hardlink' ? store.record(change.path)?.stat : undefined;
      yield recordOf(change, { ...about, pid: process.pid, share, stat, from });
    }
  }

  function applied(version: string, changes: readonly Change[], result: CommitResult): void {
    noteHealed(changes, result);
    noteTransfers(version, changes, result);
  }

  function noteTransfers(version: string, changes: readonly Change[], result: CommitResult): void {
    if (transfers === null || changes.length === 0) return;
    const time = new Date().toISOString();
    transfers.add({
      size: changes.length,
      records: () => recordsOf(carriedOut(changes, result), { op: 'recv', version, time }),
    });
  }

  /** What a killed agent had begun: what was there before is not known any more. */
  function finished({ version, root }: Applied, done: CommitResult['done']): void {
    if (transfers === null) return;
    const time = new Date().toISOString();
    const changes = done.map(({ path }): Change => {
      const after = lookup(pages, root, path) ?? null;
      return { path, before: after, after };
    });
    const records = () => recordsOf(changes, { op: 'recv', version: formatVersion(version), time });
    transfers.add({ size: changes.length, records });
  }

  function noteHealed(changes: readonly Change[], result: CommitResult): void {
    const wrong = changes.some(isRepair) || result.kept.length > 0;
    if (!wrong) return;
    const done = new Set<SharePath>(result.done.map(({ path }) => path));
    const healed = changes.filter((change) => isRepair(change) && done.has(change.path));
    const first = healed[0]?.path ?? result.kept[0]?.path;
    if (first === undefined) return;
    ports.audit({ event: 'healed', share, paths: healed.length, first, kept: result.kept.length });
  }

  return {
    heard(event, isBlock) {
      if (transfers !== null && event.kind === 'stored' && isBlock(event.digest))
        sources.received(event.peer, event.digest);
    },
    performs(effect) {
      if (effect.kind === 'note' && effect.fields['code'] === 'equivocation')
        ports.audit({ event: 'refused', share, code: 'equivocation', reason: effect.text, times: 1 });
      if (transfers === null || effect.kind !== 'storeHead' || !effect.inline) return;
      sources.inline(peerIdOf(effect.message.head.head.writer), effect.message);
    },
    watching: (applier) => ({
      ...applier,
      async apply(target, changes, options) {
        const version = formatVersion(target.version);
        const onPart = (part: readonly Change[], result: CommitResult): void =>
          noteTransfers(version, part, result);
        const outcome = await applier.apply(target, changes, { ...options, onPart });
        if (outcome.kind !== 'applied') return outcome;
        if (changes === null) noteHealed([], outcome.result);
        else applied(version, changes, outcome.result);
        return outcome;
      },
      async commitHere(target, changes, options) {
        const outcome = await applier.commitHere(target, changes, options);
        if (outcome.kind === 'applied') applied(formatVersion(target.version), changes, outcome.result);
        return outcome;
      },
      async recover() {
        const found = await applier.recover();
        if (found.target !== null) finished(found.target, found.recovered.finished?.result.done ?? []);
        return found;
      },
    }),
    published({ head }) {
      const before = published;
      // A head that is signed again is no news.
      if (before !== null && compareVersions(head.version, before.version) <= 0) return;
      published = head;
      const version = formatVersion(head.version);
      const { files, bytes } = head.counts;
      ports.audit({ event: 'published', share, version, root: head.root, files, bytes });
      if (transfers === null) return;
      const time = new Date().toISOString();
      const changes = (): Iterable<Change> =>
        before === null ? diffFromEmpty(pages, head.root) : diffTrees(pages, before.root, head.root);
      transfers.add({ size: 1, records: () => recordsOf(changes(), { op: 'send', version, time }) });
    },
  };
}

/** A new version that leaves the bytes as they are. */
function isMetadata(change: Change): boolean {
  const { before, after } = change;
  return before !== null && after !== null && sameContent(before, after) && !isRepair(change);
}

/** Not a new version's doing: the path was not as the tree has it. */
function isRepair({ before, after }: Change): boolean {
  return before !== null && after !== null && (before === after || sameEntry(before, after));
}

/** Without those that failed, and without repairs that found nothing to do. */
function* carriedOut(changes: readonly Change[], result: CommitResult): Generator<Change> {
  const failed = new Set(result.failed.map(({ path }) => path));
  const repairs = changes.some(isRepair);
  const done = new Set(repairs ? result.done.map(({ path }) => path) : []);
  for (const change of changes) {
    if (failed.has(change.path) || (isRepair(change) && !done.has(change.path))) continue;
    yield change;
  }
}
