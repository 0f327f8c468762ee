/** lsyncd with no delay, one target a destination, over the destinations' rsync daemons. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender, Session, Site } from '../contender.ts';
import type { Owned } from '../processes.ts';
import { firstLineOf, prepareRsyncDaemons } from '../rsync.ts';

export const lsyncd: Contender = {
  name: 'lsyncd',
  summary: 'default.rsync, delay 0, archive and hard links',
  programs: ['lsyncd', 'rsync'],
  version: async () => `lsyncd ${(await firstLineOf('lsyncd', ['--version'])).replace(/^Version:\s*/, '')}`,
  async prepare(site: Site): Promise<Session> {
    const { source, processes } = site;
    const daemons = await prepareRsyncDaemons(site);
    const config = join(source.state, 'lsyncd.lua');
    const syncs = daemons.targets.map(
      (target) => `sync {
  default.rsync, source = "${source.directory}/", target = "${target}", delay = 0, delete = true,
  rsync = { archive = true, hard_links = true, compress = false },
}
`,
    );
    const settings = `settings { nodaemon = true, insist = true, logfile = "${join(source.state, 'lsyncd.log')}" }\n`;
    writeFileSync(config, settings + syncs.join(''));
    let running: Owned | undefined;
    return {
      startDestinations: () => daemons.start(),
      startSource() {
        const command = [...source.enter, 'lsyncd', '-nodaemon', config];
        running = processes.start('source', command, { log: join(source.state, 'log') });
      },
      async stopSource() {
        if (running !== undefined) await processes.stop(running);
      },
    };
  },
};
