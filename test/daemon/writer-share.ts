/** The writer's side of a share on a real directory and a real index; hints come from the test, not from inotify. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../../agent/core/entry.ts';
import { generateKeyPair, type ShareId, shareIdOf } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { iterate } from '../../agent/core/tree.ts';
import { formatVersion } from '../../agent/core/version.ts';
import type { DiskChange } from '../../agent/daemon/compare.ts';
import { createFaults, type Faults } from '../../agent/daemon/faults.ts';
import { createObserver, type Observer } from '../../agent/daemon/observe.ts';
import type { Published } from '../../agent/daemon/publish.ts';
import { createWriter, type Writer } from '../../agent/daemon/writer.ts';
import { createIgnore } from '../../agent/disk/ignore.ts';
import { createOwners } from '../../agent/disk/owner.ts';
import { createReader, type Reader } from '../../agent/disk/read.ts';
import { createScanner } from '../../agent/disk/scan.ts';
import type { Watcher, WatchHandlers } from '../../agent/disk/watch.ts';
import { openStore } from '../../agent/store/database.ts';
import type { ShareStore } from '../../agent/store/share-store.ts';
import { createNotebook, type Notebook } from './notebook.ts';

export const path = (text: string): SharePath => text as SharePath;

export type WriterShare = {
  readonly root: string;
  readonly share: ShareId;
  readonly salt: Uint8Array;
  readonly faults: Faults;
  readonly notebook: Notebook;
  /** Every `published`, refreshed heads too, over all starts. */
  readonly published: Published[];
  /** What was said of holding back, the newest last. */
  readonly held: (string | null)[];
  /** Paths that were opened and hashed, since the last call. */
  read(): string[];
  store(): ShareStore;
  writer(): Writer;
  observer(): Observer;
  /** A whole scan, and the seal that follows. */
  scan(): Promise<void>;
  /** As the watcher would hint; resolves when these, and what follows from them, were handed over. */
  touch(...paths: readonly string[]): Promise<void>;
  /** Entries of the newest head's tree, by path. */
  tree(): Map<string, Entry>;
  version(): string | null;
  /** Without a seal between: as a process that was killed then. */
  restart(between?: () => void): Promise<void>;
};

export type WriterShareOptions = {
  readonly maxDelete?: number;
  readonly ignore?: readonly string[];
  /** By default nothing is heard but what the test tells. */
  readonly watch?: (root: string, handlers: WatchHandlers) => Watcher;
};

const deaf: Watcher = {
  add: async () => undefined,
  remove: () => undefined,
  audit: async () => [],
  close: async () => undefined,
};

export async function withWriterShare(
  use: (share: WriterShare) => Promise<void>,
  { maxDelete = 0.5, ignore = [], watch = () => deaf }: WriterShareOptions = {},
): Promise<void> {
  const top = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-writer-'));
  const root = join(top, 'share');
  mkdirSync(root);
  const authority = generateKeyPair();
  const keyPair = generateKeyPair();
  const id = shareIdOf(authority.publicKey);
  const salt = new Uint8Array(32).fill(7);
  const notebook = createNotebook();
  const faults = createFaults();
  const published: Published[] = [];
  const held: (string | null)[] = [];
  let read: string[] = [];

  function open() {
    const index = openStore(join(top, 'index'));
    const opened = index.share(id);
    // Syncing to the device is the store's own matter, and slow where many tests do it at once.
    const store: ShareStore = { ...opened, writeDurably: opened.write };
    const scanner = createScanner(root, { ignore: createIgnore(ignore), threads: 1 });
    const inner = createReader(root, { threads: 1 });
    const reader: Reader = {
      ...inner,
      read(items, options) {
        read.push(...items.map((item) => item.path));
        return inner.read(items, options);
      },
    };
    const stop = new AbortController();
    const writer = createWriter({
      share: id,
      keyPair,
      epoch: 1,
      salt,
      store,
      disk: { reader, scanner, owners: createOwners() },
      faults,
      maxDelete,
      paused: false,
      rosterVersion: () => 1,
      log: notebook.log,
      signal: stop.signal,
      onPublished: (one) => void published.push(one),
      onHeld: (why) => void held.push(why),
    });
    let quiet = Promise.withResolvers<void>();
    const observer = createObserver({
      patienceMs: 0,
      scanner,
      store,
      log: notebook.log,
      watch: (handlers) => watch(root, handlers),
      onChanges: async (changes: readonly DiskChange[]) => observer.touch(await writer.take(changes)),
      onMoved: (moved) => writer.takeMove(moved),
      onGone: (paths) => paths.forEach((one) => faults.set(one, null)),
      onScanned: () => writer.scanned(),
      async onQuiet() {
        await writer.seal();
        quiet.resolve();
        quiet = Promise.withResolvers<void>();
      },
      onFailed: (error) => quiet.reject(error),
      onSkipped: () => undefined,
    });
    return {
      store,
      writer,
      observer,
      quiet: () => quiet.promise,
      async close() {
        stop.abort();
        await observer.close();
        await Promise.all([scanner.close(), reader.close()]);
        await index.close();
      },
    };
  }

  let now = open();
  let started = false;

  const share: WriterShare = {
    root,
    share: id,
    salt,
    faults,
    notebook,
    published,
    held,
    read() {
      const paths = read;
      read = [];
      return paths;
    },
    store: () => now.store,
    writer: () => now.writer,
    observer: () => now.observer,
    async scan() {
      if (started) await now.observer.rescan();
      else await now.observer.start();
      started = true;
      // What was listed before it was watched is listed again, at once.
      await share.touch();
    },
    async touch(...paths) {
      const mark = path('zz of a test');
      for (let times = 0; times < 3; times += 1) {
        const quiet = now.quiet();
        now.observer.touch(times === 0 ? [...paths.map(path), mark] : [mark]);
        await quiet;
      }
    },
    tree() {
      const root = published.at(-1)?.head.head.root;
      const pages = (digest: Parameters<ShareStore['page']>[0]) => now.store.page(digest);
      return new Map(root === undefined ? [] : [...iterate(pages, root)].map((entry) => [entry.path, entry]));
    },
    version() {
      const head = published.at(-1)?.head.head;
      return head === undefined ? null : formatVersion(head.version);
    },
    async restart(between) {
      await now.close();
      between?.();
      now = open();
      started = false;
    },
  };
  try {
    await use(share);
  } finally {
    await now.close();
    execFileSync('rm', ['-rf', top]);
  }
}
