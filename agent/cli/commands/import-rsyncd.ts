/** `import-rsyncd`: an `rsyncd.conf` as a `config.toml`, on standard output. Writes no file and needs no agent. */
import { importRsyncd } from '../../daemon/rsyncd/import.ts';
import { createLoad } from '../../daemon/rsyncd/read.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { terminal } = invocation;
  const result = await importRsyncd(invocation.argument(0) ?? '', createLoad(terminal.cwd), terminal.env);
  await invocation.print(result);
  await invocation.say(result.config);
  const explained = result.notes.filter(({ outcome }) => outcome === 'explained').length;
  if (!invocation.json && !invocation.quiet && explained > 0)
    terminal.complain(
      `${result.notes.length} lines, ${explained} of them without an equivalent: the comments say why`,
    );
  return exitCodes.done;
}
