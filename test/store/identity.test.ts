/** Identity and secrets in a home: made once, private, never overwritten. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import type { ShareId } from '../../agent/core/keys.ts';
import { loadIdentity, loadOrCreateIdentity } from '../../agent/store/identity.ts';
import { readSecret, secretPath, writeSecret } from '../../agent/store/secrets.ts';

const share = '00112233445566778899aabbccddeeff' as ShareId;

function inHome(check: (home: string) => void): void {
  const home = mkdtempSync(join(tmpdir(), 'p2psync-identity-'));
  try {
    check(home);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

test('an identity is made once, 32 bytes, private, and read back', () => {
  inHome((home) => {
    const nested = join(home, 'not', 'there', 'yet');
    assert.is(loadIdentity(nested), undefined);
    const first = loadOrCreateIdentity(nested);
    assert.is(first.seed.byteLength, 32);
    assert.equal(Buffer.from(loadOrCreateIdentity(nested).seed), Buffer.from(first.seed));
    assert.is(statSync(join(nested, 'identity.key')).mode & 0o777, 0o600);
    assert.is(statSync(nested).mode & 0o777, 0o700);
    assert.equal(readdirSync(nested), ['identity.key']);
  });
});

test('two homes have two identities', () => {
  inHome((home) => {
    const left = loadOrCreateIdentity(join(home, 'left'));
    const right = loadOrCreateIdentity(join(home, 'right'));
    assert.not.equal(Buffer.from(left.seed), Buffer.from(right.seed));
  });
});

for (const mode of [0o644, 0o640, 0o604, 0o660, 0o620, 0o610]) {
  test(`an identity of mode 0${mode.toString(8)} is refused with what to type`, () => {
    inHome((home) => {
      loadOrCreateIdentity(home);
      const path = join(home, 'identity.key');
      chmodSync(path, mode);
      assert.throws(
        () => loadOrCreateIdentity(home),
        (error: unknown) => hasCode(error, 'permission') && error.message.includes(`chmod 600 ${path}`),
      );
      chmodSync(path, 0o600);
      loadOrCreateIdentity(home);
    });
  });
}

test('a damaged identity is refused and left as it is, whatever byte is wrong', () => {
  inHome((home) => {
    loadOrCreateIdentity(home);
    const path = join(home, 'identity.key');
    const text = readFileSync(path, 'latin1');
    const damaged = [
      '',
      'garbage',
      text.slice(0, 40),
      text.slice(0, -3),
      text.replace('identity', 'authority'),
      text.replace(' 1 ', ' 2 '),
    ];
    for (const [at, character] of text.trimEnd().split('').entries()) {
      damaged.push(text.slice(0, at) + (character === 'a' ? 'b' : 'a') + text.slice(at + 1));
    }
    for (const content of damaged) {
      writeFileSync(path, content);
      assert.throws(
        () => loadOrCreateIdentity(home),
        (error: unknown) => hasCode(error, 'malformed') && error.message.includes(path),
      );
      assert.is(readFileSync(path, 'latin1'), content);
    }
  });
});

test('a secret is written once, read back and never overwritten by another', () => {
  inHome((home) => {
    const name = { kind: 'authority', share } as const;
    assert.is(readSecret(home, name), undefined);
    writeSecret(home, name, new Uint8Array(32).fill(7));
    writeSecret(home, name, new Uint8Array(32).fill(7));
    assert.throws(
      () => writeSecret(home, name, new Uint8Array(32).fill(8)),
      (error: unknown) => hasCode(error, 'conflict'),
    );
    assert.equal(Buffer.from(readSecret(home, name) ?? []), Buffer.alloc(32, 7));
    assert.is(secretPath(home, name), join(home, `authority-${share}.key`));
    assert.is(statSync(secretPath(home, name)).mode & 0o777, 0o600);
    assert.is(readSecret(home, { kind: 'salt', share }), undefined);
  });
});

test('a salt is not taken for an authority key', () => {
  inHome((home) => {
    writeSecret(home, { kind: 'salt', share }, new Uint8Array(16).fill(1));
    writeFileSync(
      secretPath(home, { kind: 'authority', share }),
      readFileSync(secretPath(home, { kind: 'salt', share })),
      {
        mode: 0o600,
      },
    );
    assert.throws(
      () => readSecret(home, { kind: 'authority', share }),
      (error: unknown) => hasCode(error, 'malformed'),
    );
  });
});

test.run();
