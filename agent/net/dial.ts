/** One dial: the addresses of a peer in order, until its control stream is usable. Never repeats itself. */
import { hasCode, messageOf, P2psyncError } from '../base/errors.ts';
import { addressesPerPeerMax, controlOpenMs, dialAddressMs, dialMs } from '../base/limits.ts';
import type { PeerId } from '../core/keys.ts';
import { formatAddress, peerOf, resolveAddress, withPeer } from './address.ts';
import { type Control, isClosing, peerIdOf } from './control.ts';
import type { Node } from './node.ts';

export type Dial = {
  readonly node: Node;
  readonly control: Control;
  readonly allowAddress: (address: string) => boolean;
};

type Address = Awaited<ReturnType<typeof resolveAddress>>[number];

/** @throws {P2psyncError} unreachable-peer, cancelled, not-a-member, config. */
export async function dialPeer(
  dial: Dial,
  addresses: readonly string[],
  options: { readonly peer: PeerId | null; readonly signal: AbortSignal },
): Promise<PeerId> {
  const { peer, signal } = options;
  if (peer !== null && dial.control.linkOf(peer) !== null) return peer;
  const failures: string[] = [];
  let refusedHere = 0;
  using whole = createDeadline(signal, dialMs);
  for (const text of addresses.slice(0, addressesPerPeerMax)) {
    for (const address of await resolved(text, failures)) {
      if (peer !== null && dial.control.linkOf(peer) !== null) return peer;
      if (whole.signal.aborted) break;
      try {
        return await attempt(dial, address, peer, whole.signal);
      } catch (error) {
        if (hasCode(error, 'not-a-member')) refusedHere += 1;
        failures.push(`${formatAddress(address)}: ${messageOf(error)}`);
      }
    }
  }
  if (signal.aborted) throw new P2psyncError('cancelled', 'the dial was cancelled', { peer });
  const code = refusedHere > 0 && refusedHere === failures.length ? 'not-a-member' : 'unreachable-peer';
  const why = failures.length === 0 ? 'no address is known' : failures.join('; ');
  throw new P2psyncError(code, `${peer ?? 'the peer'} cannot be reached (${why})`, { peer });
}

async function resolved(text: string, failures: string[]): Promise<readonly Address[]> {
  try {
    return await resolveAddress(text);
  } catch (error) {
    if (!hasCode(error, 'unreachable-peer')) throw error;
    failures.push(error.message);
    return [];
  }
}

async function attempt(
  dial: Dial,
  address: Address,
  peer: PeerId | null,
  signal: AbortSignal,
): Promise<PeerId> {
  const named = peerOf(address);
  if (peer !== null && named !== null && named !== peer) {
    throw new P2psyncError('unreachable-peer', `that address is of ${named}`);
  }
  if (!dial.allowAddress(formatAddress(address))) {
    throw new P2psyncError('not-a-member', 'refused by the access lists here');
  }
  const target = peer === null ? address : withPeer(address, peer);
  using connecting = createDeadline(signal, dialAddressMs);
  try {
    // libp2p gives what it has, also a connection that is about to go.
    const force = dial.node.getConnections().some((one) => peerIdOf(one) === peer && isClosing(one));
    const connection = await dial.node.dial(target, { signal: connecting.signal, force });
    using opening = createDeadline(signal, controlOpenMs);
    const others = () =>
      dial.node.getConnections(connection.remotePeer).some((other) => other.status === 'open');
    await dial.control.untilUp(connection, others, opening.signal);
    return peerIdOf(connection);
  } catch (error) {
    if (error instanceof Error && error.name === 'ConnectionInterceptedError') {
      throw new P2psyncError('not-a-member', 'refused here: not a member', {}, { cause: error });
    }
    throw error;
  }
}

/** A signal of its own that leaves nothing behind on a long-lived parent. */
function createDeadline(parent: AbortSignal, ms: number): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const abort = () => controller.abort(parent.reason);
  const timer = setTimeout(() => controller.abort(new Error(`no answer in ${ms} ms`)), ms);
  if (parent.aborted) abort();
  parent.addEventListener('abort', abort);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      parent.removeEventListener('abort', abort);
    },
  };
}
