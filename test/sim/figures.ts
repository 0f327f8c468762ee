/** What the simulator measured when somebody last kept it (`test/sim/figures.json`), and whether it is worse now. Pure. */
import type { Spread, Staleness } from './measure.ts';

/** One size of swarm, from one seed: the same figures on every machine, until the machines of `agent/swarm` change. */
export type Figures = Omit<Spread, 'violations'> & { readonly p50Ms: number; readonly p99Ms: number };

export function figuresOf(spread: Spread, { p50Ms, p99Ms }: Staleness): Figures {
  const { nodes, seed, bytes, time, writerCopies, busiestCopies, duplicates, control } = spread;
  return { nodes, seed, bytes, time, writerCopies, busiestCopies, duplicates, control, p50Ms, p99Ms };
}

type Measure = {
  readonly key: 'time' | 'writerCopies' | 'duplicates' | 'p50Ms' | 'p99Ms';
  readonly title: string;
  /** More than this beyond what was kept is clearly worse: a change of the order of events moves the rest. */
  readonly part: number;
  readonly fixed: number;
};

const measures: readonly Measure[] = [
  { key: 'time', title: 'time', part: 0.08, fixed: 0 },
  { key: 'writerCopies', title: 'writer', part: 0.08, fixed: 0 },
  { key: 'duplicates', title: 'duplicates', part: 0, fixed: 0.01 },
  { key: 'p50Ms', title: 'p50', part: 0.2, fixed: 0.5 },
  { key: 'p99Ms', title: 'p99', part: 0.2, fixed: 0.5 },
];

export type Difference = {
  readonly title: string;
  readonly kept: number;
  readonly now: number;
  readonly isWorse: boolean;
};

/** What differs by more than a hundredth; nothing where what was kept is of another size or seed. */
export function compareFigures(kept: readonly Figures[], now: Figures): readonly Difference[] {
  const base = kept.find(
    ({ nodes, seed, bytes }) => nodes === now.nodes && seed === now.seed && bytes === now.bytes,
  );
  if (base === undefined) return [];
  return measures
    .map(({ key, title, part, fixed }) => ({
      title,
      kept: base[key],
      now: now[key],
      isWorse: now[key] > base[key] * (1 + part) + fixed,
    }))
    .filter((one) => one.isWorse || Math.abs(one.now - one.kept) >= 0.01);
}

/** Those of other sizes and seeds stay. */
export function keepFigures(kept: readonly Figures[], now: readonly Figures[]): readonly Figures[] {
  const others = kept.filter(
    (one) => !now.some(({ nodes, seed }) => nodes === one.nodes && seed === one.seed),
  );
  return [...others, ...now].sort((left, right) => left.nodes - right.nodes || left.seed - right.seed);
}
