/** init, invite and join: what they leave behind, and that what is refused leaves nothing behind. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../agent/base/errors.ts';
import { readInvitation } from '../../agent/core/invitation.ts';
import { indexDirectory, readShares } from '../../agent/daemon/home.ts';
import { checkMarker, readMarker } from '../../agent/daemon/marker.ts';
import { createInvitation, initShare, joinShare, pickShare } from '../../agent/daemon/setup.ts';
import { stateKeys } from '../../agent/daemon/state.ts';
import type { InitRequest, JoinRequest } from '../../agent/http/api.ts';
import { openStore } from '../../agent/store/database.ts';

type Place = { readonly top: string; readonly home: string; readonly directory: string };

async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const top = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-setup-'));
  const directory = join(top, 'www');
  mkdirSync(directory);
  try {
    await use({ top, home: join(top, 'home'), directory });
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

/** Every path below, with its kind, mode and content. */
const snapshot = (top: string): string =>
  execFileSync(
    'sh',
    ['-c', 'find . -printf "%p %y %m\\n" | sort; find . -type f -exec sha256sum {} + | sort'],
    {
      cwd: top,
      encoding: 'utf8',
    },
  );

const init = ({ home, directory }: Place, more: Partial<InitRequest> = {}) =>
  initShare({ home, directory, listen: '127.0.0.1:8873', ...more });
const invite = (home: string, more: { uses?: number; expiresMs?: number } = {}) =>
  createInvitation({ home, role: 'replica', expiresMs: 3_600_000, uses: 1, ...more });

/** Certificate, grant and roster as they are stored. */
async function stateOf(home: string): Promise<string> {
  const [record] = await readShares(home);
  if (record === undefined) throw new Error('no share');
  const store = openStore(indexDirectory(home));
  const { certificate, grant, roster } = stateKeys;
  const stored = [certificate, grant, roster].map((key) => store.share(record.id).state(key));
  await store.close();
  return stored.map((bytes) => Buffer.from(bytes ?? []).toString('hex')).join(' ');
}

/** @returns the error, of which there must be one, with nothing changed below `top`. */
async function refused(top: string, act: () => Promise<unknown>): Promise<P2psyncError> {
  const before = snapshot(top);
  try {
    await act();
  } catch (error) {
    assert.is(snapshot(top), before, 'nothing was changed');
    if (!(error instanceof P2psyncError)) throw error;
    assert.not(error.message.includes('\n'), error.message);
    return error;
  }
  return assert.unreachable('it is refused') as never;
}

test('init makes an identity, a share and this agent its writer', async () => {
  await withPlace(async (place) => {
    const result = await init(place, { share: 'web', name: 'one' });
    assert.is(result.role, 'writer');
    assert.equal([result.share, result.name, result.path], ['web', 'one', place.directory]);
    assert.is(await readMarker(place.directory), result.id);
    assert.equal(
      (await readShares(place.home)).map((share) => share.name),
      ['web'],
    );
    assert.is(statSync(join(place.home, 'identity.key')).mode & 0o777, 0o600);
    assert.match(readFileSync(join(place.home, 'config.toml'), 'utf8'), /name = "web"/);
  });
});

test('an invitation is a line that names the share, and joining it makes a member that waits for others', async () => {
  await withPlace(async (place) => {
    const made = await init(place);
    const { invitation } = await invite(place.home, { uses: 2 });
    assert.is(readInvitation(invitation, Date.now()).signed.terms.share, made.id);
    const directory = join(place.top, 'replica');
    mkdirSync(directory);
    const home = join(place.top, 'home of a replica');
    const joined = await joinShare({
      home,
      directory,
      invitation,
      force: false,
      name: 'two',
      listen: '127.0.0.1:8874',
    });
    assert.equal([joined.id, joined.role, joined.share], [made.id, 'replica', made.share]);
    await checkMarker(directory, made.id as never);
    assert.match(readFileSync(join(home, 'config.toml'), 'utf8'), /127\.0\.0\.1\/tcp\/8873/);
  });
});

