/** A host in a process of its own, to be killed: prints its addresses as JSON, dials the addresses it was given. */
import { parseArgs } from 'node:util';
import { startTestHost } from './hosts.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const host = await startTestHost();
if (positionals.length > 0) await host.dial(positionals, { peer: null, signal: AbortSignal.timeout(8_000) });
console.log(JSON.stringify(host.addresses()));
