/** `--timefmt` against date(1) in the C locale, which is strftime(3). */
import { execFileSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatTimeBy } from '../../agent/cli/render/timefmt.ts';

const letters = 'aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYz%';
const times = [
  '2026-01-01T00:05:09Z',
  '2027-01-03T23:59:59Z',
  '2024-02-29T12:00:00Z',
  '1999-12-31T09:30:00Z',
];

for (const iso of times) {
  test(`every escape of ${iso} is as date(1) writes it`, () => {
    const format = letters
      .split('')
      .map((letter) => `${letter}=%${letter}`)
      .join('|');
    const seconds = Date.parse(iso) / 1000;
    const expected = execFileSync('date', ['-d', `@${seconds}`, `+${format}`], {
      env: { ...process.env, LC_ALL: 'C' },
    });
    assert.equal(`${formatTimeBy(format, seconds * 1000)}\n`.split('|'), expected.toString().split('|'));
  });
}

test('the zone has a name, and what C does not know stays', () => {
  assert.ok(formatTimeBy('%Z', 0).length >= 1);
  assert.is(formatTimeBy('%L %Q %f %q %J', 0), '%L %Q %f %q %J');
  assert.is(formatTimeBy('plain', 0), 'plain');
});

test.run();
