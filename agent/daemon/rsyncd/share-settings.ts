/** A module as a `[[share]]`: name, path, role, ignore rules, owners, program to run. Each line is judged. */
import { posix } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { connectionVariable, type Environment, expandVariables, readBoolean, readInteger } from './expand.ts';
import { translateFilters } from './filter-patterns.ts';
import { type FilterRule, readFilterWords, readPatternLines, readPatternWords } from './filter-rules.ts';
import type { Assignment, Load, RsyncModule } from './modules.ts';
import { type Import, refusalOf, type Setting, type ShareSettings, toToml } from './settings.ts';

type Context = { readonly into: Import; readonly env: Environment; readonly load: Load };

/** `taken`: the shares before it, whose names and directories are no longer free. */
export async function translateShare(
  module: RsyncModule,
  taken: readonly ShareSettings[],
  context: Context,
): Promise<ShareSettings> {
  const { into, env } = context;
  const on = (parameter: string): boolean | null | undefined => {
    const line = module.values.get(parameter);
    return line === undefined ? undefined : readBoolean(expandVariables(line.value, env));
  };
  const name = shareName(module.name, taken);
  const place = sharePath(module, taken, context);
  const receives = on('read only') === false;
  const settings: Setting[] = [];
  /** Into the table where this version acts upon it; the line is judged in either case. */
  const set = (setting: Setting, note = ''): void => {
    const refusal = refusalOf('share', setting);
    if (refusal === null) settings.push(setting);
    const text =
      refusal === null
        ? `${toToml(setting)}${note === '' ? '' : `; ${note}`}`
        : `would be ${toToml(setting)}, but: ${refusal}`;
    for (const line of setting.from)
      into.judge(line as Assignment, refusal === null ? 'mapped' : 'explained', text);
  };

  await translateIgnore(module, context, set);
  const numeric = module.values.get('numeric ids');
  if (numeric !== undefined && on('numeric ids') !== null)
    set({ key: 'owner', value: on('numeric ids') === true ? 'numeric' : 'name', from: [numeric] });
  const after = module.values.get('post-xfer exec');
  if (after !== undefined) translateProgram(after, receives, into, set);

  const role = module.values.get('read only');
  if (role !== undefined)
    into.judge(
      role,
      'mapped',
      receives
        ? 'this host receives: here type p2psync join INVITATION DIR'
        : 'this host is the source: here type p2psync init DIR',
    );
  return { name, module, leftOut: place.leftOut, receives, settings: [...place.settings, ...settings] };
}

/** As the module's, as far as that can be a share's; a number behind it where another share has it. */
function shareName(name: string, taken: readonly ShareSettings[]): string {
  const bare =
    name
      .replace(/[^\p{L}\p{N}._-]+/gu, '-')
      .replace(/^[^\p{L}\p{N}]+/u, '')
      // No half of a letter that takes two units.
      .slice(0, 60)
      .replace(/[\ud800-\udbff]$/, '') || 'share';
  let free = bare;
  for (let count = 2; taken.some((share) => share.name === free); count += 1) free = `${bare}-${count}`;
  return free;
}

function sharePath(
  module: RsyncModule,
  taken: readonly ShareSettings[],
  { into, env }: Context,
): { readonly settings: readonly Setting[]; readonly leftOut: string | null } {
  const line = module.values.get('path');
  if (line === undefined) return { settings: [], leftOut: 'it has no path' };
  const chroot = into.config.globals.get('daemon chroot');
  const inside = expandVariables(line.value, env);
  const root = chroot === undefined ? '' : expandVariables(chroot.value, env);
  const whole = root === '' ? inside : posix.join(root, inside);
  const path = whole.startsWith('/') ? posix.normalize(whole).replace(/(?!^)\/+$/, '') : whole;
  const from = chroot === undefined ? [line] : [line, chroot];
  const setting: Setting = { key: 'path', value: path, from };
  const leftOut = whyNoShare(module, path, taken) ?? refusalOf('share', setting);
  if (leftOut !== null) into.judge(line, 'explained', leftOut);
  else if (path === line.value) into.judge(line, 'kept', toToml(setting));
  else into.judge(line, 'mapped', toToml(setting));
  if (chroot !== undefined && root !== '')
    into.judge(chroot, 'mapped', 'it stands before the paths of the shares; there is no chroot');
  return { settings: [setting], leftOut };
}

