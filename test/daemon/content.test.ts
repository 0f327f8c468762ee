/** Blocks that come and go: checked against what was asked, told of when they are stored, answered to the end. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { P2psyncError } from '../../agent/base/errors.ts';
import { contentPendingBytesMax } from '../../agent/base/limits.ts';
import { type Digest, digestOf } from '../../agent/core/digest.ts';
import type { PeerId } from '../../agent/core/keys.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { createContent } from '../../agent/daemon/content.ts';
import type { Event } from '../../agent/swarm/events.ts';
import type { BlockAnswer } from '../../agent/swarm/messages.ts';
import { createNotebook } from './notebook.ts';

const ana = 'ana' as PeerId;
const bo = 'bo' as PeerId;
const block = (text: string): { digest: Digest; bytes: Uint8Array } => {
  const bytes = new TextEncoder().encode(text);
  return { digest: digestOf(bytes), bytes };
};
const [x, y, z] = [block('x'), block('y'), block('z')];

function create() {
  const events: string[] = [];
  const sent: string[] = [];
  const faults: (string | null)[] = [];
  const pages = new Map<Digest, Uint8Array>();
  const staged = new Map<Digest, Uint8Array>();
  const files = new Map<Digest, readonly (Uint8Array | null | Error)[]>();
  const world = {
    /** Staging waits for it. */
    gate: Promise.resolve(),
    full: false,
    batches: 0,
    given: false,
    answer: async (): Promise<void> => undefined,
  };
  const names = new Map([x, y, z].map(({ digest, bytes }) => [digest, new TextDecoder().decode(bytes)]));
  const nameOf = (digest: Digest): string => names.get(digest) ?? digest.slice(0, 8);
  async function answer(peer: PeerId, one: BlockAnswer): Promise<void> {
    await world.answer();
    sent.push(`${one.kind} ${peer} ${one.id} ${'digest' in one ? nameOf(one.digest) : ''}`.trimEnd());
  }
  const locationsOf = (digest: Digest) =>
    (files.get(digest) ?? []).map((_, at) => ({ path: `${at}` as SharePath, offset: 0, length: 1 }));
  const content = createContent({
    store: {
      page: (digest: Digest) => pages.get(digest),
      async write({ pages: fresh }: { pages?: Iterable<readonly [Digest, Uint8Array]> }) {
        for (const [digest, bytes] of fresh ?? []) pages.set(digest, bytes);
      },
      location: (digest: Digest) => locationsOf(digest)[0],
      locations: locationsOf,
    },
    reader: {
      async blocks(places: readonly { path: SharePath; digest?: Digest }[]) {
        return places.map(({ path, digest }) => {
          const found = files.get(digest as Digest)?.[Number(path)];
          // As the real one: a file that cannot be read is as good as gone.
          return found instanceof Error ? null : (found?.slice() ?? null);
        });
      },
    },
    stage: {
      has: (digest: Digest) => staged.has(digest),
      readAll: async (digests: readonly Digest[]) =>
        digests.map((digest) => staged.get(digest)?.slice() ?? null),
      async put(blocks: readonly { digest: Digest; bytes: Uint8Array }[], { give }: { give?: boolean } = {}) {
        world.batches += 1;
        world.given = give === true;
        await world.gate;
        if (world.full) throw new P2psyncError('disk-full', 'no space left');
        const wrong = blocks
          .filter(({ digest, bytes }) => digestOf(bytes) !== digest)
          .map(({ digest }) => digest);
        for (const { digest, bytes } of blocks)
          if (!wrong.includes(digest)) staged.set(digest, bytes.slice());
        // As the real one: what was given is nobody else's any more.
        for (const { bytes } of give === true ? blocks : [])
          if (bytes.byteLength > 0) structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
        return wrong;
      },
    },
    log: createNotebook().log,
    feed(...fed: readonly Event[]) {
      for (const event of fed) {
        const fields = [
          event.kind,
          'peer' in event ? event.peer : '',
          'id' in event ? event.id : '',
          'digest' in event ? nameOf(event.digest) : '',
        ];
        events.push(fields.join(' ').trimEnd());
      }
    },
    answer,
    async give(peer: PeerId, answers: readonly BlockAnswer[]) {
      for (const one of answers) await answer(peer, one);
      // As the real one: nobody reads the memory of what was given any more.
      for (const one of answers)
        if (one.kind === 'block') structuredClone(one, { transfer: [one.bytes.buffer as ArrayBuffer] });
    },
    onStageFault: (fault) => void faults.push(fault?.code ?? null),
  });
  const ask = (
    peer: PeerId,
    id: number,
    plane: 'page' | 'block',
    wanted: readonly { digest: Digest }[],
  ): void => content.requested(peer, { id, plane, digests: wanted.map(({ digest }) => digest) });
  /** Nobody waits for it. */
  const say = (peer: PeerId, answer: BlockAnswer): void => {
    content.answered(peer, answer)?.catch((error: unknown) => assert.unreachable(String(error)));
  };
  const take = (peer: PeerId, id: number, { digest, bytes }: { digest: Digest; bytes: Uint8Array }): void =>
    say(peer, { kind: 'block', id, digest, bytes });
  return { content, events, sent, faults, pages, staged, files, world, ask, say, take };
}

