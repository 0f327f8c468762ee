/** Decoders of what this agent wrote itself, on a disk that may have failed: index records, the journal, the stage, logs. */
import { constants } from 'node:fs';
import type { Bytes } from '../../agent/base/bytes.ts';
import { digestOf } from '../../agent/core/digest.ts';
import { parsePath } from '../../agent/core/path.ts';
import type { DiskStat } from '../../agent/core/stat.ts';
import { chainStart, nextLine, readLine } from '../../agent/daemon/audit-event.ts';
import { formatTransfer, rsyncdFormat } from '../../agent/daemon/transfer-format.ts';
import { parseRecord, type TransferRecord } from '../../agent/daemon/transfer-record.ts';
import { parseStagedName } from '../../agent/disk/agent-paths.ts';
import type { Confined } from '../../agent/disk/confined.ts';
import { readJournal } from '../../agent/disk/journal.ts';
import { decodeList, encodeList, type PartDescription } from '../../agent/disk/part-list.ts';
import { encodeWork, type Work } from '../../agent/disk/work.ts';
import { parsePrivateLine } from '../../agent/store/private-file.ts';
import { decodeRecord, encodeRecord, type StoredRecord } from '../../agent/store/record.ts';
import type { Target } from './engine.ts';
import { bytesOf, reading, textOf } from './reading.ts';

const digest = digestOf(Uint8Array.of(1));
const stat: DiskStat = {
  kind: 'file',
  mode: 0o644,
  nlink: 1,
  uid: 33,
  gid: 33,
  dev: 2n,
  ino: 2n ** 63n,
  size: 70_000,
  allocated: 73_728,
  mtimeNs: -5n,
  ctimeNs: 1_767_225_600_000_000_001n,
};

const records: readonly StoredRecord[] = [
  { record: { stat, content: { kind: 'list', digest, cut: 'large' } }, fileId: 7, path: null },
  { record: { stat, content: { kind: 'block', digest } }, fileId: 7, path: parsePath('a/b') },
  { record: { stat: { ...stat, kind: 'directory' }, content: null }, fileId: 0, path: null },
  { record: { stat, content: { kind: 'empty' } }, fileId: 1, path: null },
];

const works: readonly Work[] = [
  { kind: 'mkdir', path: parsePath('d'), expected: null, check: 'strict' },
  {
    kind: 'place',
    path: parsePath('d/f\n"'),
    expected: stat,
    check: 'verified',
    staged: '.p2psync/stage/x',
    ino: 9n,
    size: 5,
    mtimeNs: 1n,
    whole: digest,
  },
];
const journal = [
  JSON.stringify({ format: 'p2psync journal 1', boot: 'b', tag: '1.2 x' }),
  ...works.map(encodeWork),
  `end ${works.length}`,
  '',
].join('\n');

const part: PartDescription = {
  content: digest,
  size: 30_000,
  sparse: true,
  blocks: [
    { digest, length: 20_000 },
    { digest, length: 10_000 },
  ],
};

const transfer: TransferRecord = {
  time: '2026-01-01T00:00:00.000Z',
  pid: 1,
  op: 'recv',
  share: 'www',
  version: '1.42',
  path: 'a/b',
  kind: 'symlink',
  size: 5,
  mode: 0o644,
  uid: 33,
  gid: 33,
  mtimeUs: 1_767_225_600_000_000,
  change: '>f.st......',
  bytes: 5,
  from: [{ peer: '12D3KooW', name: 'web1', address: '127.0.0.1', bytes: 5 }],
  link: 'c',
};
const everyEscape = `${rsyncdFormat} %b %c %i %n %L %B %C %G %U %M %p %q %% %5f %-5f %'b %h %v`;

const audited = nextLine(
  chainStart,
  { event: 'config-changed', live: ['name'], restart: [] },
  1_767_225_600_000,
);

export const storeTargets: readonly Target[] = [
  reading({
    name: 'index-record',
    seeds: records.map(encodeRecord),
    read: decodeRecord,
    write: encodeRecord,
    codes: ['malformed'],
  }),
  reading({ name: 'journal', seeds: [bytesOf(journal)], read: journalOf, codes: [] }),
  reading({
    name: 'stage-list',
    seeds: [bytesOf(encodeList(part))],
    read: (bytes) => decodeList(digest, textOf(bytes)),
    write: (value) => bytesOf(value === undefined ? '' : encodeList(value)),
    codes: [],
  }),
  reading({
    name: 'staged-name',
    seeds: ['', '.part', '.list'].map((end) => bytesOf(`${digest}${end}`)),
    read: (bytes) => parseStagedName(textOf(bytes)),
    codes: [],
  }),
  reading({
    name: 'private-line',
    seeds: [bytesOf('p2psync-identity 1 01 4bf5122f344554c5\n')],
    read: (bytes) => parsePrivateLine(textOf(bytes), { path: 'identity.key', kind: 'identity' }),
    codes: ['malformed'],
  }),
  reading({
    name: 'transfer-line',
    seeds: [bytesOf(JSON.stringify(transfer)), bytesOf(JSON.stringify({ ...transfer, from: [] }))],
    read(bytes) {
      const record = parseRecord(textOf(bytes));
      if (record === undefined) return undefined;
      return formatTransfer(record, everyEscape, { formatTime: String, pathOf: String });
    },
    codes: [],
  }),
  reading({
    name: 'audit-line',
    seeds: [bytesOf(audited.text.trimEnd())],
    read: (bytes) => readLine(Buffer.from(bytes)).kind,
    codes: [],
  }),
];

/** Read as from a file of these bytes. */
function journalOf(bytes: Bytes): unknown {
  let at = 0;
  const file = {
    lstat: () => stat,
    open(_path: string, flags: number) {
      if (flags !== constants.O_RDONLY) throw new Error('it is only read');
      return 3;
    },
    calls: {
      readSync(_file: number, target: Buffer) {
        const piece = bytes.subarray(at, at + target.byteLength);
        target.set(piece);
        at += piece.byteLength;
        return piece.byteLength;
      },
      closeSync: () => undefined,
    },
  };
  return readJournal(file as unknown as Confined, 'journal');
}
