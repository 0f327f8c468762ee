/**
 * The pages decoded last, so that neighbouring look-ups decode a page once. Changes no result: a page is taken from here
 * only where its bytes are the same ones. Owns copies of those bytes.
 */
import { type Bytes, equalBytes } from '../base/bytes.ts';
import { decodedPagesMax } from '../base/limits.ts';
import type { Digest } from './digest.ts';
import { decodePage, type Page } from './page.ts';

// Changes while running. The least recently used comes first.
const recent = new Map<Digest, { readonly bytes: Bytes; readonly page: Page }>();

/** @throws as decodePage; what it refuses is not kept. */
export function decodeOnce(digest: Digest, bytes: Bytes): Page {
  const known = recent.get(digest);
  const kept = known !== undefined && equalBytes(known.bytes, bytes) ? known : undefined;
  // The source may reuse its buffer, so the copy is ours.
  const found = kept ?? { bytes: new Uint8Array(bytes), page: decodePage(bytes) };
  recent.delete(digest);
  recent.set(digest, found);
  if (recent.size > decodedPagesMax) {
    const [oldest] = recent.keys();
    if (oldest !== undefined) recent.delete(oldest);
  }
  return found.page;
}
