/** The authority key on its way between machines, which member `remove` means, and invitations that nobody has used yet. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ErrorCode, hasCode, messageOf } from '../../agent/base/errors.ts';
import { issuedInvitationsMax } from '../../agent/base/limits.ts';
import { generateKeyPair, peerIdOf } from '../../agent/core/keys.ts';
import { authorityStatus, exportAuthority, importAuthority } from '../../agent/daemon/authority.ts';
import { readShares, type ShareRecord } from '../../agent/daemon/home.ts';
import { readIssued } from '../../agent/daemon/issued.ts';
import type { MemberRow } from '../../agent/daemon/membership-rows.ts';
import { pickMember, removeAlone } from '../../agent/daemon/remove-member.ts';
import { createInvitation, initShare, joinShare } from '../../agent/daemon/setup.ts';

type Place = {
  readonly top: string;
  readonly writer: string;
  readonly member: string;
  readonly share: ShareRecord;
};

const off = { http: 'off' } as const;

async function withHomes(check: (place: Place) => Promise<void>): Promise<void> {
  const top = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-authority-'));
  try {
    const [writer, member] = [join(top, 'writer.home'), join(top, 'member.home')];
    for (const name of ['www', 'copy']) mkdirSync(join(top, name));
    const directory = join(top, 'www');
    await initShare({ home: writer, directory, name: 'origin', listen: '127.0.0.1:8873', ...off });
    const terms = { role: 'replica', expiresMs: 60_000, uses: 1 } as const;
    const { invitation } = await createInvitation({ home: writer, ...terms });
    const joining = { invitation, directory: join(top, 'copy'), listen: '127.0.0.1:8875', force: false };
    await joinShare({ home: member, ...joining, ...off });
    const [share] = await readShares(writer);
    if (share === undefined) throw new Error('there is a share');
    await check({ top, writer, member, share });
  } finally {
    mock.timers.reset();
    rmSync(top, { recursive: true });
  }
}

async function refused(work: Promise<unknown>, code: ErrorCode, says: RegExp): Promise<void> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(hasCode(error, code), messageOf(error));
  assert.match(messageOf(error), says);
}

const isHere = async (home: string): Promise<boolean | undefined> => (await authorityStatus(home))[0]?.here;

test('the key is copied, moved, and comes to a member of its share; nothing is overwritten', async () => {
  await withHomes(async ({ top, writer, member, share }) => {
    const [copy, moved] = [join(top, 'a.key'), join(top, 'b.key')];
    assert.is((await exportAuthority(writer, share, { file: copy, move: false })).did, 'exported');
    assert.is(statSync(copy).mode & 0o777, 0o600);
    assert.is(await isHere(writer), true);
    await refused(exportAuthority(writer, share, { file: copy, move: true }), 'conflict', /is there already/);
    const nowhere = join(top, 'none', 'b.key');
    await refused(exportAuthority(writer, share, { file: nowhere, move: true }), 'not-found', /directory/);
    assert.is(await isHere(writer), true, 'what fails moves nothing');
    assert.is((await exportAuthority(writer, share, { file: moved, move: true })).did, 'moved');
    assert.is(await isHere(writer), false);
    assert.is(readFileSync(moved, 'utf8'), readFileSync(copy, 'utf8'));
    assert.equal(
      readdirSync(writer).filter((name) => name.startsWith('authority')),
      [],
    );
    const terms = { role: 'replica', expiresMs: 1000, uses: 1 } as const;
    await refused(exportAuthority(writer, share, { file: nowhere, move: true }), 'permission', /not on this/);
    await refused(
      createInvitation({ home: writer, ...terms }),
      'permission',
      /p2psync authority import FILE/,
    );
    await refused(
      removeAlone({ home: writer, peer: 'x' }),
      'permission',
      /type p2psync remove where it lies/,
    );
    // A stick has no modes.
    chmodSync(moved, 0o755);
    assert.is((await importAuthority(member, moved)).did, 'imported');
    assert.is((await importAuthority(member, moved)).did, 'imported', 'twice is once');
    assert.is(await isHere(member), true);
    assert.is(statSync((await authorityStatus(member))[0]?.path ?? '').mode & 0o777, 0o600);
    assert.is((await createInvitation({ home: member, ...terms })).uses, 1);
  });
});

test('what is no key, or the key of another share, is not imported', async () => {
  await withHomes(async ({ top, writer, member, share }) => {
    const file = join(top, 'a.key');
    await refused(importAuthority(member, file), 'not-found', /a\.key/);
    for (const text of ['', 'x'.repeat(5000), 'p2psync-authority 1 00 00']) {
      writeFileSync(file, text);
      await refused(importAuthority(member, file), 'malformed', /a\.key/);
    }
    rmSync(file);
    await exportAuthority(writer, share, { file, move: false });
    writeFileSync(`${file}.salt`, readFileSync(file, 'utf8').replace('authority', 'salt'));
    await refused(importAuthority(member, `${file}.salt`), 'malformed', /damaged/);
    const stranger = join(top, 'stranger.home');
    mkdirSync(join(top, 'other'));
    await initShare({ home: stranger, directory: join(top, 'other'), listen: '127.0.0.1:8877', ...off });
    await refused(importAuthority(stranger, file), 'not-found', /takes no part/);
  });
});

test('an agent does not remove itself, nor one that is not there', async () => {
  await withHomes(async ({ writer }) => {
    await refused(removeAlone({ home: writer, peer: 'origin' }), 'conflict', /this agent itself/);
    await refused(removeAlone({ home: writer, peer: 'nobody' }), 'not-found', /see p2psync members/);
  });
});

test('a member is meant by its id, its name, or the beginning of its id; where several fit, none is', () => {
  const row = (name: string, revoked = false): MemberRow => {
    const key = generateKeyPair().publicKey;
    const rest = { role: 'replica', admittedMs: null, addresses: [], expiresMs: null } as const;
    return { key, peer: peerIdOf(key), name, revoked, ...rest };
  };
  const [ana, twin, double, gone] = [row('ana'), row('twin'), row('twin'), row('ana', true)];
  const rows = [ana, twin, double, gone];
  for (const one of [ana, twin, double]) {
    assert.is(pickMember(rows, one.peer), one);
    assert.is(pickMember(rows, one.peer.slice(0, 30)), one);
    assert.is(pickMember(rows, one.peer.slice(8, 30)), one);
  }
  assert.is(pickMember(rows, 'ana'), ana, 'one who is gone stands in nobody’s way');
  assert.is(pickMember([gone], 'ana'), gone);
  for (const named of ['twin', '12D3KooW']) {
    const namesBoth = (error: unknown): boolean =>
      hasCode(error, 'usage') && [twin, double].every(({ peer }) => messageOf(error).includes(peer));
    assert.throws(() => pickMember(rows, named), namesBoth);
  }
  for (const named of ['', 'an', `${ana.peer}x`]) {
    assert.throws(
      () => pickMember(rows, named),
      (error: unknown) => hasCode(error, 'not-found'),
    );
  }
});

test('a home remembers the invitations that it made until they expire, and not too many', async () => {
  await withHomes(async ({ writer }) => {
    const invite = (expiresMs: number): Promise<unknown> =>
      createInvitation({ home: writer, role: 'archive', expiresMs, uses: 4 });
    await invite(3_600_000);
    await invite(7_200_000);
    const issued = async (): Promise<number> =>
      (await readIssued(writer)).filter(({ role, uses }) => role === 'archive' && uses === 4).length;
    assert.is(await issued(), 2);
    writeFileSync(join(writer, 'invitations', 'x.json'), 'no json');
    assert.is(await issued(), 2);
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 5_000_000 });
    await invite(3_600_000);
    assert.is(await issued(), 2, 'one has expired');
    const [one] = await readIssued(writer);
    for (let count = 0; count < issuedInvitationsMax; count += 1) {
      const id = String(count).padStart(64, '0');
      writeFileSync(join(writer, 'invitations', `${id}.json`), JSON.stringify({ ...one, id }));
    }
    await invite(9_000_000);
    assert.is((await readIssued(writer)).length, issuedInvitationsMax);
  });
});

test.run();
