/** What the bench reads: its command line, /proc, the shell's `times`, rsync's verdict. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseNetDev } from '../../scripts/bench/fabric.ts';
import { sortLines } from '../../scripts/bench/judge.ts';
import { parseOptions } from '../../scripts/bench/options.ts';
import { parseStat, processTree } from '../../scripts/bench/proc.ts';
import { parseTimes } from '../../scripts/bench/processes.ts';

test('the command line names scenarios, contenders and sizes', () => {
  const options = parseOptions(
    ['latency', '--files', '1000,10000', '--only', 'p2psync,rsync', '--runs', '3', '--quick'],
    ['latency', 'cold'],
  );
  assert.equal(options.scenarios, ['latency']);
  assert.equal(options.files, [1_000, 10_000]);
  assert.equal(options.only, ['p2psync', 'rsync']);
  assert.is(options.runs, 3);
  assert.ok(options.quick);
});

test('what is not known is refused with what there is', () => {
  assert.throws(() => parseOptions(['speed'], ['latency', 'cold']), /named speed; there are latency, cold/);
  assert.throws(() => parseOptions(['--only', 'scp'], []), /named scp/);
  assert.throws(() => parseOptions(['--runs', '0'], []), /--runs/);
  assert.throws(() => parseOptions(['--files', '1000,x'], []), /--files/);
});

test('the time of a process is its own and that of the children it waited for', () => {
  const fields = ['S', 7, 1, 1, 0, -1, 0, 0, 0, 0, 0, 100, 20, 3, 4, 20, 0, 1, 0, 5, 1000, 256];
  const stat = parseStat(`42 (odd ) name) ${fields.join(' ')} 0 0\n`);
  assert.equal(stat, { pid: 42, parent: 7, cpuSeconds: 1.27, residentBytes: 1_048_576 });
});

test('a tree of processes holds its root, and none is empty', () => {
  assert.ok(processTree(new Set([process.pid])).some(({ pid }) => pid === process.pid));
  assert.equal(processTree(new Set()), []);
});

test("the shell's times are added up", () => {
  assert.is(parseTimes('0m0.01s 0m0.02s\n1m1.50s 0m0.47s\n'), 62);
  assert.is(parseTimes(''), 0);
});

test('counters of interfaces are read by name, both ways', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
    n1: 1500      10    0    0    0     0          0         0     70000      50    0    0    0     0       0          0
`;
  assert.equal(parseNetDev(text).get('n1'), { receivedBytes: 1_500, sentBytes: 70_000 });
});

test('of what rsync would do, times of directories and links are told apart, and the top does not count', () => {
  const sorted = sortLines([
    '.d..t...... ./',
    '.d..t...... css/',
    '.L..t...... link -> there',
    '.d...p..... closed/',
    '>fc.t...... index.html',
    '*deleting   stray',
  ]);
  assert.is(sorted.times, 2);
  assert.equal(sorted.others, ['.d...p..... closed/', '>fc.t...... index.html', '*deleting   stray']);
});

test.run();
