/** Valid bytes, changed a little: a byte flipped, dropped, put in or cut off. */
import * as fc from 'fast-check';
import type { Bytes } from '../../agent/base/bytes.ts';

export function mutationOf(bytes: Bytes): fc.Arbitrary<Bytes> {
  const spot = fc.nat(bytes.byteLength - 1);
  return fc.oneof(
    fc.tuple(spot, fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
      const changed = new Uint8Array(bytes);
      changed[at] = (changed[at] ?? 0) ^ bits;
      return changed;
    }),
    spot.map((at) => new Uint8Array(bytes.subarray(0, at))),
    spot.map((at) => Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1)])),
    fc.tuple(spot, fc.nat(255)).map(([at, byte]) => {
      return Uint8Array.from([...bytes.subarray(0, at), byte, ...bytes.subarray(at)]);
    }),
  );
}
