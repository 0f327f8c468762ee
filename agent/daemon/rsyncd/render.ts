/** The text of the imported `config.toml`: settings with the lines they come from, and a comment for each other line. Pure. */
import { printable } from '../../base/printable.ts';
import type { ImportNote } from './import.ts';
import type { Line } from './modules.ts';
import { type Setting, type ShareSettings, type Table, toToml } from './settings.ts';

export type Rendered = {
  /** The file that was asked for. */
  readonly file: string;
  readonly tables: ReadonlyMap<Table, readonly Setting[]>;
  readonly shares: readonly ShareSettings[];
  readonly notes: readonly ImportNote[];
};

/** Longest value that a comment shows, characters; the file itself has the rest. */
const shownMax = 120;

export function renderConfig({ file, tables, shares, notes }: Rendered): string {
  const used = new Set(
    [...tables.values(), ...shares.map(({ settings }) => settings)]
      .flat()
      .flatMap(({ from }) => from.map(idOf)),
  );
  const lines = [
    `# config.toml for p2psync, made of ${printable(file)} by p2psync import-rsyncd.`,
    '# A line that is not in it is named in a comment; docs/FROM-RSYNC.md tells more, and the way there.',
  ];
  /** Of lines that have no setting, or one that does not say it all. */
  const comments = (module: string | null): void => {
    const own = notes.filter((note) => note.module === module && !isHeader(note));
    const silent = own.filter(
      (note) => !used.has(idOf(note)) || note.note.includes('; ') || note.note.startsWith('not in '),
    );
    if (silent.length > 0) lines.push('');
    for (const note of silent) lines.push(...commentOf(note));
  };

  comments(null);
  for (const [table, settings] of tables) {
    if (settings.length === 0) continue;
    lines.push('', ...(table === '' ? [] : [`[${table}]`]), ...settings.map(settingLine));
  }
  for (const share of shares) {
    const { module, leftOut } = share;
    comments(module.name);
    const comment = module.values.get('comment')?.value ?? '';
    lines.push('', ...(comment === '' ? [] : [`# ${printable(comment)}`]));
    const table = ['[[share]]', settingLine({ key: 'name', value: share.name, from: [module.header] })];
    table.push(...share.settings.map(settingLine));
    const path = share.settings.find(({ key }) => key === 'path')?.value;
    if (leftOut !== null) {
      lines.push(`# ${placeOf(module.header)}: ${printable(module.header.parameter)}`);
      lines.push(`#   left out: ${printable(leftOut)}`, ...table.map((line) => `# ${line}`));
      continue;
    }
    lines.push(
      share.receives
        ? `# Clients could upload: this host receives. p2psync join INVITATION ${shellWord(String(path))}`
        : `# Clients could only download: this host is the source. p2psync init ${shellWord(String(path))} --share ${share.name}`,
      ...table,
    );
  }
  return `${lines.join('\n')}\n`;
}

function settingLine(setting: Setting): string {
  const places = setting.from.map(placeOf);
  return `${toToml(setting)}${places.length === 0 ? '' : `    # ${[...new Set(places)].join(', ')}`}`;
}

function commentOf(note: ImportNote): readonly string[] {
  const value = note.value.length > shownMax ? `${note.value.slice(0, shownMax)}…` : note.value;
  const written =
    value === ''
      ? note.parameter
      : `${note.parameter}${note.parameter.startsWith('&') ? ' ' : ' = '}${value}`;
  return [`# ${placeOf(note)}: ${printable(written)}`, `#   ${note.note}`];
}

function isHeader(note: ImportNote): boolean {
  return note.parameter.startsWith('[');
}

function placeOf({ file, line }: Pick<Line, 'file' | 'line'>): string {
  return `${printable(file)}:${line}`;
}

function idOf({ file, line }: Pick<Line, 'file' | 'line'>): string {
  return `${file}:${line}`;
}

function shellWord(text: string): string {
  const word = printable(text);
  return /^[A-Za-z0-9_./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
