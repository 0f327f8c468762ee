import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode, P2psyncError } from '../../agent/base/errors.ts';
import { httpBodyBytesMax, httpEventReadersMax } from '../../agent/base/limits.ts';
import type { AgentApi } from '../../agent/http/api.ts';
import { connectAgent, isAgentRunning } from '../../agent/http/client.ts';
import { type HttpServer, startHttp } from '../../agent/http/server.ts';
import { createFakeApi, lsRows, peerReports, statusReport } from './fake-api.ts';

type Fixture = {
  readonly home: string;
  readonly socketPath: string;
  readonly server: HttpServer;
  readonly client: AgentApi;
  readonly calls: unknown[][];
  readonly failures: unknown[];
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Answer>;
};
type Answer = { readonly status: number; readonly text: string; readonly headers: Record<string, unknown> };

async function withServer(
  changes: Partial<AgentApi>,
  check: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'p2psync-http-'));
  const socketPath = join(home, 'control.sock');
  const calls: unknown[][] = [];
  const failures: unknown[] = [];
  const server = await startHttp({
    api: createFakeApi(changes, calls),
    socketPath,
    listen: { host: '127.0.0.1', port: 0 },
    hosts: ['sync.example.com'],
    onFailure: (error) => failures.push(error),
  });
  const port = server.address?.port ?? 0;
  try {
    await check({
      home,
      socketPath,
      server,
      client: connectAgent(socketPath),
      calls,
      failures,
      get: (path, headers = {}, method = 'GET') => ask({ port, path, headers, method }),
    });
  } finally {
    await server.close();
    await rm(home, { recursive: true });
  }
}

