/** A host of a known seed in a process of its own, so that another of the same seed can take its place. */
import { parseArgs } from 'node:util';
import { startTestHost } from './hosts.ts';

const { positionals } = parseArgs({ allowPositionals: true });
const host = await startTestHost({ seed: new Uint8Array(32).fill(7) });
await host.dial(positionals, { peer: null, signal: AbortSignal.timeout(8_000) });