test('a request ends after its last block is stored', async () => {
  const { content, events, staged, ask, take } = create();
  ask(ana, 1, 'block', [x, y]);
  take(ana, 1, x);
  take(ana, 1, y);
  await content.answered(ana, { kind: 'done', id: 1 });
  assert.equal(events, ['stored ana 1 x', 'stored ana 1 y', 'done ana 1']);
  assert.ok(staged.has(x.digest) && staged.has(y.digest));
  assert.is(content.received(), 2);
});

test('pages go into the store, blocks to staging', async () => {
  const { content, pages, staged, ask, take } = create();
  ask(ana, 1, 'page', [x]);
  ask(ana, 2, 'block', [y]);
  take(ana, 1, x);
  take(ana, 2, y);
  await content.answered(ana, { kind: 'done', id: 2 });
  assert.equal([[...pages.keys()], [...staged.keys()]], [[x.digest], [y.digest]]);
});

test('what comes while blocks are being staged goes in the next call, all of it', async () => {
  const { content, world, ask, take } = create();
  const opened = Promise.withResolvers<void>();
  world.gate = opened.promise;
  ask(ana, 1, 'block', [x, y, z]);
  take(ana, 1, x);
  await Promise.resolve();
  take(ana, 1, y);
  take(ana, 1, z);
  opened.resolve();
  await content.answered(ana, { kind: 'done', id: 1 });
  assert.is(world.batches, 2);
});

test('blocks that were hashed on the way go on in the memory they came in, also where one came twice', async () => {
  const { content, events, staged, world, ask, say } = create();
  const texts = ['one', 'two', 'three'].map((text) => block(text));
  const memory = new Uint8Array(Buffer.concat(texts.map(({ bytes }) => bytes)));
  let start = 0;
  const [one, two, three] = texts.map(({ digest, bytes }) => {
    start += bytes.byteLength;
    return { digest, bytes: memory.subarray(start - bytes.byteLength, start), verified: true as const };
  });
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  if (one === undefined || two === undefined || three === undefined) return;
  ask(ana, 1, 'block', [one, two]);
  ask(bo, 1, 'block', [one]);
  ask(ana, 2, 'page', [three]);
  say(ana, { kind: 'block', id: 1, ...one });
  say(bo, { kind: 'block', id: 1, ...one });
  say(ana, { kind: 'block', id: 2, ...three });
  say(ana, { kind: 'block', id: 1, ...two });
  await content.answered(ana, { kind: 'done', id: 1 });
  assert.ok(world.given);
  assert.equal(events.filter((event) => event.startsWith('stored')).length, 4);
  assert.equal(
    [...staged.values()].map((bytes) => Buffer.from(bytes).toString()),
    ['one', 'two'],
  );
});

test('bytes that are not what was asked are told of, on both planes, and stored nowhere', async () => {
  const { content, events, pages, staged, ask, take } = create();
  ask(ana, 1, 'page', [x]);
  ask(ana, 2, 'block', [y]);
  take(ana, 1, { digest: x.digest, bytes: z.bytes });
  take(ana, 2, { digest: y.digest, bytes: z.bytes });
  await content.answered(ana, { kind: 'done', id: 2 });
  assert.equal(events.sort(), ['done ana 2', 'wrongBytes ana 1 x', 'wrongBytes ana 2 y']);
  assert.is(pages.size + staged.size, 0);
});

test('a block that nobody asked for is not stored, whatever its bytes', async () => {
  const { content, events, staged, ask, take } = create();
  ask(ana, 1, 'block', [x]);
  take(ana, 1, y);
  take(ana, 1, x);
  take(ana, 1, x);
  await content.answered(ana, { kind: 'done', id: 1 });
  assert.equal([...staged.keys()], [x.digest]);
  assert.equal(events.sort(), ['done ana 1', 'stored ana 1 x', 'wrongBytes ana 1 x', 'wrongBytes ana 1 y']);
});

