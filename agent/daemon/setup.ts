/**
 * What `init`, `invite` and `join` do to a home on which no agent runs, and what a running agent does for them.
 * Everything is checked before anything is written.
 */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { P2psyncError } from '../base/errors.ts';
import { admit } from '../core/admission.ts';
import {
  certifyByAuthority,
  certifyByInvitation,
  encodeCertificate,
  type SignedCertificate,
} from '../core/certificate.ts';
import { signGrant } from '../core/grant.ts';
import {
  createInvitation as makeInvitation,
  readInvitation,
  saltBytes,
  writeInvitation,
} from '../core/invitation.ts';
import {
  generateKeyPair,
  type KeyPair,
  keyPairFromSeed,
  peerIdOf,
  type ShareId,
  shareIdOf,
} from '../core/keys.ts';
import { agentDirectory } from '../core/path.ts';
import { emptyRoster, signRoster } from '../core/roster.ts';
import type {
  AtHome,
  InitRequest,
  InviteRequest,
  InviteResult,
  JoinRequest,
  SetupResult,
} from '../http/api.ts';
import { openStore } from '../store/database.ts';
import { loadOrCreateIdentity } from '../store/identity.ts';
import { readSecret, writeSecret } from '../store/secrets.ts';
import { dialableAddresses } from './addresses.ts';
import { authorityOf } from './authority.ts';
import { type Config, parseConfig, readConfig, readConfigText } from './config.ts';
import { addToConfig, type ConfigAdditions, emptyConfigText } from './config-edit.ts';
import { checkShareDirectories, type SharePlace } from './config-shares.ts';
import { indexDirectory, makeHome, readShares, type ShareRecord, writeDurably, writeShares } from './home.ts';
import { noteInvitation } from './issued.ts';
import { readMarker, writeMarker } from './marker.ts';
import { checkDirectory, isEmpty } from './setup-directory.ts';
import { packSigned, stateKeys, writeGrant } from './state.ts';
import { findUnfinished, isSetUp, isTakenIn, type Unfinished } from './unfinished.ts';

/** A new share over a directory, with this agent as its writer. @throws {P2psyncError} usage, conflict, config. */
export async function initShare(request: AtHome<InitRequest>): Promise<SetupResult> {
  const { home, directory } = request;
  await checkDirectory(directory);
  const marker = await readMarker(directory);
  const unfinished = marker === null ? null : await findUnfinished(home, marker);
  if (marker !== null && unfinished === null) {
    throw new P2psyncError(
      'conflict',
      `${directory} is a share already (${marker}): choose another directory, or remove ${join(directory, agentDirectory)} if that share is given up`,
    );
  }
  const place = { name: request.share ?? shareNameOf(directory), path: directory };
  if (unfinished !== null) return finishInit(request, place, unfinished);
  const planned = await planConfig(home, place, request);

  await makeHome(home);
  const self = keyPairFromSeed(loadOrCreateIdentity(home).seed);
  const authority = generateKeyPair();
  const share = shareIdOf(authority.publicKey);
  writeSecret(home, { kind: 'authority', share }, authority.seed);
  writeSecret(home, { kind: 'salt', share }, new Uint8Array(randomBytes(saltBytes)));

  const nowMs = Date.now();
  const name = planned.config.name;
  const certificate = certifyByAuthority(
    { share, member: self.publicKey, name, role: 'writer', issuedMs: nowMs },
    authority,
  );
  const grant = signGrant({ share, epoch: 1, writer: self.publicKey, base: null, timeMs: nowMs }, authority);
  const first = admit(
    emptyRoster({ share, epoch: 1, writer: self.publicKey, timeMs: nowMs }),
    certificate,
    nowMs,
    [],
  );
  if (first.kind !== 'changed') throw new P2psyncError('conflict', 'the first member could not be admitted');
  const roster = signRoster(first.roster, self);
  const record = { id: share, name: place.name, path: directory, authority: authority.publicKey };
  await storeDocuments(home, share, certificate, [writeGrant(grant), [stateKeys.roster, packSigned(roster)]]);
  await recordShare(home, record, planned);
  return resultOf(record, 'writer', name, self, planned.file);
}

