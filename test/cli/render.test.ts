import { stripVTControlCharacters } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatAgo,
  formatBytes,
  formatCount,
  formatDuration,
  formatMode,
  formatMs,
  formatPercent,
  formatRate,
  progressBar,
} from '../../agent/cli/render/format.ts';
import { drawing } from '../../agent/cli/render/live.ts';
import { renderPeers } from '../../agent/cli/render/peers.ts';
import { renderStatus } from '../../agent/cli/render/status.ts';
import { renderTable } from '../../agent/cli/render/table.ts';
import { shorten, widthOf } from '../../agent/cli/render/text.ts';
import { peerReports, shareReport, statusReport } from '../http/fake-api.ts';

const nowMs = Date.parse('2026-11-21T10:05:00.000Z');

/** Asserts lines against a drawing whose first line break and indentation do not count. */
function looksLike(lines: readonly string[], expected: string): void {
  const rows = expected.replace(/^\n/, '').replace(/\n *$/, '').split('\n');
  const indent = Math.min(...rows.filter((row) => row !== '').map((row) => row.search(/\S/)));
  assert.is(lines.join('\n'), rows.map((row) => row.slice(indent)).join('\n'));
}

function peersAt(width: number): readonly string[] {
  return renderPeers([shareReport], peerReports, { width, color: false, nowMs });
}

test('peers at 140 columns show every column, the id by its end', () => {
  looksLike(
    peersAt(140),
    `
    name               id         role     address                     state    version    lag  progress      rtt        up      down  last seen
    evil\\x1b[2J\\u202e  …ft9HyQ6X  standby  -                           offline        -      -         -        -         -         -      never
    origin             …gHsRwuUw  writer   192.0.2.10:8873             in-sync     1.42      0     100 %  0.42 ms         -  46 MiB/s        now
    web2               …5RTHQyXC  replica  192.0.2.12:8873             in-sync     1.42      0     100 %  0.42 ms         -         -        now
    web3.example.com   …kSCVe2Xo  replica  [2001:db8:aaaa:bbbb:cccc:…  syncing     1.41  2.5 s      63 %    31 ms  12 MiB/s         -        now
    4 of 5 at version 1.42
    `,
  );
});

test('peers at 80 columns leave out what matters least', () => {
  looksLike(
    peersAt(80),
    `
    name              role     state    version    lag  progress        up      down
    evil\\x1b[2J\\u20…  standby  offline        -      -         -         -         -
    origin            writer   in-sync     1.42      0     100 %         -  46 MiB/s
    web2              replica  in-sync     1.42      0     100 %         -         -
    web3.example.com  replica  syncing     1.41  2.5 s      63 %  12 MiB/s         -
    4 of 5 at version 1.42
    `,
  );
});

test('peers fit every width from 30 columns on, and lose nothing where there is no terminal', () => {
  for (let width = 30; width <= 220; width += 1) {
    for (const line of peersAt(width)) assert.ok(widthOf(line) <= width, `${width}: ${line}`);
  }
  const all = peersAt(Number.POSITIVE_INFINITY).join('\n');
  for (const { peerId } of peerReports) assert.match(all, peerId);
  assert.match(all, '[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:8873');
});

test('rows are in the order of their names, numbers as numbers', () => {
  const [one] = peerReports;
  assert.ok(one !== undefined);
  const peers = ['web10', 'web2', 'db'].map((name) => ({ ...one, name }));
  const lines = renderPeers([shareReport], peers, { width: 80, color: false, nowMs });
  assert.equal(
    lines.slice(1, 4).map((line) => line.split(' ')[0]),
    ['db', 'web2', 'web10'],
  );
});

test('peers of several shares come share by share, and an empty one says what to do', () => {
  const lines = renderPeers(
    [shareReport, { ...shareReport, name: 'media', membersKnown: 1, membersAtHead: 1 }],
    peerReports,
    {
      width: 80,
      color: false,
      nowMs,
    },
  );
  assert.is(lines[0], 'www');
  assert.equal(lines.slice(-3), [
    'media',
    'no other members yet: p2psync invite lets one in',
    '1 of 1 at version 1.42',
  ]);
});

