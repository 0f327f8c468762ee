/** Giving up root, in a process of its own; where the tests are not root, that it is refused and changes nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isCapable } from '../../agent/disk/capabilities.ts';

const top = mkdtempSync(join(tmpdir(), 'p2psync-run-as-'));
test.after(() => rmSync(top, { recursive: true }));

async function giveUp(): Promise<Record<string, unknown>> {
  chmodSync(top, 0o755);
  const home = join(top, 'home');
  const share = join(top, 'www');
  mkdirSync(join(home, 'index'), { recursive: true, mode: 0o700 });
  mkdirSync(join(share, '.p2psync/kept'), { recursive: true, mode: 0o755 });
  for (const file of ['home/index/data', 'outside', 'linked', 'www/page', 'www/.p2psync/kept/old']) {
    writeFileSync(join(top, file), '');
  }
  // What somebody with the agent's rights could have left there.
  symlinkSync(join(top, 'outside'), join(home, 'symlink'));
  linkSync(join(top, 'linked'), join(home, 'hardlink'));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'privileges-child.ts'), home, share], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  assert.is(code, 0);
  return JSON.parse(said) as Record<string, unknown>;
}

test('every thread gives up root for good; the home is handed over, and neither what is replicated nor what links lead to', async () => {
  const mine = `${process.geteuid?.()}:${process.getegid?.()}`;
  const said = await giveUp();
  assert.equal([said['share'], said['outside']].flat().slice(0, 2), [mine, mine]);
  assert.equal([said['outside'], said['kept']].flat(), [mine, mine, mine]);
  assert.is(said['listening'], true);
  if (!isCapable('setuid')) {
    assert.match(String(said['failure']), 'cannot go on as nobody:65533');
    assert.is(said['after'], said['before']);
    assert.equal(said['inThread'], { euid: process.geteuid?.(), written: 'yes' });
    return;
  }
  const user = '65534:65533';
  assert.is(said['failure'], '');
  assert.equal(said['home'], [user, user, user]);
  assert.equal((said['share'] as string[]).slice(2), [user, user]);
  const ids = (id: number): string => Array.from({ length: 4 }, () => id).join('\t');
  assert.equal(said['identities'], [`${ids(65_534)} | ${ids(65_533)} | 65533 | 0000000000000000`]);
  assert.ok(Number(said['threads']) > 5, 'worker, pool and main threads');
  assert.equal([said['inThread'], said['back']], [{ euid: 65_534, written: 'EACCES' }, 'refused']);
  assert.equal([said['before'], said['after']], [true, false]);
  const warnings = said['warnings'] as string[];
  assert.is(warnings.length, 2);
  assert.match(warnings[0] ?? '', 'cannot give files away');
  assert.match(warnings[1] ?? '', 'nobody:65533 cannot write here');
});

test.run();
