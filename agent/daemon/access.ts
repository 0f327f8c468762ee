/**
 * Who may connect by address: `[access] allow` and `deny`. Deny wins. A name that does not resolve admits nobody in
 * `allow` and refuses everybody in `deny`, until it resolves. After rsyncd.conf(5), `hosts allow` and `hosts deny`.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { messageOf } from '../base/errors.ts';
import { accessRefreshMs } from '../base/limits.ts';

export type AccessRules = { readonly allow: readonly string[]; readonly deny: readonly string[] };

export type Access = {
  /** `address`: an IP address, or one with its port (`192.0.2.1:4711`, `[::1]:4711`). What is not an address is refused. */
  allows(address: string): boolean;
  /** Asks for the addresses of all names again; never throws. */
  refresh(): Promise<void>;
  /** Other rules: they hold when each of their names was asked for once, the former ones until then. Never throws. */
  change(rules: AccessRules): Promise<void>;
};

export type AccessOptions = {
  /** Ends the refreshing. */
  readonly signal: AbortSignal;
  /** Told once for each name that stops to resolve, and once when it does again. */
  readonly note: (text: string, fields: { readonly name: string; readonly list: string }) => void;
  /** All addresses of a name; throws where there are none. */
  readonly resolve?: (name: string) => Promise<readonly string[]>;
};

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];
/** Null: it does not resolve. */
type Names = Map<string, readonly Network[] | null>;
type List = { readonly networks: readonly Network[]; readonly names: Names };
type Lists = { readonly allow: List; readonly deny: List };

/** Resolves when every name was asked for once. Rules as `config.toml` admits them. */
export async function compileAccess(rules: AccessRules, options: AccessOptions): Promise<Access> {
  const resolve = options.resolve ?? systemResolve;
  // Changes while running.
  let lists = compileLists(rules);
  let wanted = lists;

  const ask = async (list: 'allow' | 'deny', names: Names, name: string): Promise<void> => {
    const had = names.get(name);
    try {
      const networks = (await resolve(name)).map(parseNetwork);
      names.set(name, networks);
      if (had === null) options.note('a name in the access lists resolves again', { name, list });
    } catch (error) {
      names.set(name, null);
      if (had === null) return;
      const effect =
        list === 'deny' ? 'everybody is refused until it does' : 'it admits nobody until it does';
      options.note(`a name in the access lists does not resolve: ${effect} (${messageOf(error)})`, {
        name,
        list,
      });
    }
  };
  const askAll = async ({ allow, deny }: Lists): Promise<void> => {
    await Promise.all([
      ...[...allow.names.keys()].map((name) => ask('allow', allow.names, name)),
      ...[...deny.names.keys()].map((name) => ask('deny', deny.names, name)),
    ]);
  };

  await askAll(lists);
  if (!options.signal.aborted) {
    const timer = setInterval(() => void askAll(lists), accessRefreshMs);
    timer.unref();
    options.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  return {
    allows(address) {
      const ip = parseAddress(address);
      if (ip === undefined) return false;
      const { allow, deny } = lists;
      for (const networks of deny.names.values()) if (networks === null) return false;
      if (holds(deny, ip)) return false;
      return allow.networks.length + allow.names.size === 0 || holds(allow, ip);
    },
    refresh: () => askAll(lists),
    async change(next) {
      const compiled = compileLists(next);
      wanted = compiled;
      await askAll(compiled);
      // Where they were changed again meanwhile, the last ones count, whichever names were found first.
      if (wanted === compiled) lists = compiled;
    },
  };
}

function compileLists({ allow, deny }: AccessRules): Lists {
  return { allow: compileList(allow), deny: compileList(deny) };
}

function compileList(rules: readonly string[]): List {
  const networks: Network[] = [];
  const names: Names = new Map();
  for (const rule of rules) {
    if (isIP(rule.split('/')[0] ?? '') !== 0) networks.push(parseNetwork(rule));
    else names.set(rule, []);
  }
  return { networks, names };
}

function holds(list: List, ip: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  const matches = ([base, bits]: Network): boolean =>
    ip instanceof ipaddr.IPv4
      ? base instanceof ipaddr.IPv4 && ip.match(base, bits)
      : base instanceof ipaddr.IPv6 && ip.match(base, bits);
  if (list.networks.some(matches)) return true;
  for (const networks of list.names.values()) if (networks?.some(matches)) return true;
  return false;
}

function parseNetwork(rule: string): Network {
  const [host = '', mask] = rule.split('/');
  const parsed = ipaddr.parse(host);
  const base = ipaddr.process(host);
  // An IPv4 address in IPv6 clothes loses the 96 bits in front of it.
  const shift = parsed.kind() === base.kind() ? 0 : 96;
  const full = base instanceof ipaddr.IPv4 ? 32 : 128;
  if (mask === undefined) return [base, full];
  if (/^\d+$/.test(mask)) return [base, Math.max(0, Number(mask) - shift)];
  const bits = ipaddr.parse(mask).prefixLengthFromSubnetMask();
  if (bits === null) throw new RangeError(`${mask} is not a network mask`);
  return [base, bits];
}

function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const host = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? (isIP(text) !== 0 ? text : text.replace(/:\d+$/, ''));
  const bare = host.replace(/%.*$/, '');
  return isIP(bare) === 0 ? undefined : ipaddr.process(bare);
}

async function systemResolve(name: string): Promise<readonly string[]> {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
}
