/** Prints a line of the transfer log by a format with the escapes of rsyncd.conf(5), "log format". Pure. */
import { logFieldWidthMax } from '../base/limits.ts';
import type { TransferRecord } from './transfer-record.ts';

/** What rsyncd writes where nobody says otherwise; its log file has time and process in front. */
export const rsyncdFormat = '%t [%p] %o %h [%a] %m (%u) %f %l';

export type FormatPorts = {
  /** `%t`, of ms since 1970. */
  readonly formatTime: (timeMs: number) => string;
  /** `%P`: the share's directory here; '' where it is not known any more. */
  readonly pathOf: (share: string) => string;
};

type Field =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'number'; readonly value: number };

/** `%'-010l`: apostrophes before or after the width; a field without equivalent is empty, an unknown escape stays as it is. */
const escapes = /%('*)(-?)(\d*)('*)([%a-zA-Z])/g;

export function formatTransfer(record: TransferRecord, format: string, ports: FormatPorts): string {
  return format.replace(
    escapes,
    (whole, before: string, minus: string, digits: string, after: string, letter: string) => {
      const width: Width = { least: Math.min(Number(digits), logFieldWidthMax), left: minus === '-' };
      if (letter === 'L') return linkText(record, minus + digits === '' ? null : width);
      const field = fieldOf(letter, record, ports);
      if (field === undefined) return whole;
      if (field.kind === 'text') return escapeText(pad(field.text, width));
      const text = humanNumber(field.value, before.length + after.length);
      // printf pads with zeros where it prints a number, and these are the ones that rsync prints as such.
      const zeros = digits.startsWith('0') && !width.left && 'pUG'.includes(letter);
      return zeros ? text.padStart(width.least, '0') : pad(text, width);
    },
  );
}

type Width = { readonly least: number; readonly left: boolean };

/** In bytes, as printf counts. */
function pad(text: string, { least, left }: Width): string {
  const blanks = ' '.repeat(Math.max(0, least - Buffer.byteLength(text)));
  return left ? text + blanks : blanks + text;
}

/** With a width the arrow keeps its place, and where there is no link there are four blanks for it. */
function linkText({ kind, link }: TransferRecord, width: Width | null): string {
  if (link === undefined) return width === null ? '' : `    ${pad('', width)}`;
  const target = width === null ? link : pad(link, width);
  return `${kind === 'hardlink' ? ' => ' : ' -> '}${escapeText(target)}`;
}

function fieldOf(letter: string, record: TransferRecord, ports: FormatPorts): Field | undefined {
  const text = (value: string): Field => ({ kind: 'text', text: value });
  const number = (value: number): Field => ({ kind: 'number', value });
  const [from] = record.from;
  switch (letter) {
    case '%':
      return text('%');
    case 'a':
      return text(from?.address ?? '');
    case 'b':
      return number(record.bytes);
    case 'B':
      return text(permissions(record.mode));
    // Block checksums of a basis file are never sent: blocks have names.
    case 'c':
      return number(0);
    case 'C':
      return text(record.sum ?? ' '.repeat(64));
    case 'f':
      return text(record.path);
    case 'G':
      return number(record.gid);
    case 'h':
      return text(from?.name ?? '');
    case 'i':
      return text(record.change);
    case 'l':
      return number(record.size);
    case 'm':
      return text(record.share);
    case 'M':
      return text(rsyncTime(record.mtimeUs / 1000).replace(' ', '-'));
    case 'n':
      return text(record.kind === 'directory' ? `${record.path}/` : record.path);
    case 'o':
      return text(record.op);
    case 'p':
      return number(record.pid);
    case 'P':
      return text(ports.pathOf(record.share));
    case 't':
      return text(ports.formatTime(Date.parse(record.time)));
    case 'u':
      return text(from?.peer ?? '');
    case 'U':
      return number(record.uid);
    default:
      return undefined;
  }
}

/** `2026/11/23 23:44:01`, local: how rsync writes a time. */
export function rsyncTime(timeMs: number): string {
  const time = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** `rwsr-xr-x`, as ls and rsync write permission bits. */
function permissions(mode: number): string {
  const special = [0o4000, 0o2000, 0o1000];
  return [6, 3, 0]
    .map((shift, at) => {
      const bits = (mode >> shift) & 7;
      const isSpecial = (mode & (special[at] ?? 0)) !== 0;
      const letter = at === 2 ? 't' : 's';
      const execute = isSpecial
        ? (bits & 1) !== 0
          ? letter
          : letter.toUpperCase()
        : (bits & 1) !== 0
          ? 'x'
          : '-';
      return `${(bits & 4) !== 0 ? 'r' : '-'}${(bits & 2) !== 0 ? 'w' : '-'}${execute}`;
    })
    .join('');
}

/** rsync's `--human-readable`: 0 plain, 1 with separators, 2 in units of 1,000, 3 of 1,024. */
function humanNumber(value: number, level: number): string {
  if (level === 0) return String(value);
  const step = level === 2 ? 1000 : 1024;
  if (level === 1 || value < step) return String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');
  let amount = value / step;
  let unit = 0;
  while (amount >= step && unit < 4) {
    amount /= step;
    unit += 1;
  }
  return `${amount.toFixed(2)}${'KMGTP'[unit]}`;
}

/** Control characters (the tab apart), what turns the reading direction, halves of surrogates; and what looks like an escape. */
const unsafe = /(?!\t)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|\\(?=#\d{3})/gu;

/** Each such byte as rsync writes it: `\#012`. */
export function escapeText(text: string): string {
  return text.replace(unsafe, (found) =>
    [...Buffer.from(found)].map((byte) => `\\#${byte.toString(8).padStart(3, '0')}`).join(''),
  );
}
