/** What an agent writes down besides its log, joined: the transfer log, the audit log and refusals on their way there. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type KeyPair, type PeerId, peerIdOf } from '../core/keys.ts';
import type { AgentWarning } from '../http/api.ts';
import { type AuditLog, openAudit } from './audit-log.ts';
import { createRefusals, type Refused } from './audit-refusals.ts';
import type { Config } from './config.ts';
import { createTransferLog, type TransferLog } from './transfer-log.ts';
import { agentVersion } from './version.ts';

export type Records = {
  readonly transfers: TransferLog | null;
  readonly audit: AuditLog;
  refused(refusal: Refused): void;
  /** After a rotation. */
  reopen(): void;
  /** What could not be written. */
  warnings(): readonly AgentWarning[];
  close(): Promise<void>;
};

export type RecordsOptions = {
  readonly home: string;
  readonly config: Config;
  readonly keyPair: KeyPair;
  /** Each line of the audit log, for syslog. */
  readonly onAudit?: (line: string) => void;
  /** Of logs that others own. */
  readonly warnings?: () => readonly (AgentWarning | null)[];
};

/** @throws {P2psyncError} locked, io. */
export async function openRecords(options: RecordsOptions): Promise<Records> {
  const { home, config, keyPair, onAudit } = options;
  const audit = await openAudit({ home, keyPair, ...(onAudit === undefined ? {} : { onLine: onAudit }) });
  const { transfers: file } = config.log;
  const transfers = file === null ? null : createTransferLog({ path: resolve(home, file) });
  const refusals = createRefusals((event) => void audit.record(event));
  const peer: PeerId = peerIdOf(keyPair.publicKey);
  const text = config.file === null ? '' : await readFile(config.file);
  await audit.record({
    event: 'agent-started',
    peer,
    version: agentVersion,
    pid: process.pid,
    config: createHash('sha256').update(text).digest('hex'),
  });
  return {
    transfers,
    audit,
    refused: refusals.refused,
    reopen: () => transfers?.reopen(),
    warnings() {
      const all = [...(options.warnings?.() ?? []), transfers?.warning() ?? null, audit.warning()];
      return all.filter((one) => one !== null);
    },
    async close() {
      refusals.close();
      await transfers?.close();
      await audit.record({ event: 'agent-stopped', pid: process.pid });
      await audit.close();
    },
  };
}
