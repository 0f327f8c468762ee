/** The audit log: what is written, what survives, and that nobody changes it unnoticed. */
import { hash } from 'node:crypto';
import {
  appendFile,
  copyFile,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { auditBacklogMax } from '../../agent/base/limits.ts';
import { generateKeyPair } from '../../agent/core/keys.ts';
import type { AuditEvent } from '../../agent/daemon/audit-event.ts';
import { type AuditOptions, openAudit } from '../../agent/daemon/audit-log.ts';
import { type AuditVerdict, verifyAudit } from '../../agent/daemon/audit-verify.ts';
import { withDirectory } from './directory.ts';

const keyPair = generateKeyPair();

const event = (name: string): AuditEvent => ({ event: 'removed', share: 'www', peer: 'peer', name });
const published = (sequence: number): AuditEvent => ({
  event: 'published',
  share: 'www',
  version: `1.${sequence}`,
  root: 'root',
  files: 1,
  bytes: 2,
});

async function write(
  home: string,
  names: readonly string[],
  more: Partial<AuditOptions> = {},
): Promise<void> {
  const audit = await openAudit({ home, keyPair, ...more });
  for (const name of names) await audit.record(event(name));
  await audit.close();
}

const verify = (home: string): Promise<AuditVerdict> => verifyAudit(home, keyPair.publicKey);
const logOf = (home: string): string => join(home, 'audit.log');
const sealOf = (home: string): string => join(home, 'audit.seal');
const linesIn = async (home: string): Promise<string[]> =>
  (await readFile(logOf(home), 'utf8')).trimEnd().split('\n');

async function namesIn(home: string): Promise<unknown[]> {
  return (await linesIn(home)).map((line) => {
    const { event: kind, name, found } = JSON.parse(line);
    return found ?? name ?? kind;
  });
}

/** A home with four events, after something was done to it. */
async function after(
  change: (home: string, lines: string[]) => Promise<void> | readonly string[],
  check: (verdict: AuditVerdict, home: string) => Promise<void> | void,
): Promise<void> {
  await withDirectory(async (home) => {
    await write(home, ['ana', 'bo', 'cy', 'di']);
    const changed = await change(home, await linesIn(home));
    if (changed !== undefined) await writeFile(logOf(home), changed.map((line) => `${line}\n`).join(''));
    await check(await verify(home), home);
  });
}

test('events are numbered and chained, also over several runs', async () => {
  await withDirectory(async (home) => {
    assert.equal(await verify(home), { lines: 0, first: null, last: null, sealed: null, wrong: null });
    await write(home, ['ana', 'bo']);
    await write(home, ['cy']);
    assert.equal(await namesIn(home), ['ana', 'bo', 'cy']);
    assert.equal(await verify(home), { lines: 3, first: 1, last: 3, sealed: 3, wrong: null });
    const [line = ''] = await linesIn(home);
    assert.equal(Object.keys(JSON.parse(line)), [
      'seq',
      'time',
      'event',
      'share',
      'peer',
      'name',
      'prev',
      'hash',
    ]);
  });
});

test('what somebody waits for is sealed when it resolves; a publish is in the file at once and sealed at the end', async () => {
  await withDirectory(async (home) => {
    const audit = await openAudit({ home, keyPair });
    await audit.record(event('ana'));
    assert.is((await verify(home)).sealed, 1);
    await audit.record(published(2));
    const open = await verify(home);
    assert.equal([open.last, open.sealed, open.wrong], [2, 1, null]);
    await audit.close();
    assert.is((await verify(home)).sealed, 2);
    assert.is(audit.warning(), null);
  });
});

test('every change of one byte of the log is found, in its line or in the next', async () => {
  await withDirectory(async (home) => {
    await write(home, ['ana', 'bo', 'cy']);
    const bytes = await readFile(logOf(home));
    const property = fc.asyncProperty(
      fc.nat(bytes.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, difference) => {
        const changed = Buffer.from(bytes);
        changed[at] = ((bytes[at] ?? 0) + difference) % 256;
        await writeFile(logOf(home), changed);
        const { wrong } = await verify(home);
        const line = bytes.subarray(0, at).filter((byte) => byte === 0x0a).length + 1;
        assert.ok(wrong !== null, `byte ${at}`);
        assert.ok(wrong.line === line, `byte ${at} of line ${line}: ${JSON.stringify(wrong)}`);
      },
    );
    await fc.assert(property, { numRuns: 400 });
  });
});

test('every byte that is taken out is found', async () => {
  await withDirectory(async (home) => {
    await write(home, ['ana', 'bo']);
    const bytes = await readFile(logOf(home));
    for (let at = 0; at < bytes.length; at += 1) {
      await writeFile(logOf(home), Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]));
      assert.ok((await verify(home)).wrong !== null, `byte ${at}`);
    }
  });
});

