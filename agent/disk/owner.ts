/**
 * Account names of numbers and numbers of names, from /etc/passwd and /etc/group: Node has no getpwnam, and
 * these files are what the machines of a web cluster share. Never asks a directory service.
 */
import { readFileSync, statSync } from 'node:fs';
import { P2psyncError } from '../base/errors.ts';
import { accountsRecheckMs } from '../base/limits.ts';
import type { Owner } from '../core/entry.ts';

/** Who owns what is written: by name, by number, nobody in particular, or always this account. */
export type OwnerPolicy = 'name' | 'numeric' | 'off' | { readonly user: string; readonly group: string };
export type Ids = { readonly uid: number; readonly gid: number };

export type Owners = {
  /** Numbers and their names on this machine; '' for a number that has no account. */
  nameOf(uid: number, gid: number): Owner;
  /**
   * The numbers to give to a file here; null where the policy is to leave the owner alone. A name that is
   * unknown here falls back to the number it came with.
   * @throws {P2psyncError} config, where a fixed account does not exist.
   */
  idsOf(owner: Owner, policy: OwnerPolicy): Ids | null;
};

type Table = { readonly nameOf: ReadonlyMap<number, string>; readonly idOf: ReadonlyMap<string, number> };

/** @param directory where `passwd` and `group` are. */
export function createOwners(directory = '/etc'): Owners {
  const users = cachedTable(`${directory}/passwd`);
  const groups = cachedTable(`${directory}/group`);

  return {
    nameOf(uid, gid) {
      return { uid, gid, user: users().nameOf.get(uid) ?? '', group: groups().nameOf.get(gid) ?? '' };
    },
    idsOf(owner, policy) {
      if (policy === 'off') return null;
      if (policy === 'numeric') return { uid: owner.uid, gid: owner.gid };
      if (policy === 'name') {
        return {
          uid: users().idOf.get(owner.user) ?? owner.uid,
          gid: groups().idOf.get(owner.group) ?? owner.gid,
        };
      }
      return { uid: fixedId(users(), policy.user, 'user'), gid: fixedId(groups(), policy.group, 'group') };
    },
  };
}

function fixedId(table: Table, name: string, what: 'user' | 'group'): number {
  const id = table.idOf.get(name) ?? (/^\d{1,10}$/.test(name) ? Number(name) : undefined);
  if (id !== undefined) return id;
  const message = `owner: there is no ${what} ${JSON.stringify(name)} on this machine; create it or correct the configuration`;
  throw new P2psyncError('config', message, { [what]: name });
}

/** Reads the file again where its stat says so, which is asked at most once in `accountsRecheckMs`. */
function cachedTable(file: string): () => Table {
  let table = parseTable('');
  let fingerprint = '';
  let checkedMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (nowMs - checkedMs < accountsRecheckMs) return table;
    checkedMs = nowMs;
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    const seen =
      stat === undefined ? '' : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
    if (seen === fingerprint) return table;
    fingerprint = seen;
    table = parseTable(stat === undefined ? '' : readFileSync(file, 'utf8'));
    return table;
  };
}

/** Fields of each line of `name:password:id:…` that names somebody. */
export function accountRows(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name = '', , id = '']) => name !== '' && !name.startsWith('#') && /^\d{1,10}$/.test(id));
}

/** The first of several with one name or number counts, as in libc. */
function parseTable(text: string): Table {
  const names = new Map<number, string>();
  const ids = new Map<string, number>();
  for (const [name = '', , id = ''] of accountRows(text)) {
    if (!names.has(Number(id))) names.set(Number(id), name);
    if (!ids.has(name)) ids.set(name, Number(id));
  }
  return { nameOf: names, idOf: ids };
}
