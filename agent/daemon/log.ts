/** The agent's log: pino, to standard error or to a file that can be moved away (`reopen`). Never throws at who logs. */
import pino from 'pino';
import { messageOf, P2psyncError } from '../base/errors.ts';
import type { LogLevel } from './config.ts';
import { formatRecord } from './log-format.ts';

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
    destination = pino.destination({ dest: options.file ?? 2, sync: true, mkdir: false, append: true });
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
  const stream =
    options.format === 'json'
      ? destination
      : { write: (line: string) => void destination.write(formatRecord(JSON.parse(line), color)) };
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
