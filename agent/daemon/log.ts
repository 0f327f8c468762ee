/** The agent's log: pino, to standard error or to a file that can be moved away (`reopen`). Never throws at who logs. */
import pino from 'pino';
import { messageOf, P2psyncError } from '../base/errors.ts';
import type { LogLevel } from './config.ts';
import { formatMessage, formatRecord, severityOf } from './log-format.ts';
import type { Severity } from './syslog-names.ts';

type Write = (fields: Readonly<Record<string, unknown>>, text: string) => void;

/** Facts with fields: `log.info({ peer, elapsedMs }, 'block verified')`; an error goes in the field `err`. */
export type Log = {
  readonly trace: Write;
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  child(fields: Readonly<Record<string, unknown>>): Log;
};

export type LogOptions = {
  readonly level: LogLevel | 'silent';
  readonly format: 'pretty' | 'json';
  /** Absolute; null is standard error. */
  readonly file: string | null;
  readonly color: boolean;
  /** Gets each record too, as a line without time, level and end. */
  readonly also?: (severity: Severity, line: string) => void;
};

export type LogSink = {
  readonly log: Log;
  /** Opens the file by its name again, after a rotation. */
  reopen(): void;
  /** Everything written so far is with the system. */
  close(): void;
};

/** @throws {P2psyncError} io, where the file cannot be opened. */
export function openLog(options: LogOptions): LogSink {
  let destination: ReturnType<typeof pino.destination>;
  try {
    // Synchronous: the last lines before a crash are the ones that are needed.
    destination = pino.destination({
      dest: options.file ?? 2,
      sync: true,
      mkdir: false,
      append: true,
      mode: 0o640,
    });
  } catch (error) {
    throw new P2psyncError(
      'io',
      `cannot write the log ${options.file}: ${messageOf(error)}`,
      {},
      { cause: error },
    );
  }
  // A full disk or a closed pipe must not take the agent down.
  destination.on('error', () => undefined);
  const color = options.color && options.file === null;
  const { also } = options;
  const stream =
    options.format === 'json' && also === undefined
      ? destination
      : {
          write(line: string) {
            const record = JSON.parse(line);
            destination.write(options.format === 'json' ? line : formatRecord(record, color));
            also?.(severityOf(record), formatMessage(record, false).replaceAll('\n', ' '));
          },
        };
  const base = pino(
    { level: options.level, base: null, serializers: { err: pino.stdSerializers.errWithCause } },
    stream,
  );
  return {
    log: base,
    reopen() {
      if (options.file !== null) destination.reopen();
    },
    close() {
      if (options.file !== null) destination.end();
      else destination.flushSync();
    },
  };
}
