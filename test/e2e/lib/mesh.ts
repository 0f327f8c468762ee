/** A mesh of real agents on this machine, each with a home and a directory of its own below one temporary directory. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PeerReport, ShareReport, StatusReport } from '../../../agent/http/api.ts';
import { differences, removeTree } from './judge.ts';
import { freePort } from './ports.ts';
import { mustRun, p2psync, type Result, type RunOptions, startAgentProcess } from './program.ts';

/** A mesh that is not where it should be by then has failed, ms. */
const convergeTimeoutMs = 180_000;

export type Agent = {
  readonly name: string;
  readonly home: string;
  readonly directory: string;
  readonly address: string;
  /** Everything it logged, all starts. */
  readonly log: readonly string[];
  /** Starts it and waits until it answers. */
  start(): Promise<void>;
  /** SIGTERM; waits for the end. @returns its exit code. */
  stop(): Promise<number | null>;
  /** kill -9 of the agent itself, also where a launcher stands between. */
  kill(): Promise<void>;
  isRunning(): boolean;
  /** A command on this agent's home, whatever it exits with. */
  command(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** The same; an exit code other than 0 throws. @returns stdout. */
  must(args: readonly string[], options?: RunOptions): Promise<string>;
  status(): Promise<ShareReport>;
  peers(): Promise<readonly PeerReport[]>;
};

export type Mesh = {
  readonly directory: string;
  readonly agents: readonly Agent[];
  /** Makes the share over a fresh directory, which `fill` may furnish before; whatever is removed there is published. Not started. */
  writer(fill?: (directory: string) => Promise<void> | void): Promise<Agent>;
  /** A home and a directory, and nothing in either. */
  agent(name: string): Promise<Agent>;
  /** Invites and joins. Not started. */
  replica(
    name: string,
    options?: { readonly role?: string; readonly fill?: (directory: string) => void },
  ): Promise<Agent>;
};

/** Gives the check a mesh and takes it down again, whatever happens; on a failure the agents' logs are told. */
export async function withMesh(check: (mesh: Mesh) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'p2psync-e2e-'));
  chmodSync(directory, 0o755);
  const agents: Agent[] = [];
  const add = async (name: string): Promise<Agent> => {
    const agent = await createAgent(directory, name);
    agents.push(agent);
    return agent;
  };
  try {
    await check({
      directory,
      agents,
      agent: add,
      async writer(fill) {
        const agent = await add('writer');
        await fill?.(agent.directory);
        await agent.must([
          'init',
          agent.directory,
          '--share',
          'www',
          '--name',
          agent.name,
          '--listen',
          agent.address,
          '--http',
          'off',
        ]);
        // A guard against an emptied directory would be right in a churn, and in the way.
        appendFileSync(join(agent.home, 'config.toml'), '\nmax_delete = "100%"\n');
        return agent;
      },
      async replica(name, { role = 'replica', fill } = {}) {
        const writer = agents[0];
        if (writer === undefined) throw new Error('a mesh begins with its writer');
        const agent = await add(name);
        fill?.(agent.directory);
        const invitation = (await writer.must(['invite', '--role', role])).trim();
        await agent.must([
          'join',
          invitation,
          agent.directory,
          '--name',
          name,
          '--listen',
          agent.address,
          '--http',
          'off',
          '--force',
        ]);
        return agent;
      },
    });
  } catch (error) {
    for (const { name, log } of agents)
      console.error(`--- ${name}\n${log.join('').split('\n').slice(-40).join('\n')}`);
    throw error;
  } finally {
    await Promise.all(agents.map((agent) => agent.kill()));
    await removeTree(directory);
  }
}

async function createAgent(root: string, name: string): Promise<Agent> {
  const home = join(root, `${name}.home`);
  const directory = join(root, name);
  mkdirSync(directory, { mode: 0o755 });
  const address = `127.0.0.1:${await freePort()}`;
  const log: string[] = [];
  let child: ChildProcess | undefined;
  const isRunning = (): boolean =>
    child !== undefined && child.exitCode === null && child.signalCode === null;
  const ended = async (): Promise<void> => {
    if (child !== undefined && isRunning()) await once(child, 'exit');
  };
  const command = (args: readonly string[], options?: RunOptions): Promise<Result> =>
    p2psync([...args, '--home', home], options);
  const must = (args: readonly string[], options?: RunOptions): Promise<string> =>
    mustRun([...args, '--home', home], options);
  return {
    name,
    home,
    directory,
    address,
    log,
    isRunning,
    command,
    must,
    async start() {
      const started = startAgentProcess(home, log);
      child = started.child;
      await started.answers;
    },
    async stop() {
      if (isRunning()) child?.kill('SIGTERM');
      await ended();
      return child?.exitCode ?? null;
    },
    async kill() {
      if (!isRunning()) return;
      const pid = agentPid(home);
      if (pid !== undefined && pid !== child?.pid) process.kill(pid, 'SIGKILL');
      child?.kill('SIGKILL');
      await ended();
    },
    async status() {
      const report = JSON.parse(await must(['status', '--json'])) as StatusReport;
      const share = report.shares[0];
      if (share === undefined) throw new Error(`${name} takes part in no share`);
      return share;
    },
    async peers() {
      return JSON.parse(await must(['peers', '--json'])) as PeerReport[];
    },
  };
}

/** Only a pid that is our child's or was started by it: the home is ours alone. */
function agentPid(home: string): number | undefined {
  const path = join(home, 'agent.pid');
  if (!existsSync(path)) return undefined;
  const pid = Number(readFileSync(path, 'utf8').split(' ')[0]);
  return Number.isSafeInteger(pid) && pid > 1 && existsSync(`/proc/${pid}`) ? pid : undefined;
}

/** Asks again until it is so. @throws where it is not in time, saying what was waited for. */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  timeoutMs = convergeTimeoutMs,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not after ${timeoutMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Waits until every destination equals the source, and stays so while nothing changes. @throws with the differences. */
export async function converged(
  source: Agent,
  destinations: readonly Agent[],
  timeoutMs = convergeTimeoutMs,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (const destination of destinations) {
    for (;;) {
      const found = differences(source.directory, destination.directory);
      if (found.length === 0) break;
      if (Date.now() > deadline) {
        const [report, own] = await Promise.all([
          destination.command(['status']),
          source.command(['status']),
        ]);
        throw new Error(
          `${destination.name} differs from ${source.name} after ${timeoutMs / 1000} s:\n${found.slice(0, 30).join('\n')}\n${report.stdout}${own.stdout}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
