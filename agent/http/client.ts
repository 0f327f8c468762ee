/** The `AgentApi` of an agent that runs on this machine, over its control socket. One connection a call; keeps nothing open. */

import type * as Http from 'node:http';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type ErrorCode, P2psyncError, systemCode } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { httpAnswerBytesMax, httpLineBytesMax } from '../base/limits.ts';
import type { AgentApi, AgentEvent } from './api.ts';
import { openSocketPath } from './socket-path.ts';

// Imported, node:http also loads its WebSocket client, which costs more than a whole `p2psync status` (60 ms).
const { request }: typeof Http = createRequire(import.meta.url)('node:http');

/**
 * Calls throw what the agent threw, and `not-running` where nobody listens on the socket, `permission` where it is
 * another user's.
 */
export function connectAgent(socketPath: string): AgentApi {
  const get = <Answer>(path: string): Promise<Answer> => ask<Answer>(socketPath, 'GET', path, undefined);
  const post = <Answer>(path: string, body: unknown, signal?: AbortSignal): Promise<Answer> =>
    ask<Answer>(socketPath, 'POST', path, body, signal);
  return {
    status: () => get('/api/v1/status'),
    peers: () => get('/api/v1/peers'),
    members: () => get('/api/v1/members'),
    history: (body) => get(`/api/v1/history${query(body)}`),
    wait: (body, { signal }) => post('/api/v1/wait', body, signal),
    ls: (body, { signal }) => rows(socketPath, '/api/v1/ls', body, signal),
    diff: (body, { signal }) => rows(socketPath, '/api/v1/diff', body, signal),
    verify: (body, { signal }) => rows(socketPath, '/api/v1/verify', body, signal),
    init: (body) => post('/api/v1/init', body),
    invite: (body) => post('/api/v1/invite', body),
    join: (body) => post('/api/v1/join', body),
    remove: (body) => post('/api/v1/remove', body),
    noteAuthority: (body) => post('/api/v1/authority', body),
    pause: (body) => post('/api/v1/pause', body),
    resume: (body) => post('/api/v1/resume', body),
    rescan: (body) => post('/api/v1/rescan', body),
    reload: () => post('/api/v1/reload', {}),
    health: () => get('/healthz'),
    ready: (body) => get(`/readyz${query(body)}`),
    metrics: () => text(socketPath, '/metrics'),
    events: ({ signal }) => events(socketPath, signal),
  };
}

/** True where an agent answers on the socket. @throws {P2psyncError} permission. */
export async function isAgentRunning(socketPath: string): Promise<boolean> {
  try {
    await connectAgent(socketPath).health();
    return true;
  } catch (error) {
    if (error instanceof P2psyncError && error.code === 'not-running') return false;
    throw error;
  }
}

async function ask<Answer>(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Answer> {
  const response = await open(socketPath, method, path, body, signal);
  const document: unknown = parse(await readAll(response));
  // 503 is how `/readyz` says no; it is an answer, not a failure.
  if (response.statusCode === 200 || path.startsWith('/readyz')) {
    if (!isErrorDocument(document)) return document as Answer;
  }
  throw errorOf(document);
}

async function text(socketPath: string, path: string): Promise<string> {
  const response = await open(socketPath, 'GET', path, undefined);
  const answer = await readAll(response);
  if (response.statusCode !== 200) throw errorOf(parse(answer));
  return answer;
}

async function* rows<Row>(
  socketPath: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): AsyncIterable<Row> {
  const response = await open(socketPath, 'POST', path, body, signal);
  try {
    if (response.statusCode !== 200) throw errorOf(parse(await readAll(response)));
    for await (const line of linesOf(response)) {
      const document = parse(line) as { row?: Row; end?: true; error?: unknown };
      if (document.row !== undefined) yield document.row;
      else if (document.end === true) return;
      else throw errorOf(document.error);
    }
  } finally {
    response.destroy();
  }
  throw stopped();
}

async function* events(socketPath: string, signal: AbortSignal): AsyncIterable<AgentEvent> {
  const response = await open(socketPath, 'GET', '/api/v1/events', undefined, signal);
  if (response.statusCode !== 200) throw errorOf(parse(await readAll(response)));
  try {
    for await (const line of linesOf(response)) {
      if (line.startsWith('data: ')) yield parse(line.slice('data: '.length)) as AgentEvent;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    response.destroy();
  }
}

async function open(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<Http.IncomingMessage> {
  const home = dirname(socketPath);
  try {
    const socket = await openSocketPath(socketPath);
    try {
      return await new Promise<Http.IncomingMessage>((resolve, reject) => {
        const payload = body === undefined ? undefined : JSON.stringify(body);
        const headers = payload === undefined ? {} : { 'content-length': Buffer.byteLength(payload) };
        const sent = request(
          {
            socketPath: socket.path,
            method,
            path,
            agent: false,
            headers,
            ...(signal === undefined ? {} : { signal }),
          },
          resolve,
        );
        sent.once('error', reject);
        sent.end(payload);
      });
    } finally {
      await socket.close();
    }
  } catch (error) {
    switch (systemCode(error)) {
      case 'ENOENT':
      case 'ENOTDIR':
      case 'ECONNREFUSED':
        throw new P2psyncError('not-running', `no agent is running on ${home}: start it with p2psync run`, {
          home,
        });
      case 'EACCES':
      case 'EPERM':
        throw new P2psyncError(
          'permission',
          `${socketPath} belongs to another user: run this as the one who runs the agent`,
          { home },
        );
      case 'ABORT_ERR':
        throw new P2psyncError('cancelled', 'cancelled', {}, { cause: error });
      case 'ECONNRESET':
      case 'EPIPE':
        throw stopped();
      default:
        throw error;
    }
  }
}

async function readAll(response: Http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of response) {
      const chunk: Buffer = part;
      bytes += chunk.byteLength;
      if (bytes > httpAnswerBytesMax)
        throw new P2psyncError('limit-exceeded', 'the agent answered without end');
      parts.push(chunk);
    }
  } catch (error) {
    if (systemCode(error) === 'ECONNRESET') throw stopped();
    throw error;
  }
  return Buffer.concat(parts).toString('utf8');
}

async function* linesOf(response: Http.IncomingMessage): AsyncIterable<string> {
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const part of response) {
      const lines = (rest + String(part)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > httpLineBytesMax)
        throw new P2psyncError('limit-exceeded', 'the agent sent an endless line');
      yield* lines;
    }
  } catch (error) {
    if (systemCode(error) === 'ECONNRESET') throw stopped();
    throw error;
  }
}

function parse(line: string): unknown {
  try {
    return parseJson(line);
  } catch (error) {
    throw new P2psyncError('malformed', 'the agent sent something that is not JSON', {}, { cause: error });
  }
}

function isErrorDocument(document: unknown): document is { readonly code: string; readonly message: string } {
  return (
    typeof document === 'object' &&
    document !== null &&
    'code' in document &&
    'message' in document &&
    typeof document.code === 'string' &&
    typeof document.message === 'string'
  );
}

function errorOf(document: unknown): Error {
  if (!isErrorDocument(document)) return new P2psyncError('malformed', 'the agent sent something unexpected');
  if (document.code === 'internal') return new Error(document.message);
  // The agent took it from the same list; a newer one may have codes that this one does not know, which does no harm.
  return new P2psyncError(document.code as ErrorCode, document.message);
}

function stopped(): P2psyncError {
  return new P2psyncError('not-running', 'the agent stopped before it had answered');
}

function query(request: { readonly share?: string }): string {
  return request.share === undefined ? '' : `?share=${encodeURIComponent(request.share)}`;
}
