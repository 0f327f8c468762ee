/**
 * Where a contender runs: places on 127.0.0.1, or a network namespace a place behind one bridge, with a limit to what it
 * sends and receives and with counters of it. Every namespace is named p2pb-… and removed with the fabric.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/lib/ports.ts';

/** Bytes that left and reached a place, with all headers. */
export type Wire = { readonly sentBytes: number; readonly receivedBytes: number };

export type Place = {
  readonly name: string;
  /** The address that the others reach it at. */
  readonly address: string;
  /** The tree. */
  readonly directory: string;
  /** For configuration, keys, logs. */
  readonly state: string;
  /** What a command begins with to run there. */
  readonly enter: readonly string[];
  port(): Promise<number>;
};

export type Fabric = {
  readonly source: Place;
  readonly destinations: readonly Place[];
  /** By place; undefined where nobody counts. */
  wire(): ReadonlyMap<Place, Wire> | undefined;
  /** Does not wait and does not throw, so that it can be the last thing that is done. */
  close(): void;
};

export type Network =
  | { readonly kind: 'loopback' }
  | { readonly kind: 'namespaces'; readonly mbit: number | null };

export type FabricOptions = {
  readonly top: string;
  readonly destinations: number;
  readonly network: Network;
};

/** A fresh directory and state for each place below `top`. */
export function openFabric(options: FabricOptions): Fabric {
  return options.network.kind === 'loopback'
    ? openLoopback(options)
    : openNamespaces(options, options.network.mbit);
}

/** Why there can be no namespaces here; undefined where there can. */
export function namespacesRefused(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const name = `p2pb-${process.pid}-try`;
  const tried = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (tried.error !== undefined) return 'network namespaces need the program ip (iproute2)';
  if (tried.status !== 0) return `no network namespaces here: ${tried.stderr.trim()}`;
  spawnSync('ip', ['netns', 'del', name]);
  return undefined;
}

const sourceName = 'source';

function namesOf(destinations: number): string[] {
  return [sourceName, ...Array.from({ length: destinations }, (_, index) => `node${index + 1}`)];
}

function placeAt(top: string, name: string, rest: Pick<Place, 'address' | 'enter' | 'port'>): Place {
  const place: Place = { name, directory: join(top, name), state: join(top, `${name}.state`), ...rest };
  mkdirSync(place.directory, { recursive: true, mode: 0o755 });
  mkdirSync(place.state, { recursive: true, mode: 0o700 });
  return place;
}

function split(places: readonly Place[]): Pick<Fabric, 'source' | 'destinations'> {
  const [source, ...destinations] = places;
  if (source === undefined) throw new Error('a fabric has a source');
  return { source, destinations };
}

function openLoopback({ top, destinations }: FabricOptions): Fabric {
  const places = namesOf(destinations).map((name) =>
    placeAt(top, name, { address: '127.0.0.1', enter: [], port: freePort }),
  );
  return { ...split(places), wire: () => undefined, close: () => {} };
}

let fabrics = 0;

function openNamespaces({ top, destinations }: FabricOptions, mbit: number | null): Fabric {
  fabrics += 1;
  const prefix = `p2pb-${process.pid}-${fabrics}`;
  const hub = `${prefix}-hub`;
  const made: string[] = [];
  const close = (): void => {
    for (const namespace of made.splice(0)) spawnSync('ip', ['netns', 'del', namespace]);
  };
  const add = (namespace: string): void => {
    execFileSync('ip', ['netns', 'add', namespace]);
    made.push(namespace);
    execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  };
  const inHub = (...args: string[]): void => void execFileSync('ip', ['-n', hub, ...args]);
  try {
    add(hub);
    inHub('link', 'add', 'br0', 'type', 'bridge');
    inHub('link', 'set', 'br0', 'up');
    const ports = new Map<Place, string>();
    const places = namesOf(destinations).map((name, index) => {
      const namespace = `${prefix}-${index}`;
      const address = `10.213.0.${index + 1}`;
      const outside = `n${index}`;
      add(namespace);
      inHub('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      inHub('link', 'set', outside, 'master', 'br0', 'up');
      execFileSync('ip', ['-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0']);
      execFileSync('ip', ['-n', namespace, 'link', 'set', 'eth0', 'up']);
      if (mbit !== null) {
        limit(namespace, 'eth0', mbit);
        limit(hub, outside, mbit);
      }
      const enter = ['ip', 'netns', 'exec', namespace];
      let port = 8_873;
      // Some contenders also use the port above.
      const place = placeAt(top, name, { address, enter, port: async () => (port += 2) });
      ports.set(place, outside);
      return place;
    });
    const wire = (): ReadonlyMap<Place, Wire> => {
      const text = execFileSync('ip', ['netns', 'exec', hub, 'cat', '/proc/net/dev'], { encoding: 'utf8' });
      const counters = parseNetDev(text);
      return new Map([...ports].map(([place, outside]) => [place, turned(counters.get(outside))]));
    };
    return { ...split(places), wire, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Shapes what leaves a device; both ends of a place's cable together limit it each way. */
function limit(namespace: string, device: string, mbit: number): void {
  const shape = ['root', 'tbf', 'rate', `${mbit}mbit`, 'burst', '256kb', 'latency', '50ms'];
  execFileSync('ip', ['netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', device, ...shape]);
}

/** The bridge's end of the cable receives what the place sends. */
function turned(counted: Wire | undefined): Wire {
  return { sentBytes: counted?.receivedBytes ?? 0, receivedBytes: counted?.sentBytes ?? 0 };
}

/** `/proc/net/dev`: bytes by device. */
export function parseNetDev(text: string): Map<string, Wire> {
  return new Map(
    [...text.matchAll(/^\s*([^\s:]+):\s*(.*)$/gm)].map(([, device = '', rest = '']) => {
      const fields = rest.trim().split(/\s+/).map(Number);
      return [device, { receivedBytes: fields[0] ?? 0, sentBytes: fields[8] ?? 0 }];
    }),
  );
}
