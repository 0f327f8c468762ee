/** The machine: Node, clock, limits of the kernel. Reads /proc; where that is not there, says so. */
import { readFile } from 'node:fs/promises';
import { agentVersion } from '../../daemon/version.ts';
import { countOf, formatCount } from '../render/format.ts';
import { type Check, fail, ok, warn } from './check.ts';

/** `engines` of the package: below it types are not stripped and WebSocket-era APIs are missing. */
const nodeLeast = [22, 22] as const;
/** The program is younger than this, so that an earlier clock is wrong. */
const yearLeast = 2025;
/** Sockets, watched directories and files in transfer of a busy agent, with room. */
const descriptorsWanted = 4096;
/** One is ours; the rest of the machine needs some too. */
const inotifyInstancesLeast = 16;

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = major > nodeLeast[0] || (major === nodeLeast[0] && minor >= nodeLeast[1]);
  const message = `node ${version}, p2psync ${agentVersion}`;
  if (fits) return ok('node', message);
  return fail(
    'node',
    `${message}; ${nodeLeast.join('.')} or newer is needed`,
    'npm install (it brings its own node)',
  );
}

export function checkClock(now: Date): Check {
  if (now.getFullYear() >= yearLeast) return ok('clock', `${now.toISOString().slice(0, 19)}Z`);
  return fail(
    'clock',
    `the clock says ${now.getFullYear()}: invitations and heads will be refused`,
    'timedatectl set-ntp true',
  );
}

/** `limits` is the text of /proc/self/limits. */
export function checkDescriptors(limits: string | undefined): Check {
  const match = /^Max open files\s+(\d+|unlimited)\s+(\d+|unlimited)/m.exec(limits ?? '');
  if (match === null) return warn('descriptors', 'the limit of open files is not known', 'ulimit -n');
  const soft = match[1] === 'unlimited' ? Number.POSITIVE_INFINITY : Number(match[1]);
  const message = `${match[1]} open files are allowed`;
  if (soft >= descriptorsWanted) return ok('descriptors', message);
  return warn(
    'descriptors',
    `${message}; a busy agent wants ${descriptorsWanted}`,
    `ulimit -n ${descriptorsWanted} (in a systemd unit: LimitNOFILE=${descriptorsWanted})`,
  );
}

export type DirectoryCount = { readonly count: number; readonly isComplete: boolean };

/** One watch a directory; `watches` and `instances` are texts from /proc/sys/fs/inotify. */
export function checkInotify(
  texts: { readonly watches: string | undefined; readonly instances: string | undefined },
  directories: DirectoryCount,
): readonly Check[] {
  const watches = Number(texts.watches);
  const instances = Number(texts.instances);
  if (!(watches > 0 && instances > 0)) {
    return [warn('inotify-watches', 'the limits of inotify are not known', 'sysctl fs.inotify')];
  }
  const seen = `${directories.isComplete ? '' : 'at least '}${countOf(directories.count, 'directory', 'directories')}`;
  const message = `${formatCount(watches)} inotify watches for ${seen}`;
  // Twice, because other programs of the same user draw on the same number, and trees grow.
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(8192, directories.count * 2)));
  const remedy = `sysctl -w fs.inotify.max_user_watches=${wanted} (to keep it: in /etc/sysctl.d/p2psync.conf)`;
  return [
    watches < directories.count
      ? fail('inotify-watches', `${message}: changes would be seen late`, remedy)
      : watches < directories.count * 2
        ? warn('inotify-watches', `${message}: it is getting tight`, remedy)
        : ok('inotify-watches', message),
    instances < inotifyInstancesLeast
      ? warn(
          'inotify-instances',
          `${instances} inotify instances are allowed`,
          'sysctl -w fs.inotify.max_user_instances=128 (to keep it: in /etc/sysctl.d/p2psync.conf)',
        )
      : ok('inotify-instances', `${formatCount(instances)} inotify instances are allowed`),
  ];
}

/** Undefined where the file cannot be read. */
export async function readOrNothing(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch(() => undefined);
}
