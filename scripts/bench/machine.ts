/** What the figures were taken on, for those who compare: processor, memory, system, versions. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Contender } from './contender.ts';

export async function describeMachine(contenders: readonly Contender[]): Promise<Record<string, string>> {
  const processors = cpus();
  const versions: [string, string][] = [];
  for (const { name, version } of contenders)
    versions.push([`version of ${name}`, await version().catch((error: unknown) => String(error))]);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${systemName()}, Linux ${release()}, Node ${process.version}`,
    ...Object.fromEntries(versions),
  };
}

function systemName(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  } catch {
    return 'Linux';
  }
}

export function isInstalled(program: string): boolean {
  const directories = `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter);
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
