/** Every path of the server and the call that answers it. What changes state, and what may cost much, is for the socket alone. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GenericSchema } from 'valibot';
import { P2psyncError } from '../base/errors.ts';
import { httpBodyBytesMax } from '../base/limits.ts';
import type { AgentApi } from './api.ts';
import {
  authorityNote,
  diffRequest,
  emptyRequest,
  initRequest,
  inviteRequest,
  joinRequest,
  lsRequest,
  parseBody,
  removeRequest,
  resumeRequest,
  shareRequest,
  verifyRequest,
  waitRequest,
} from './requests.ts';
import { sendEvents, sendJson, sendRows, sendText } from './respond.ts';

export type Exchange = {
  readonly api: AgentApi;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** Aborts when the client is gone or the server closes. */
  readonly signal: AbortSignal;
};

export type Route = {
  readonly method: 'GET' | 'POST';
  readonly where: 'anywhere' | 'socket';
  /** Says nothing of the shares' contents: health checkers may come under any name. */
  readonly isProbe: boolean;
  answer(exchange: Exchange): Promise<void>;
};

export const routes: ReadonlyMap<string, Route> = new Map([
  ['/healthz', probe(async ({ api, response }) => sendJson(response, 200, await api.health()))],
  [
    '/readyz',
    probe(async ({ api, query, response }) => {
      const report = await api.ready(shareOf(query));
      sendJson(response, report.ready ? 200 : 503, report);
    }),
  ],
  [
    '/metrics',
    get(async ({ api, response }) =>
      sendText(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await api.metrics()),
    ),
  ],
  ['/api/v1/status', document((api) => api.status())],
  ['/api/v1/peers', document((api) => api.peers())],
  ['/api/v1/members', document((api) => api.members())],
  ['/api/v1/history', document((api, query) => api.history(shareOf(query)))],
  [
    '/api/v1/events',
    get(({ api, response, signal }) => sendEvents(response, api.events({ signal }), signal)),
  ],
  ['/api/v1/wait', call(waitRequest, (api, body, signal) => api.wait(body, { signal }))],
  ['/api/v1/ls', rows(lsRequest, (api, body, signal) => api.ls(body, { signal }))],
  ['/api/v1/diff', rows(diffRequest, (api, body, signal) => api.diff(body, { signal }))],
  ['/api/v1/verify', rows(verifyRequest, (api, body, signal) => api.verify(body, { signal }))],
  ['/api/v1/init', call(initRequest, (api, body) => api.init(body))],
  ['/api/v1/invite', call(inviteRequest, (api, body) => api.invite(body))],
  ['/api/v1/join', call(joinRequest, (api, body) => api.join(body))],
  ['/api/v1/remove', call(removeRequest, (api, body) => api.remove(body))],
  ['/api/v1/authority', call(authorityNote, (api, body) => api.noteAuthority(body))],
  ['/api/v1/pause', call(shareRequest, (api, body) => api.pause(body))],
  ['/api/v1/resume', call(resumeRequest, (api, body) => api.resume(body))],
  ['/api/v1/rescan', call(shareRequest, (api, body) => api.rescan(body))],
  ['/api/v1/reload', call(emptyRequest, (api) => api.reload())],
]);

function get(answer: Route['answer']): Route {
  return { method: 'GET', where: 'anywhere', isProbe: false, answer };
}

function probe(answer: Route['answer']): Route {
  return { method: 'GET', where: 'anywhere', isProbe: true, answer };
}

function document(ask: (api: AgentApi, query: URLSearchParams) => Promise<unknown>): Route {
  return get(async ({ api, query, response }) => sendJson(response, 200, await ask(api, query)));
}

function call<Body>(
  schema: GenericSchema<unknown, Body>,
  ask: (api: AgentApi, body: Body, signal: AbortSignal) => Promise<unknown>,
): Route {
  return socketOnly(async ({ api, request, response, signal }) => {
    const body = parseBody(schema, await readBody(request));
    sendJson(response, 200, await ask(api, body, signal));
  });
}

function rows<Body>(
  schema: GenericSchema<unknown, Body>,
  ask: (api: AgentApi, body: Body, signal: AbortSignal) => AsyncIterable<unknown>,
): Route {
  return socketOnly(async ({ api, request, response, signal }) => {
    const body = parseBody(schema, await readBody(request));
    await sendRows(response, ask(api, body, signal), signal);
  });
}

function socketOnly(answer: Route['answer']): Route {
  return { method: 'POST', where: 'socket', isProbe: false, answer };
}

function shareOf(query: URLSearchParams): { readonly share?: string } {
  const share = query.get('share');
  return share === null ? {} : { share };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    const chunk: Buffer = part;
    bytes += chunk.byteLength;
    if (bytes > httpBodyBytesMax) {
      throw new P2psyncError('limit-exceeded', `a request's body is at most ${httpBodyBytesMax} bytes`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}
