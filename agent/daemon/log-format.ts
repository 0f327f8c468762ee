/** One log record as a line for a person. Pure. */
import { printable } from '../base/printable.ts';
import type { Severity } from './syslog-names.ts';

const levels: Readonly<Record<number, readonly [name: string, colour: string]>> = {
  10: ['trace', '90'],
  20: ['debug', '36'],
  30: ['info ', '32'],
  40: ['warn ', '33'],
  50: ['error', '31'],
  60: ['fatal', '31;1'],
};

/** `12:30:01.250 info  block verified  peer=web2 elapsedMs=3`. `record` is what pino made of it, parsed. */
export function formatRecord(record: Readonly<Record<string, unknown>>, color: boolean): string {
  const [name, code] = levels[Number(record.level)] ?? ['?    ', '0'];
  const stamp = new Date(Number(record.time)).toISOString();
  const when = `${stamp.slice(0, 10)} ${stamp.slice(11, 23)}Z`;
  return `${when} ${paint(name, code, color)} ${formatMessage(record, color)}\n`;
}

/** The same without time, level and end. */
export function formatMessage(record: Readonly<Record<string, unknown>>, color: boolean): string {
  const { level: _, time: __, msg, err, ...fields } = record;
  const parts = [printable(textOf(msg))];
  for (const [key, value] of Object.entries(fields)) {
    parts.push(paint(`${printable(key)}=`, '90', color) + formatValue(value));
  }
  if (err !== undefined) parts.push(paint('error=', '90', color) + formatError(err));
  return parts.join(' ');
}

export function severityOf({ level }: Readonly<Record<string, unknown>>): Severity {
  const value = Number(level);
  if (value >= 50) return 'error';
  if (value >= 40) return 'warning';
  return value >= 30 ? 'info' : 'debug';
}

function paint(text: string, sgr: string, color: boolean): string {
  return color ? `\x1b[${sgr}m${text}\x1b[0m` : text;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

function formatValue(value: unknown): string {
  if (typeof value !== 'string') return printable(JSON.stringify(value) ?? 'undefined');
  return value === '' || /[\s"=]/.test(value) ? JSON.stringify(printable(value)) : printable(value);
}

function formatError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return formatValue(error);
  const fields: Readonly<Record<string, unknown>> = { ...error };
  const stack = typeof fields.stack === 'string' ? fields.stack : undefined;
  const message = JSON.stringify(printable(textOf(fields.message)));
  // Only a bug is worth its stack: an expected failure says what, which and what to do.
  if (stack === undefined || fields.type === 'P2psyncError') return message;
  return `${message}\n${stack.split('\n').map(printable).join('\n')}`;
}
