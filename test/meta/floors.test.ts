/** The floors: a file imports from its own floor and from those below, and what is dangerous lives in one place. */
import { posix } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importsOf, sourcesIn } from './sources.ts';

/** Lowest first. The shells share a floor and do not know each other. */
const floors: readonly (readonly string[])[] = [
  ['base'],
  ['core'],
  ['swarm'],
  ['wire'],
  ['disk', 'store', 'net', 'http'],
  ['daemon'],
  ['cli'],
];

const agent = sourcesIn('agent');

function areaOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function floorOf(area: string): number {
  return floors.findIndex((areas) => areas.includes(area));
}

test('every file of the agent lies on a floor', () => {
  assert.ok(agent.length > 50);
  assert.equal(
    agent.filter(({ path }) => floorOf(areaOf(path)) < 0).map(({ path }) => path),
    [],
  );
});

test('imports go down, and the shells do not import each other', () => {
  const wrong: string[] = [];
  for (const source of agent) {
    const area = areaOf(source.path);
    for (const specifier of importsOf(source)) {
      if (!specifier.startsWith('.')) continue;
      const target = posix.join(posix.dirname(source.path), specifier);
      const below = areaOf(target);
      const allowed = below === area || (target.startsWith('agent/') && floorOf(below) < floorOf(area));
      if (!allowed) wrong.push(`${source.path} imports ${target}`);
    }
  }
  assert.equal(wrong, []);
});

/** A package, and the only files that may import it. */
const confined: readonly (readonly [what: string, specifier: RegExp, where: RegExp])[] = [
  ['libp2p', /^(libp2p|@libp2p\/.*|@chainsafe\/libp2p.*|@multiformats\/.*)$/, /^agent\/net\//],
  ['chokidar', /^chokidar$/, /^agent\/disk\/watch[^/]*\.ts$/],
  ['lmdb', /^lmdb$/, /^agent\/store\/tables\.ts$/],
  ['protobuf', /^@bufbuild\//, /^agent\/wire\//],
  ['pino', /^pino/, /^agent\/daemon\/log[^/]*\.ts$/],
  ['the HTTP server', /^node:http$/, /^agent\/http\//],
  ['TLS', /^node:tls$/, /^agent\/net\//],
];

for (const [what, specifier, where] of confined) {
  test(`${what} is imported in its own place only`, () => {
    const wrong = agent
      .filter((source) => !where.test(source.path) && importsOf(source).some((name) => specifier.test(name)))
      .map(({ path }) => path);
    assert.equal(wrong, []);
  });
}

test('the pure floors import no clock, disk, network or process', () => {
  const shells = /^node:(fs|net|tls|http|https|child_process|worker_threads|dgram|dns|os|process|timers)/;
  const wrong = agent
    .filter(({ path }) => ['core', 'swarm', 'wire'].includes(areaOf(path)))
    .flatMap((source) =>
      importsOf(source)
        .filter((name) => shells.test(name))
        .map((name) => `${source.path}: ${name}`),
    );
  assert.equal(wrong, []);
});

test('machines take time and chance as arguments', () => {
  const wrong = agent
    .filter(
      ({ path, text }) =>
        ['core', 'swarm'].includes(areaOf(path)) &&
        /\b(Date\.now|performance\.now|Math\.random|setTimeout|setInterval)\(/.test(text),
    )
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

test('only the command line ends the process', () => {
  const wrong = agent
    .filter(({ path, text }) => path !== 'agent/cli/main.ts' && /\bprocess\.exit\(/.test(text))
    .map(({ path }) => path);
  assert.equal(wrong, []);
});

test('imports name files, and there are no barrels', () => {
  const wrong = agent.flatMap((source) =>
    importsOf(source)
      .filter((name) => name.startsWith('.') && !name.endsWith('.ts'))
      .map((name) => `${source.path}: ${name}`),
  );
  assert.equal(wrong, []);
  assert.equal(
    agent.filter(({ path }) => path.endsWith('/index.ts')).map(({ path }) => path),
    [],
  );
});

test.run();
