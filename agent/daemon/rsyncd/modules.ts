/**
 * `rsyncd.conf` as rsync understands it: which line sets what in which module. Owns sections, defaults, `&include` and
 * `&merge`; decides nothing about p2psync. Files come through an argument.
 */
import { P2psyncError } from '../../base/errors.ts';
import { rsyncdIncludeDepthMax } from '../../base/limits.ts';
import { nearest } from '../../base/nearest.ts';
import { type Environment, expandVariables, foldName, readBoolean, readInteger } from './expand.ts';
import { findParameter, flagsTakenForParameters, type Parameter, parameters } from './parameters.ts';
import { readStatements, type Statement } from './syntax.ts';

/** A line of the file. */
export type Line = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** As rsyncd.conf(5) writes it; as it was written where rsync does not know it; `[web]`, `&merge`. */
  readonly parameter: string;
  /** As it was written. */
  readonly value: string;
  /** In which it stands. */
  readonly module: string | null;
};

/** A line that sets a parameter. */
export type Assignment = Line & { readonly known: Parameter };

/** A line that sets nothing, with what there is to say of it. */
export type Remark = Line & { readonly outcome: 'kept' | 'mapped' | 'explained'; readonly note: string };

export type RsyncModule = {
  readonly name: string;
  readonly header: Line;
  /** What counts in this module, defaults included: by the parameter's name. */
  readonly values: ReadonlyMap<string, Assignment>;
};

export type RsyncdConfig = {
  /** In the order of the file. */
  readonly modules: readonly RsyncModule[];
  /** Global parameters, and the defaults as they stand at the end. */
  readonly globals: ReadonlyMap<string, Assignment>;
  /** Every line that sets something, also what another line sets again. */
  readonly assignments: readonly Assignment[];
  readonly remarks: readonly Remark[];
};

/** A file or the names in a directory. @throws {P2psyncError} where it cannot be read. */
export type Load = (
  path: string,
) => Promise<
  | { readonly kind: 'file'; readonly text: string }
  | { readonly kind: 'directory'; readonly names: readonly string[] }
>;

type OpenModule = { readonly name: string; readonly header: Line; readonly values: Map<string, Assignment> };

