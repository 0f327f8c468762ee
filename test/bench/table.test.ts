/** What was measured as a table, a document and a chart. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { renderChart } from '../../scripts/bench/chart.ts';
import { createRecorder, mergeResults, type Question, ratioOf } from '../../scripts/bench/results.ts';
import { describeCell, grouped, numberText, renderTables } from '../../scripts/bench/table.ts';

const edit: Question = {
  scenario: 'latency',
  subject: '1,000 files: edit',
  metric: 'all replicas',
  unit: 'ms',
  charted: true,
};

function measured() {
  const recorder = createRecorder();
  for (const value of [30, 10, 20]) recorder.record(edit, 'p2psync', value);
  for (const value of [100, 300, 200]) recorder.record(edit, 'lsyncd', value);
  recorder.note(edit, 'loop', 'never (20 s)');
  recorder.remark({ scenario: 'latency', contender: 'syncthing', text: 'missing (syncthing)' });
  recorder.remark({ scenario: 'latency', contender: 'syncthing', text: 'missing (syncthing)' });
  return recorder.results({ machine: 'a < b', date: '2026-01-01' });
}

test('a table shows medians, notes, remarks and the ratio to the best other', () => {
  assert.is(
    renderTables(measured()),
    [
      '## latency',
      '',
      '|                   |                  | p2psync |         loop | lsyncd | syncthing | p2psync ÷ best other |',
      '| ----------------- | ---------------- | ------: | -----------: | -----: | --------: | -------------------: |',
      '| 1,000 files: edit | all replicas, ms |    20.0 | never (20 s) |    200 |           |                 0.10 |',
      '',
      '- syncthing: missing (syncthing)',
      '',
    ].join('\n'),
  );
});

test('a cell of five values or more shows the 95th percentile, and keeps its note', () => {
  assert.is(describeCell({ values: [1, 2, 3, 4, 100] }, 'ms'), '3.00 (100)');
  assert.is(describeCell({ values: [1], note: 'one never' }, 'ms'), '1.00, one never');
  assert.is(describeCell(undefined, 'ms'), '');
});

test('numbers have the digits that count, bytes have all', () => {
  assert.equal(
    [numberText(0.1234, 's'), numberText(12.34, 's'), numberText(1234.5, 'ms'), numberText(1328345, 'bytes')],
    ['0.12', '12.3', '1,235', '1,328,345'],
  );
  assert.is(grouped(1000000), '1,000,000');
});

test('a scenario with remarks alone is still told', () => {
  const recorder = createRecorder();
  recorder.remark({ scenario: 'fan-out', contender: 'rsync', text: 'not measured: needs root' });
  assert.match(renderTables(recorder.results({})), /## fan-out\n\n- rsync: not measured: needs root/);
});

test('results of two runs become one: the later row wins, the others stay', () => {
  const later = createRecorder();
  later.record(edit, 'p2psync', 5);
  later.record({ ...edit, subject: 'another' }, 'p2psync', 7);
  const merged = mergeResults([measured(), later.results({ date: 'later' })]);
  assert.equal(
    merged.rows.map(({ subject, cells }) => [subject, cells.p2psync?.values]),
    [
      ['1,000 files: edit', [5]],
      ['another', [7]],
    ],
  );
  assert.is(merged.machine['date'], 'later');
  assert.is(merged.remarks.length, 1);
});

test('a row survives its way through JSON', () => {
  const results = measured();
  assert.equal(JSON.parse(JSON.stringify(results)), results);
  const [row] = results.rows;
  assert.is(row === undefined ? undefined : ratioOf(row), 0.1);
});

test('the chart has a bar a contender, as long as its median, and escapes what it is told', () => {
  const svg = renderChart(measured());
  const widths = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map((match) => Number(match[1]));
  assert.is(widths.length, 3);
  const [own = 0, never = 1, other = 0] = widths;
  assert.is(never, 0);
  assert.ok(Math.abs(other / own - 10) < 0.1);
  assert.match(svg, /20\.0 \(0\.10×\)/);
  assert.match(svg, /never \(20 s\)/);
  assert.match(svg, /a &lt; b/);
  assert.not.match(svg, /a < b/);
});

test('the chart leaves out what is not for it', () => {
  const recorder = createRecorder();
  recorder.record({ ...edit, charted: false }, 'p2psync', 1);
  assert.not.match(renderChart(recorder.results({})), /<rect/);
});

test.run();