function ask(options: {
  readonly port?: number;
  readonly socketPath?: string;
  readonly path: string;
  readonly method: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const sent = request({ host: '127.0.0.1', agent: false, ...rest }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
      );
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function collect<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it should have failed');
}

const never = new AbortController().signal;

test('every call goes over the socket and comes back as it was given', async () => {
  await withServer({}, async ({ client, calls }) => {
    assert.equal(await client.status(), statusReport);
    assert.equal(await client.peers(), peerReports);
    assert.is((await client.members()).members.length, 2);
    assert.is((await client.history({ share: 'a b' }))[0]?.version, '1.42');
    assert.is((await client.wait({ timeoutMs: 10, peers: 2 }, { signal: never })).reached, true);
    assert.equal(
      await collect(client.ls({ path: 'css', long: true, recursive: false }, { signal: never })),
      lsRows,
    );
    assert.is((await collect(client.diff({ from: '1', disk: true }, { signal: never }))).length, 3);
    assert.is((await collect(client.verify({ repair: true }, { signal: never }))).length, 2);
    assert.is((await client.init({ directory: '/d' })).role, 'writer');
    assert.is((await client.invite({ role: 'standby', expiresMs: 1, uses: 3 })).uses, 3);
    assert.is((await client.join({ invitation: 'x', directory: '/d', force: true })).share, 'www');
    assert.is((await client.pause({ share: 'www' }))[0]?.state, 'paused');
    await client.resume({ yes: true });
    await client.rescan({});
    assert.equal((await client.reload()).restart, ['listen']);
    assert.is((await client.ready({})).ready, false);
    assert.match(await client.metrics(), 'p2psync_up 1');
    assert.equal(
      calls.map(([name]) => name),
      'status peers members history wait ls diff verify init invite join pause resume rescan reload ready metrics'.split(
        ' ',
      ),
    );
    assert.equal(calls[3], ['history', { share: 'a b' }]);
    assert.equal(calls[4], ['wait', { timeoutMs: 10, peers: 2 }]);
    assert.equal(calls[12], ['resume', { yes: true }]);
  });
});

test('what reads is served on the port too, and what changes something is not', async () => {
  await withServer({}, async ({ get, calls }) => {
    for (const path of [
      '/healthz',
      '/metrics',
      '/api/v1/status',
      '/api/v1/peers',
      '/api/v1/members',
      '/api/v1/history',
    ]) {
      assert.is((await get(path)).status, 200, path);
    }
    assert.is((await get('/readyz?share=www')).status, 503);
    assert.equal(calls.at(-1), ['ready', { share: 'www' }]);
    assert.is((await get('/readyz?share=none')).status, 404);
    const before = calls.length;
    for (const path of ['/api/v1/pause', '/api/v1/join', '/api/v1/ls', '/', '/nothing', '//', '/%zz']) {
      assert.is((await get(path, {}, 'POST')).status, 404, path);
    }
    assert.is(calls.length, before);
    assert.is((await get('/api/v1/status', {}, 'DELETE')).status, 405);
    const head = await get('/healthz', {}, 'HEAD');
    assert.equal([head.status, head.text], [200, '']);
  });
});

test('a page of another origin or under a strange name learns nothing from the port', async () => {
  await withServer({}, async ({ get }) => {
    const status = async (path: string, headers: Record<string, string>): Promise<number> =>
      (await get(path, headers)).status;
    assert.is(await status('/api/v1/status', { host: 'evil.example.org:8874' }), 403);
    assert.is(await status('/metrics', { host: 'evil.example.org' }), 403);
    assert.is(await status('/api/v1/status', { origin: 'http://evil.example.org' }), 403);
    assert.is(await status('/api/v1/status', { host: 'sync.example.com:8874' }), 200);
    assert.is(await status('/api/v1/status', { host: 'localhost:8874' }), 200);
    assert.is(await status('/api/v1/status', { host: '[::1]:8874' }), 200);
    assert.is(await status('/healthz', { host: 'web1.example.org' }), 200);
  });
});

test('the control socket is private, replaces a stale one, and is gone after closing', async () => {
  const home = await mkdtemp(join(tmpdir(), 'p2psync-http-'));
  const socketPath = join(home, 'control.sock');
  await writeFile(socketPath, 'stale');
  const server = await startHttp({
    api: createFakeApi(),
    socketPath,
    listen: null,
    hosts: [],
    onFailure: () => undefined,
  });
  assert.is(server.address, null);
  assert.is((await stat(socketPath)).mode & 0o777, 0o600);
  assert.is(await isAgentRunning(socketPath), true);
  await server.close();
  assert.equal(await readdir(home), []);
  assert.is(await isAgentRunning(socketPath), false);
  assert.ok(hasCode(await failureOf(connectAgent(socketPath).status()), 'not-running'));
  await rm(home, { recursive: true });
});

test('a home whose path is longer than a socket address still has its socket', async () => {
  const top = await mkdtemp(join(tmpdir(), 'p2psync-http-'));
  const home = join(top, 'x'.repeat(120));
  await mkdir(home);
  const socketPath = join(home, 'control.sock');
  const server = await startHttp({
    api: createFakeApi(),
    socketPath,
    listen: null,
    hosts: [],
    onFailure: () => undefined,
  });
  assert.is((await connectAgent(socketPath).health()).ok, true);
  await server.close();
  assert.equal(await readdir(home), []);
  await rm(top, { recursive: true });
});

test('a taken port is a conflict that names the port and the remedy, and leaves no socket behind', async () => {
  const home = await mkdtemp(join(tmpdir(), 'p2psync-http-'));
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const error = await failureOf(
    startHttp({
      api: createFakeApi(),
      socketPath: join(home, 'control.sock'),
      listen: { host: '127.0.0.1', port },
      hosts: [],
      onFailure: () => undefined,
    }),
  );
  assert.ok(hasCode(error, 'conflict'));
  assert.match(error.message, `port ${port}`);
  assert.match(error.message, '[http] listen');
  assert.equal(await readdir(home), []);
  await new Promise((resolve) => other.close(resolve));
  await rm(home, { recursive: true });
});

test("an agent's error keeps its code and its sentence on the way, before and behind the first row", async () => {
  const refuse = new P2psyncError('not-found', 'no version 9.9 is kept');
  const changes: Partial<AgentApi> = {
    pause: () => Promise.reject(refuse),
    ls: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(refuse) }) }),
    async *diff() {
      yield { path: 'a', change: 'added', what: [] };
      throw refuse;
    },
    reload: () => Promise.reject(new TypeError('x is not a function')),
  };
  await withServer(changes, async ({ client, failures }) => {
    const ls = client.ls({ path: '', long: false, recursive: false }, { signal: never });
    for (const work of [client.pause({}), collect(ls), collect(client.diff({}, { signal: never }))]) {
      const error = await failureOf(work);
      assert.ok(hasCode(error, 'not-found'));
      assert.is(error.message, refuse.message);
    }
    assert.equal(failures, []);
    const bug = await failureOf(client.reload());
    assert.ok(bug instanceof Error && !(bug instanceof P2psyncError));
    assert.is(failures.length, 1);
  });
});

