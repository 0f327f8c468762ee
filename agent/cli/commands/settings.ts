/** The flags of `init` and `join` that go into `config.toml`, checked before anything is made. */
import { parseHostPortOrOff, parseListenAddress, parseName } from '../../daemon/config-values.ts';
import type { Invocation } from '../invocation.ts';

export type AgentSettings = { readonly name?: string; readonly listen?: string; readonly http?: string };

/** @throws {P2psyncError} usage. */
export function agentSettings(invocation: Invocation): AgentSettings {
  const name = invocation.parsed('name', parseName);
  const listen = invocation.parsed('listen', parseListenAddress);
  const http = invocation.text('http');
  invocation.parsed('http', parseHostPortOrOff);
  return {
    ...(name === undefined ? {} : { name }),
    ...(listen === undefined ? {} : { listen }),
    ...(http === undefined ? {} : { http }),
  };
}
