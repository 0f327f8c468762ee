/** rsync by hand: after a change one push to every destination's daemon, all at once, as a deploy script does. Follows nothing by itself. */
import { join } from 'node:path';
import type { Contender, Session, Site } from '../contender.ts';
import { firstLineOf, prepareRsyncDaemons } from '../rsync.ts';

export const rsync: Contender = {
  name: 'rsync',
  summary: 'rsync -aH --delete to all daemons at once, started by the change',
  programs: ['rsync'],
  version: () => firstLineOf('rsync', ['--version']),
  async prepare(site: Site): Promise<Session> {
    const { source, processes } = site;
    const daemons = await prepareRsyncDaemons(site);
    const push = async (): Promise<void> => {
      await Promise.all(
        daemons.targets.map((target) =>
          processes.run(
            'source',
            [...source.enter, 'rsync', '-aH', '--delete', `${source.directory}/`, target],
            // 24: files vanished while it ran, the next push has it.
            { log: join(source.state, 'log'), codes: [0, 24] },
          ),
        ),
      );
    };
    return {
      startDestinations: () => daemons.start(),
      startSource: () => {},
      push,
      stopSource: async () => {},
    };
  },
};
