/**
 * The child of test.ts: runs the named test files one after the other in this process and tells the parent of each.
 * It walks uvu's own queue (uvu is pinned), because uvu's command counts a file without `test.run()` as a success.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export type AreaMessage =
  | { readonly kind: 'test'; readonly file: string; readonly title: string }
  | {
      readonly kind: 'file';
      readonly file: string;
      readonly passed: number;
      readonly failed: number;
      readonly report: string;
      readonly elapsedMs: number;
    }
  /** Everything ran; `open` is what Node says is still alive. */
  | { readonly kind: 'end'; readonly open: readonly string[] };

/** What `test.run()` leaves in the queue: errors as text or true, how many ran well, were skipped, and are there. */
type Suite = () => Promise<[errors: string | boolean, passed: number, skipped: number, total: number]>;

type UvuGlobals = { UVU_DEFER?: number; UVU_INDEX?: number; UVU_QUEUE?: (string | null | Suite)[][] };

const [root, ...files] = process.argv.slice(2);
if (root === undefined) throw new Error('usage: test-area.ts ROOT FILE…');

const uvu: UvuGlobals = globalThis as UvuGlobals;
uvu.UVU_DEFER = 1;
uvu.UVU_QUEUE = [];

function tell(message: AreaMessage): void {
  process.send?.(message);
}

// What tests have started is ended by their own listeners of `exit`.
process.once('SIGTERM', () => process.exit(1));

for (const [index, file] of files.entries()) {
  const startedMs = performance.now();
  tell({ kind: 'test', file, title: 'loading' });
  let passed = 0;
  let failed = 0;
  let report = '';
  const complain = (what: string): void => {
    failed += 1;
    report += `  ${file}: ${what}\n`;
  };
  uvu.UVU_INDEX = index;
  const suites: Suite[] = [];
  uvu.UVU_QUEUE[index] = suites;
  try {
    await import(pathToFileURL(join(root, file)).href);
    if (suites.length === 0) complain('it never called test.run(), so none of its tests ran');
    for (const suite of suites) {
      tell({ kind: 'test', file, title: 'running' });
      const [errors, ran, skipped, total] = await suite();
      passed += ran;
      failed += total - ran;
      if (typeof errors === 'string') report += `${errors}\n`;
      else if (ran < total) report += `  ${file}: a hook before its tests failed\n`;
      if (skipped > 0) complain(`${skipped} tests are skipped`);
      if (total === 0) complain('it holds no test');
    }
  } catch (error) {
    complain(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  if (!/\.run\(\);\s*$/.test(readFileSync(join(root, file), 'utf8')))
    complain('it does not end in test.run();');
  tell({ kind: 'file', file, passed, failed, report, elapsedMs: performance.now() - startedMs });
}
// What is left of a closed socket or thread may take a moment; the parent waits, this is only what to name if it stays.
const open = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap' && name !== 'TTYWrap');
tell({ kind: 'end', open });
process.disconnect?.();
