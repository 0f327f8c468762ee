/**
 * `rsyncd.conf` to a `config.toml` that our own parser takes, and for each line what became of it. Joins the parts; the
 * files come through `load`.
 */
import { P2psyncError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { parseConfig } from '../config.ts';
import { translateAgent } from './agent-settings.ts';
import { type Environment, expandVariables, readBoolean } from './expand.ts';
import { type Assignment, type Line, type Load, type RsyncdConfig, readModules } from './modules.ts';
import type { ImportOutcome } from './parameters.ts';
import { renderConfig } from './render.ts';
import { createImport, type Import, type ShareSettings } from './settings.ts';
import { translateShare } from './share-settings.ts';

/** What became of one line. */
export type ImportNote = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** As rsyncd.conf(5) writes it; `[web]` for a module's own line. */
  readonly parameter: string;
  /** As it was written. */
  readonly value: string;
  /** In which it stands; null before the first. */
  readonly module: string | null;
  readonly outcome: ImportOutcome;
  /** What it is now, or why it is nothing. */
  readonly note: string;
};

export type RsyncdImport = {
  /** The text of a `config.toml`. */
  readonly config: string;
  /** One for each line that says something, in the order in which rsync reads them. */
  readonly notes: readonly ImportNote[];
};

/**
 * `env` is what `%VAR%` is looked up in.
 * @throws {P2psyncError} config: rsync refuses the file too, it has no module, or one has no path; and what `load` throws.
 */
export async function importRsyncd(file: string, load: Load, env: Environment): Promise<RsyncdImport> {
  const rsyncd = await readModules(file, load, env);
  if (rsyncd.modules.length === 0) {
    throw new P2psyncError(
      'config',
      `${file} has no module: nothing in it names a directory ([NAME], then path = DIR)`,
      { file },
    );
  }
  for (const { name, header, values } of rsyncd.modules) {
    if ((values.get('path')?.value ?? '') === '') {
      throw new P2psyncError(
        'config',
        `${header.file}:${header.line}: module ${name} has no path; give it one, or take it out`,
        { file: header.file, line: header.line },
      );
    }
  }
  const into = createImport(rsyncd);
  translateAgent(into, env);
  const shares: ShareSettings[] = [];
  for (const module of rsyncd.modules) shares.push(await translateShare(module, shares, { into, env, load }));
  judgeByValue(into, env);
  const notes = gatherNotes(rsyncd, into, shares);
  const config = renderConfig({ file, tables: into.tables, shares, notes });
  // A text that the agent would refuse is a fault of ours and never handed out.
  parseConfig(config, 'the imported configuration');
  return { config, notes };
}

/** Lines that say what p2psync does anyway, or the opposite of it. */
function judgeByValue(into: Import, env: Environment): void {
  for (const line of into.config.assignments) {
    const { name } = line.known;
    const on = readBoolean(expandVariables(line.value, env));
    if (name === 'strict modes' && on === false)
      into.judge(line, 'explained', 'cannot be switched off: a key that others can read is refused');
    if (name === 'forward lookup' && on === false)
      into.judge(
        line,
        'explained',
        'names in [access] are always looked up; write addresses there to do without',
      );
    if (name === 'reverse lookup' && on === false)
      into.judge(line, 'mapped', 'addresses are never turned into names');
    if (name === 'list' && on === false)
      into.judge(line, 'mapped', 'shares are listed to nobody: strangers are not talked to');
    if (name === 'proxy protocol' && on === false) into.judge(line, 'mapped', 'it does not exist here');
    if (name === 'insecure links' && on === false)
      into.judge(line, 'mapped', 'links are never followed, here or on any other node');
    if (name === 'write only' && on === false)
      into.judge(line, 'mapped', 'every member hands on what it has');
    if (name === 'fake super' && on === false)
      into.judge(line, 'mapped', 'owners are set for real, which takes root');
    if (name === 'comment') into.judge(line, 'kept', 'a comment above the share');
  }
}

function gatherNotes(
  rsyncd: RsyncdConfig,
  into: Import,
  shares: readonly ShareSettings[],
): readonly ImportNote[] {
  const inUse = new Set<Assignment>([
    ...rsyncd.modules.flatMap(({ values }) => [...values.values()]),
    ...[...rsyncd.globals.values()].filter(({ known }) => known.scope === 'global'),
  ]);
  const bare = ({ file, line, parameter, value, module }: Line): Line => ({
    file,
    line,
    parameter,
    value,
    module,
  });
  const order = new Map<string, number>();
  for (const { file } of [
    ...rsyncd.remarks,
    ...rsyncd.assignments,
    ...rsyncd.modules.map((one) => one.header),
  ])
    if (!order.has(file)) order.set(file, order.size);
  return [
    ...rsyncd.remarks.map((remark) => ({ ...bare(remark), outcome: remark.outcome, note: remark.note })),
    ...shares.map(({ module, name, leftOut }) => ({
      ...bare(module.header),
      outcome:
        leftOut !== null
          ? ('explained' as const)
          : name === module.name
            ? ('kept' as const)
            : ('mapped' as const),
      note: leftOut ?? `share ${name}`,
    })),
    ...rsyncd.assignments.map((line) => {
      const judged = into.verdictOf(line);
      const { outcome, note } =
        judged ??
        (inUse.has(line)
          ? line.known
          : { outcome: 'explained' as const, note: 'every module has it from another line' });
      return { ...bare(line), outcome, note };
    }),
  ]
    .map((note) => ({ ...note, note: printable(note.note) }))
    .sort(
      (left, right) => (order.get(left.file) ?? 0) - (order.get(right.file) ?? 0) || left.line - right.line,
    );
}
