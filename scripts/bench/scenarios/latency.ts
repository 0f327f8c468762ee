/**
 * From just before a system call on the source to the moment when all replicas show what it did: create, edit, delete, chmod,
 * and the rename of a directory with 1,000 files. Each change waits until the contender is at rest after the one before.
 */
import { chmodSync, closeSync, openSync, renameSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Session } from '../contender.ts';
import { type Lab, withLab } from '../lab.ts';
import { hasMode, holds, isGone, isRenamed, seen } from '../look.ts';
import { masterTree } from '../master.ts';
import type { Question } from '../results.ts';
import type { Bench, Scenario } from '../scenario.ts';
import { grouped } from '../table.ts';
import { batchFiles, filePath, KIB, makeFiles, noise, type Random, randomFrom } from '../trees.ts';

const name = 'latency';
const replicas = 4;
const changeTimeoutMs = 20_000;
/** Changes come at no fixed distance, so that nobody's timer is always met or always missed, ms. */
const pauseMs = 100;
/** After this many that never came nobody waits for more. */
const timeoutsMax = 2;

/** Done between two looks at the clock; `isSeen` asks one replica's tree. */
type Change = {
  readonly apply: () => void;
  readonly isSeen: (replica: string) => () => boolean;
};

type Kind = {
  readonly title: string;
  /** As part of `--runs`: a rename of a thousand files is worth fewer. */
  readonly share: number;
  readonly charted?: boolean;
  readonly make: (top: string, random: Random, files: number) => Change;
};

const kinds: readonly Kind[] = [
  { title: 'create 4 KiB', share: 1, make: create },
  { title: 'edit 4 KiB', share: 1, charted: true, make: edit },
  { title: 'delete', share: 1, make: remove },
  { title: 'chmod', share: 1, make: changeMode },
  { title: 'rename of 1,000 files', share: 0.25, charted: true, make: rename },
];

export const latency: Scenario = {
  name,
  summary: `a change until all ${replicas} replicas show it`,
  async run(bench) {
    const { files, quick, runs } = bench.options;
    const sizes = files.length > 0 ? files : quick ? [1_000] : [1_000, 10_000, 100_000];
    for (const size of sizes) {
      const master = masterTree(bench, `${size}-files`, (top) => makeFiles(top, size));
      for (const contender of bench.contenders) {
        bench.say(`${name}: ${contender.name}, ${grouped(size)} files`);
        await withLab(
          bench,
          name,
          contender,
          { destinations: replicas, network: { kind: 'loopback' } },
          (lab) => measure(bench, lab, { master, size, runs: runs ?? (quick ? 5 : 20) }),
        );
      }
    }
  },
};

type Task = { readonly master: string; readonly size: number; readonly runs: number };

async function measure(bench: Bench, lab: Lab, { master, size, runs }: Task): Promise<void> {
  lab.fill(master, 'everywhere');
  const session = await lab.prepare();
  await session.startDestinations();
  session.startSource();
  await lab.ready(session);
  const random = randomFrom(size);
  for (const kind of kinds) {
    const question: Question = {
      scenario: name,
      subject: `${grouped(size)} files: ${kind.title}`,
      metric: 'all replicas',
      unit: 'ms',
      charted: kind.charted === true && size !== 1_000,
    };
    let late = 0;
    for (let run = 0; run < Math.max(1, Math.round(runs * kind.share)) && late < timeoutsMax; run += 1) {
      const tookMs = await once(lab, session, kind.make(lab.source.directory, random, size), random);
      if (tookMs === undefined) late += 1;
      else bench.recorder.record(question, lab.contender.name, tookMs);
    }
    if (late === 0) continue;
    const note = late >= timeoutsMax ? `never (${changeTimeoutMs / 1000} s)` : 'one never';
    bench.recorder.note(question, lab.contender.name, note);
  }
  // Another change of another kind: who missed one may catch up by it.
  await lab.ready(session);
  await lab.judge(name);
}

/** @returns ms; undefined where it was not everywhere in time. */
async function once(lab: Lab, session: Session, change: Change, random: Random): Promise<number | undefined> {
  await lab.rest();
  await delay(pauseMs + (random() % pauseMs));
  const checks = lab.destinations.map((place) => change.isSeen(place.directory));
  // Looked at once before, so that what they look at is in memory alike.
  for (const check of checks) check();
  const startedMs = performance.now();
  change.apply();
  const pushed = session.push?.();
  const seenMs = await seen(checks, { timeoutMs: changeTimeoutMs });
  await pushed;
  return seenMs === undefined ? undefined : seenMs - startedMs;
}

let serial = 0;

function create(top: string, random: Random, files: number): Change {
  serial += 1;
  const path = join(filePath(random() % files), '..', `new${serial}.html`);
  const bytes = noise(4 * KIB, random());
  return {
    apply: () => writeFileSync(join(top, path), bytes),
    isSeen: (replica) => holds(join(replica, path), bytes),
  };
}

function edit(top: string, random: Random, files: number): Change {
  const path = filePath(random() % files);
  const bytes = noise(4 * KIB, random());
  return {
    apply() {
      const descriptor = openSync(join(top, path), 'r+');
      writeSync(descriptor, bytes, 0, bytes.length, 0);
      closeSync(descriptor);
    },
    isSeen: (replica) => holds(join(replica, path), bytes),
  };
}

/** The first files go, one after the other; edits of what is gone would be creations. */
function remove(top: string): Change {
  const path = filePath(removed);
  removed += 1;
  return { apply: () => unlinkSync(join(top, path)), isSeen: (replica) => isGone(join(replica, path)) };
}

let removed = 0;

function changeMode(top: string, random: Random, files: number): Change {
  const path = filePath(files - 1 - (random() % Math.floor(files / 2)));
  const mode = 0o600 + (random() % 0o200);
  return {
    apply: () => chmodSync(join(top, path), mode),
    isSeen: (replica) => hasMode(join(replica, path), mode),
  };
}

let renames = 0;

function rename(top: string): Change {
  const from = batchName();
  renames += 1;
  const to = batchName();
  return {
    apply: () => renameSync(join(top, from), join(top, to)),
    isSeen: (replica) => isRenamed(join(replica, from), join(replica, to), batchFiles),
  };
}

function batchName(): string {
  return renames === 0 ? 'batch' : `batch${renames}`;
}
