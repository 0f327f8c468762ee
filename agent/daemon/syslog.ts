/**
 * Lines for the system's log, through one long-lived `logger` of util-linux: Node has no datagram sockets of the Unix
 * kind, and logger knows how to find syslog or the journal and to come back to it. Who logs never waits and never fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { syslogLineBytesMax, syslogQueueBytesMax, syslogRetryMs } from '../base/limits.ts';
import type { AgentWarning } from '../http/api.ts';
import { facilities, type Severity, severities } from './syslog-names.ts';

export type Syslog = {
  /** One line without its end; what is in the way of being one is the caller's to escape. */
  write(severity: Severity, text: string): void;
  /** null where every line was taken. */
  warning(): AgentWarning | null;
  /** What was written is handed over, as far as it can be. */
  close(): Promise<void>;
};

export type SyslogOptions = {
  /** A key of `facilities`. */
  readonly facility: string;
  /** Another socket than /dev/log. */
  readonly socket?: string;
  readonly program?: string;
  readonly retryMs?: number;
};

/** @throws {P2psyncError} config, where there is no `logger`. */
export async function openSyslog(options: SyslogOptions): Promise<Syslog> {
  const facility = facilities.get(options.facility) ?? 0;
  const program = options.program ?? 'logger';
  const words = [
    '--tag=p2psync',
    `--id=${process.pid}`,
    `--priority=${options.facility}.info`,
    '--prio-prefix',
    '--socket-errors=on',
    `--size=${syslogLineBytesMax}`,
    ...(options.socket === undefined ? [] : ['--socket', options.socket]),
  ];

  // Changes while running.
  let child: ChildProcess | null = null;
  let retry: NodeJS.Timeout | undefined;
  let complaint = '';
  let lost = 0;
  let closed = false;

  function start(): ChildProcess {
    const started = spawn(program, words, { stdio: ['pipe', 'ignore', 'pipe'] });
    started.stdin.on('error', () => undefined);
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = text.trim().split('\n').at(-1)?.slice(0, 500) ?? '';
    });
    started.on('error', (error) => {
      complaint = messageOf(error);
    });
    started.on('close', (code) => {
      if (child === started) child = null;
      if (closed) return;
      if (complaint === '') complaint = `${program} ended with code ${code}`;
      retry = setTimeout(() => {
        child = start();
      }, options.retryMs ?? syslogRetryMs);
      retry.unref();
    });
    return started;
  }

  child = start();
  try {
    await once(child, 'spawn');
  } catch (error) {
    closed = true;
    clearTimeout(retry);
    const hint = systemCode(error) === 'ENOENT' ? 'apt-get install bsdutils' : messageOf(error);
    throw new P2psyncError(
      'config',
      `[log] syslog = "${options.facility}" needs the program ${program} of util-linux (${hint}); or set it to "off"`,
      {},
      { cause: error },
    );
  }

  return {
    write(severity, text) {
      const stdin = child?.stdin;
      if (stdin === null || stdin === undefined || stdin.writableLength > syslogQueueBytesMax) {
        lost += 1;
        return;
      }
      stdin.write(`<${facility * 8 + severities[severity]}>${text}\n`);
    },
    warning() {
      if ((child !== null || closed) && lost === 0) return null;
      const why = complaint === '' ? 'it does not read' : complaint;
      return { code: 'syslog', message: `${lost} lines for syslog are lost: ${why}`, count: lost };
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      const last = child;
      if (last === null) return;
      const ended = once(last, 'close');
      last.stdin?.end();
      const timer = setTimeout(() => last.kill('SIGKILL'), options.retryMs ?? syslogRetryMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
