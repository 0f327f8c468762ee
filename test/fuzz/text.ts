/** Readers of what people type, paste and configure, and of requests to the control socket. */
import type { GenericSchema } from 'valibot';
import type { Bytes } from '../../agent/base/bytes.ts';
import { addressBytesMax } from '../../agent/base/limits.ts';
import { digestOf, parseDigest } from '../../agent/core/digest.ts';
import { readInvitation, writeInvitation } from '../../agent/core/invitation.ts';
import { publicKeyOfPeer } from '../../agent/core/keys.ts';
import * as label from '../../agent/core/label.ts';
import { comparePaths, parsePath } from '../../agent/core/path.ts';
import { parseVersion } from '../../agent/core/version.ts';
import { parseConfig } from '../../agent/daemon/config.ts';
import * as values from '../../agent/daemon/config-values.ts';
import * as requests from '../../agent/http/requests.ts';
import { formatAddress, parseAddress } from '../../agent/net/address.ts';
import { invitationOf, nowMs } from '../core/documents.ts';
import { importText } from '../daemon/rsyncd/files.ts';
import type { Target } from './engine.ts';
import { attempt, bytesOf, reading, textOf } from './reading.ts';

const config = `name = "web1"
listen = ["0.0.0.0:8873", "/ip4/127.0.0.1/tcp/1"]
bootstrap = ["web2:8873"]
[http]
listen = "127.0.0.1:8874"
[access]
allow = ["192.168.9.0/24", "web3"]
[limits]
connections = 100
upload = "10M"
[[share]]
name = "www"
path = "/data/www"
ignore = ["*.tmp", ".git/"]
owner = "www-data:www-data"
on_applied = [["systemctl", "reload", "nginx"]]
keep = { versions = 10, days = 7 }
`;

const rsyncd = `# web
uid = www-data
hosts allow = 192.168.9.0/24 \\
  .example.org
max connections = 10
&include /etc/rsyncd.d
[web]
  path = /data/%HOME%/www
  read only = yes
  exclude = *.tmp /cache/***
  filter = - .git/
  incoming chmod = Dg+s,ug+w
`;

const line = writeInvitation(invitationOf());
const prefix = 'p2psync1-';
const content = new Uint8Array(Buffer.from(line.slice(prefix.length), 'base64url')).slice(0, -4);

const schemas: readonly GenericSchema[] = [
  requests.shareRequest,
  requests.resumeRequest,
  requests.waitRequest,
  requests.lsRequest,
  requests.diffRequest,
  requests.verifyRequest,
  requests.initRequest,
  requests.inviteRequest,
  requests.joinRequest,
  requests.removeRequest,
  requests.authorityNote,
];

const smallValues: readonly ((text: string) => unknown)[] = [
  values.parseDuration,
  values.parseSize,
  values.parseRate,
  values.parsePercent,
  values.parseHostPortOrOff,
  values.parseDialAddress,
  values.parseListenAddress,
  values.parseName,
];

