/** `reload`: reads the configuration again. */
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { changed, restart } = await invocation.agent.reload();
  await invocation.print({ changed, restart });
  await invocation.mention(changed.length === 0 ? 'nothing changed' : `now in force: ${changed.join(', ')}`);
  if (restart.length > 0) await invocation.say(`in force after a restart: ${restart.join(', ')}`);
  return exitCodes.done;
}
