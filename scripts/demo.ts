/**
 * Three agents on this machine replicate a directory before your eyes, as real processes with homes of their own.
 * On a terminal they go on running until Ctrl-C; otherwise the demo ends by itself.
 *
 *   npm run demo
 *   npm run demo -- --keep     leaves the directory behind
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { StatusReport } from '../agent/http/api.ts';
import { freePort } from '../test/e2e/lib/ports.ts';

const { values: options } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });

const program = join(import.meta.dirname, 'p2psync');
const top = mkdtempSync(join(tmpdir(), 'p2psync-demo-'));
const onTerminal = process.stdout.isTTY === true;
const color = onTerminal && process.env['NO_COLOR'] === undefined;

type Node = {
  readonly name: string;
  readonly home: string;
  readonly directory: string;
  readonly address: string;
};

const running: { readonly node: Node; readonly child: ChildProcess }[] = [];

function paint(code: number, text: string): string {
  return color ? `\u001b[${code}m${text}\u001b[0m` : text;
}

function say(text: string): void {
  console.log(`\n${paint(1, text)}`);
}

/** Shows the command as one would type it, with the program's name instead of its path. */
async function p2psync(args: readonly string[], shown: boolean = true): Promise<string> {
  const line = args
    .map((argument) => argument.replace(top, '$D'))
    .map((argument) => (argument.length > 90 ? `${argument.slice(0, 40)}…` : argument))
    .join(' ');
  if (shown) console.log(paint(36, `  $ p2psync ${line}`));
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 1024 * 1024 });
  return stdout;
}

/** What it prints goes to the terminal as it is, fitted and coloured. */
async function show(args: readonly string[]): Promise<void> {
  console.log(paint(36, `  $ p2psync ${args.join(' ').replaceAll(top, '$D')}`));
  const child = spawn(program, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`p2psync ${args.join(' ')} exited with ${code}`);
}

async function nodeOf(name: string): Promise<Node> {
  const directory = join(top, name);
  mkdirSync(directory);
  return { name, directory, home: join(top, `${name}.home`), address: `127.0.0.1:${await freePort()}` };
}

function start(node: Node): void {
  console.log(paint(36, `  $ p2psync run --home ${node.home.replace(top, '$D')} &`));
  const log = openSync(join(top, `${node.name}.log`), 'a');
  const child = spawn(program, ['run', '--home', node.home], { stdio: ['ignore', log, log] });
  closeSync(log);
  running.push({ node, child });
}

