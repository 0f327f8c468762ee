/** Byte helpers that every floor shares. Pure. */

export type Bytes = Uint8Array;

export function toHex(bytes: Bytes): string {
  return asBuffer(bytes).toString('hex');
}

/** @returns the bytes, or undefined where the text is not an even run of hex digits. */
export function fromHex(text: string): Bytes | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, 'hex'));
}

export function equalBytes(left: Bytes, right: Bytes): boolean {
  return left.byteLength === right.byteLength && Buffer.compare(left, right) === 0;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function utf8(text: string): Bytes {
  return encoder.encode(text);
}

/** @returns the text, or undefined where the bytes are not UTF-8. */
export function fromUtf8(bytes: Bytes): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Both as one piece, where the second follows the first in one memory; else null. */
export function joinedTo(first: Bytes, second: Bytes): Bytes | null {
  const { buffer, byteOffset, byteLength } = first;
  if (buffer !== second.buffer || byteOffset + byteLength !== second.byteOffset) return null;
  return new Uint8Array(buffer, byteOffset, byteLength + second.byteLength);
}

/** The same memory with Node's methods; the bytes themselves where they have them. */
export function asBuffer(bytes: Bytes): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
