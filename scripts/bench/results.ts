/** What was measured: one cell a question and contender. Owns the order of rows; knows nothing of how it is shown or taken. */
import { median, percentile, ratioToBest } from './stats.ts';

export const contenderNames = ['p2psync', 'rsync', 'loop', 'lsyncd', 'syncthing'] as const;
export type ContenderName = (typeof contenderNames)[number];

export type Unit = 'ms' | 's' | 'bytes' | 'MiB' | '%' | '×';

/** A question: a row of the table. Less is better in all of them. */
export type Question = {
  readonly scenario: string;
  /** `10,000 files, edit of 4 KiB`. */
  readonly subject: string;
  /** `all replicas`, `CPU of the source`. */
  readonly metric: string;
  readonly unit: Unit;
  /** Also shown in the chart. */
  readonly charted?: boolean;
};

export type Cell = { readonly values: readonly number[]; readonly note?: string };

export type Row = Question & { readonly cells: Partial<Record<ContenderName, Cell>> };

/** Something to know about a contender in a scenario: missing, failed, what it lost. */
export type Remark = {
  readonly scenario: string;
  readonly contender: ContenderName;
  readonly text: string;
};

export type Results = {
  readonly machine: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly remarks: readonly Remark[];
};

export type Recorder = {
  record(question: Question, contender: ContenderName, value: number): void;
  /** Instead of a value: `never`, `missing`. */
  note(question: Question, contender: ContenderName, note: string): void;
  /** Said once, however often it happens. */
  remark(remark: Remark): void;
  results(machine: Results['machine']): Results;
};

export function createRecorder(): Recorder {
  // Changes while running.
  const rows = new Map<string, Question & { cells: Partial<Record<ContenderName, Cell>> }>();
  const remarks = new Map<string, Remark>();

  function rowOf(question: Question): { cells: Partial<Record<ContenderName, Cell>> } {
    const key = JSON.stringify([question.scenario, question.subject, question.metric]);
    const found = rows.get(key) ?? { ...question, cells: {} };
    rows.set(key, found);
    return found;
  }

  return {
    record(question, contender, value) {
      const row = rowOf(question);
      const cell = row.cells[contender] ?? { values: [] };
      row.cells[contender] = { ...cell, values: [...cell.values, value] };
    },
    note(question, contender, note) {
      const row = rowOf(question);
      row.cells[contender] = { values: row.cells[contender]?.values ?? [], note };
    },
    remark(remark) {
      remarks.set(JSON.stringify(remark), remark);
    },
    results: (machine) => ({ machine, rows: [...rows.values()], remarks: [...remarks.values()] }),
  };
}

/** Rows of several runs as one; a later run's row replaces an earlier one's. */
export function mergeResults(all: readonly Results[]): Results {
  const rows = new Map<string, Row>();
  for (const row of all.flatMap((results) => results.rows))
    rows.set(JSON.stringify([row.scenario, row.subject, row.metric]), row);
  const remarks = new Map(
    all.flatMap((results) => results.remarks).map((remark) => [JSON.stringify(remark), remark]),
  );
  return { machine: all.at(-1)?.machine ?? {}, rows: [...rows.values()], remarks: [...remarks.values()] };
}

/** p2psync's median by the best other's; undefined where there is nobody to compare with. */
export function ratioOf(row: Row): number | undefined {
  const others = contenderNames
    .filter((name) => name !== 'p2psync')
    .flatMap((name) => medianOf(row.cells[name]) ?? []);
  return ratioToBest(medianOf(row.cells.p2psync), others);
}

export function medianOf(cell: Cell | undefined): number | undefined {
  return cell === undefined || cell.values.length === 0 ? undefined : median(cell.values);
}

export function p95Of(cell: Cell | undefined): number | undefined {
  return cell === undefined || cell.values.length === 0 ? undefined : percentile(cell.values, 0.95);
}