async function stopAll(): Promise<void> {
  await Promise.all(
    running.splice(0).map(async ({ child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }),
  );
}

function textAt(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @returns milliseconds until it was so. @throws where it is not in half a minute, or an agent has ended. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<number> {
  const startedMs = performance.now();
  while (!(await isSo())) {
    const dead = running.find(({ child }) => child.exitCode !== null);
    if (dead !== undefined) throw new Error(`${dead.node.name} ended`);
    if (performance.now() - startedMs > 30_000) throw new Error(`not after 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return performance.now() - startedMs;
}

async function receivedBytes(node: Node): Promise<number> {
  const report = JSON.parse(await p2psync(['status', '--json', '--home', node.home], false)) as StatusReport;
  return report.shares[0]?.traffic.receivedBytes ?? 0;
}

async function answers(node: Node): Promise<boolean> {
  return p2psync(['status', '--json', '--home', node.home], false).then(
    () => true,
    () => false,
  );
}

/** @returns the three agents, running and in sync. */
async function setUp(): Promise<readonly [Node, Node, Node]> {
  const nodes = [await nodeOf('writer'), await nodeOf('web1'), await nodeOf('web2')] as const;
  const [writer, ...replicas] = nodes;
  say('1. A writer over a directory, and two replicas that join with an invitation each.');
  console.log(paint(36, `  $ D=${top}`));
  mkdirSync(join(writer.directory, 'assets'));
  for (let page = 1; page <= 200; page += 1) {
    writeFileSync(join(writer.directory, 'assets', `page${page}.html`), `<h1>Page ${page}</h1>\n`.repeat(50));
  }
  writeFileSync(join(writer.directory, 'index.html'), '<h1>Hello</h1>\n');
  const common = (node: Node): string[] => [
    '--home',
    node.home,
    '--name',
    node.name,
    '--listen',
    node.address,
    '--http',
    'off',
  ];
  await p2psync(['init', writer.directory, '--share', 'www', ...common(writer)]);
  for (const replica of replicas) {
    const invitation = (await p2psync(['invite', '--home', writer.home])).trim();
    await p2psync(['join', invitation, replica.directory, ...common(replica)]);
  }
  for (const node of nodes) start(node);
  const tookMs = await until('both replicas have the last page', () =>
    replicas.every(
      (replica) =>
        textAt(join(replica.directory, 'assets', 'page200.html')) !== undefined &&
        textAt(join(replica.directory, 'index.html')) !== undefined,
    ),
  );
  console.log(`  201 files on both replicas ${(tookMs / 1000).toFixed(1)} s after the agents were started.`);
  await until('the writer answers', () => answers(writer));
  await p2psync(['wait', '--all', '--timeout', '30s', '--home', writer.home]);
  await show(['peers', '--home', writer.home]);
  return nodes;
}

async function tour([writer, web1, web2]: readonly [Node, Node, Node]): Promise<void> {
  const replicas = [web1, web2];
  say('2. An edit on the writer is on both replicas in a moment.');
  for (const text of ['<h1>Hello, world</h1>\n', '<h1>Hello again</h1>\n']) {
    writeFileSync(join(writer.directory, 'index.html'), text);
    const tookMs = await until('the edit is everywhere', () =>
      replicas.every((replica) => textAt(join(replica.directory, 'index.html')) === text),
    );
    console.log(`  index.html is everywhere ${tookMs.toFixed(0)} ms after it was written.`);
  }

  say('3. A rename moves no file contents over the network.');
  await until('web1 answers', () => answers(web1));
  const before = await receivedBytes(web1);
  renameSync(join(writer.directory, 'assets'), join(writer.directory, 'pages'));
  const tookMs = await until('the rename is everywhere', () =>
    replicas.every(
      (replica) =>
        textAt(join(replica.directory, 'pages', 'page200.html')) !== undefined &&
        textAt(join(replica.directory, 'assets', 'page200.html')) === undefined,
    ),
  );
  const moved = (await receivedBytes(web1)) - before;
  console.log(
    `  200 files renamed everywhere after ${tookMs.toFixed(0)} ms; web1 received ${moved} bytes for it.`,
  );

  say('4. A replica that is changed by hand is healed.');
  writeFileSync(join(web1.directory, 'index.html'), 'broken by hand\n');
  rmSync(join(web1.directory, 'pages', 'page7.html'));
  const healedMs = await until('web1 is healed', () => {
    const whole = textAt(join(web1.directory, 'pages', 'page7.html')) !== undefined;
    return whole && textAt(join(web1.directory, 'index.html')) === '<h1>Hello again</h1>\n';
  });
  console.log(
    `  web1 is as it was ${healedMs.toFixed(0)} ms later; what was written by hand is in web1/.p2psync/kept/.`,
  );
  await show(['verify', '--home', web1.home]);
  await show(['status', '--home', writer.home]);
}

function sayWhatNext([writer, web1]: readonly [Node, Node, Node]): void {
  say('Try next, in another terminal:');
  const lines = [
    `D=${top} PATH=${dirname(program)}:$PATH`,
    `echo hello > ${writer.directory}/new.txt; sleep 1; cat ${web1.directory}/new.txt`,
    `rm -r ${web1.directory}/pages; sleep 1; ls ${web1.directory}/pages | wc -l`,
    `p2psync peers --watch --home ${writer.home}`,
    `p2psync history --home ${writer.home}`,
    `p2psync ls --recursive --home ${web1.home}`,
    `tail -f ${top}/web1.log`,
  ];
  const [first, ...others] = lines;
  for (const line of [first, ...others.map((one) => one.replaceAll(top, '$D'))]) console.log(`  ${line}`);
  console.log(`
On real hosts it is the same: see "A writer and two replicas on three hosts" in README.md.`);
}

async function demo(): Promise<void> {
  const nodes = await setUp();
  await tour(nodes);
  if (onTerminal) {
    sayWhatNext(nodes);
    console.log(paint(1, '\nThe agents go on running. Ctrl-C ends them and removes what they made.'));
    await interrupted;
  } else {
    say('Done: on a terminal the agents would go on running, for you to try.');
    if (!options.keep) console.log('  --keep leaves the directory behind.');
  }
}

/** Ctrl-C in the middle of it leaves nothing behind either. */
const interrupted = Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)));

try {
  await Promise.race([demo(), interrupted]);
} catch (error) {
  console.error(`\nthe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  for (const { node } of running) {
    console.error(`--- log of ${node.name}`);
    console.error((textAt(join(top, `${node.name}.log`)) ?? '').split('\n').slice(-25).join('\n'));
  }
  process.exitCode = 1;
} finally {
  await stopAll();
  if (!options.keep) rmSync(top, { recursive: true, force: true });
  console.log(`\nThe agents have stopped; ${top} is ${options.keep ? 'kept' : 'removed'}.`);
}
