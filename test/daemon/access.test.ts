import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileAccess } from '../../agent/daemon/access.ts';

type Names = Record<string, readonly string[]>;

async function accessOf(allow: readonly string[], deny: readonly string[], names: Names = {}) {
  const notes: string[] = [];
  const access = await compileAccess(
    { allow, deny },
    {
      signal: AbortSignal.abort(),
      note: (text, { name, list }) => notes.push(`${list} ${name}: ${text}`),
      resolve: async (name) => {
        const found = names[name];
        if (found === undefined) throw new Error(`ENOTFOUND ${name}`);
        return found;
      },
    },
  );
  return { ...access, notes, names };
}

// [allow, deny, admitted, refused]
const cases: readonly (readonly [string[], string[], string[], string[]])[] = [
  [[], [], ['192.0.2.1', '::1', '192.0.2.1:8873', '[::1]:8873'], ['', 'web1', '300.1.1.1', '1.2.3']],
  [['192.168.9.0/24'], [], ['192.168.9.7', '192.168.9.7:1', '::ffff:192.168.9.7'], ['192.168.8.7', '::1']],
  [['192.168.9.0/255.255.255.0'], [], ['192.168.9.255'], ['192.168.10.0']],
  [['10.0.0.1'], [], ['10.0.0.1'], ['10.0.0.2']],
  [['::ffff:10.0.0.0/104'], [], ['10.9.9.9'], ['11.0.0.0']],
  [['2001:db8::/32'], [], ['2001:db8::1', '[2001:db8::1%eth0]:1'], ['2001:db9::1', '192.0.2.1']],
  [[], ['192.168.9.7'], ['192.168.9.8'], ['192.168.9.7', '[::ffff:192.168.9.7]:80']],
  [['192.168.9.0/24'], ['192.168.9.7'], ['192.168.9.8'], ['192.168.9.7', '10.0.0.1']],
  [['0.0.0.0/0'], [], ['1.2.3.4'], ['::1']],
];

for (const [allow, deny, admitted, refused] of cases) {
  test(`allow [${allow.join()}] and deny [${deny.join()}] admit ${admitted[0]} and refuse ${refused[0] || 'no address'}`, async () => {
    const access = await accessOf(allow, deny);
    for (const address of admitted) assert.ok(access.allows(address), `${address} is admitted`);
    for (const address of refused) assert.not(access.allows(address), `${address} is refused`);
  });
}

test('a name stands for all its addresses', async () => {
  const access = await accessOf(['web.example'], [], { 'web.example': ['192.0.2.1', '2001:db8::1'] });
  assert.ok(access.allows('192.0.2.1') && access.allows('2001:db8::1'));
  assert.not(access.allows('192.0.2.2'));
  assert.equal(access.notes, []);
});

test('a name in allow that does not resolve admits nobody, and is told once', async () => {
  const access = await accessOf(['web.example', '10.0.0.1'], []);
  assert.ok(access.allows('10.0.0.1'));
  assert.not(access.allows('192.0.2.1'));
  await access.refresh();
  assert.is(access.notes.length, 1);
  assert.match(access.notes[0] ?? '', 'allow web.example');
});

test('a name in deny that does not resolve refuses everybody until it does', async () => {
  const access = await accessOf([], ['bad.example']);
  assert.not(access.allows('192.0.2.1'));
  access.names['bad.example'] = ['192.0.2.9'];
  await access.refresh();
  assert.ok(access.allows('192.0.2.1'));
  assert.not(access.allows('192.0.2.9'));
  assert.match(access.notes.join('\n'), 'resolves again');
});

test('deny wins over allow where both are names, and where deny does not resolve nobody is let in by an allowed address', async () => {
  const names = {
    'web.example': ['192.0.2.1', '192.0.2.2'],
    'bad.example': ['192.0.2.2', '::ffff:192.0.2.3'],
  };
  const access = await accessOf(['web.example', '192.0.2.3'], ['bad.example'], names);
  assert.ok(access.allows('192.0.2.1'));
  assert.not(access.allows('192.0.2.2') || access.allows('192.0.2.3') || access.allows('192.0.2.4'));
  Reflect.deleteProperty(access.names, 'bad.example');
  await access.refresh();
  assert.not(access.allows('192.0.2.1'));
  assert.match(access.notes.join('\n'), 'everybody is refused');
});

test('a name that moves takes its rights along', async () => {
  const access = await accessOf(['web.example'], [], { 'web.example': ['192.0.2.1'] });
  access.names['web.example'] = ['198.51.100.1'];
  await access.refresh();
  assert.ok(access.allows('198.51.100.1'));
  assert.not(access.allows('192.0.2.1'));
});

test('rules that are changed hold when their names were looked up, and the last ones win whichever was found first', async () => {
  const finds: Record<string, () => void> = {};
  const access = await compileAccess(
    { allow: ['192.0.2.1'], deny: [] },
    {
      signal: AbortSignal.abort(),
      note: () => undefined,
      resolve: (name) =>
        new Promise((resolve) => {
          finds[name] = () => resolve(['198.51.100.1']);
        }),
    },
  );
  const first = access.change({ allow: [], deny: ['slow'] });
  const second = access.change({ allow: [], deny: ['quick'] });
  assert.ok(access.allows('192.0.2.1'), 'the former rules until then');
  assert.not(access.allows('192.0.2.2'));
  finds.quick?.();
  await second;
  assert.not(access.allows('198.51.100.1'));
  assert.ok(access.allows('192.0.2.2'));
  await access.change({ allow: ['192.0.2.3'], deny: [] });
  finds.slow?.();
  await first;
  assert.equal([access.allows('192.0.2.3'), access.allows('192.0.2.2')], [true, false]);
});

test.run();