const syncing = {
  ...statusReport,
  shares: [
    {
      ...shareReport,
      state: 'syncing' as const,
      progress: 0.63,
      applied: null,
      pending: { files: 3, bytes: 5_000_000, blocks: 80 },
      errors: [{ path: 'a\nb', code: 'io', message: 'no space left' }],
    },
  ],
};

test('status of a share that syncs has a progress bar and its errors', () => {
  looksLike(
    renderStatus(syncing, { width: 80, color: false }),
    `
    web1  …kj6vnc6iDEp, up 3 d 4 h, p2psync 0.1.0
    listening on /ip4/192.0.2.11/tcp/8873

    www  syncing  replica of /data/www
      version   none yet
      head      1.42, root 8f3a0c12, signed 3.2 s ago
      holds     12,345 files, 1.2 GiB
      progress  [############--------] 63 %, 3 files, 4.8 MiB in 80 blocks to go
      members   4 of 5 at the head, 4 connected
      traffic   700 MiB sent, 1.2 GiB received, 64 KiB of it twice
      error     a\\nb: no space left
    `,
  );
});

test('status fits narrow terminals, coloured or not, and colours change no character', () => {
  for (let width = 30; width <= 120; width += 1) {
    const plain = renderStatus(syncing, { width, color: false });
    const painted = renderStatus(syncing, { width, color: true });
    const bare = painted.map(stripVTControlCharacters);
    assert.equal(bare, plain);
    for (const line of plain) assert.ok(widthOf(line) <= width, `${width}: ${line}`);
    assert.match(painted.join('\n'), '\x1b[36msyncing\x1b[0m');
  }
});

test('an agent without shares says how to begin', () => {
  assert.match(
    renderStatus({ ...statusReport, shares: [] }, { width: 80, color: false }).join('\n'),
    'p2psync init DIR',
  );
});

test('a table escapes what strangers put into a cell before it measures it', () => {
  const lines = renderTable([{ title: 'a' }, { title: 'b' }], [['x\x1b]0;t\x07', 'y\u202ez']], {
    width: 80,
    color: false,
  });
  assert.is(lines[1], 'x\\x1b]0;t\\x07  y\\u202ez');
});

test('wide and combined characters are measured as a terminal shows them', () => {
  assert.equal(['abc', '日本', 'e\u0301', '👩‍👩‍👧', '…'].map(widthOf), [3, 4, 1, 2, 1]);
  assert.is(shorten('日本語のサーバ', 7, 'end'), '日本語…');
  assert.is(shorten('abcdef', 4, 'start'), '…def');
});

test('a picture is drawn over the last one and clears what is left of it', () => {
  assert.is(
    drawing(['one', 'a line that is too long'], 3, 10),
    '\x1b[?2026h\x1b[3A\rone\x1b[K\n\ra line th…\x1b[K\n\x1b[J\x1b[?2026l',
  );
});

test('numbers are shown as people read them', () => {
  assert.equal([0, 999, 1000, 1023, 1536, 12 * 1024 ** 2, 5e15].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 KiB',
    '1.0 KiB',
    '1.5 KiB',
    '12 MiB',
    '4.4 PiB',
  ]);
  assert.equal([0, 999, 1000, 1_234_567].map(formatCount), ['0', '999', '1,000', '1,234,567']);
  assert.equal([0.31, 9.96, 75, 99.6, 3599, 15_000, 86_399, 273_912].map(formatDuration), [
    '0.3 s',
    '10 s',
    '75 s',
    '2 min',
    '1 h',
    '4 h 10 min',
    '1 d',
    '3 d 4 h',
  ]);
  assert.equal([0.424, 1.25, 31.4].map(formatMs), ['0.42 ms', '1.3 ms', '31 ms']);
  assert.equal([0, 0.999, 1].map(formatPercent), ['0 %', '99 %', '100 %']);
  assert.equal([0, 2048].map(formatRate), ['-', '2.0 KiB/s']);
  assert.is(formatAgo('2026-11-21T10:04:30.000Z', nowMs), '30 s ago');
  assert.equal([0o755, 0o4644, 0o1777, 0o2750].map(formatMode), [
    'rwxr-xr-x',
    'rwSr--r--',
    'rwxrwxrwt',
    'rwxr-s---',
  ]);
  assert.equal(
    [0, 0.5, 0.999, 1].map((part) => progressBar(part, 6)),
    ['[----]', '[##--]', '[###-]', '[####]'],
  );
});

test.run();