test('a line that was altered, removed, moved or doubled is named', async () => {
  const [one, two, three, four] = [0, 1, 2, 3] as const;
  const cases: readonly (readonly [what: string, order: readonly number[], line: number])[] = [
    ['the second is gone', [one, three, four], 2],
    ['the first is gone', [two, three, four], 1],
    ['two changed places', [one, three, two, four], 2],
    ['one is there twice', [one, two, two, three, four], 3],
  ];
  for (const [what, order, line] of cases) {
    await after(
      (_, lines) => order.map((at) => lines[at] ?? ''),
      ({ wrong }) => assert.equal([wrong?.file, wrong?.line], ['audit.log', line], what),
    );
  }
  await after(
    (_, lines) => lines.map((line) => line.replace('"bo"', '"eve"')),
    ({ wrong }) => assert.equal([wrong?.line, wrong?.reason], [2, 'it was altered: its hash is another']),
  );
});

/** With a hash of its own that fits again: what whoever has no key can do to one line. */
function rehashed(line: string): string {
  const hashed = line.slice(0, line.indexOf(',"hash":"'));
  return `${hashed},"hash":"${hash('sha256', hashed, 'hex')}"}`;
}

test('a line that was altered and given a hash that fits is found by the line after it', async () => {
  await after(
    (_, lines) => lines.map((line) => rehashed(line.replace('"bo"', '"eve"'))),
    ({ wrong }) => assert.equal([wrong?.line, wrong?.reason], [3, 'it does not follow the line before it']),
  );
  await after(
    (_, lines) => lines.map((line, at) => (at > 0 ? line : rehashed(line.replace(/"prev":"0/, '"prev":"1')))),
    ({ wrong }) =>
      assert.equal([wrong?.line, wrong?.reason], [1, 'it does not begin the chain though it is the first']),
  );
});

test('an end that was cut off is found by what the agent signed', async () => {
  await after(
    (_, lines) => lines.slice(0, 2),
    ({ wrong }) => {
      assert.equal([wrong?.file, wrong?.line], ['audit.log', 0]);
      assert.match(wrong?.reason ?? '', 'its last 2 lines are missing');
    },
  );
  await after(
    (home) => rm(logOf(home)),
    ({ wrong }) => assert.match(wrong?.reason ?? '', 'its last 4 lines are missing'),
  );
});

test('a chain made anew, a seal of somebody else and no seal are found', async () => {
  await withDirectory(async (other) => {
    await write(other, ['eve', 'bo', 'cy', 'di']);
    await after(
      (home) => copyFile(logOf(other), logOf(home)),
      ({ wrong }) =>
        assert.equal([wrong?.line, wrong?.reason], [4, 'the agent signed another line of this number']),
    );
    const strange = await openAudit({ home: other, keyPair: generateKeyPair() });
    await strange.record(event('fay'));
    await strange.close();
    await after(
      (home) => copyFile(sealOf(other), sealOf(home)),
      ({ wrong }) => assert.equal(wrong?.file, 'audit.seal'),
    );
  });
  await after(
    (home) => rm(sealOf(home)),
    ({ wrong }) => assert.match(wrong?.reason ?? '', 'missing'),
  );
});

test('half a line of a crash is told, cut off at the next start, and noted', async () => {
  await withDirectory(async (home) => {
    await write(home, ['ana']);
    await appendFile(logOf(home), '{"seq":2,"ti');
    assert.equal((await verify(home)).wrong?.line, 2);
    await write(home, ['bo']);
    assert.equal(await namesIn(home), ['ana', 'half a line at the end was cut off', 'bo']);
    assert.is((await verify(home)).wrong, null);
  });
});

test('a crash before the seal loses nothing', async () => {
  await withDirectory(async (home) => {
    await write(home, ['ana']);
    await copyFile(sealOf(home), join(home, 'old'));
    await write(home, ['bo']);
    await rename(join(home, 'old'), sealOf(home));
    assert.equal(await verify(home), { lines: 2, first: 1, last: 2, sealed: 1, wrong: null });
    await write(home, ['cy']);
    assert.equal(await namesIn(home), ['ana', 'bo', 'cy']);
    assert.equal((await verify(home)).sealed, 3);
  });
});

test('an agent goes on after what was tampered with, and the place stays visible', async () => {
  await after(
    (_, lines) => lines.slice(0, 2),
    async (_, home) => {
      await write(home, ['eve']);
      assert.equal(await namesIn(home), ['ana', 'bo', 'lines at the end are missing', 'eve']);
      const { wrong } = await verify(home);
      assert.equal([wrong?.line, wrong?.reason], [3, 'it is number 5 where 3 is due']);
    },
  );
  await after(
    (home) => truncate(logOf(home)),
    async (_, home) => {
      await write(home, ['eve']);
      assert.match((await verify(home)).wrong?.reason ?? '', 'lines before it are missing');
    },
  );
});

test('a full file is put aside and the chain goes on; files that are taken away are told, single lines missed', async () => {
  await withDirectory(async (home) => {
    const names = Array.from({ length: 20 }, (_, at) => `name ${at}`);
    await write(home, names, { fileBytesMax: 1000 });
    const older = (await readdir(home)).filter((name) => /^audit\.log\.\d+$/.test(name));
    assert.ok(older.length >= 3, older.join());
    const whole = await verify(home);
    assert.equal([whole.wrong, whole.first, whole.lines, whole.last], [null, 1, whole.sealed, whole.sealed]);
    older.sort((left, right) => Number(left.split('.')[2]) - Number(right.split('.')[2]));
    const [first = '', second = ''] = older;
    await rm(join(home, first));
    const rest = await verify(home);
    assert.equal([rest.wrong, rest.first], [null, Number(first.split('.')[2]) + 1]);
    await rename(join(home, second), join(home, 'elsewhere'));
    assert.is((await verify(home)).wrong, null);
    const text = await readFile(join(home, 'elsewhere'), 'utf8');
    await writeFile(join(home, second), text.slice(text.indexOf('\n') + 1));
    assert.equal((await verify(home)).wrong?.file, second);
  });
});

test('one process at a time writes it', async () => {
  await withDirectory(async (home) => {
    const audit = await openAudit({ home, keyPair });
    try {
      await openAudit({ home, keyPair });
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), 'try again');
    }
    await audit.close();
    await write(home, ['ana']);
  });
});

test('a full disk stops nobody: events wait, those beyond a bound are counted', async () => {
  await withDirectory(async (home) => {
    await symlink('/dev/full', logOf(home));
    const audit = await openAudit({ home, keyPair });
    for (let count = 0; count < auditBacklogMax + 2; count += 1) await audit.record(published(count));
    const warning = audit.warning();
    assert.equal([warning?.code, warning?.count], ['audit-log', 2]);
    assert.match(warning?.message ?? '', /ENOSPC.*|no space/i);
    await rm(logOf(home));
    await audit.close();
    const { wrong, lines } = await verify(home);
    assert.equal([wrong, lines], [null, auditBacklogMax + 1]);
    assert.equal((await namesIn(home)).at(-1), 'events-lost');
  });
});

test('what strangers say stays within its line', async () => {
  await withDirectory(async (home) => {
    const told: string[] = [];
    await write(home, ['a\n{"seq":9}', '\u2028 \ud800 \x00'], { onLine: (line) => void told.push(line) });
    assert.is((await linesIn(home)).length, 2);
    assert.is((await verify(home)).wrong, null);
    assert.equal(told, await linesIn(home));
  });
});

test.run();
