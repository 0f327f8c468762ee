/** Places by address: nobody is kept out by those who have a few addresses. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createPlaces, type Places } from '../../agent/net/places.ts';

function create(): { readonly places: Places<string>; readonly evicted: string[] } {
  const evicted: string[] = [];
  const places = createPlaces<string>({
    max: 8,
    perAddressMax: 4,
    evict: (guest) => void evicted.push(guest),
  });
  return { places, evicted };
}

test('one address has its bound; a place that is left is free again', () => {
  const { places, evicted } = create();
  for (const guest of ['a', 'b', 'c', 'd']) assert.ok(places.take(guest, '10.0.0.1:1'));
  assert.not(places.take('e', '10.0.0.1:2'));
  places.leave('b');
  places.leave('b');
  assert.ok(places.take('e', '10.0.0.1:3'));
  assert.equal([places.taken(), evicted], [4, []]);
});

test('when all are taken, the address with most gives up its oldest for one with fewer, and for nobody else', () => {
  const { places, evicted } = create();
  for (const guest of ['a1', 'a2', 'a3', 'a4']) places.take(guest, '10.0.0.1:1');
  for (const guest of ['b1', 'b2', 'b3', 'b4']) places.take(guest, '10.0.0.2:1');
  for (const guest of ['c1', 'c2', 'c3']) places.take(guest, '10.0.0.3:1');
  assert.equal(evicted, ['a1', 'b1']);
  assert.ok(places.take('d1', '10.0.0.4:1'));
  assert.equal(evicted, ['a1', 'b1', 'a2']);
  assert.not(places.take('c4', '10.0.0.3:1'), 'it would only take what it gives');
  assert.is(places.taken(), 8);
});

test('the addresses of one IPv6 network are one', () => {
  const { places } = create();
  const guests = [
    '[2001:db8::1]:1',
    '[2001:db8:0:0:7::]:1',
    '[2001:db8:0:0:1:2:3:4]:1',
    '[2001:db8::9:0:0:1]:1',
  ];
  for (const address of guests) assert.ok(places.take(address, address));
  assert.not(places.take('e', '[2001:db8::5]:1'));
  assert.ok(places.take('f', '[2001:db8:0:1::1]:1'));
});

test.run();
