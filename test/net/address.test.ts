import { multiaddr } from '@multiformats/multiaddr';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { formatAddress, ipOf, isLoopback, parseAddress, resolveAddress } from '../../agent/net/address.ts';

test('reads HOST:PORT, bracketed IPv6, names and TCP multiaddrs', () => {
  const cases = [
    ['0.0.0.0:8873', '/ip4/0.0.0.0/tcp/8873'],
    ['[::]:8873', '/ip6/::/tcp/8873'],
    ['[fe80::1]:0', '/ip6/fe80::1/tcp/0'],
    ['web1.example:8873', '/dns/web1.example/tcp/8873'],
    ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/1'],
    ['/dns4/web1/tcp/1', '/dns4/web1/tcp/1'],
  ] as const;
  for (const [text, expected] of cases) assert.is(parseAddress(text).toString(), expected);
});

test('refuses what is no TCP address, naming it', () => {
  const bad = [
    '',
    '8873',
    'host',
    'host:',
    'host:99999',
    '::1:80',
    '[1.2.3.4]:80',
    'a b:1',
    '/ip4/1.2.3.4',
    '/ip4/1.2.3.4/udp/1',
    '/ip4/x/tcp/1',
    '/ip4/1.2.3.4/tcp/1/ws',
    '/unix/tmp',
  ];
  for (const text of bad) {
    assert.throws(
      () => parseAddress(text),
      (error: unknown) => hasCode(error, 'config'),
      text,
    );
  }
});

test('shows IP:PORT, and an IPv4 inside an IPv6 as IPv4', () => {
  assert.is(formatAddress(multiaddr('/ip4/10.0.0.1/tcp/80')), '10.0.0.1:80');
  assert.is(formatAddress(multiaddr('/ip6/fe80::1/tcp/80')), '[fe80::1]:80');
  assert.is(formatAddress(multiaddr('/ip6/::ffff:10.0.0.1/tcp/80')), '10.0.0.1:80');
  assert.is(ipOf('[fe80::1]:80'), '[fe80::1]');
  assert.ok(isLoopback(multiaddr('/ip6/::1/tcp/80')));
  assert.not.ok(isLoopback(multiaddr('/ip4/10.0.0.1/tcp/80')));
});

test('resolves a name to addresses, and says so of one that does not resolve', async () => {
  const found = await resolveAddress('localhost:80');
  assert.ok(found.every(isLoopback) && found.length > 0);
  try {
    await resolveAddress('no-such-host.invalid:80');
    assert.unreachable();
  } catch (error) {
    assert.ok(hasCode(error, 'unreachable-peer'));
  }
});

test.run();
