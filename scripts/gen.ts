/**
 * Makes `agent/wire/gen` from `proto/` with buf and protoc-gen-es of node_modules; needs no network.
 * `--check` changes nothing and exits 1 where the committed files are not what would be made.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const generated = join('agent', 'wire', 'gen');

const workspace = mkdtempSync(join(tmpdir(), 'p2psync-gen-'));
try {
  generate(workspace);
  const fresh = join(workspace, generated);
  const committed = join(root, generated);
  if (process.argv.includes('--check')) {
    const stale = differences(fresh, committed);
    for (const file of stale) console.error(`${join(generated, file)} is stale: npm run gen`);
    if (stale.length > 0) process.exitCode = 1;
  } else {
    rmSync(committed, { recursive: true, force: true });
    cpSync(fresh, committed, { recursive: true });
  }
} finally {
  rmSync(workspace, { recursive: true, force: true });
}

function generate(directory: string): void {
  const binaries = join(root, 'node_modules', '.bin');
  const env = { ...process.env, PATH: `${binaries}${delimiter}${process.env['PATH'] ?? ''}` };
  execFileSync('buf', ['lint'], { cwd: root, env, stdio: 'inherit' });
  execFileSync('buf', ['generate', '--output', directory], { cwd: root, env, stdio: 'inherit' });
}

/** Files that are missing on one side or differ, sorted. */
function differences(left: string, right: string): readonly string[] {
  const names = new Set([...filesOf(left), ...filesOf(right)]);
  return [...names].filter((name) => contentOf(left, name) !== contentOf(right, name)).sort();
}

function filesOf(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

function contentOf(directory: string, name: string): string | undefined {
  const path = join(directory, name);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
