/** One log record as a line for a person. Pure. */
import { printable } from '../base/printable.ts';

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
  const { level, time, msg, err, ...fields } = record;
  const [name, code] = levels[Number(level)] ?? ['?    ', '0'];
  const paint = (text: string, sgr: string): string => (color ? `\x1b[${sgr}m${text}\x1b[0m` : text);
  const stamp = new Date(Number(time)).toISOString();
  const parts = [`${stamp.slice(0, 10)} ${stamp.slice(11, 23)}Z`, paint(name, code), printable(textOf(msg))];
  for (const [key, value] of Object.entries(fields)) {
    parts.push(paint(`${printable(key)}=`, '90') + formatValue(value));
  }
  if (err !== undefined) parts.push(paint('error=', '90') + formatError(err));
  return `${parts.join(' ')}\n`;
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