/** Its documents are stored: there is one grant of an epoch, and one name in the roster. */
async function finishInit(
  request: AtHome<InitRequest>,
  place: SharePlace,
  { authority, certificate }: Unfinished,
): Promise<SetupResult> {
  const { home, directory } = request;
  const { name } = certificate.certificate;
  const planned = await planConfig(home, place, { ...request, name });
  const self = keyPairFromSeed(loadOrCreateIdentity(home).seed);
  const id = shareIdOf(authority.publicKey);
  const record = { id, name: place.name, path: directory, authority: authority.publicKey };
  await recordShare(home, record, planned);
  return resultOf(record, 'writer', name, self, planned.file);
}

/** Prints nothing, asks nobody: a line that any member can check. @throws {P2psyncError} not-found, permission, usage. */
export async function createInvitation(request: AtHome<InviteRequest>): Promise<InviteResult> {
  const { home } = request;
  const config = await readConfig(home);
  const record = pickShare(await readShares(home), request.share);
  const self = keyPairFromSeed(loadOrCreateIdentity(home).seed);
  const addresses = dialableAddresses(config, peerIdOf(self.publicKey));
  if (addresses.length === 0) {
    throw new P2psyncError(
      'config',
      'nobody could dial this agent: its port is chosen at start. Start it first (p2psync run), or give listen a port',
    );
  }
  const result = invite(home, record, request, addresses);
  await noteInvitation(home, result);
  return result;
}

/** @param addresses where newcomers may dial first, best first. */
export function invite(
  home: string,
  record: ShareRecord,
  request: InviteRequest,
  addresses: readonly string[],
): InviteResult {
  const authority = authorityOf(home, record, 'p2psync invite');
  const salt = readSecret(home, { kind: 'salt', share: record.id });
  if (salt === undefined) {
    throw new P2psyncError('config', `share ${record.name} is not whole in ${home}: its salt is missing`);
  }
  const issuedMs = Date.now();
  const expiresMs = issuedMs + request.expiresMs;
  const { role, uses } = request;
  const options = {
    shareName: record.name,
    role,
    issuedMs,
    expiresMs,
    uses,
    salt,
    addresses: addresses.slice(0, 8),
  };
  const invitation = makeInvitation(options, authority);
  return {
    invitation: writeInvitation(invitation),
    share: record.name,
    role,
    expires: new Date(expiresMs).toISOString(),
    uses,
  };
}

/**
 * One whom nobody has taken in yet may come with another invitation. `isRunning`: an agent has this home.
 * @throws {P2psyncError} bad-invitation, expired, conflict, usage, config.
 */
export async function joinShare(
  request: AtHome<JoinRequest>,
  { isRunning } = { isRunning: false },
): Promise<SetupResult> {
  const { home, directory } = request;
  const invitation = readInvitation(request.invitation, Date.now());
  const { terms } = invitation.signed;
  const shares = await readShares(home);
  const known = shares.find((share) => share.id === terms.share);
  if (known !== undefined) {
    const isMaker = readSecret(home, { kind: 'authority', share: known.id }) !== undefined;
    const isWhole = await isSetUp(home, known.id);
    if (isMaker || (isWhole && (await isTakenIn(home, known.id)))) {
      throw new P2psyncError(
        'conflict',
        `this agent takes part in share ${known.name} already, in ${known.path}`,
      );
    }
    if (isWhole && isRunning) {
      throw new P2psyncError(
        'conflict',
        `this agent waits to be taken into share ${known.name} already: to join with another invitation, stop this agent first`,
      );
    }
  }
  await checkDirectory(directory);
  const marker = await readMarker(directory);
  if (marker !== null && marker !== terms.share) {
    throw new P2psyncError(
      'conflict',
      `${directory} belongs to another share (${marker}): choose another directory`,
    );
  }
  if (!request.force && !(await isEmpty(directory))) {
    throw new P2psyncError(
      'conflict',
      `${directory} is not empty: what is like the share's is reused, the rest is kept in ${agentDirectory}/kept; say --force if that is meant`,
    );
  }
  const place = { name: terms.shareName, path: directory };
  const planned = await planConfig(home, place, { ...request, bootstrap: invitation.addresses });

  await makeHome(home);
  const self = keyPairFromSeed(loadOrCreateIdentity(home).seed);
  writeSecret(home, { kind: 'salt', share: terms.share }, invitation.salt);
  const name = planned.config.name;
  const certificate = certifyByInvitation(invitation, { member: self.publicKey, name, nowMs: Date.now() });
  const record = { id: terms.share, name: terms.shareName, path: directory, authority: terms.authority };
  await storeDocuments(home, record.id, certificate, []);
  await recordShare(home, record, planned);
  return resultOf(record, terms.role, name, self, planned.file);
}