test('a body that is too large, not JSON, or not what was asked is refused with a sentence', async () => {
  await withServer({}, async ({ socketPath, calls }) => {
    const post = (path: string, body: string): Promise<Answer> =>
      ask({ socketPath, path, method: 'POST', body });
    const large = await post('/api/v1/pause', JSON.stringify({ share: 'x'.repeat(httpBodyBytesMax) }));
    assert.is(large.status, 413);
    assert.is(JSON.parse(large.text).code, 'limit-exceeded');
    assert.is((await post('/api/v1/pause', '{')).status, 400);
    assert.is((await post('/api/v1/pause', '[1]')).status, 400);
    assert.match((await post('/api/v1/pause', '{"shre":"www"}')).text, 'shre');
    assert.match((await post('/api/v1/wait', '{"timeoutMs":"1"}')).text, 'timeoutMs');
    assert.is((await post('/api/v1/init', '{"directory":"relative"}')).status, 400);
    assert.equal(calls, []);
  });
});

test('long answers stream: a client that turns away stops who makes the rows', async () => {
  let made = 0;
  let stopped = (): void => undefined;
  const end = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  const changes: Partial<AgentApi> = {
    async *diff() {
      try {
        for (; made < 1_000_000; made += 1)
          yield { path: `f${made}`.padEnd(200, '.'), change: 'added', what: [] };
      } finally {
        stopped();
      }
    },
  };
  await withServer(changes, async ({ client }) => {
    for await (const row of client.diff({}, { signal: never })) {
      assert.is(row.change, 'added');
      break;
    }
    await end;
    assert.ok(made > 0 && made < 1_000_000);
  });
});

test('a wait that the client gives up is given up by the agent', async () => {
  const asked = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<void>();
  const changes: Partial<AgentApi> = {
    wait: (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        asked.resolve();
        signal.addEventListener('abort', () => {
          cancelled.resolve();
          reject(new P2psyncError('cancelled', 'cancelled'));
        });
      }),
  };
  await withServer(changes, async ({ client }) => {
    const stop = new AbortController();
    const failed = failureOf(client.wait({ timeoutMs: 1000 }, { signal: stop.signal }));
    await asked.promise;
    stop.abort();
    assert.ok(hasCode(await failed, 'cancelled'));
    await cancelled.promise;
  });
});

test('an agent that stops in the middle of an answer is told from one that never ran', async () => {
  const asked = Promise.withResolvers<void>();
  const changes: Partial<AgentApi> = {
    wait: () => {
      asked.resolve();
      return new Promise(() => undefined);
    },
  };
  await withServer(changes, async ({ client, server }) => {
    const failed = failureOf(client.wait({ timeoutMs: 1000 }, { signal: never }));
    await asked.promise;
    await server.close();
    const error = await failed;
    assert.ok(hasCode(error, 'not-running'));
    assert.match(error.message, 'stopped');
  });
});

test('events come as they happen, to a bounded number of readers, and end with the reader', async () => {
  await withServer({}, async ({ client, get }) => {
    const stop = new AbortController();
    const held = Array.from({ length: httpEventReadersMax }, () =>
      client.events({ signal: stop.signal })[Symbol.asyncIterator](),
    );
    const first = await Promise.all(held.map((reader) => reader.next()));
    assert.ok(first.every(({ value }) => value.kind === 'head-applied'));
    const refused = await failureOf(collect(client.events({ signal: stop.signal })));
    assert.ok(hasCode(refused, 'limit-exceeded'));
    assert.is((await get('/healthz')).status, 200);
    stop.abort();
    await Promise.all(held.map((reader) => reader.next()));
  });
});

test.run();
