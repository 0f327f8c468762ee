/** Writes answers: one JSON document, rows as they come, server-sent events, errors of one line. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type ErrorCode, messageOf, P2psyncError } from '../base/errors.ts';
import { httpChunkBytes, httpEventBeatMs } from '../base/limits.ts';
import type { AgentEvent } from './api.ts';

/** Errors are `{ code, message }` everywhere. `internal` is a bug of the agent. */
export type ErrorDocument = { readonly code: ErrorCode | 'internal'; readonly message: string };

/** A line of a streamed answer. The last one is `end` or `error`; without it the answer is cut off. */
export type StreamLine<Row> =
  | { readonly row: Row }
  | { readonly end: true }
  | { readonly error: ErrorDocument };

const statusOfCode: Partial<Record<ErrorCode, number>> = {
  usage: 400,
  config: 400,
  malformed: 400,
  'bad-path': 400,
  'bad-invitation': 400,
  expired: 400,
  permission: 403,
  'not-a-member': 403,
  revoked: 403,
  'not-found': 404,
  timeout: 504,
  conflict: 409,
  'held-back': 409,
  locked: 409,
  'limit-exceeded': 413,
  'not-supported': 501,
};

export function sendJson(response: ServerResponse, status: number, document: unknown): void {
  sendText(response, status, 'application/json; charset=utf-8', `${JSON.stringify(document)}\n`);
}

export function sendText(response: ServerResponse, status: number, type: string, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(status, { ...commonHeaders, 'content-type': type, 'content-length': body.byteLength });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

export function sendError(response: ServerResponse, error: unknown): void {
  const document = errorDocument(error);
  const status = document.code === 'internal' ? 500 : (statusOfCode[document.code] ?? 500);
  if (response.headersSent) response.destroy();
  else sendJson(response, status, document);
}

/** The first row is awaited before the header goes out, so that a refusal is a proper one. */
export async function sendRows<Row>(
  response: ServerResponse,
  rows: AsyncIterable<Row>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = rows[Symbol.asyncIterator]();
  let next = await iterator.next();
  response.writeHead(200, { ...commonHeaders, 'content-type': 'application/x-ndjson; charset=utf-8' });
  let chunk = '';
  const flush = async (): Promise<void> => {
    const text = chunk;
    chunk = '';
    await write(response, text, signal);
  };
  let last: StreamLine<Row> = { end: true };
  try {
    while (next.done !== true) {
      chunk += `${JSON.stringify({ row: next.value } satisfies StreamLine<Row>)}\n`;
      if (chunk.length >= httpChunkBytes) await flush();
      next = await iterator.next();
    }
  } catch (error) {
    if (signal.aborted) return;
    last = { error: errorDocument(error) };
  } finally {
    // Whoever makes the rows may hold something open; it learns that nobody reads on.
    if (next.done !== true) await iterator.return?.();
  }
  chunk += `${JSON.stringify(last)}\n`;
  response.end(chunk);
}

export async function sendEvents(
  response: ServerResponse,
  events: AsyncIterable<AgentEvent>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { ...commonHeaders, 'content-type': 'text/event-stream' });
  response.write(': p2psync\n\n');
  const beat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(': alive\n\n');
  }, httpEventBeatMs);
  try {
    for await (const event of events) {
      if (signal.aborted) break;
      await write(response, `event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(beat);
    response.end();
  }
}

function errorDocument(error: unknown): ErrorDocument {
  if (error instanceof P2psyncError) return { code: error.code, message: oneLine(error.message) };
  return { code: 'internal', message: `the agent failed: ${oneLine(messageOf(error))}; its log says more` };
}

/** Waits until the reader has taken what was written before. */
async function write(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (!response.write(text)) await once(response, 'drain', { signal });
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}

const commonHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;
