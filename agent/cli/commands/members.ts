/** `members`: who belongs to the shares, in which role, and who may still come. */
import type { MembersReport } from '../../http/api-members.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { formatTime } from '../render/format.ts';
import { type Column, renderTable, type TableOptions } from '../render/table.ts';
import { byName } from '../render/text.ts';
import { widthOfOutput } from './output.ts';

const memberColumns: readonly Column[] = [
  { title: 'share', importance: 3 },
  { title: 'name', least: 8, importance: 4 },
  { title: 'id', least: 9, importance: 1, shorten: 'start' },
  { title: 'role' },
  { title: 'joined (UTC)', importance: 2 },
  { title: '', importance: 5 },
];

const invitationColumns: readonly Column[] = [
  { title: 'share', importance: 2 },
  { title: 'open invitation', least: 8, importance: 1 },
  { title: 'role' },
  { title: 'uses left', align: 'right' },
  { title: 'expires (UTC)' },
];

export async function run(invocation: Invocation): Promise<number> {
  const report = onlyOf(await invocation.agent.members(), invocation.share().share);
  await invocation.print(report);
  const options = { width: widthOfOutput(invocation), color: invocation.color };
  await invocation.say(render(report, options).join('\n'));
  return exitCodes.done;
}

function onlyOf(report: MembersReport, share: string | undefined): MembersReport {
  if (share === undefined) return report;
  return {
    members: report.members.filter((row) => row.share === share),
    invitations: report.invitations.filter((row) => row.share === share),
  };
}

function render(report: MembersReport, options: TableOptions): readonly string[] {
  if (report.members.length === 0) return ['no members'];
  const members = [...report.members]
    .sort(byName)
    .map((member) => [
      member.share,
      member.name,
      member.peerId,
      member.role,
      member.joined === null ? '-' : formatTime(member.joined),
      member.revoked ? { text: 'revoked', color: 'red' as const } : member.self ? 'this agent' : '',
    ]);
  const lines = renderTable(memberColumns, members, options);
  // Those with which nobody can come any more are in `--json`.
  const invitations = report.invitations
    .filter(({ open }) => open)
    .map(({ share, id, role, left, uses, expires }) => [
      share,
      id,
      role,
      `${left} of ${uses}`,
      formatTime(expires),
    ]);
  if (invitations.length === 0) return lines;
  return [...lines, '', ...renderTable(invitationColumns, invitations, options)];
}
