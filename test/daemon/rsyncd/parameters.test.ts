/** That no parameter of rsyncd.conf is forgotten: a list of its own, held against ours. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findParameter, parameters } from '../../../agent/daemon/rsyncd/parameters.ts';

/** rsyncd.conf(5) of rsync 3.5.0, in its order. */
const manual = `
motd file, pid file, port, address, socket options, listen backlog,
comment, path, use chroot, daemon chroot, proxy protocol, proxy protocol hosts, name converter, numeric ids,
munge symlinks, insecure links, charset, max connections, log file, syslog facility, syslog tag, max verbosity,
lock file, read only, write only, open noatime, list, uid, gid, daemon uid, daemon gid, fake super,
filter, exclude, include, exclude from, include from, incoming chmod, outgoing chmod,
auth users, secrets file, auth digest, strict modes, hosts allow, hosts deny, reverse lookup, forward lookup,
ignore errors, ignore nonreadable, transfer logging, log format, timeout, refuse options, dont compress,
early exec, pre-xfer exec, post-xfer exec, temp dir
`
  .trim()
  .split(/,\s+/);

/** Of which a daemon of rsync 3.5.0 says, inside a module: "Global parameter … found in module section!" */
const globals = `
address, daemon chroot, daemon gid, daemon uid, listen backlog, motd file, pid file, port,
proxy protocol, proxy protocol hosts, socket options
`
  .trim()
  .split(/,\s+/);

test('every parameter of rsyncd.conf(5) is known, and no other but the one that only the daemon knows', () => {
  assert.is(manual.length, 58);
  const names = parameters.map(({ name }) => name);
  assert.equal([...names].sort(), [...manual, 'name'].sort());
});

test('what stands before the first module only is what rsync refuses inside one', () => {
  const ours = parameters.filter(({ scope }) => scope === 'global').map(({ name }) => name);
  assert.equal(ours.sort(), globals);
});

test('case and white space in a name do not count', () => {
  for (const written of ['Max Connections', 'maxconnections', 'MAX  connections'])
    assert.is(findParameter(written)?.name, 'max connections', written);
});

test.run();
