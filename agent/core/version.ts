/** (epoch, sequence): the epoch rises when the writer changes, the sequence with every published change. Pure. */
import { P2psyncError } from '../base/errors.ts';

export type Version = { readonly epoch: number; readonly sequence: number };

export function compareVersions(left: Version, right: Version): number {
  return left.epoch - right.epoch || left.sequence - right.sequence;
}

/** Null, and not told yet, are each the same as themselves alone. */
export function sameVersion(left: Version | null | undefined, right: Version | null): boolean {
  if (left === undefined || left === null || right === null) return left === right;
  return compareVersions(left, right) === 0;
}

/** `1.42` */
export function formatVersion(version: Version): string {
  return `${version.epoch}.${version.sequence}`;
}

/** @throws {P2psyncError} usage, where the text is not `EPOCH.SEQUENCE`. */
export function parseVersion(text: string): Version {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
  if (match === null)
    throw new P2psyncError('usage', `not a version (EPOCH.SEQUENCE): ${JSON.stringify(text)}`);
  return { epoch: Number(match[1]), sequence: Number(match[2]) };
}
