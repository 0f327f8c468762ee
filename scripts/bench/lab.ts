/** One contender on one fabric: set up, watched until it is ready or at rest, judged, and taken down whatever happens. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { undoAtEnd } from './cleanup.ts';
import type { Contender, Session, Site } from './contender.ts';
import { type Fabric, type Network, openFabric } from './fabric.ts';
import { judge } from './judge.ts';
import { holds, isGone, seen } from './look.ts';
import { createProcesses } from './processes.ts';
import type { Bench } from './scenario.ts';

/** A contender whose first change has not arrived by then has failed, ms. */
const readyTimeoutMs = 600_000;
/** A first change that was written before anybody watched is written again after this, ms. */
const probeAgainMs = 5_000;
/** Work of less than this part of a core counts as rest. */
const restCpuPart = 0.1;
const restWindowMs = 300;
/** Who never rests is measured all the same: after the start, and between changes, ms. */
const firstRestTimeoutMs = 60_000;
const restTimeoutMs = 10_000;
const probeName = 'bench-probe.txt';

export type Lab = Site & {
  readonly contender: Contender;
  readonly fabric: Fabric;
  /** Copies a tree to the source, and to the destinations too where `everywhere`. Before `prepare`, or between. */
  fill(master: string, where: 'everywhere' | 'source'): void;
  /** @returns what makes a copy of the file appear in the source, at once and whole. */
  stage(file: string): () => void;
  prepare(): Promise<Session>;
  /** Resolves when a change has come to all destinations, has gone again, and nobody is busy any more. */
  ready(session: Session): Promise<void>;
  /** Resolves when the contender does nothing any more. */
  rest(): Promise<void>;
  /** Says in the results what differs in the end. */
  judge(scenario: string): Promise<void>;
};

export type LabOptions = { readonly destinations: number; readonly network: Network };

let labs = 0;

/** What `use` throws becomes a remark of the scenario, and the bench goes on. @returns whether all went well. */
export async function withLab(
  bench: Bench,
  scenario: string,
  contender: Contender,
  options: LabOptions,
  use: (lab: Lab) => Promise<void>,
): Promise<boolean> {
  labs += 1;
  const top = join(bench.workspace, `${scenario}-${contender.name}-${labs}`);
  mkdirSync(top);
  const processes = createProcesses();
  const removeTop = undoAtEnd(() => {
    if (!bench.options.keep) rmSync(top, { recursive: true, force: true });
  });
  let closeFabric = (): void => {};
  const killAll = undoAtEnd(() => processes.killAll());
  try {
    const fabric = openFabric({ top, ...options });
    closeFabric = undoAtEnd(() => fabric.close());
    await use(createLab(bench, contender, fabric, { ...fabric, processes }));
    return true;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    bench.say(`  ${contender.name} failed: ${text}`);
    bench.recorder.remark({ scenario, contender: contender.name, text: `failed: ${firstLine(text, top)}` });
    return false;
  } finally {
    await processes.stopAll();
    killAll();
    closeFabric();
    removeTop();
  }
}

function createLab(bench: Bench, contender: Contender, fabric: Fabric, site: Site): Lab {
  const { source, destinations, processes } = site;
  let probes = 0;

  async function probe(session: Session, deadlineMs: number): Promise<void> {
    const path = join(source.directory, probeName);
    for (;;) {
      probes += 1;
      const bytes = Buffer.from(`probe ${probes}\n`);
      writeFileSync(path, bytes);
      await session.push?.();
      const checks = destinations.map((place) => holds(join(place.directory, probeName), bytes));
      if ((await seen(checks, { timeoutMs: probeAgainMs, everyMs: 5 })) !== undefined) return;
      if (performance.now() > deadlineMs)
        throw new Error(`no change arrives within ${readyTimeoutMs / 1000} s of the start`);
    }
  }

  async function rest(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    for (;;) {
      const before = processes.cpuSeconds();
      const startedMs = performance.now();
      await delay(restWindowMs);
      const used = processes.cpuSeconds() - before;
      if (used * 1_000 <= restCpuPart * (performance.now() - startedMs)) return;
      if (performance.now() > deadlineMs) return;
    }
  }

  return {
    ...site,
    contender,
    fabric,
    fill(master, where) {
      const places = where === 'everywhere' ? [source, ...destinations] : [source];
      // Not by Node's cpSync, which cuts times to the microsecond: then the copies would not be equal.
      for (const place of places) execFileSync('cp', ['-a', `${master}/.`, place.directory]);
    },
    stage(file) {
      const spare = join(source.state, 'spare');
      const target = join(source.directory, basename(file));
      copyFileSync(file, spare);
      return () => moveInto(spare, target);
    },
    prepare: () => contender.prepare(site),
    async ready(session) {
      await probe(session, performance.now() + readyTimeoutMs);
      unlinkSync(join(source.directory, probeName));
      await session.push?.();
      const checks = destinations.map((place) => isGone(join(place.directory, probeName)));
      await seen(checks, { timeoutMs: readyTimeoutMs, everyMs: 5 });
      await rest(firstRestTimeoutMs);
    },
    rest: () => rest(restTimeoutMs),
    async judge(scenario) {
      const verdict = await judge({
        source,
        destinations,
        symlinks: contender.misses?.symlinks === undefined,
      });
      const remark = (text: string): void =>
        bench.recorder.remark({ scenario, contender: contender.name, text });
      if (verdict.unknown !== undefined) remark(verdict.unknown);
      if (verdict.times > 0) remark('times of directories or symlinks differ in the end');
      if (verdict.differences.length === 0) return;
      bench.say(
        `  ${contender.name} differs in the end:\n    ${verdict.differences.slice(0, 10).join('\n    ')}`,
      );
      remark(`differs in the end: ${verdict.differences.length} lines, the first: ${verdict.differences[0]}`);
    },
  };
}

/** Touched once it is there, for those who miss moves. */
export function moveInto(spare: string, target: string): void {
  renameSync(spare, target);
  const now = new Date();
  utimesSync(target, now, now);
}

/** Paths of this machine do not belong into results. */
function firstLine(text: string, top: string): string {
  return (text.split('\n')[0] ?? '').replaceAll(`${top}/`, '');
}