test('what a person wrote in the configuration stays', async () => {
  await withPlace(async (place) => {
    mkdirSync(place.home);
    writeFileSync(join(place.home, 'config.toml'), '# mine\nname = "kept" # really\n');
    await init(place);
    const text = readFileSync(join(place.home, 'config.toml'), 'utf8');
    assert.ok(text.startsWith('# mine\nname = "kept" # really\n'), text);
  });
});

const badInits: readonly (readonly [
  what: string,
  prepare: (place: Place) => Partial<InitRequest> | undefined,
  message: RegExp,
])[] = [
  [
    'a directory that is not there',
    ({ top }) => ({ directory: join(top, 'nowhere') }),
    /nowhere is not there: make it first/,
  ],
  [
    'a file',
    ({ top }) => (writeFileSync(join(top, 'file'), ''), { directory: join(top, 'file') }),
    /file is not a directory/,
  ],
  ["an agent's name that is none", () => ({ name: '' }), /name/],
  ["an agent's name of more than 63 bytes", () => ({ name: 'x'.repeat(65) }), /name/],
  ["an agent's name with a line feed", () => ({ name: 'a\nb' }), /name/],
  ["a share's name that is none", () => ({ share: '' }), /name/],
  ["a share's name with a slash", () => ({ share: 'a/b' }), /name/],
  ['an address to listen on that is none', () => ({ listen: 'nonsense' }), /listen/],
  ['a port beyond all ports', () => ({ listen: '127.0.0.1:99999' }), /listen/],
  ['a place for HTTP that is none', () => ({ http: 'nonsense' }), /http/],
  [
    'a home inside the share',
    ({ directory }) => ({ home: join(directory, 'home') }) as never,
    /holds the agent's home/,
  ],
  [
    'a configuration that is broken',
    ({ home }) => (mkdirSync(home), writeFileSync(join(home, 'config.toml'), 'name = '), undefined),
    /config\.toml/,
  ],
  [
    'a marker of another share',
    ({ directory }) => (
      mkdirSync(join(directory, '.p2psync')),
      writeFileSync(join(directory, '.p2psync/share'), 'another\n'),
      undefined
    ),
    /is a share already/,
  ],
  [
    'a file where the agent keeps its own',
    ({ directory }) => (writeFileSync(join(directory, '.p2psync'), 'mine'), undefined),
    /\.p2psync/,
  ],
];

for (const [what, prepare, message] of badInits) {
  test(`init refuses ${what}, and leaves nothing behind`, async () => {
    await withPlace(async (place) => {
      const more = prepare(place) ?? {};
      const error = await refused(place.top, () => init(place, more));
      assert.match(error.message, message);
    });
  });
}

test('a second share cannot have the name or the directory of the first, lie in it or hold it', async () => {
  await withPlace(async (place) => {
    await init(place, { share: 'web' });
    const other = join(place.top, 'other');
    const inside = join(place.directory, 'inside');
    mkdirSync(other);
    mkdirSync(inside);
    const home = place.home;
    assert.match(
      (await refused(place.top, () => initShare({ home, directory: other, share: 'web' }))).message,
      /web/,
    );
    assert.match(
      (await refused(place.top, () => initShare({ home, directory: place.directory }))).message,
      /is a share already/,
    );
    assert.match(
      (await refused(place.top, () => initShare({ home, directory: inside }))).message,
      /lies inside/,
    );
    await initShare({ home, directory: other });
    assert.is((await readShares(home)).length, 2);
  });
});

const badJoins: readonly (readonly [
  what: string,
  prepare: (directory: string, invitation: string) => Partial<JoinRequest> | undefined,
  message: RegExp,
])[] = [
  ['a line that is no invitation', () => ({ invitation: 'hello' }), /invitation/],
  [
    'an invitation that was cut off',
    (_, invitation) => ({ invitation: invitation.slice(0, -9) }),
    /invitation/,
  ],
  [
    'a directory that is not empty',
    (directory) => (writeFileSync(join(directory, 'mine'), 'x'), undefined),
    /is not empty: .*--force/,
  ],
  ['a directory that is not there', (directory) => ({ directory: `${directory}x` }), /is not there/],
  ["an agent's name that is none", () => ({ name: ' ' }), /name/],
  ['an address to listen on that is none', () => ({ listen: ':' }), /listen/],
  [
    'the directory of another share',
    (directory) => (
      mkdirSync(join(directory, '.p2psync')),
      writeFileSync(join(directory, '.p2psync/share'), 'another\n'),
      undefined
    ),
    /belongs to another share/,
  ],
  [
    'a file where the agent keeps its own',
    (directory) => (writeFileSync(join(directory, '.p2psync'), 'mine'), { force: true }),
    /\.p2psync/,
  ],
];