function whyNoShare(module: RsyncModule, path: string, taken: readonly ShareSettings[]): string | null {
  const limit = module.values.get('max connections');
  if (limit !== undefined && readInteger(limit.value) < 0)
    return 'max connections is negative, which switches the module off';
  const variable = connectionVariable(path);
  if (variable !== undefined)
    return `${variable} is another directory for each client; a share is one: write one [[share]] for each`;
  if (!path.startsWith('/')) return "a share's path is absolute: put the whole path there";
  if (path === '/') return "the whole file system cannot be a share: the agent's home and keys lie in it";
  for (const other of taken) {
    const theirs = other.settings.find(({ key }) => key === 'path')?.value;
    if (other.leftOut !== null || typeof theirs !== 'string') continue;
    if (theirs === path)
      return `share ${other.name} has this directory already: one share serves all who take part`;
    if (path.startsWith(`${theirs}/`)) return `it lies inside share ${other.name}, which replicates it too`;
    if (theirs.startsWith(`${path}/`)) return `it holds share ${other.name}; shares lie beside each other`;
  }
  return null;
}

async function translateIgnore(
  module: RsyncModule,
  { into, env, load }: Context,
  set: (setting: Setting) => void,
): Promise<void> {
  const rules: FilterRule[] = [];
  const read: { readonly line: Assignment; readonly notes: readonly string[] }[] = [];
  const add = (line: Assignment, found: readonly FilterRule[]): void => {
    rules.push(...found);
    read.push({ line, notes: translateFilters(found).leftOut });
  };
  // The order in which rsync asks them.
  for (const [parameter, kind] of [
    ['filter', null],
    ['include from', 'include'],
    ['include', 'include'],
    ['exclude from', 'exclude'],
    ['exclude', 'exclude'],
  ] as const) {
    const line = module.values.get(parameter);
    if (line === undefined) continue;
    const value = expandVariables(line.value, env);
    if (kind === null) add(line, readFilterWords(value));
    else if (!parameter.endsWith('from')) add(line, readPatternWords(value, kind));
    else if (value !== '') {
      try {
        const loaded = await load(value);
        if (loaded.kind === 'file') add(line, readPatternLines(loaded.text, kind));
        else into.judge(line, 'explained', `${value} is a directory; write its rules into ignore`);
      } catch (error) {
        into.judge(line, 'explained', `its rules are not in ignore: ${messageOf(error)}`);
      }
    }
  }
  const { ignore } = translateFilters(rules);
  const from = read.map(({ line }) => line);
  for (const { line, notes } of read) {
    if (notes.length > 0)
      into.judge(line, ignore.length > 0 ? 'mapped' : 'explained', `not in ignore: ${notes.join('; ')}`);
    else if (ignore.length === 0) into.judge(line, 'explained', 'nothing is excluded by it');
  }
  if (ignore.length > 0) set({ key: 'ignore', value: ignore, from });
}

/** A program with its arguments: what needs no shell to be taken apart. */
function translateProgram(
  line: Assignment,
  receives: boolean,
  into: Import,
  set: (setting: Setting, note?: string) => void,
): void {
  const words = line.value.split(/[ \t]+/).filter((word) => word !== '');
  if (words.length === 0) into.judge(line, 'explained', 'empty: nothing is run');
  else if (!receives)
    into.judge(
      line,
      'explained',
      "it ran after each client's download, and there are no downloads of single clients here",
    );
  else if (/["'`$\\;&|<>()*?[\]#~!{}%=]/.test(line.value))
    into.judge(
      line,
      'explained',
      "it needs a shell or rsync's variables, and no shell is run here: put it into a script that waits for a version (p2psync wait)",
    );
  else
    set(
      { key: 'on_applied', value: [words], from: [line] },
      'run after each version, not after each transfer',
    );
}
