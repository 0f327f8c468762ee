/** `authority`: where the key lies that invites and removes, and how it moves to another machine or off all of them. */
import { P2psyncError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { authorityEvent, recordAlone } from '../../daemon/audit-setup.ts';
import { authorityStatus, exportAuthority, importAuthority } from '../../daemon/authority.ts';
import { readShares } from '../../daemon/home.ts';
import { pickShare } from '../../daemon/setup.ts';
import type { AuthorityResult } from '../../http/api-members.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { throughAgentOr } from '../starting.ts';

export async function run(invocation: Invocation): Promise<number> {
  const [what, file] = [invocation.argument(0), invocation.argument(1)];
  if (what === 'status') return status(invocation, file);
  if (file === undefined)
    throw new P2psyncError('usage', `authority ${what} takes a FILE; see p2psync authority --help`);
  const move = invocation.has('move');
  if (move && what !== 'export') throw new P2psyncError('usage', '--move is for authority export FILE');
  const path = invocation.absolute(file);
  const { home } = invocation;
  const result =
    what === 'import'
      ? await importAuthority(home, path)
      : await exportAuthority(home, pickShare(await readShares(home), invocation.share().share), {
          file: path,
          move,
        });
  await note(invocation, result);
  await invocation.print(result);
  await invocation.mention(words(result));
  return exitCodes.done;
}

async function status(invocation: Invocation, file: string | undefined): Promise<number> {
  if (file !== undefined) throw new P2psyncError('usage', 'authority status takes no FILE');
  const { share } = invocation.share();
  const all = await authorityStatus(invocation.home);
  const rows =
    share === undefined
      ? all
      : [
          pickShare(
            all.map((row) => ({ ...row, name: row.share })),
            share,
          ),
        ];
  const reports = all.filter(({ id }) => rows.some((row) => row.id === id));
  await invocation.print(reports);
  for (const { share: name, path, fingerprint } of reports) {
    const where = path === null ? 'not on this machine' : printable(path);
    await invocation.say(`${printable(name)}  ${where}\n  fingerprint ${fingerprint}`);
  }
  if (reports.length === 0) await invocation.say('no shares');
  return exitCodes.done;
}

/** In the audit log, which a running agent holds. */
async function note(
  { home, agent, terminal, socketPath }: Invocation,
  result: AuthorityResult,
): Promise<void> {
  const { share, did, fingerprint } = result;
  await throughAgentOr(
    { home, terminal, socketPath },
    () => agent.noteAuthority({ share, did, fingerprint }),
    () => recordAlone(home, authorityEvent(result)),
  );
}

function words({ share, file, did, fingerprint }: AuthorityResult): string {
  const name = printable(share);
  const where = printable(file);
  const said = {
    exported: `the authority key of share ${name} was copied to ${where}; it is on this machine, too`,
    moved: `the authority key of share ${name} is in ${where} alone, and on this machine no more: whoever loses that file can invite and remove nobody`,
    imported: `the authority key of share ${name} is on this machine now; ${where} is still there: keep it safe, or remove it`,
  }[did];
  return `${said}\nfingerprint ${fingerprint}`;
}
