/** `stage.ts`: what is staged is what was asked for, and is found again. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { digestOf } from '../../agent/core/digest.ts';
import type { BlockRef, FileEntry } from '../../agent/core/entry.ts';
import type { SharePath } from '../../agent/core/path.ts';
import { openStage } from '../../agent/disk/stage.ts';

const test = suite<{ root: string }>('stage', { root: '' });
test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), 'stage-'));
});
test.after.each(({ root }) => rmSync(root, { recursive: true, force: true }));

function bytesOf(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (seed * 31 + at * 7 + (at >> 8)) & 0xff;
  return bytes;
}
const blockOf = (bytes: Uint8Array) => ({ digest: digestOf(bytes), bytes });
const stageOf = (root: string) => join(root, '.p2psync/stage');

function big(parts: readonly Uint8Array[], sparse = false) {
  const blocks: BlockRef[] = parts.map((bytes) => ({ digest: digestOf(bytes), length: bytes.length }));
  const content = digestOf(Buffer.from(JSON.stringify(blocks)));
  const entry: FileEntry = {
    kind: 'file',
    path: 'big' as SharePath,
    mode: 0o644,
    owner: { uid: 0, gid: 0, user: '', group: '' },
    mtimeUs: 0,
    size: blocks.reduce((sum, { length }) => sum + length, 0),
    sparse,
    content: { kind: 'list', digest: content, cut: 'small' },
  };
  return { blocks, content, entry, part: `${content}.part` };
}

test('stages blocks, serves them, and finds them after a restart', async ({ root }) => {
  const [one, two] = [blockOf(bytesOf(1, 5000)), blockOf(bytesOf(2, 10))];
  const stage = await openStage(root);
  assert.equal(await stage.put([one, two]), []);
  assert.ok(stage.has(one.digest));
  assert.equal(await stage.read(two.digest), two.bytes);
  await stage.close();

  const again = await openStage(root);
  assert.ok(again.has(one.digest) && again.has(two.digest));
  assert.equal(await again.read(one.digest), one.bytes);
  await again.close();
});

test('what is staged is its user’s alone, whatever the umask and the directory above it are', async ({
  root,
}) => {
  chmodSync(root, 0o2777);
  const before = process.umask(0);
  try {
    const stage = await openStage(root);
    await stage.put([blockOf(bytesOf(1, 5000))]);
    await stage.close();
  } finally {
    process.umask(before);
  }
  for (const directory of [join(root, '.p2psync'), stageOf(root)])
    assert.is(statSync(directory).mode & 0o7777, 0o700, directory);
});

test('refuses bytes that are not what their digest names, and stages the others', async ({ root }) => {
  const good = blockOf(bytesOf(1, 100));
  const bad = { digest: digestOf(bytesOf(2, 100)), bytes: bytesOf(3, 100) };
  const stage = await openStage(root);
  assert.equal(await stage.put([bad, good]), [bad.digest]);
  assert.not(stage.has(bad.digest));
  assert.is(await stage.read(bad.digest), null);
  assert.ok(stage.has(good.digest));
  await stage.close();
});

test('serves nothing that was damaged on the disk', async ({ root }) => {
  const block = blockOf(bytesOf(1, 100));
  const first = await openStage(root);
  await first.put([block]);
  await first.close();
  writeFileSync(join(stageOf(root), block.digest), 'damaged');
  const stage = await openStage(root);
  assert.is(await stage.read(block.digest), null);
  await stage.close();
});

test('puts the blocks of a big file at all their offsets, whatever their order', async ({ root }) => {
  const [a, b] = [bytesOf(1, 70_000), bytesOf(2, 30_000)];
  const { blocks, entry, part, content } = big([a, b, a]);
  const stage = await openStage(root);
  await Promise.all([stage.assemble(entry, blocks), stage.put([blockOf(b)])]);
  assert.not(stage.has(digestOf(a)));
  await stage.put([blockOf(a)]);
  assert.equal(readFileSync(join(stageOf(root), part)), Buffer.concat([a, b, a]));
  assert.equal(await stage.read(digestOf(b)), b);
  assert.equal([...(stage.inside.part(content)?.filled ?? [])], [1, 1, 1]);
  await stage.close();
});

test('takes over what an earlier run put together, as far as it hashes right', async ({ root }) => {
  const parts = [bytesOf(1, 70_000), bytesOf(2, 30_000), bytesOf(3, 50_000)] as const;
  const { blocks, entry, part, content } = big(parts, true);
  const first = await openStage(root);
  await first.assemble(entry, blocks);
  await first.put([blockOf(parts[0]), blockOf(parts[2])]);
  await first.close();
  const file = join(stageOf(root), part);
  const bytes = readFileSync(file);
  bytes[100_000] = (bytes[100_000] ?? 0) ^ 1;
  writeFileSync(file, bytes);

  const stage = await openStage(root);
  assert.equal([...(stage.inside.part(content)?.filled ?? [])], [1, 0, 0]);
  await stage.put([blockOf(parts[1]), blockOf(parts[2])]);
  assert.equal(readFileSync(file), Buffer.concat(parts));
  await stage.close();
});

test('begins a big file anew where the list or the part did not survive', async ({ root }) => {
  const parts = [bytesOf(1, 70_000), bytesOf(2, 30_000)] as const;
  const { blocks, entry, part, content } = big(parts);
  const first = await openStage(root);
  await first.assemble(entry, blocks);
  await first.put([blockOf(parts[0])]);
  await first.close();
  truncateSync(join(stageOf(root), `${content}.list`), 20);
  const stage = await openStage(root);
  assert.not(stage.has(digestOf(parts[0])));
  assert.equal(readdirSync(stageOf(root)), []);
  await stage.assemble(entry, blocks);
  await stage.put(parts.map(blockOf));
  assert.equal(readFileSync(join(stageOf(root), part)), Buffer.concat(parts));
  await stage.close();
});

test('leaves the holes of a sparse file unwritten', async ({ root }) => {
  const parts = [new Uint8Array(256 * 1024), bytesOf(1, 8192), new Uint8Array(256 * 1024)] as const;
  const { blocks, entry, part } = big(parts, true);
  const stage = await openStage(root);
  await stage.assemble(entry, blocks);
  await stage.put([blockOf(parts[0]), blockOf(parts[1])]);
  const file = join(stageOf(root), part);
  assert.ok(statSync(file).blocks * 512 < 64 * 1024, `${statSync(file).blocks} blocks`);
  assert.equal(readFileSync(file), Buffer.concat(parts));
  await stage.close();
});

test('refuses a list that does not add up to the file', async ({ root }) => {
  const { blocks, entry } = big([bytesOf(1, 70_000)]);
  const stage = await openStage(root);
  try {
    await stage.assemble({ ...entry, size: 1 }, blocks);
    assert.unreachable('a file of 1 byte');
  } catch (error) {
    assert.ok(hasCode(error, 'malformed'));
  }
  await stage.close();
});

test('it is empty once nothing is left of what was staged', async ({ root }) => {
  const one = blockOf(bytesOf(1, 100));
  const two = big([bytesOf(3, 70_000)]);
  const nothing = { digests: new Set<never>(), contents: new Set<never>() };
  const stage = await openStage(root);
  const states = [stage.inside.isEmpty()];
  for (const step of [
    () => stage.prune(nothing),
    () => stage.put([one]),
    () => stage.prune({ ...nothing, digests: new Set([one.digest]) }),
    () => stage.prune(nothing),
    () => stage.assemble(two.entry, two.blocks),
    () => stage.prune(nothing),
  ]) {
    await step();
    states.push(stage.inside.isEmpty());
  }
  // At first an earlier run may have left something.
  assert.equal(states, [false, true, false, false, true, false, true]);
  assert.equal(readdirSync(stageOf(root)), []);
  await stage.close();
});

test('drops what nobody needs', async ({ root }) => {
  const [one, two] = [blockOf(bytesOf(1, 100)), blockOf(bytesOf(2, 100))];
  const wanted = big([bytesOf(3, 70_000)]);
  const other = big([bytesOf(4, 70_000)]);
  const stage = await openStage(root);
  await stage.put([one, two]);
  await stage.assemble(wanted.entry, wanted.blocks);
  await stage.assemble(other.entry, other.blocks);
  await stage.put([blockOf(bytesOf(4, 70_000))]);
  await stage.prune({ digests: new Set([one.digest]), contents: new Set([wanted.content]) });
  assert.equal(
    readdirSync(stageOf(root)).sort(),
    [one.digest as string, wanted.part, `${wanted.content}.list`].sort(),
  );
  assert.ok(stage.has(one.digest));
  assert.not(stage.has(two.digest) || stage.has(digestOf(bytesOf(4, 70_000))));
  await stage.close();
});

test.run();
