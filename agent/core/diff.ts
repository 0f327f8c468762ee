/** Stub. */
import type { Digest } from './digest.ts';
import type { Change } from './entry.ts';
import type { PageSource } from './page.ts';

export declare function diffTrees(pages: PageSource, from: Digest, to: Digest): Generator<Change, void, void>;
export declare function diffFromEmpty(pages: PageSource, to: Digest): Generator<Change, void, void>;