for (const [what, prepare, message] of badJoins) {
  test(`join refuses ${what}, and leaves nothing behind`, async () => {
    await withPlace(async (place) => {
      await init(place);
      const { invitation } = await invite(place.home);
      const directory = join(place.top, 'replica');
      mkdirSync(directory);
      const more = prepare(directory, invitation) ?? {};
      const home = join(place.top, 'home of a replica');
      const error = await refused(place.top, () =>
        joinShare({ home, directory, invitation, force: false, listen: '127.0.0.1:8874', ...more }),
      );
      assert.match(error.message, message);
    });
  });
}

test('nobody joins a share twice, nor with an invitation that expired', async () => {
  await withPlace(async (place) => {
    await init(place);
    const { invitation } = await invite(place.home);
    const again = join(place.top, 'again');
    mkdirSync(again);
    const twice = await refused(place.top, () =>
      joinShare({ home: place.home, directory: again, invitation, force: true }),
    );
    assert.match(twice.message, /takes part in share www already/);
  });
});

/** A crash leaves what was written before: secrets and documents, the marker, `shares.json`, and last the configuration. */
const crashes: readonly (readonly [where: string, undo: (place: Place) => void])[] = [
  ['before the configuration is written', ({ home }) => rmSync(join(home, 'config.toml'))],
  [
    'before the share is listed',
    ({ home }) => {
      rmSync(join(home, 'config.toml'));
      rmSync(join(home, 'shares.json'));
    },
  ],
  [
    'before the directory is marked',
    ({ home, directory }) => {
      rmSync(join(home, 'config.toml'));
      rmSync(join(home, 'shares.json'));
      rmSync(join(directory, '.p2psync'), { recursive: true });
    },
  ],
];

for (const [where, undo] of crashes) {
  test(`init that a crash cut short ${where} is done by saying it again`, async () => {
    await withPlace(async (place) => {
      const first = await init(place, { share: 'web', name: 'one' });
      undo(place);
      const second = await init(place, { share: 'web', name: 'one' });
      if (!where.includes('marked')) assert.equal(second, first);
      assert.equal(
        (await readShares(place.home)).map(({ id, name }) => [id, name]),
        [[second.id, 'web']],
      );
      await checkMarker(place.directory, second.id as never);
      assert.ok((await invite(place.home)).invitation.startsWith('p2psync'));
      assert.match((await refused(place.top, () => init(place))).message, /is a share already/);
    });
  });

  test(`join that a crash cut short ${where} is done by saying it again`, async () => {
    await withPlace(async (place) => {
      const made = await init(place);
      const { invitation } = await invite(place.home);
      const replica = { ...place, directory: join(place.top, 'replica'), home: join(place.top, 'another') };
      mkdirSync(replica.directory);
      const request = { ...replica, invitation, force: false, name: 'two' };
      const first = await joinShare(request);
      undo(replica);
      assert.equal(await joinShare(request), first);
      assert.equal(
        (await readShares(replica.home)).map(({ id }) => id),
        [made.id],
      );
      await checkMarker(replica.directory, made.id as never);
    });
  });
}

