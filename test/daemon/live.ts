/** Agents that run in this process, whole: real ports on 127.0.0.1, a home and a directory of their own for each share. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Invitation, readInvitation } from '../../agent/core/invitation.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import { readConfig } from '../../agent/daemon/config.ts';
import { socketPath } from '../../agent/daemon/home.ts';
import { runAgent } from '../../agent/daemon/run.ts';
import { initShare } from '../../agent/daemon/setup.ts';
import type { AgentApi, ShareReport } from '../../agent/http/api.ts';
import { connectAgent } from '../../agent/http/client.ts';
import { createNotebook, type Notebook } from './notebook.ts';

export type Live = {
  readonly home: string;
  readonly peer: PeerId;
  readonly addresses: readonly string[];
  readonly api: AgentApi;
  readonly notebook: Notebook;
  /** Where a share's files are. */
  directory(share: string): string;
  invite(
    share: string,
    options?: { readonly role?: 'replica' | 'archive'; readonly uses?: number },
  ): Promise<Invitation>;
  share(name: string): Promise<ShareReport>;
};

const dayMs = 24 * 3600 * 1000;

/** Where a writer keeps its keys and shares, between two runs too. */
export type WriterHome = {
  readonly home: string;
  readonly peer: PeerId;
  directory(share: string): string;
};

/** A writer of these shares, as long as `use` runs. */
export async function withWriter(
  shares: readonly string[],
  use: (writer: Live) => Promise<void>,
): Promise<void> {
  await withHome(shares, (home) => running(home, use));
}

/** A writer of these shares that does not run yet. */
export async function withHome(
  shares: readonly string[],
  use: (home: WriterHome) => Promise<void>,
): Promise<void> {
  const top = mkdtempSync(join(realpathSync(tmpdir()), 'p2psync-live-'));
  const home = join(top, 'home');
  const directory = (share: string): string => join(top, share);
  try {
    let peer: PeerId | undefined;
    for (const share of shares) {
      mkdirSync(directory(share));
      const request = {
        home,
        directory: directory(share),
        share,
        name: 'writer',
        listen: '127.0.0.1:0',
        http: 'off',
      };
      peer = (await initShare(request)).peerId as PeerId;
    }
    if (peer === undefined) throw new Error('a writer writes a share');
    await use({ home, peer, directory });
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

/** Runs the agent of a home, as long as `use` runs. */
export async function running(
  { home, peer, directory }: WriterHome,
  use: (writer: Live) => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  const notebook = createNotebook();
  const { promise: started, resolve } = Promise.withResolvers<readonly string[]>();
  const log: typeof notebook.log = {
    ...notebook.log,
    child: () => notebook.log,
    info(fields: Parameters<typeof notebook.log.info>[0], text: string) {
      notebook.log.info(fields, text);
      if (text === 'agent started' && 'addresses' in fields) resolve(fields.addresses as readonly string[]);
    },
  } as typeof notebook.log;
  const agent = runAgent({ home, config: await readConfig(home), log, signal: stopping.signal });
  const addresses = await Promise.race([started, agent.then(() => [])]);
  const api = connectAgent(socketPath(home));
  try {
    await use({
      home,
      peer,
      addresses,
      api,
      notebook,
      directory,
      async invite(share, { role = 'replica', uses = 1 } = {}) {
        const { invitation } = await api.invite({ share, role, uses, expiresMs: dayMs });
        return readInvitation(invitation, Date.now());
      },
      async share(name) {
        const found = (await api.status()).shares.find((one) => one.name === name);
        if (found === undefined) throw new Error(`no share ${name}`);
        return found;
      },
    });
  } finally {
    stopping.abort();
    await agent;
  }
}
