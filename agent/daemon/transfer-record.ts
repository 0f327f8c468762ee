/** One line of the transfer log: what became of one path, and who gave its bytes. Pure; its JSON is what people's scripts read. */
import { parseJson } from '../base/json.ts';
import { transferPeersMax } from '../base/limits.ts';
import { type Change, type Entry, sameContent, sameEntry } from '../core/entry.ts';
import { type DiskStat, mtimeUsOf } from '../core/stat.ts';

/** Somebody whose bytes came; `address`: IP address, '' where there is no connection now. */
export type TransferPeer = {
  readonly peer: string;
  readonly name: string;
  readonly address: string;
  readonly bytes: number;
};

export type TransferRecord = {
  /** ISO 8601 with milliseconds, when the version was applied or published. */
  readonly time: string;
  /** Of the agent. */
  readonly pid: number;
  /** `recv`: it came to this agent. `send`: this agent, the writer, published it. `del.`: it went, by either. */
  readonly op: 'recv' | 'send' | 'del.';
  readonly share: string;
  /** `EPOCH.SEQUENCE` */
  readonly version: string;
  readonly path: string;
  readonly kind: Entry['kind'];
  /** Bytes; of a symlink those of its target, 0 of a directory and of what went. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Microseconds since 1970. */
  readonly mtimeUs: number;
  /** As rsync itemizes changes, eleven characters: `>f.st......`. */
  readonly change: string;
  /** Bytes of blocks that came for this path; 0 where everything was here already. */
  readonly bytes: number;
  /** Most bytes first; where nothing came, who ordered it: the writer, with 0 bytes. At most `transferPeersMax`. */
  readonly from: readonly TransferPeer[];
  /** Target of a symlink, or the first name of a file that got a further one. */
  readonly link?: string;
  /** SHA-256 of the file, in hex, where it is known: that of a file of up to 64 KiB. */
  readonly sum?: string;
};

export type RecordContext = {
  readonly time: string;
  readonly pid: number;
  readonly op: 'recv' | 'send';
  readonly share: string;
  readonly version: string;
  /** What lies there, where that is known: names the size and the owner of a further name of a file. */
  readonly stat: DiskStat | undefined;
  readonly from: readonly TransferPeer[];
};

export function recordOf({ path, before, after }: Change, context: RecordContext): TransferRecord {
  const { time, pid, share, version, stat } = context;
  const from = context.from.toSorted((left, right) => right.bytes - left.bytes).slice(0, transferPeersMax);
  const bytes = context.from.reduce((sum, one) => sum + one.bytes, 0);
  const common = { time, pid, share, version, path, bytes, from };
  if (after === null) {
    const kind = before?.kind ?? 'file';
    const mode = before === null ? 0 : factsOf(before, stat).mode;
    // rsyncd knows no more of what it deletes.
    const nothing = { size: 0, mode, uid: 0, gid: 0, mtimeUs: 0 };
    return { ...common, op: 'del.', kind, ...nothing, change: '*deleting  ' };
  }
  return {
    ...common,
    op: context.op,
    kind: after.kind,
    ...factsOf(after, stat),
    change: itemize({ before, after, op: context.op, hasBytes: bytes > 0 }),
    ...(after.kind === 'symlink' || after.kind === 'hardlink' ? { link: after.target } : {}),
    ...(after.kind === 'file' && after.content.kind === 'block' ? { sum: after.content.digest } : {}),
  };
}

type Facts = Pick<TransferRecord, 'size' | 'mode' | 'uid' | 'gid' | 'mtimeUs'>;

function factsOf(entry: Entry, stat: DiskStat | undefined): Facts {
  if (entry.kind === 'hardlink') {
    if (stat === undefined) return { size: 0, mode: 0, uid: 0, gid: 0, mtimeUs: 0 };
    return { size: stat.size, mode: stat.mode, uid: stat.uid, gid: stat.gid, mtimeUs: mtimeUsOf(stat) };
  }
  const { owner, mtimeUs } = entry;
  const rest = { uid: owner.uid, gid: owner.gid, mtimeUs };
  switch (entry.kind) {
    case 'file':
      return { size: entry.size, mode: entry.mode, ...rest };
    case 'directory':
      return { size: 0, mode: entry.mode, ...rest };
    case 'symlink':
      return { size: Buffer.byteLength(entry.target), mode: 0o777, ...rest };
  }
}

/**
 * After rsync(1), `--itemize-changes`. Whether contents differ is known here, so that `c` says it of files too. A
 * path that was put right without knowing what was wrong (`before` is `after`) has `?` for all of it.
 */
function itemize(now: {
  readonly before: Entry | null;
  readonly after: Entry;
  readonly op: 'recv' | 'send';
  readonly hasBytes: boolean;
}): string {
  const { before, after } = now;
  const kind = after.kind === 'directory' ? 'd' : after.kind === 'symlink' ? 'L' : 'f';
  const isNew = before === null || (before.kind !== after.kind && after.kind !== 'hardlink');
  const sent = now.op === 'send' && after.kind === 'file' && (isNew || !sameContent(before, after));
  const first = sent ? '<' : now.hasBytes ? '>' : after.kind === 'hardlink' ? 'h' : null;
  if (isNew) return `${first ?? 'c'}${kind}+++++++++`;
  if (before === after || sameEntry(before, after)) return `${first ?? 'c'}${kind}?????????`;
  const differs = differences(before, after);
  return `${first ?? (differs.startsWith('c') ? 'c' : '.')}${kind}${differs}`;
}

/** `cstpoguax`, a dot for each that stayed; rsync's last three are of what is not replicated. */
function differences(before: Entry, after: Entry): string {
  const flag = (letter: string, isSet: boolean): string => (isSet ? letter : '.');
  const content = flag('c', !sameContent(before, after));
  if (before.kind === 'hardlink' || after.kind === 'hardlink') return `${content}........`;
  const size = flag('s', before.kind === 'file' && after.kind === 'file' && before.size !== after.size);
  const time = flag('t', before.mtimeUs !== after.mtimeUs);
  const modes = before.kind !== 'symlink' && after.kind !== 'symlink' && before.mode !== after.mode;
  const owner = before.owner.uid !== after.owner.uid || before.owner.user !== after.owner.user;
  const group = before.owner.gid !== after.owner.gid || before.owner.group !== after.owner.group;
  return `${content}${size}${time}${flag('p', modes)}${flag('o', owner)}${flag('g', group)}...`;
}

/** @returns undefined where the line is not one of ours: torn by a crash or a full disk. */
export function parseRecord(line: string): TransferRecord | undefined {
  let value: unknown;
  try {
    value = parseJson(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const record: Partial<Record<keyof TransferRecord, unknown>> = value;
  const texts = [
    record.time,
    record.op,
    record.share,
    record.version,
    record.path,
    record.kind,
    record.change,
    ...[record.link, record.sum].filter((one) => one !== undefined),
  ];
  const numbers = [
    record.pid,
    record.size,
    record.mode,
    record.uid,
    record.gid,
    record.mtimeUs,
    record.bytes,
  ];
  const whole =
    texts.every((one) => typeof one === 'string') &&
    numbers.every((one) => typeof one === 'number') &&
    Array.isArray(record.from) &&
    record.from.every(isPeer);
  return whole ? (value as TransferRecord) : undefined;
}

function isPeer(value: unknown): value is TransferPeer {
  if (typeof value !== 'object' || value === null) return false;
  const peer: Partial<Record<keyof TransferPeer, unknown>> = value;
  const texts = [peer.peer, peer.name, peer.address];
  return texts.every((one) => typeof one === 'string') && typeof peer.bytes === 'number';
}