export const textTargets: readonly Target[] = [
  reading({
    name: 'invitation',
    seeds: [bytesOf(line), bytesOf(` ${line.slice(0, 80)}\n${line.slice(80)}\n`)],
    read: (bytes) => readInvitation(textOf(bytes), nowMs),
    write: (invitation) => bytesOf(writeInvitation(invitation)),
    codes: ['bad-invitation', 'expired'],
  }),
  // The check at its end hides from the first one what lies behind it.
  reading({
    name: 'invitation-content',
    seeds: [content],
    read: (bytes) => readInvitation(lineOf(bytes), nowMs),
    write: (invitation) =>
      new Uint8Array(Buffer.from(writeInvitation(invitation).slice(9), 'base64url')).slice(0, -4),
    canonical: true,
    codes: ['bad-invitation', 'expired'],
  }),
  reading({
    name: 'address',
    seeds: [
      'web1:8873',
      '[fe80::1]:8873',
      '/ip4/127.0.0.1/tcp/8873',
      '/dns4/a.example/tcp/1',
      '10.0.0.1:1',
    ].map(bytesOf),
    read(bytes) {
      const text = textOf(bytes);
      if (text.length <= addressBytesMax) attempt(() => label.parseAddress(text), ['malformed']);
      const address = parseAddress(text);
      formatAddress(address);
      return address.toString();
    },
    write: bytesOf,
    codes: ['config'],
  }),
  reading({
    name: 'path',
    seeds: [
      'a',
      'www/index.html',
      'é/\u{1f600}/\uffee',
      'a/.p2psync/b',
      '..a/...',
      `${'n'.repeat(255)}/x`,
    ].map(bytesOf),
    read(bytes) {
      const path = parsePath(textOf(bytes));
      if (
        path.startsWith('/') ||
        path.split('/').some((name) => name === '..' || name === '.' || name === '')
      )
        throw new Error(`a path that leads elsewhere: ${path}`);
      if (path.split('/')[0] === '.p2psync') throw new Error("a path into the agent's own directory");
      if (comparePaths(path, path) !== 0) throw new Error('a path that is not itself');
      return path;
    },
    write: bytesOf,
    codes: ['bad-path'],
  }),
  reading({
    name: 'small-texts',
    seeds: [
      '1.42',
      digestOf(new Uint8Array(0)),
      '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
      'web 1',
    ].map(bytesOf),
    read(bytes) {
      const text = textOf(bytes);
      const readers = [
        parseVersion,
        parseDigest,
        publicKeyOfPeer,
        (one: string) => label.parseLabel(one, 'a name'),
      ];
      return readers.map((read) => attempt(() => read(text), ['malformed', 'usage', 'bad-digest']));
    },
    codes: [],
  }),
  reading({
    name: 'config-values',
    seeds: [
      '1h30m',
      '1.5M',
      '10MiB/s',
      '50%',
      '127.0.0.1:0',
      'off',
      '/ip4/127.0.0.1/tcp/1',
      '[::1]:8874',
    ].map(bytesOf),
    read: (bytes) => smallValues.map((read) => attempt(() => read(textOf(bytes)), ['usage'])),
    codes: [],
  }),
  reading({
    name: 'config',
    seeds: [bytesOf(config)],
    read: (bytes) => parseConfig(textOf(bytes), 'config.toml'),
    codes: ['config'],
  }),
  { name: 'rsyncd', seeds: [bytesOf(rsyncd)], check: importOf },
  reading({
    name: 'http-body',
    seeds: [
      '{}',
      '{"share":"www","yes":true}',
      '{"timeoutMs":1000,"all":true,"version":"1.42"}',
      '{"path":"","long":true,"recursive":false}',
      '{"role":"replica","expiresMs":1,"uses":1}',
      '{"invitation":"p2psync1-","directory":"/d","force":true}',
    ].map(bytesOf),
    read: (bytes) =>
      schemas.map((schema) => attempt(() => requests.parseBody(schema, textOf(bytes)), ['usage'])),
    codes: [],
  }),
];

function lineOf(bytes: Bytes): string {
  const check = Buffer.from(digestOf(bytes), 'hex').subarray(0, 4);
  return prefix + Buffer.concat([bytes, check]).toString('base64url');
}

async function importOf(bytes: Bytes): Promise<void> {
  const files = { '/etc/rsyncd.d': ['one.conf', 'two.inc'], '/etc/rsyncd.d/one.conf': '[x]\npath = /x\n' };
  const work = importText(textOf(bytes), files, { HOME: '/root' });
  const { value, error } = await work.then(
    (found) => ({ value: found, error: undefined }),
    (thrown: unknown) => ({ value: undefined, error: thrown }),
  );
  attempt(() => {
    if (value === undefined) throw error;
    // What comes out of it has to be a configuration.
    parseConfig(value.config, 'config.toml');
  }, ['config', 'not-found', 'limit-exceeded', 'io', 'usage']);
}