test('of two who send one block together, only the one with wrong bytes is told of', async () => {
  const { content, events, staged, world, ask, take } = create();
  const opened = Promise.withResolvers<void>();
  world.gate = opened.promise;
  ask(ana, 1, 'block', [z]);
  ask(ana, 2, 'block', [x]);
  ask(bo, 1, 'block', [x]);
  take(ana, 1, z);
  take(ana, 2, { digest: x.digest, bytes: y.bytes });
  take(bo, 1, x);
  opened.resolve();
  await content.answered(bo, { kind: 'done', id: 1 });
  assert.equal(events, ['stored ana 1 z', 'wrongBytes ana 2 x', 'stored bo 1 x', 'done bo 1']);
  assert.ok(staged.has(x.digest));
});

test('answers to what was cancelled, ended or never asked are dropped', async () => {
  const { content, events, staged, ask, say, take } = create();
  take(bo, 9, x);
  ask(ana, 1, 'block', [x]);
  content.cancelled(ana, 1);
  take(ana, 1, x);
  ask(ana, 2, 'block', [y]);
  say(ana, { kind: 'busy', id: 2, retryMs: 5 });
  take(ana, 2, y);
  say(ana, { kind: 'missing', id: 2, digest: y.digest });
  assert.equal(events, ['busy ana 2']);
  assert.is(staged.size, 0);
});

test('a full disk fails the request, is told of, and is over with the next block that is stored', async () => {
  const { content, events, faults, world, ask, take } = create();
  world.full = true;
  ask(ana, 1, 'block', [x, y]);
  take(ana, 1, x);
  await content.answered(ana, { kind: 'done', id: 1 });
  assert.equal(events, ['notStored ana 1']);
  assert.equal(faults, ['disk-full']);
  world.full = false;
  ask(ana, 2, 'block', [x]);
  take(ana, 2, x);
  await content.answered(ana, { kind: 'done', id: 2 });
  assert.equal(events.slice(1), ['stored ana 2 x', 'done ana 2']);
  assert.is(faults.at(-1), null);
});

test('a peer that is gone fails what was asked of it, and nobody else', () => {
  const { content, events, ask } = create();
  ask(ana, 1, 'block', [x]);
  ask(ana, 2, 'page', [y]);
  ask(bo, 1, 'block', [z]);
  content.lost(ana);
  content.lost(ana);
  assert.equal(events, ['requestFailed ana 1', 'requestFailed ana 2']);
});

test('peers are read no further while too many bytes wait', async () => {
  const { content, world, ask } = create();
  const opened = Promise.withResolvers<void>();
  world.gate = opened.promise;
  const size = 2 ** 20;
  const many = Array.from({ length: contentPendingBytesMax / size + 1 }, (_, at) => {
    const bytes = new Uint8Array(size).fill(at);
    return { digest: digestOf(bytes), bytes };
  });
  ask(ana, 1, 'block', many);
  const answers = many.map(({ digest, bytes }) =>
    content.answered(ana, { kind: 'block', id: 1, digest, bytes }),
  );
  assert.equal(
    answers.map((answer) => answer !== undefined),
    many.map((_, at) => at === many.length - 1),
  );
  opened.resolve();
  await answers.at(-1);
  ask(ana, 2, 'block', [x]);
  assert.is(content.answered(ana, { kind: 'block', id: 2, ...x }), undefined);
});

test('a request is answered in order from staging and from the files, and what is not here is named', async () => {
  const { content, events, sent, staged, files } = create();
  staged.set(x.digest, x.bytes);
  files.set(y.digest, [null, y.bytes]);
  await content.serve(ana, { id: 7, plane: 'block', digests: [y.digest, z.digest, x.digest] });
  assert.equal(sent, ['block ana 7 y', 'missing ana 7 z', 'block ana 7 x', 'done ana 7']);
  assert.equal(events, ['served ana 7']);
  assert.is(content.sent(), 2);
});

test('a block that is asked for twice is given once', async () => {
  const { content, sent, files } = create();
  files.set(x.digest, [x.bytes]);
  await content.serve(ana, { id: 7, plane: 'block', digests: [x.digest, x.digest] });
  assert.equal(sent, ['block ana 7 x', 'done ana 7']);
});

test('a file that cannot be read hides neither its copies nor the rest of the answer', async () => {
  const { content, sent, files } = create();
  files.set(x.digest, [new Error('EIO'), x.bytes]);
  files.set(y.digest, [new Error('EIO')]);
  files.set(z.digest, [z.bytes]);
  await content.serve(ana, { id: 7, plane: 'block', digests: [x.digest, y.digest, z.digest] });
  assert.equal(sent, ['block ana 7 x', 'missing ana 7 y', 'block ana 7 z', 'done ana 7']);
});

test('a peer that went in the middle of its answer leaves its place', async () => {
  const { content, events, files, world } = create();
  files.set(x.digest, [x.bytes]);
  world.answer = async () => {
    throw new P2psyncError('unreachable-peer', 'gone');
  };
  await content.serve(ana, { id: 7, plane: 'block', digests: [x.digest] });
  assert.equal(events, ['served ana 7']);
});

test.run();