/** The share that is meant. @throws {P2psyncError} not-found, usage. */
export function pickShare<One extends { readonly name: string; readonly id: string }>(
  shares: readonly One[],
  named: string | undefined,
): One {
  if (named !== undefined) {
    const found = shares.find((share) => share.name === named || share.id === named);
    if (found !== undefined) return found;
    const names = shares.map((share) => share.name).join(', ');
    throw new P2psyncError(
      'not-found',
      `there is no share ${named} here${names === '' ? '' : `; there is ${names}`}`,
    );
  }
  const [only, ...others] = shares;
  if (only === undefined) {
    throw new P2psyncError(
      'not-found',
      'there is no share here yet: begin with p2psync init DIR, or p2psync join INVITATION DIR',
    );
  }
  if (others.length > 0) {
    throw new P2psyncError(
      'usage',
      `there are several shares: say --share ${shares.map((share) => share.name).join(' | ')}`,
    );
  }
  return only;
}

type Planned = { readonly file: string; readonly text: string; readonly config: Config };

/** The configuration as it will be, checked with its directories; nothing is written. */
async function planConfig(
  home: string,
  share: SharePlace,
  settings: {
    readonly name?: string;
    readonly listen?: string;
    readonly http?: string;
    readonly bootstrap?: readonly string[];
  },
): Promise<Planned> {
  const file = join(home, 'config.toml');
  const before = existsSync(file) ? await readConfigText(file) : emptyConfigText;
  const additions: ConfigAdditions = {
    share,
    name: settings.name ?? parseConfig(before, file).name,
    ...(settings.listen === undefined ? {} : { listen: [settings.listen] }),
    ...(settings.http === undefined ? {} : { httpListen: settings.http }),
    ...(settings.bootstrap === undefined ? {} : { bootstrap: settings.bootstrap }),
  };
  const text = addToConfig(before, additions, file);
  const config = parseConfig(text, file);
  await checkShareDirectories(config.shares, home);
  return { file, text, config };
}

/** In one piece, and durable before anything names the share. */
async function storeDocuments(
  home: string,
  share: ShareId,
  certificate: SignedCertificate,
  documents: readonly (readonly [string, Uint8Array])[],
): Promise<void> {
  const store = openStore(indexDirectory(home));
  try {
    const state = new Map([...documents, [stateKeys.certificate, encodeCertificate(certificate)] as const]);
    await store.share(share).writeDurably({ state });
  } finally {
    await store.close();
  }
}

/** The configuration comes last: what it names is whole. */
async function recordShare(home: string, record: ShareRecord, planned: Planned): Promise<void> {
  await writeMarker(record.path, record.id);
  const others = (await readShares(home)).filter(({ id }) => id !== record.id);
  await writeShares(home, [...others, record]);
  await writeDurably(planned.file, planned.text);
}

function resultOf(
  record: ShareRecord,
  role: SetupResult['role'],
  name: string,
  self: KeyPair,
  config: string,
): SetupResult {
  return {
    share: record.name,
    id: record.id,
    path: record.path,
    role,
    name,
    peerId: peerIdOf(self.publicKey),
    config,
  };
}

function shareNameOf(directory: string): string {
  return basename(directory).replace(/[^A-Za-z0-9._-]/g, '-') || 'share';
}
