/** (epoch, sequence): the epoch rises when the writer changes, the sequence with every published change. Pure. */
import { P2psyncError } from '../base/errors.ts';

export type Version = { readonly epoch: number; readonly sequence: number };

export function compareVersions(left: Version, right: Version): number {
  return left.epoch - right.epoch || left.sequence - right.sequence;
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
