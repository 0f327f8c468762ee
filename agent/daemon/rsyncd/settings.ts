/** What an import has gathered: settings for `config.toml`, and for each line what became of it. Owned by one import. */

import { stringify } from 'smol-toml';
import { hasCode, messageOf } from '../../base/errors.ts';
import { parseConfig } from '../config.ts';
import type { Assignment, Line, RsyncdConfig, RsyncModule } from './modules.ts';
import type { ImportOutcome } from './parameters.ts';

export type Value = string | number | boolean | readonly string[] | readonly (readonly string[])[];

export type Setting = { readonly key: string; readonly value: Value; readonly from: readonly Line[] };

export type ShareSettings = {
  readonly name: string;
  readonly module: RsyncModule;
  /** In a sentence why the share cannot be set up; its table is written as a comment. */
  readonly leftOut: string | null;
  /** Whether clients could upload: then this host receives, else it is the source. */
  readonly receives: boolean;
  readonly settings: readonly Setting[];
};

export type Verdict = { readonly outcome: ImportOutcome; readonly note: string };

/** A table of the agent; `''` is the top of the file. */
export type Table = '' | 'access' | 'limits' | 'log' | 'run';

export type Import = {
  readonly config: RsyncdConfig;
  readonly tables: ReadonlyMap<Table, Setting[]>;
  /** One assignment may be a default of several modules: the first that is more than an explanation counts. */
  judge(assignment: Assignment, outcome: ImportOutcome, note: string): void;
  verdictOf(assignment: Assignment): Verdict | undefined;
  /**
   * Puts a setting into a table of the agent, if this version acts upon it, and judges the lines it comes from.
   * `note` follows the setting; with it, too, a line may come to be no more than explained.
   */
  set(table: Table, setting: Setting, note?: string): void;
};

export function createImport(config: RsyncdConfig): Import {
  const tables = new Map<Table, Setting[]>([
    ['', []],
    ['access', []],
    ['limits', []],
    ['log', []],
    ['run', []],
  ]);
  const verdicts = new Map<Assignment, Verdict>();
  const judge: Import['judge'] = (assignment, outcome, note) => {
    const before = verdicts.get(assignment);
    if (before !== undefined && (before.outcome !== 'explained' || outcome === 'explained')) return;
    verdicts.set(assignment, { outcome, note });
  };
  return {
    config,
    tables,
    judge,
    verdictOf: (assignment) => verdicts.get(assignment),
    set(table, setting, note = '') {
      const title = table === '' ? '' : `[${table}] `;
      const refusal = refusalOf(table, setting);
      if (refusal === null) tables.get(table)?.push(setting);
      const text =
        refusal === null
          ? `${title}${toToml(setting)}${note === '' ? '' : `; ${note}`}`
          : `would be ${title}${toToml(setting)}, but: ${refusal}`;
      for (const line of setting.from) {
        if ('known' in line) judge(line as Assignment, refusal === null ? 'mapped' : 'explained', text);
      }
    },
  };
}

/** Asked of the parser itself: null where it takes the setting, else in a sentence why not. */
export function refusalOf(table: Table | 'share', setting: Setting): string | null {
  const line = toToml(setting);
  const text =
    table === 'share'
      ? `[[share]]\n${setting.key === 'name' ? '' : 'name = "x"\n'}${setting.key === 'path' ? '' : 'path = "/x"\n'}${line}\n`
      : `${table === '' ? '' : `[${table}]\n`}${line}\n`;
  try {
    parseConfig(text, null);
    return null;
  } catch (error) {
    if (!hasCode(error, 'config')) throw error;
    return messageOf(error).replace(/^the default configuration(:\d+)?: /, '');
  }
}

/** `key = value`, on one line. */
export function toToml({ key, value }: Pick<Setting, 'key' | 'value'>): string {
  return `${key} = ${tomlValue(value)}`;
}

function tomlValue(value: Value): string {
  if (Array.isArray(value)) return `[${value.map((one: Value) => tomlValue(one)).join(', ')}]`;
  return stringify({ value: value as string })
    .trim()
    .slice('value = '.length);
}

/** Of `values`, what all modules agree on: undefined where none sets it. */
export type Agreement =
  | { readonly kind: 'none' }
  | { readonly kind: 'agreed'; readonly value: string; readonly from: readonly Assignment[] }
  | { readonly kind: 'differ'; readonly from: readonly Assignment[]; readonly text: string };

/** What the modules say of a parameter that is one setting of the agent here. `read` makes values comparable. */
export function agreementOn(
  modules: readonly RsyncModule[],
  parameter: string,
  read: (value: string) => string,
): Agreement {
  const said = modules.map(({ name, values }) => ({ name, assignment: values.get(parameter) }));
  const from = [...new Set(said.flatMap(({ assignment }) => (assignment === undefined ? [] : [assignment])))];
  const [first] = from;
  if (first === undefined) return { kind: 'none' };
  const value = read(first.value);
  const same = said.every(({ assignment }) => assignment !== undefined && read(assignment.value) === value);
  if (same) return { kind: 'agreed', value, from };
  const text = said
    .map(({ name, assignment }) => `${name}: ${assignment === undefined ? 'unset' : read(assignment.value)}`)
    .join(', ');
  return { kind: 'differ', from, text };
}
