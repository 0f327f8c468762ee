/** `status` for a person. Pure. */
import { printable } from '../../base/printable.ts';
import type { ShareReport, StatusReport, VersionReport } from '../../http/api.ts';
import { countOf, formatBytes, formatCount, formatDuration, formatPercent, progressBar } from './format.ts';
import type { TableOptions } from './table.ts';
import { type Color, paint, shorten, widthOf } from './text.ts';

/** Faults of a share that are listed; `--json` has all. */
const faultsShown = 10;

export function stateColor(state: string): Color | undefined {
  switch (state) {
    case 'in-sync':
      return 'green';
    case 'syncing':
    case 'scanning':
    case 'starting':
      return 'cyan';
    case 'stale':
    case 'paused':
      return 'yellow';
    case 'error':
      return 'red';
    default:
      return 'dim';
  }
}

/** `1.42` */
export function versionOf(version: { readonly epoch: number; readonly sequence: number } | null): string {
  return version === null ? '-' : `${version.epoch}.${version.sequence}`;
}

/** The digits that a command takes for a root. */
export function shortRoot(version: VersionReport): string {
  return version.root.slice(0, 8);
}

export function renderStatus(report: StatusReport, options: TableOptions): readonly string[] {
  const { agent } = report;
  const address = agent.addresses[0];
  const more = agent.addresses.length > 1 ? ` and ${agent.addresses.length - 1} more` : '';
  const id = shorten(agent.peerId, options.width < 110 ? 12 : 64, 'start');
  const rest = `${id}, up ${formatDuration(agent.uptimeSeconds)}, p2psync ${printable(agent.version)}`;
  const lines = [titled(agent.name, rest, options)];
  if (address !== undefined) lines.push(fitted(`listening on ${printable(address)}${more}`, options));
  for (const { message } of agent.warnings) {
    lines.push(paint(fitted(`warning: ${printable(message)}`, options), 'yellow', options.color));
  }
  if (report.shares.length === 0)
    lines.push('', 'no shares yet: p2psync init DIR, or p2psync join INVITATION DIR');
  for (const share of report.shares) lines.push('', ...renderShare(share, options));
  return lines;
}

function renderShare(share: ShareReport, options: TableOptions): readonly string[] {
  const state = paint(share.state, stateColor(share.state), options.color);
  const lines = [
    titled(share.name, `${share.role} of ${printable(share.path)}`, options, {
      text: state,
      width: share.state.length,
    }),
  ];
  const field = (name: string, value: string): void => {
    const shown = fitted(`  ${name.padEnd(9)} ${value}`, options);
    lines.push(options.color ? shown.replace(name, paint(name, 'dim', true)) : shown);
  };
  const { applied, head } = share;
  field('version', applied === null ? 'none yet' : `${versionOf(applied)}, root ${shortRoot(applied)}`);
  if (head === null) field('head', 'none heard of yet');
  else {
    const same = applied !== null && applied.epoch === head.epoch && applied.sequence === head.sequence;
    const which = same ? 'the same' : `${versionOf(head)}, root ${shortRoot(head)}`;
    field('head', `${which}, signed ${formatDuration(head.ageSeconds)} ago`);
  }
  field('holds', `${countOf(share.files, 'file')}, ${formatBytes(share.bytes)}`);
  if (head !== null && isBusy(share)) {
    const { files, bytes, blocks } = share.pending;
    const rest = `${countOf(files, 'file')}, ${formatBytes(bytes)} in ${countOf(blocks, 'block')} to go`;
    field('progress', `${progressBar(share.progress, 22)} ${formatPercent(share.progress)}, ${rest}`);
  }
  const { membersAtHead, membersKnown, peersConnected } = share;
  field(
    'members',
    `${membersAtHead} of ${membersKnown} at the head, ${formatCount(peersConnected)} connected`,
  );
  const { sentBytes, receivedBytes, duplicateBytes } = share.traffic;
  const twice = duplicateBytes > 0 ? `, ${formatBytes(duplicateBytes)} of it twice` : '';
  field('traffic', `${formatBytes(sentBytes)} sent, ${formatBytes(receivedBytes)} received${twice}`);
  for (const fault of share.errors.slice(0, faultsShown)) {
    const where = fault.path === '' ? '' : `${printable(fault.path)}: `;
    lines.push(
      paint(fitted(`  error     ${where}${printable(fault.message)}`, options), 'red', options.color),
    );
  }
  if (share.errors.length > faultsShown) {
    lines.push(`            and ${share.errors.length - faultsShown} more errors; --json has them all`);
  }
  return lines;
}

function isBusy(share: ShareReport): boolean {
  const { files, bytes, blocks } = share.pending;
  return share.state === 'syncing' || files + bytes + blocks > 0;
}

/** The name stands out, then `mark` (painted, of that many columns); the rest is cut to what is left of the width. */
function titled(
  name: string,
  rest: string,
  options: TableOptions,
  mark?: { readonly text: string; readonly width: number },
): string {
  const shown = printable(name);
  const taken = widthOf(shown) + 2 + (mark === undefined ? 0 : mark.width + 2);
  const parts = [paint(shown, 'bold', options.color), ...(mark === undefined ? [] : [mark.text])];
  return [...parts, shorten(rest, Math.max(10, options.width - taken), 'end')].join('  ');
}

function fitted(line: string, options: TableOptions): string {
  return shorten(line, options.width, 'end');
}
