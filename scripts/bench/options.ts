/** The command line of the bench. Pure. */
import { parseArgs } from 'node:util';
import { type ContenderName, contenderNames } from './results.ts';

export type Options = {
  /** None: all of them. */
  readonly scenarios: readonly string[];
  readonly only: readonly ContenderName[];
  /** Sizes of trees; none: each scenario's own. */
  readonly files: readonly number[];
  /** MiB of the one large file; none: each scenario's own. */
  readonly size: number | undefined;
  readonly runs: number | undefined;
  readonly quick: boolean;
  readonly keep: boolean;
  /** Files to write and to read, as they were given. */
  readonly json: string | undefined;
  readonly chart: string | undefined;
  readonly from: readonly string[];
  readonly help: boolean;
};

export const usage = `usage: npm run bench -- [SCENARIO…] [FLAGS]

  --only A,B      of p2psync, rsync, loop, lsyncd, syncthing
  --files N,N     sizes of the trees in latency, restart, memory and idle; of the many small files in cold
  --size N        MiB of the large file in fan-out and delta
  --runs N        how often each thing is measured
  --quick         small sizes, few runs: two minutes, to see that everything works
  --json FILE     everything that was measured
  --chart FILE    an SVG
  --from FILE     shows what --json wrote and measures nothing; several times: as one table
  --keep          leaves the trees and the logs behind`;

/** @throws {Error} with a sentence for the user. */
export function parseOptions(words: readonly string[], scenarioNames: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      only: { type: 'string', default: '' },
      files: { type: 'string', default: '' },
      size: { type: 'string' },
      runs: { type: 'string' },
      quick: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      json: { type: 'string' },
      chart: { type: 'string' },
      from: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    scenarios: positionals.map((name) => oneOf('scenario', name, scenarioNames)),
    only: list(values.only).map((name) => oneOf('contender', name, contenderNames)),
    files: list(values.files).map((text) => count('--files', text)),
    size: values.size === undefined ? undefined : count('--size', values.size),
    runs: values.runs === undefined ? undefined : count('--runs', values.runs),
    quick: values.quick,
    keep: values.keep,
    json: values.json,
    chart: values.chart,
    from: values.from,
    help: values.help,
  };
}

function list(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}

function oneOf<Name extends string>(what: string, name: string, names: readonly Name[]): Name {
  const found = names.find((known) => known === name);
  if (found === undefined) throw new Error(`no ${what} is named ${name}; there are ${names.join(', ')}`);
  return found;
}

function count(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`${flag} takes whole numbers above 0, not ${text}`);
  return value;
}
