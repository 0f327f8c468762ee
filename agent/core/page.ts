/** Stub. */
import type { Bytes } from '../base/bytes.ts';
import type { Digest } from './digest.ts';
import type { Counts, Entry } from './entry.ts';
import type { SharePath } from './path.ts';

/** Encoded page of a digest, verified when it was stored; undefined where it is not here. */
export type PageSource = (digest: Digest) => Bytes | undefined;

/** What an inner page knows of a page below it. */
export type Child = { readonly lastKey: SharePath; readonly digest: Digest; readonly counts: Counts };

/** Level 0 holds entries, those above hold the pages one level below; both in byte order of path. */
export type Page =
  | { readonly kind: 'leaf'; readonly level: 0; readonly entries: readonly Entry[] }
  | { readonly kind: 'inner'; readonly level: number; readonly children: readonly Child[] };

/** @throws {P2psyncError} malformed, limit-exceeded, bad-path. */
export declare function decodePage(bytes: Bytes): Page;

/** What kind of page the bytes claim to be. */
export declare function pageKindOf(bytes: Bytes): 'tree' | 'list' | undefined;

/** Level of the page and what it names: pages one level below, or entries at level 0. @throws as decodePage. */
export declare function pageReferences(bytes: Bytes): {
  readonly level: number;
  readonly pages: readonly Digest[];
  readonly entries: readonly Entry[];
};
