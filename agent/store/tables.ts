/**
 * The tables of one share's index, in one LMDB environment: opening, closing, and how a transaction is made to last.
 * Owns the files of that environment; knows nothing of what the tables mean.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { assert } from '../base/assert.ts';
import { type Bytes, utf8 } from '../base/bytes.ts';
import { messageOf, P2psyncError } from '../base/errors.ts';
import { indexMapBytes } from '../base/limits.ts';

export type Table = Database<Bytes, Bytes>;

export type Tables = {
  /** digest → encoded page. */
  readonly pages: Table;
  /** path key → record. */
  readonly paths: Table;
  /** directory key → fingerprint of what is recorded directly in it; no row where nothing is. */
  readonly directories: Table;
  /** file number → path. */
  readonly files: Table;
  /** digest → every place of the block (several values a key): a copy that is gone does not hide the others. */
  readonly locations: Table;
  /** inode ‖ file number → nothing. */
  readonly inodes: Table;
  /** name → small document. */
  readonly documents: Table;
  /** Counters and the format's number. */
  readonly meta: Table;
  /** How many values the table has. */
  count(table: Table): number;
  /** One atomic transaction, visible when it resolves; a thrown error undoes all of it. */
  transact(action: () => void): Promise<void>;
  /** Resolves when everything committed so far survives a power cut. */
  flush(): Promise<void>;
  close(): Promise<void>;
};

/** Of the layout of keys and values; another number is refused, not guessed at. */
const formatNumber = 1;
const formatKey = utf8('format');
const binary = { keyEncoding: 'binary', encoding: 'binary' } as const;

export type TablesOptions = {
  readonly readOnly: boolean;
  /** Addresses taken at first; more are taken when these are filled. */
  readonly mapBytes?: number;
};

/** @throws {P2psyncError} not-found, where it is opened to be read and is not there; io; malformed for another format. */
export function openTables(directory: string, options: TablesOptions): Tables {
  const { readOnly } = options;
  // LMDB would make the directory even for a reader.
  if (readOnly && !existsSync(join(directory, 'data.mdb'))) throw missing(directory);
  const root = openRoot(directory, options);
  const table = (name: string): Table => root.openDB<Bytes, Bytes>({ name, ...binary });
  try {
    const tables: Tables = {
      pages: table('pages'),
      paths: table('paths'),
      directories: table('directories'),
      files: table('files'),
      locations: root.openDB<Bytes, Bytes>({ name: 'locations', dupSort: true, ...binary }),
      inodes: table('inodes'),
      documents: table('documents'),
      meta: table('meta'),
      count: entryCount,
      // A child transaction can be undone alone, although LMDB commits several callers' writes as one.
      async transact(action) {
        await root.childTransaction(action);
        // A read earlier in this turn of the loop may hold a snapshot from before.
        root.resetReadTxn();
      },
      async flush() {
        await root.flushed;
      },
      close: () => root.close(),
    };
    checkFormat(tables, directory, readOnly);
    return tables;
  } catch (error) {
    void root.close();
    // A writer was killed between making the file and making the tables: for a reader that is nothing yet.
    if (readOnly && messageOf(error) === 'Database not found') throw missing(directory);
    throw error;
  }
}

/** LMDB counts as it writes. */
function entryCount(table: Table): number {
  const { entryCount: count }: { readonly entryCount?: unknown } = table.getStats();
  assert(typeof count === 'number', 'a table knows its size');
  return count;
}

function openRoot(
  directory: string,
  { readOnly, mapBytes = indexMapBytes }: TablesOptions,
): RootDatabase<Bytes, Bytes> {
  try {
    if (!readOnly) mkdirSync(directory, { recursive: true, mode: 0o700 });
    return open<Bytes, Bytes>({
      path: directory,
      noSubdir: false,
      name: 'meta',
      maxDbs: 16,
      // A mapping that grows leaves the smaller ones behind, and what was read through each of them counts once more.
      mapSize: mapBytes,
      // Commit and flush are told apart: most writes need only outlive the process.
      separateFlushed: true,
      readOnly,
      ...binary,
    });
  } catch (error) {
    throw new P2psyncError(
      'io',
      `cannot open the index in ${directory}: ${messageOf(error)}`,
      { path: directory },
      { cause: error },
    );
  }
}

function checkFormat(tables: Tables, directory: string, readOnly: boolean): void {
  const found = tables.meta.getBinary(formatKey)?.[0];
  if (found === formatNumber) return;
  if (found === undefined && !readOnly) {
    tables.meta.putSync(formatKey, Buffer.of(formatNumber));
    return;
  }
  if (found === undefined) throw missing(directory);
  throw new P2psyncError(
    'malformed',
    `the index in ${directory} has format ${found} and this program reads ${formatNumber}: use the version that wrote it, or remove the directory and join the share again`,
    { path: directory },
  );
}

function missing(directory: string): P2psyncError {
  return new P2psyncError('not-found', `there is no index in ${directory} yet; \`p2psync run\` makes it`, {
    path: directory,
  });
}
