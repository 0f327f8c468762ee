/**
 * One agent a home: `agent.pid` names the process that runs on it and when that process started, so that neither a dead
 * process nor one that was given the same number later keeps the home. Linux: /proc tells. Never ends another process.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { toHex } from '../base/bytes.ts';
import { P2psyncError, systemCode } from '../base/errors.ts';
import { lockTakeoverMs } from '../base/limits.ts';

export type HomeLock = {
  /** Gives the home free. Doing so again does nothing. */
  release(): void;
};

export type Holder = {
  readonly pid: number /** Ticks since boot, as /proc tells; with the pid it names one process. */;
  readonly started: string;
};

/** @throws {P2psyncError} locked, naming the home and the process that has it. */
export async function lockHome(home: string): Promise<HomeLock> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const path = join(home, 'agent.pid');
  const line = `${process.pid} ${startOf(process.pid) ?? '-'} ${bootId()}\n`;
  const gate = await enterGate(home, 'home');
  try {
    const holder = holderOf(home);
    if (holder !== undefined) throw lockedBy(home, holder.pid);
    rmSync(path, { force: true });
    writeWhole(path, line);
  } finally {
    gate.close();
  }
  return {
    release() {
      if (readOrNothing(path) === line) rmSync(path, { force: true });
    },
  };
}

/**
 * A part of the home (`audit`) for this process alone, until it gives it free or ends. Keeps no process alive.
 * @throws {P2psyncError} locked, where another has it for longer than a moment.
 */
export async function lockPart(home: string, part: string): Promise<HomeLock> {
  const gate = await enterGate(home, part);
  gate.unref();
  return { release: () => void gate.close() };
}

/** @returns the living process that has the home; undefined where none has, whatever the file says. */
export function holderOf(home: string): Holder | undefined {
  const [pidText, started, boot] = readOrNothing(join(home, 'agent.pid')).trim().split(' ');
  if (pidText === undefined || started === undefined || boot !== bootId() || !/^[1-9]\d{0,9}$/.test(pidText))
    return undefined;
  const pid = Number(pidText);
  return startOf(pid) === started ? { pid, started } : undefined;
}

function lockedBy(home: string, pid: number): P2psyncError {
  return new P2psyncError(
    'locked',
    `an agent (pid ${pid}) already runs on ${home}: stop it first, or give this one its own home with --home`,
    { home, pid },
  );
}

/**
 * Between looking at the file and replacing it nobody else may do the same. The kernel frees an abstract socket when its
 * process dies, so a kill at any point leaves nothing behind; it is named after the directory itself, not its path.
 */
async function enterGate(home: string, part: string): Promise<Server> {
  const { dev, ino } = statSync(home);
  const deadline = Date.now() + lockTakeoverMs;
  for (;;) {
    const server = await listen(`\0p2psync-${part}-${dev}-${ino}`);
    if (server !== undefined) return server;
    if (Date.now() > deadline) {
      throw new P2psyncError(
        'locked',
        `another process has the ${part} of ${home} at this moment; try again`,
        {
          home,
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (systemCode(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => resolve(server));
  });
}

/** A reader sees the old file or the whole new one. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.${toHex(randomBytes(6))}.new`;
  writeFileSync(draft, text, { mode: 0o644, flag: 'wx' });
  try {
    linkSync(draft, path);
  } finally {
    unlinkSync(draft);
  }
}

/** Field 22 of /proc/PID/stat, counted behind the name, which may hold anything. A zombie is dead. */
function startOf(pid: number): string | undefined {
  const text = readOrNothing(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Start times count from the boot: the same pid and start in another boot is another process. */
function bootId(): string {
  return readOrNothing('/proc/sys/kernel/random/boot_id').trim();
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ESRCH') return '';
    throw error;
  }
}
