/**
 * The agent's HTTP server: everything on a unix socket of its owner's, and what only reads on a TCP port. Knows
 * nothing but an `AgentApi`; whether another agent has this home is settled before, by the lock.
 */
import { once } from 'node:events';
import { chmod, rename, rm } from 'node:fs/promises';
import type * as Http from 'node:http';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { messageOf, P2psyncError, systemCode } from '../base/errors.ts';
import { httpConnectionsMax, httpEventReadersMax, httpRequestMs } from '../base/limits.ts';
import type { AgentApi } from './api.ts';
import { refusalOf } from './guard.ts';
import { sendError, sendJson } from './respond.ts';
import { type Route, routes } from './routes.ts';
import { openSocketPath } from './socket-path.ts';

// Imported, node:http also loads its WebSocket client, which takes a tenth of the CPU of an agent's start.
const { createServer }: typeof Http = createRequire(import.meta.url)('node:http');

export type HttpOptions = {
  readonly api: AgentApi;
  /** Where the control socket goes; a file that is there is replaced. Of any length. */
  readonly socketPath: string;
  /** Null: the socket alone. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** Names that the TCP listener answers to besides addresses and this machine's own name. */
  readonly hosts: readonly string[];
  /** Told of failures that are bugs. */
  readonly onFailure: (error: unknown, path: string) => void;
};

export type HttpServer = {
  /** Of the TCP listener, with the port that the system gave; null where it is off. */
  readonly address: { readonly host: string; readonly port: number } | null;
  /** Cuts every connection and takes the socket away. */
  close(): Promise<void>;
};

/** @throws {P2psyncError} conflict (the port is taken), permission, config (no such address), io. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const stop = new AbortController();
  const names = [hostname(), ...(options.listen === null ? [] : [options.listen.host]), ...options.hosts];
  const overTcp = options.listen === null ? null : await listenTcp(options, names, stop.signal);
  let closeSocket: () => Promise<void>;
  try {
    closeSocket = await listenSocket(options, stop.signal);
  } catch (error) {
    if (overTcp !== null) await closeServer(overTcp);
    throw error;
  }
  const bound = overTcp?.address();
  return {
    address: typeof bound === 'object' && bound !== null ? { host: bound.address, port: bound.port } : null,
    async close() {
      stop.abort();
      await Promise.all([closeSocket(), overTcp === null ? undefined : closeServer(overTcp)]);
    },
  };
}

async function listenTcp(
  options: HttpOptions,
  names: readonly string[],
  stop: AbortSignal,
): Promise<Http.Server> {
  const { host = '', port = 0 } = options.listen ?? {};
  const server = makeServer(options, stop, names);
  try {
    server.listen({ host, port });
    await once(server, 'listening');
    return server;
  } catch (error) {
    const remedy = 'set [http] listen in config.toml to another HOST:PORT, or to "off"';
    switch (systemCode(error)) {
      case 'EADDRINUSE':
        throw new P2psyncError('conflict', `port ${port} on ${host} is taken: ${remedy}`, { port, host });
      case 'EACCES':
        throw new P2psyncError('permission', `port ${port} is not ours to listen on: ${remedy}`, { port });
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new P2psyncError('config', `${host} is no address of this machine: ${remedy}`, { host });
      default:
        throw new P2psyncError(
          'io',
          `cannot listen on ${host}:${port}: ${messageOf(error)}`,
          {},
          { cause: error },
        );
    }
  }
}

/** Under another name first, so that the socket is private before anyone can find it, and an old one is replaced at once. */
async function listenSocket(options: HttpOptions, stop: AbortSignal): Promise<() => Promise<void>> {
  const server = makeServer(options, stop, null);
  const temporary = `${options.socketPath}.new`;
  const opened = await openSocketPath(temporary);
  try {
    await rm(temporary, { force: true });
    server.listen({ path: opened.path });
    await once(server, 'listening');
    await chmod(temporary, 0o600);
    await rename(temporary, options.socketPath);
  } catch (error) {
    await closeServer(server);
    await opened.close();
    throw new P2psyncError(
      'io',
      `cannot make ${options.socketPath}: ${messageOf(error)}`,
      { path: options.socketPath },
      { cause: error },
    );
  }
  return async () => {
    await rm(options.socketPath, { force: true });
    await closeServer(server);
    await opened.close();
  };
}

/** `names` null: the control socket, where file permissions are the guard. */
function makeServer(options: HttpOptions, stop: AbortSignal, names: readonly string[] | null): Http.Server {
  let eventReaders = 0;
  const server = createServer(
    { requestTimeout: httpRequestMs, headersTimeout: httpRequestMs, connectionsCheckingInterval: 2000 },
    (request, response) => {
      void handle(request, response).catch((error: unknown) => {
        if (!(error instanceof P2psyncError) && !response.destroyed)
          options.onFailure(error, request.url ?? '');
        sendError(response, error);
      });
    },
  );
  server.maxConnections = httpConnectionsMax;
  // Without timers of their own, idle connections would keep the process from ending.
  server.keepAliveTimeout = 5000;

  const handle = async (request: Http.IncomingMessage, response: Http.ServerResponse): Promise<void> => {
    const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
    const route = findRoute(path, request, response, names);
    if (route === undefined) return;
    const isEvents = path === '/api/v1/events';
    if (isEvents && eventReaders >= httpEventReadersMax) {
      sendJson(response, 503, { code: 'limit-exceeded', message: 'too many readers of events' });
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    if (isEvents) eventReaders += 1;
    try {
      const signal = AbortSignal.any([gone.signal, stop]);
      await route.answer({ api: options.api, request, response, query: new URLSearchParams(search), signal });
    } finally {
      if (isEvents) eventReaders -= 1;
    }
  };
  return server;
}

/** Answers itself where there is nothing to route to. */
function findRoute(
  path: string,
  request: Http.IncomingMessage,
  response: Http.ServerResponse,
  names: readonly string[] | null,
): Route | undefined {
  const route = routes.get(path);
  if (route === undefined || (names !== null && route.where === 'socket')) {
    sendJson(response, 404, { code: 'not-found', message: `nothing is at ${path.slice(0, 200)}` });
    return undefined;
  }
  const refusal = names === null || route.isProbe ? undefined : refusalOf(request.headers, names);
  if (refusal !== undefined) {
    sendJson(response, 403, { code: 'permission', message: refusal });
    return undefined;
  }
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== route.method) {
    response.setHeader('allow', route.method === 'GET' ? 'GET, HEAD' : route.method);
    sendJson(response, 405, { code: 'usage', message: `${path} takes ${route.method}` });
    return undefined;
  }
  return route;
}

async function closeServer(server: Http.Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
