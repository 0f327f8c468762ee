/**
 * The processes of one contender: started here, ended by the pid they were started with, and nothing else is touched.
 * Each leads a process group of its own, so that what it started goes with it, and a Ctrl-C reaches us alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mappedBytes, processTree } from './proc.ts';

export type Side = 'source' | 'destination';

export type Owned = { readonly pid: number; isRunning(): boolean };

export type Usage = { readonly cpuSeconds: number; readonly peakBytes: number };

type StartOptions = { readonly log: string; readonly env?: NodeJS.ProcessEnv };

export type Processes = {
  start(side: Side, command: readonly string[], options: StartOptions): Owned;
  /** Runs to the end. @throws where the exit code is not in `codes` (default: 0 alone). @returns stdout unless it goes to the log. */
  run(
    side: Side,
    command: readonly string[],
    options: StartOptions & { codes?: readonly number[] },
  ): Promise<void>;
  stop(owned: Owned): Promise<void>;
  stopAll(): Promise<void>;
  /** Kills at once and waits for nothing: for the end of the bench itself. */
  killAll(): void;
  /** Since the last `resetUsage`. */
  usage(side: Side): Usage;
  resetUsage(): void;
  /** Resident bytes now. */
  residentBytes(side: Side): number;
  /** Those of them that are mapped from files. */
  mappedBytes(side: Side): number;
  /** CPU seconds of both sides since the beginning. */
  cpuSeconds(): number;
};

/** Between two looks at the memory, ms. */
const sampleMs = 200;
/** After this a process that was asked to end is killed, ms. */
const endTimeoutMs = 15_000;

type Entry = { readonly side: Side; readonly child: ChildProcess; readonly pid: number };

export function createProcesses(): Processes {
  // Changes while running.
  const entries = new Map<number, Entry>();
  const retired: Record<Side, number> = { source: 0, destination: 0 };
  const baseline: Record<Side, number> = { source: 0, destination: 0 };
  const peak: Record<Side, number> = { source: 0, destination: 0 };
  let sampler: NodeJS.Timeout | undefined;

  const rootsOf = (side: Side): Set<number> =>
    new Set([...entries.values()].filter((entry) => entry.side === side).map(({ pid }) => pid));

  function look(side: Side): { cpuSeconds: number; residentBytes: number } {
    const tree = processTree(rootsOf(side));
    const residentBytes = tree.reduce((sum, stat) => sum + stat.residentBytes, 0);
    peak[side] = Math.max(peak[side], residentBytes);
    return {
      cpuSeconds: retired[side] + tree.reduce((sum, stat) => sum + stat.cpuSeconds, 0),
      residentBytes,
    };
  }

  function retire(entry: Entry): void {
    if (!entries.has(entry.pid)) return;
    retired[entry.side] += processTree(new Set([entry.pid])).reduce((sum, stat) => sum + stat.cpuSeconds, 0);
    entries.delete(entry.pid);
    if (entries.size > 0) return;
    clearInterval(sampler);
    sampler = undefined;
  }

  function add(side: Side, command: readonly string[], options: StartOptions, output: 'log' | 'pipe'): Entry {
    const [program = '', ...args] = command;
    const log = openSync(options.log, 'a');
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', output === 'pipe' ? 'pipe' : log, log],
      env: { ...process.env, NO_COLOR: '1', ...options.env },
    });
    closeSync(log);
    child.on('error', () => {});
    if (child.pid === undefined) throw new Error(`${program} cannot be started`);
    const entry: Entry = { side, child, pid: child.pid };
    entries.set(entry.pid, entry);
    sampler ??= setInterval(() => {
      look('source');
      look('destination');
    }, sampleMs);
    return entry;
  }

  async function stop(entry: Entry): Promise<void> {
    // What it used is read before it is gone.
    retire(entry);
    if (hasEnded(entry.child)) return killGroup(entry.pid, 'SIGKILL');
    const ended = once(entry.child, 'exit');
    killGroup(entry.pid, 'SIGTERM');
    const timer = setTimeout(() => killGroup(entry.pid, 'SIGKILL'), endTimeoutMs);
    await ended;
    clearTimeout(timer);
    killGroup(entry.pid, 'SIGKILL');
  }

  return {
    start(side, command, options) {
      const { pid, child } = add(side, command, options, 'log');
      return { pid, isRunning: () => !hasEnded(child) };
    },
    async run(side, command, { codes = [0], ...options }) {
      // The shell says in the end what the command used: its own entry in /proc is gone by then.
      const script = '"$@" >&2; code=$?; times; exit $code';
      const entry = add(side, ['sh', '-c', script, 'sh', ...command], options, 'pipe');
      let said = '';
      entry.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const [code] = (await once(entry.child, 'close')) as [number | null];
      entries.delete(entry.pid);
      retired[side] += parseTimes(said);
      if (code === null || !codes.includes(code))
        throw new Error(`${command.join(' ')} exited with ${code}; see ${options.log}`);
    },
    async stop(owned) {
      const entry = entries.get(owned.pid);
      if (entry !== undefined) await stop(entry);
    },
    async stopAll() {
      await Promise.all([...entries.values()].map(stop));
    },
    killAll() {
      for (const { pid } of entries.values()) killGroup(pid, 'SIGKILL');
    },
    usage(side) {
      const { cpuSeconds } = look(side);
      return { cpuSeconds: cpuSeconds - baseline[side], peakBytes: peak[side] };
    },
    resetUsage() {
      for (const side of ['source', 'destination'] as const) {
        peak[side] = 0;
        baseline[side] = look(side).cpuSeconds;
      }
    },
    residentBytes: (side) => look(side).residentBytes,
    mappedBytes: (side) => processTree(rootsOf(side)).reduce((sum, stat) => sum + mappedBytes(stat), 0),
    cpuSeconds: () => look('source').cpuSeconds + look('destination').cpuSeconds,
  };
}

/** What `times` of a POSIX shell prints: user and system time of the shell, then of its children. @returns the sum, s. */
export function parseTimes(text: string): number {
  return [...text.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function killGroup(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // Nobody of that group is left.
  }
}
