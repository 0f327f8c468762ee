/** Texts that people and strangers give things: names of agents and shares, addresses to dial. Pure; resolves nothing. */
import { P2psyncError } from '../base/errors.ts';
import { addressBytesMax, addressesMax, agentVersionBytesMax, labelBytesMax } from '../base/limits.ts';

/**
 * A name of an agent or a share: 1 to 64 bytes, no control or invisible characters, no space at either end.
 * @param what names it in the error: `an agent's name`.
 * @throws {P2psyncError} malformed.
 */
export function parseLabel(text: string, what: string): string {
  const fault = labelFault(text);
  if (fault === undefined) return text;
  throw new P2psyncError('malformed', `${what} ${fault}: ${JSON.stringify(text.slice(0, 80))}`);
}

/**
 * Where an agent can be dialled: a multiaddr (`/ip4/10.0.0.1/tcp/8873/p2p/12D3KooW…`) or `HOST:PORT`, an IPv6 host
 * in brackets. Only the alphabet and the outer shape are checked here; who dials parses the rest.
 * @throws {P2psyncError} malformed.
 */
export function parseAddress(text: string): string {
  const port = hostPort.exec(text)?.[1];
  const shaped = port === undefined ? multiaddr.test(text) : Number(port) >= 1 && Number(port) <= 65_535;
  if (shaped && text.length <= addressBytesMax) return text;
  throw new P2psyncError(
    'malformed',
    `not an address (a multiaddr or HOST:PORT): ${JSON.stringify(text.slice(0, 80))}`,
  );
}

/** @throws {P2psyncError} malformed, or limit-exceeded above eight. */
export function parseAddresses(texts: readonly string[]): readonly string[] {
  if (texts.length > addressesMax) {
    throw new P2psyncError(
      'limit-exceeded',
      `${texts.length} addresses where at most ${addressesMax} are allowed`,
    );
  }
  return texts.map(parseAddress);
}

/** Printable ASCII, 1 to 32 bytes, as in a package's version. @throws {P2psyncError} malformed. */
export function parseAgentVersion(text: string): string {
  if (text.length >= 1 && text.length <= agentVersionBytesMax && /^[!-~]+$/.test(text)) return text;
  throw new P2psyncError('malformed', `not the version of an agent: ${JSON.stringify(text.slice(0, 80))}`);
}

const hostPort = /^(?:\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,253}):([0-9]{1,5})$/;
const multiaddr = /^\/[a-z0-9]+\/[!-~]+$/;

function labelFault(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (!text.isWellFormed()) return 'is not Unicode';
  if (Buffer.byteLength(text) > labelBytesMax) return `has more than ${labelBytesMax} bytes`;
  // Cf: marks that turn the direction of writing make one name look like another.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) return 'has a control or an invisible character';
  if (text.trim() !== text) return 'starts or ends with a space';
  return undefined;
}