test('one whom nobody has taken in yet may join with another invitation, and one who belongs may not', async () => {
  await withPlace(async (place) => {
    await init(place);
    const home = join(place.top, 'another');
    const directory = join(place.top, 'replica');
    mkdirSync(directory);
    const joinAs = async (name: string, isRunning = false): Promise<string> => {
      const { invitation } = await invite(place.home);
      return (await joinShare({ home, directory, invitation, force: false, name }, { isRunning })).name;
    };
    assert.is(await joinAs('two'), 'two');
    const first = await stateOf(home);
    const running = await joinAs('three', true).then(() => 'done', String);
    assert.match(running, /stop this agent first/);
    assert.is(await stateOf(home), first);
    assert.is(await joinAs('three'), 'three');
    assert.is.not(await stateOf(home), first);
    const [record] = await readShares(home);
    assert.ok(record !== undefined);
    const store = openStore(indexDirectory(home));
    await store.share(record.id).writeDurably({ state: new Map([[stateKeys.grant, new Uint8Array([1])]]) });
    await store.close();
    assert.match(await joinAs('four').then(() => 'done', String), /takes part in share www already/);
  });
});

test('what a crash left of init is taken over as it was: the documents are not made anew', async () => {
  await withPlace(async (place) => {
    await init(place, { share: 'web', name: 'one' });
    const documents = (): Promise<string> => stateOf(place.home);
    const before = await documents();
    rmSync(join(place.home, 'config.toml'));
    const again = await init(place, { share: 'site', name: 'other' });
    assert.equal([again.share, again.name], ['site', 'one']);
    assert.is(await documents(), before);
  });
});

test('a directory inside a share is no share of its own, whoever made the outer one', async () => {
  await withPlace(async (place) => {
    await init(place);
    const { invitation } = await invite(place.home);
    const inside = join(place.directory, 'a/b');
    mkdirSync(inside, { recursive: true });
    const home = join(place.top, 'another');
    const message = new RegExp(`a/b lies inside the share over ${place.directory}: `);
    assert.match((await refused(place.top, () => initShare({ home, directory: inside }))).message, message);
    const joining = () => joinShare({ home, directory: inside, invitation, force: true });
    assert.match((await refused(place.top, joining)).message, message);
  });
});

test('the marker of a share that others made stays in the way of init', async () => {
  await withPlace(async (place) => {
    await init(place);
    const error = await refused(place.top, () =>
      initShare({ home: join(place.top, 'another'), directory: place.directory }),
    );
    assert.match(error.message, /is a share already/);
  });
});

test('invitations that cannot be are refused', async () => {
  await withPlace(async (place) => {
    await refused(place.top, () => invite(place.home));
    assert.not(existsSync(place.home));
    await init(place);
    for (const more of [{ uses: 0 }, { uses: 1_000_000 }, { expiresMs: -1 }, { expiresMs: 1e15 }])
      await refused(place.top, () => invite(place.home, more));
  });
});

test('where the authority key is not here the line says where to go', async () => {
  await withPlace(async (place) => {
    const { id } = await init(place);
    rmSync(join(place.home, 'shares', id), { recursive: true, force: true });
    const keys = execFileSync('find', [place.home, '-name', '*authority*'], { encoding: 'utf8' }).trim();
    if (keys !== '') rmSync(keys);
    const error = await refused(place.top, () => invite(place.home));
    assert.match(
      error.message,
      /not on this machine: type p2psync invite where it lies \(where p2psync init was run.*p2psync authority import FILE$/,
    );
    assert.is(error.code, 'permission');
  });
});

test('an identity that others can read is refused', async () => {
  await withPlace(async (place) => {
    await init(place);
    chmodSync(join(place.home, 'identity.key'), 0o644);
    const error = await refused(place.top, () => invite(place.home));
    assert.match(error.message, /identity\.key/);
  });
});

test('of several shares one has to be named', () => {
  const shares = ['web', 'data'].map((name) => ({ name, id: `id of ${name}` }));
  assert.is(pickShare(shares, 'data').id, 'id of data');
  assert.is(pickShare(shares, 'id of web').name, 'web');
  assert.is(pickShare(shares.slice(1), undefined).name, 'data');
  assert.throws(() => pickShare(shares, undefined), /several shares: say --share web \| data/);
  assert.throws(() => pickShare(shares, 'nope'), /no share nope here; there is web, data/);
  assert.throws(() => pickShare([], undefined), /no share here yet/);
});

test.run();
