/**
 * Makes `dist/`, which is what `scripts/p2psync` runs: the program and each of its worker threads as one file, with what
 * they share in files beside them. A thousand modules are found and read one by one otherwise, at each start and by each thread.
 * LMDB stays where npm put it: it brings machine code.
 *
 *   npm run build
 *   npm run build -- --out DIR             elsewhere; what is there goes
 *   node scripts/build.ts --if-possible    for npm install: without the bundler a checkout runs its source
 */
import { globSync, renameSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');

const { values: options } = parseArgs({
  options: {
    'if-possible': { type: 'boolean', default: false },
    out: { type: 'string', default: join(root, 'dist') },
  },
});
const built = resolve(options.out);
/** Made beside the old one and renamed, so that nobody runs half of it. */
const fresh = `${built}.new`;

const bundler = await import('esbuild').catch((error: unknown) => {
  if (!options['if-possible']) throw error;
  return null;
});
if (bundler === null) {
  console.error(
    'p2psync: esbuild is not installed, so nothing is built, and scripts/p2psync runs the source',
  );
} else {
  rmSync(fresh, { recursive: true, force: true });
  await bundler.build({
    absWorkingDir: root,
    // The name of a worker's file is how whoever starts it finds it: `workerUrl`.
    entryPoints: ['agent/cli/main.ts', ...globSync('agent/**/*-worker.ts', { cwd: root })].map((file) => ({
      in: file,
      out: basename(file, '.ts'),
    })),
    outdir: fresh,
    bundle: true,
    splitting: true,
    chunkNames: '[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node22.22',
    external: ['lmdb'],
    // Packages of the older kind ask for Node's modules by `require`, which a module has not.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'linked',
    logLevel: 'warning',
  });
  rmSync(built, { recursive: true, force: true });
  renameSync(fresh, built);
}
