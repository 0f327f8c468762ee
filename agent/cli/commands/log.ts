/** `log`: what arrived here, went, or was published, as rsyncd would have logged it. Reads the file; needs no running agent. */
import { resolve } from 'node:path';
import { P2psyncError } from '../../base/errors.ts';
import { readConfig } from '../../daemon/config.ts';
import { tailLines } from '../../daemon/tail.ts';
import { formatTransfer, rsyncdFormat, rsyncTime } from '../../daemon/transfer-format.ts';
import { parseRecord, type TransferRecord } from '../../daemon/transfer-record.ts';
import { exitCodes } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { writeRows } from './output.ts';

export async function run(invocation: Invocation): Promise<number> {
  const { home, terminal } = invocation;
  const config = await readConfig(home);
  const { transfers } = config.log;
  if (transfers === null) {
    throw new P2psyncError('config', `transfers are not logged: [log] transfers is "off" in ${config.file}`);
  }
  const follow = invocation.has('follow');
  const { share } = invocation.share();
  const format = invocation.text('format') ?? rsyncdFormat;
  const formatTime = await timeFormatter(invocation.text('timefmt'));
  const pathOf = (name: string): string => config.shares.find((one) => one.name === name)?.path ?? '';
  let damaged = 0;

  async function* records(): AsyncGenerator<TransferRecord> {
    for await (const line of tailLines(resolve(home, transfers ?? ''), { follow, signal: terminal.signal })) {
      const record = parseRecord(line);
      if (record === undefined) damaged += 1;
      else if (share === undefined || record.share === share) yield record;
    }
  }
  if (follow) {
    for await (const record of records()) {
      const line = invocation.json
        ? JSON.stringify(record)
        : formatTransfer(record, format, { formatTime, pathOf });
      await terminal.write(`${line}\n`);
    }
  } else {
    await writeRows(invocation, records(), (record) =>
      formatTransfer(record, format, { formatTime, pathOf }),
    );
  }
  if (damaged > 0) {
    const lines = damaged === 1 ? 'a line' : `${damaged} lines`;
    terminal.complain(
      `p2psync: ${lines} of ${transfers} could not be read, and ${damaged === 1 ? 'is' : 'are'} left out`,
    );
  }
  return exitCodes.done;
}

async function timeFormatter(format: string | undefined): Promise<(timeMs: number) => string> {
  if (format === undefined) return rsyncTime;
  const { formatTimeBy } = await import('../render/timefmt.ts');
  return (timeMs) => formatTimeBy(format, timeMs);
}
