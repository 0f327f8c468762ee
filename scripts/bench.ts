/**
 * p2psync beside rsync, the inotifywait loop, lsyncd and Syncthing, all real, on the same trees in the same run.
 * docs/BENCH.md says what each scenario measures and how.
 *
 *   npm run bench                                   everything
 *   npm run bench -- latency --files 10000 --only p2psync,lsyncd
 *   npm run bench -- --quick --json results.json --chart results.svg
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderChart } from './bench/chart.ts';
import { undoAll, undoAtEnd } from './bench/cleanup.ts';
import { contenders } from './bench/contenders.ts';
import { describeMachine, isInstalled } from './bench/machine.ts';
import { type Options, parseOptions, usage } from './bench/options.ts';
import { createRecorder, mergeResults, type Recorder, type Results } from './bench/results.ts';
import { scenarios } from './bench/scenarios.ts';
import { renderTables } from './bench/table.ts';

async function measure(options: Options, recorder: Recorder): Promise<Results> {
  const workspace = mkdtempSync(join(tmpdir(), 'p2psync-bench-'));
  undoAtEnd(() => {
    if (options.keep) console.error(`kept: ${workspace}`);
    else rmSync(workspace, { recursive: true, force: true });
  });
  const asked = contenders.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const missing = new Map(
    asked.flatMap((contender) => {
      const programs = contender.programs.filter((program) => !isInstalled(program));
      return programs.length > 0 ? [[contender, programs.join(', ')] as const] : [];
    }),
  );
  const present = asked.filter((contender) => !missing.has(contender));
  const wanted = scenarios.filter(
    ({ name }) => options.scenarios.length === 0 || options.scenarios.includes(name),
  );
  for (const scenario of wanted) {
    for (const [{ name: contender }, programs] of missing)
      recorder.remark({
        scenario: scenario.name,
        contender,
        text: `missing (${programs}): scripts/bench-setup`,
      });
    await scenario.run({
      options,
      contenders: present,
      recorder,
      workspace,
      say: (text) => console.error(text),
    });
  }
  return recorder.results(await describeMachine(present));
}

function show(results: Results, options: Options): void {
  console.log(renderTables(results));
  for (const [what, text] of Object.entries(results.machine)) console.log(`${what}: ${text}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
  if (options.chart !== undefined) writeFileSync(options.chart, renderChart(results));
}

const recorder = createRecorder();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    undoAll();
    // What was measured until now is not lost.
    console.log(renderTables(recorder.results({})));
    process.exit(130);
  });
}

try {
  const options = parseOptions(
    process.argv.slice(2),
    scenarios.map(({ name }) => name),
  );
  if (options.help) {
    console.log(usage);
    for (const { name, summary } of scenarios) console.log(`  ${name.padEnd(12)} ${summary}`);
  } else if (options.from.length > 0) {
    show(
      mergeResults(options.from.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Results)),
      options,
    );
  } else {
    show(await measure(options, recorder), options);
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  undoAll();
}
