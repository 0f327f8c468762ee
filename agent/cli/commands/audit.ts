/** `audit`: the security log, and whether it is as it was written. Reads the files; needs no running agent. */
import { P2psyncError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { keyPairFromSeed } from '../../core/keys.ts';
import { type AuditLine, readLine } from '../../daemon/audit-event.ts';
import { auditFile, auditFiles, linesOf } from '../../daemon/audit-files.ts';
import { type AuditVerdict, verifyAudit } from '../../daemon/audit-verify.ts';
import { tailLines } from '../../daemon/tail.ts';
import { loadIdentity } from '../../store/identity.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { countOf, formatTime } from '../render/format.ts';
import { writeRows } from './output.ts';

export async function run(invocation: Invocation): Promise<number> {
  const what = invocation.argument(0);
  if (what !== undefined && what !== 'verify') {
    throw new P2psyncError('usage', `audit ${JSON.stringify(what)}: it is audit, or audit verify`);
  }
  if (what === 'verify') return verify(invocation);
  if (!invocation.has('follow')) {
    await writeRows(invocation, allLines(invocation.home), render);
    return exitCodes.done;
  }
  const { home, terminal } = invocation;
  for await (const text of tailLines(auditFile(home), { follow: true, signal: terminal.signal })) {
    const read = readLine(Buffer.from(text));
    if (read.kind === 'line')
      await terminal.write(`${invocation.json ? JSON.stringify(read.line) : render(read.line)}\n`);
    else terminal.complain(`p2psync: a line of ${auditFile(home)} is wrong: ${read.reason}`);
  }
  return exitCodes.done;
}

async function* allLines(home: string): AsyncGenerator<AuditLine> {
  for (const path of await auditFiles(home)) {
    for await (const { bytes } of linesOf(path)) {
      const read = readLine(bytes);
      // What is wrong is for `verify` to say; here it is shown as far as it can be.
      if (read.kind === 'line') yield read.line;
      else yield { seq: 0, time: '', event: 'damaged', prev: '', hash: '', text: bytes.toString() };
    }
  }
}

async function verify(invocation: Invocation): Promise<number> {
  const { home } = invocation;
  const identity = loadIdentity(home);
  if (identity === undefined) throw new P2psyncError('not-found', `there is no identity in ${home}`);
  const verdict = await verifyAudit(home, keyPairFromSeed(identity.seed).publicKey);
  await invocation.print({ ok: verdict.wrong === null, ...verdict });
  if (verdict.wrong === null) {
    await invocation.mention(praise(verdict));
    return exitCodes.done;
  }
  const { file, line, reason } = verdict.wrong;
  await invocation.say(`${file}${line === 0 ? '' : ` line ${line}`}: ${printable(reason)}`);
  return exitCodes.differences;
}

function praise({ lines, first, last, sealed }: AuditVerdict): string {
  if (first === null || last === null) return 'no events yet';
  const open = last - (sealed ?? 0);
  const since = first > 1 ? `, from number ${first} on` : '';
  const rest = open > 0 ? `; the last ${countOf(open, 'one')} not sealed yet` : '';
  return `${countOf(lines, 'event')}${since}: none altered, none missing${rest}`;
}

/** `2026-11-21 09:30:15  #12  joined  share=www name=web2` */
function render(line: AuditLine): string {
  const { seq, time, event, prev: _, hash: __, ...fields } = line;
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${valueOf(value)}`);
  const when = time === '' ? '-' : formatTime(time);
  return [when, `#${seq}`, printable(event), ...facts].join('  ');
}

function valueOf(value: unknown): string {
  if (typeof value !== 'string') return printable(JSON.stringify(value) ?? '');
  const shown = printable(value);
  return shown === '' || /[\s"]/.test(shown) ? JSON.stringify(shown) : shown;
}