/** @throws {P2psyncError} config, with file and line, where rsync refuses the file too; and what `load` throws. */
export async function readModules(file: string, load: Load, env: Environment): Promise<RsyncdConfig> {
  const modules: OpenModule[] = [];
  const assignments: Assignment[] = [];
  const remarks: Remark[] = [];
  // Changes while reading.
  let globals = new Map<string, Assignment>();
  let current: OpenModule | null = null;

  async function readFile(path: string, depth: number): Promise<void> {
    const loaded = await load(path);
    if (loaded.kind === 'directory')
      throw new P2psyncError('io', `${path} is a directory; name the file in it`, { file: path });
    await readText(path, loaded.text, depth);
  }

  async function readText(path: string, text: string, depth: number): Promise<void> {
    for (const statement of readStatements(text)) {
      switch (statement.kind) {
        case 'section':
          openSection(path, statement);
          break;
        case 'parameter':
          assign(path, statement);
          break;
        case 'directive':
          await include(path, statement, depth);
          break;
        case 'ignored': {
          const known = findParameter(statement.text);
          const instead = known === undefined ? '' : `; ${known.note}`;
          remarks.push({
            ...lineOf(path, statement.line, known?.name ?? statement.text, ''),
            outcome: 'explained',
            note: `rsync ignores this line, as ${statement.why}${instead}`,
          });
          break;
        }
        case 'broken':
          throw refused(path, statement.line, statement.why);
      }
    }
  }

  const lineOf = (path: string, line: number, parameter: string, value: string): Line => ({
    file: path,
    line,
    parameter,
    value,
    module: current?.name ?? null,
  });

  function openSection(path: string, { name, line }: Extract<Statement, { kind: 'section' }>): void {
    if (foldName(name) === 'global') {
      current = null;
      remarks.push({
        ...lineOf(path, line, `[${name}]`, ''),
        outcome: 'kept',
        note: 'what follows are defaults again, for the modules below it',
      });
      return;
    }
    if (name.includes('/')) throw refused(path, line, `a module's name cannot hold a slash: [${name}]`);
    current = modules.find((other) => foldName(other.name) === foldName(name)) ?? null;
    if (current !== null) {
      remarks.push({
        ...lineOf(path, line, `[${name}]`, ''),
        outcome: 'kept',
        note: `goes on with the module of line ${current.header.line}`,
      });
      return;
    }
    const defaults = [...globals].filter(([, { known }]) => known.scope === 'module');
    const header = { file: path, line, parameter: `[${name}]`, value: '', module: name };
    current = { name, header, values: new Map(defaults) };
    modules.push(current);
  }

  function assign(path: string, { name, value, line }: Extract<Statement, { kind: 'parameter' }>): void {
    const known = findParameter(name);
    const place = lineOf(path, line, known?.name ?? name, value);
    const ignore = (note: string): void => void remarks.push({ ...place, outcome: 'explained', note });
    if (known === undefined) return ignore(`rsync does not know it and ignores it${hintFor(name)}`);
    if (current !== null && known.scope === 'global')
      return ignore('rsync ignores it inside a module: it belongs before the first one');
    const wrong = faultOf(known, expandVariables(value, env));
    if (wrong !== undefined) return ignore(`rsync ignores this value: ${wrong}`);
    const assignment = { ...place, known };
    assignments.push(assignment);
    (current?.values ?? globals).set(known.name, assignment);
  }

  async function include(
    path: string,
    { name, value, line }: Extract<Statement, { kind: 'directive' }>,
    depth: number,
  ): Promise<void> {
    const kind = name.toLowerCase();
    if (kind !== '&include' && kind !== '&merge')
      throw refused(path, line, `${name} is not a directive; rsync has &include and &merge`);
    if (depth >= rsyncdIncludeDepthMax)
      throw refused(path, line, `more than ${rsyncdIncludeDepthMax} files include each other`);
    const loaded = await load(value).catch((error: unknown) => {
      throw refused(
        path,
        line,
        `${name} ${value}: ${error instanceof Error ? error.message : 'unreadable'}`,
        error,
      );
    });
    remarks.push({ ...lineOf(path, line, kind, value), outcome: 'kept', note: 'read at this place' });
    const ending = kind === '&include' ? '.conf' : '.inc';
    const files =
      loaded.kind === 'file'
        ? [value]
        : loaded.names
            .filter((one) => one.endsWith(ending))
            .sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
            .map((one) => `${value.replace(/\/$/, '')}/${one}`);
    const before = globals;
    for (const [index, one] of files.entries()) {
      if (kind === '&include') {
        // Each file starts among the defaults of this one and leaves them as they were.
        globals = new Map(before);
        current = null;
      }
      if (loaded.kind === 'file' && index === 0) await readText(one, loaded.text, depth + 1);
      else await readFile(one, depth + 1);
    }
    if (kind === '&include' && files.length > 0) {
      globals = before;
      current = null;
    }
  }

  await readFile(file, 0);
  return {
    modules: modules.map(({ name, header, values }) => ({ name, header, values: withLateDefaults(values) })),
    globals,
    assignments,
    remarks,
  };

  /** A text that neither the module nor the defaults above it set is looked up among the defaults at the end. */
  function withLateDefaults(values: ReadonlyMap<string, Assignment>): ReadonlyMap<string, Assignment> {
    const late = [...globals].filter(
      ([name, { known }]) => known.scope === 'module' && !known.hasDefault && !values.has(name),
    );
    return new Map([...values, ...late]);
  }
}

/** Why rsync keeps what it had instead, or undefined. */
function faultOf(known: Parameter, value: string): string | undefined {
  switch (known.type) {
    case 'boolean':
      return typeof readBoolean(value) === 'boolean' ? undefined : 'it is neither yes nor no';
    case 'boolean3':
      return readBoolean(value) === undefined ? 'it is neither yes, no nor unset' : undefined;
    case 'facility':
      return facilities.has(value.toLowerCase()) || readInteger(value) > 0 ? undefined : 'it is no facility';
    default:
      return undefined;
  }
}

const facilities: ReadonlySet<string> = new Set(
  (
    'auth authpriv cron daemon ftp kern lpr mail news security syslog user uucp ' +
    'local0 local1 local2 local3 local4 local5 local6 local7'
  ).split(' '),
);

function hintFor(name: string): string {
  const flag = flagsTakenForParameters.get(foldName(name).replaceAll(/^-+|-/g, ''));
  if (flag !== undefined) return `: ${flag}`;
  const near = nearest(
    name,
    parameters.map((parameter) => parameter.name),
  );
  return near === undefined ? '' : `; is "${near}" meant?`;
}

function refused(file: string, line: number, why: string, cause?: unknown): P2psyncError {
  return new P2psyncError(
    'config',
    `${file}:${line}: ${why}; rsync refuses this file too`,
    { file, line },
    { cause },
  );
}
