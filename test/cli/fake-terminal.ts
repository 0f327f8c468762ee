/** A terminal made of strings. */
import type { Terminal } from '../../agent/cli/terminal.ts';

export type FakeTerminal = Terminal & {
  out(): string;
  err(): string;
  hangup(): void;
};

export function createFakeTerminal(changes: Partial<Terminal> = {}): FakeTerminal {
  const out: string[] = [];
  const err: string[] = [];
  const handlers: (() => void)[] = [];
  return {
    write: async (text) => void out.push(text),
    complain: (text) => void err.push(`${text}\n`),
    ask: async () => '',
    onHangup: (handler) => void handlers.push(handler),
    outIsTerminal: false,
    errIsTerminal: false,
    inIsTerminal: false,
    size: () => ({ columns: 80, rows: 24 }),
    env: {},
    cwd: '/cwd',
    uid: 1000,
    userHome: '/home/nobody',
    nodeVersion: process.versions.node,
    signal: new AbortController().signal,
    ...changes,
    out: () => out.join(''),
    err: () => err.join(''),
    hangup() {
      for (const handler of handlers) handler();
    },
  };
}
