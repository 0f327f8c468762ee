/** `run`: the agent itself, in the foreground, until SIGTERM or SIGINT. */
import { resolve } from 'node:path';
import { messageOf, P2psyncError } from '../../base/errors.ts';
import { readConfig } from '../../daemon/config.ts';
import { openLog } from '../../daemon/log.ts';
import { openSyslog } from '../../daemon/syslog.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { agent, home, terminal } = invocation;
  const config = await readConfig(home);
  if (config.file === null) {
    throw new P2psyncError(
      'config',
      `nothing is set up in ${home}: begin with p2psync init DIR, or p2psync join INVITATION DIR`,
      { home },
    );
  }
  const syslog = config.log.syslog === null ? null : await openSyslog({ facility: config.log.syslog });
  const sink = openLog({
    level: invocation.verbose ? 'debug' : invocation.quiet ? 'warn' : config.log.level,
    format: invocation.json ? 'json' : config.log.format,
    file: config.log.file === null ? null : resolve(home, config.log.file),
    color: terminal.errIsTerminal && invocation.colorAllowed,
    ...(syslog === null ? {} : { also: syslog.write }),
  });
  terminal.onHangup(() => {
    sink.reopen();
    // The same way as `p2psync reload`, so that there is one.
    agent.reload().then(
      ({ changed, restart }) => sink.log.info({ changed, restart }, 'configuration read again'),
      (error: unknown) => sink.log.error({ error: messageOf(error) }, 'the configuration stays as it was'),
    );
  });
  try {
    const { runAgent } = await import('../../daemon/run.ts');
    await runAgent({
      home,
      config,
      log: sink.log,
      signal: terminal.signal,
      onAudit: (line) => syslog?.write('notice', `audit ${line}`),
      warnings: () => [syslog?.warning() ?? null],
    });
    return exitCodes.done;
  } finally {
    sink.close();
    await syslog?.close();
  }
}
