/**
 * What the kernel lets this process do beyond the rights of its user: root's powers are given one by one, also to others
 * (capabilities(7)), and may be kept from root. Read from /proc; where there is none, root has all.
 */
import { readFileSync } from 'node:fs';
import { hasErrorCode } from './system-errors.ts';

/** By the numbers of linux/capability.h. */
const capabilities = { chown: 0, dacOverride: 1, setgid: 6, setuid: 7 } as const;

export type Capability = keyof typeof capabilities;

// Changes while running: who the process is, and what it may.
let seen: { readonly euid: number | undefined; readonly bits: bigint } | undefined;

/**
 * `chown`: give files away. `dacOverride`: read and write whatever the mode says. `setgid`, `setuid`: become somebody else.
 * Looked up again whenever the user has changed.
 */
export function isCapable(what: Capability): boolean {
  const euid = process.geteuid?.();
  if (seen === undefined || seen.euid !== euid) seen = { euid, bits: effective(euid) };
  return ((seen.bits >> BigInt(capabilities[what])) & 1n) === 1n;
}

function effective(euid: number | undefined): bigint {
  let status = '';
  try {
    status = readFileSync('/proc/thread-self/status', 'utf8');
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT', 'EACCES')) throw error;
  }
  return parseEffective(status) ?? (euid === 0 ? ~0n : 0n);
}

/** The line `CapEff` of /proc/PID/status; null where there is none. */
export function parseEffective(status: string): bigint | null {
  const hex = /^CapEff:\s*([0-9a-f]{1,32})$/m.exec(status)?.[1];
  return hex === undefined ? null : BigInt(`0x${hex}`);
}
