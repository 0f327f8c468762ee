/** Why an address cannot be listened on, in words: libp2p tells it with its stack. Pure. */
import { messageOf, P2psyncError } from '../base/errors.ts';

const causes: readonly (readonly [code: string, what: string])[] = [
  ['EADDRINUSE', 'is taken: stop who has it, or choose another'],
  ['EADDRNOTAVAIL', 'is no address of this machine: choose another'],
  ['EACCES', 'is not ours to listen on (ports below 1024 are for root): choose another'],
];

/** @param addresses as they are configured. */
export function listenFault(addresses: readonly string[], error: unknown): P2psyncError {
  const message = messageOf(error);
  const cause = causes.find(([code]) => message.includes(code));
  // `/ip4/127.0.0.1/tcp/8873: Error: listen EADDRINUSE: address already in use 127.0.0.1:8873`
  const named =
    cause === undefined ? null : new RegExp(`${cause[0]}\\S* .*? (\\S+:\\d+)(\\s|$)`, 's').exec(message);
  const where = named?.[1] ?? addresses.join(', ');
  const why = cause?.[1] ?? `cannot be listened on: ${message.split('\n')[0] ?? ''}; choose another`;
  return new P2psyncError('config', `${where} ${why} (listen in config.toml)`, {}, { cause: error });
}
