/**
 * `hosts allow` and `hosts deny` as `[access] allow` and `deny`. rsync lets its allow list win and lets in who is in
 * neither; here deny wins, and with an allow list everybody else is out. Where the two part, the stricter is taken. Pure.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isHost } from '../config-values.ts';

export type AccessLists = {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Sentences on what was left out or is stricter now. */
  readonly allowNotes: readonly string[];
  readonly denyNotes: readonly string[];
  /** A list that is left away because it says what is so without it: everybody in allow, everybody else in deny. */
  readonly isImplied: boolean;
};

/** One pattern: a rule of ours, everybody, or why there is none. */
type Rule =
  | { readonly kind: 'rule'; readonly text: string }
  | { readonly kind: 'everybody'; readonly text: string }
  | { readonly kind: 'none'; readonly text: string; readonly why: string };

/** Values as they stand in the file; undefined or empty where there is no such list. */
export function translateHosts(allowText: string | undefined, denyText: string | undefined): AccessLists {
  const allowRules = readRules(allowText);
  const denyRules = readRules(denyText);
  const allowNotes = left(allowRules, 'it admits nobody here');
  const denyNotes: string[] = [];
  const letsAllIn = allowRules.some(({ kind }) => kind === 'everybody');

  // In rsync a list that is there decides, even where none of its patterns can be kept.
  if (allowRules.length > 0 && !letsAllIn) {
    const allow = texts(allowRules);
    const deny: string[] = [];
    for (const rule of denyRules) {
      if (rule.kind === 'everybody') denyNotes.push(`${rule.text}: who is not in allow is refused anyway`);
      else if (rule.kind === 'none') denyNotes.push(`${rule.text}: who is not in allow is refused anyway`);
      else if (allow.some((one) => mayMeet(one, rule.text)))
        denyNotes.push(`${rule.text}: left out, as allow wins in rsync and deny wins here`);
      else deny.push(rule.text);
    }
    if (denyRules.length > 0 && !denyRules.some(({ kind }) => kind === 'everybody'))
      denyNotes.push(
        'stricter here: rsync lets in who is in neither list, p2psync admits those in allow only',
      );
    if (allow.length === 0) {
      allowNotes.push('nobody can be named, so that nobody is admitted: put addresses there');
      return { allow: [], deny: everybody, allowNotes, denyNotes, isImplied: false };
    }
    const isImplied = denyRules.some(({ kind }) => kind === 'everybody');
    return { allow, deny, allowNotes, denyNotes, isImplied };
  }
  if (letsAllIn) {
    allowNotes.push('everybody, which is how it is without a list: members alone get further than that');
    if (denyRules.length > 0) denyNotes.push('rsync never comes to it, as its allow list lets everybody in');
    return { allow: [], deny: [], allowNotes, denyNotes, isImplied: true };
  }
  if (denyRules.some(({ kind }) => kind === 'everybody')) {
    denyNotes.push('nobody can connect, as in rsync');
    return { allow: [], deny: everybody, allowNotes, denyNotes, isImplied: false };
  }
  denyNotes.push(
    ...left(denyRules, 'it refuses nobody here: keep it out by a firewall, or by not inviting it'),
  );
  return { allow: [], deny: texts(denyRules), allowNotes, denyNotes, isImplied: false };
}

/** There is no word for it. */
const everybody = ['0.0.0.0/0', '::/0'];

function readRules(text: string | undefined): readonly Rule[] {
  return (text ?? '')
    .toLowerCase()
    .split(/[ ,\t]+/)
    .filter((word) => word !== '')
    .map(readRule);
}

function readRule(text: string): Rule {
  const none = (why: string): Rule => ({ kind: 'none', text, why });
  const [host = '', mask, ...rest] = text.split('/');
  const family = isIP(host);
  if (text === '*' || (family !== 0 && rest.length === 0 && (mask === '0' || isZero(mask))))
    return { kind: 'everybody', text };
  if (text.startsWith('@')) return none('netgroups are not asked');
  if (/[*?[\]]/.test(text)) return none('a pattern of host names, and addresses are not turned into names');
  if (host.includes('%')) return none('an address with a scope');
  if (mask === undefined) {
    return family !== 0 || isHost(text) ? { kind: 'rule', text } : none('neither an address nor a name');
  }
  if (family === 0 || rest.length > 0) return none('not a network');
  const bits = /^\d{1,3}$/.test(mask) ? Number(mask) : bitsOfMask(mask, family);
  if (bits === null || bits > (family === 4 ? 32 : 128)) return none("not a network's mask");
  return { kind: 'rule', text };
}

function isZero(mask: string | undefined): boolean {
  return mask === '0.0.0.0' || mask === '::';
}

function bitsOfMask(mask: string, family: number): number | null {
  return isIP(mask) === family ? ipaddr.parse(mask).prefixLengthFromSubnetMask() : null;
}

function texts(rules: readonly Rule[]): string[] {
  return rules.filter(({ kind }) => kind === 'rule').map(({ text }) => text);
}

function left(rules: readonly Rule[], effect: string): string[] {
  return rules.flatMap((rule) =>
    rule.kind === 'none' ? [`${rule.text}: ${rule.why}, so that ${effect}`] : [],
  );
}

/** Whether an address can be in both; nobody knows what a name stands for. */
function mayMeet(left: string, right: string): boolean {
  const one = networkOf(left);
  const other = networkOf(right);
  if (one === null || other === null) return true;
  const bits = Math.min(one.bits, other.bits);
  if (one.address instanceof ipaddr.IPv4)
    return other.address instanceof ipaddr.IPv4 && one.address.match(other.address, bits);
  return other.address instanceof ipaddr.IPv6 && one.address.match(other.address, bits);
}

function networkOf(
  rule: string,
): { readonly address: ipaddr.IPv4 | ipaddr.IPv6; readonly bits: number } | null {
  const [host = '', mask] = rule.split('/');
  const family = isIP(host);
  if (family === 0) return null;
  const full = family === 4 ? 32 : 128;
  if (mask === undefined) return { address: ipaddr.parse(host), bits: full };
  const bits = /^\d+$/.test(mask) ? Number(mask) : (bitsOfMask(mask, family) ?? 0);
  return { address: ipaddr.parse(host), bits };
}
