/** The classic: inotifywait in a pipe, and for each line it prints one rsync to each host in turn. The event mask has no move. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender, Session, Site } from '../contender.ts';
import type { Owned } from '../processes.ts';
import { firstLineOf, prepareRsyncDaemons } from '../rsync.ts';

export const loop: Contender = {
  name: 'loop',
  summary:
    'inotifywait -mrq -e modify,delete,create,attrib | while read; do rsync -vzrtopg --delete to each; done',
  programs: ['inotifywait', 'rsync', 'bash'],
  misses: { symlinks: 'it does not copy symlinks (no -l)' },
  // 1.x has no --version: its help begins with the name and number.
  version: () => firstLineOf('inotifywait', ['--help']).catch((error: unknown) => firstLineOfFailure(error)),
  async prepare(site: Site): Promise<Session> {
    const { source, processes } = site;
    const daemons = await prepareRsyncDaemons(site);
    const script = join(source.state, 'loop.sh');
    // The first line stands for the first copy, made when the watches are asked for.
    writeFileSync(
      script,
      `{ echo start; exec inotifywait -mrq -e modify,delete,create,attrib "$1"; } | while read -r line; do
  for host in ${daemons.targets.join(' ')}; do
    rsync -vzrtopg --delete "$1/" "$host" </dev/null
  done
done
`,
    );
    let running: Owned | undefined;
    return {
      startDestinations: () => daemons.start(),
      startSource() {
        running = processes.start('source', [...source.enter, 'bash', script, source.directory], {
          log: join(source.state, 'log'),
        });
      },
      async stopSource() {
        if (running !== undefined) await processes.stop(running);
      },
    };
  },
};

function firstLineOfFailure(error: unknown): string {
  const output = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
  return output.trim().split('\n')[0] ?? '';
}
