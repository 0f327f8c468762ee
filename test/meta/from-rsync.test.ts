/** docs/FROM-RSYNC.md: nothing that people use of rsync, inotifywait, lsyncd or Syncthing is left without a row. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commands } from '../../agent/cli/commands.ts';
import { parameters } from '../../agent/daemon/rsyncd/parameters.ts';
import { root } from './sources.ts';

const text = readFileSync(join(root, 'docs', 'FROM-RSYNC.md'), 'utf8');

/** Of one chapter, up to the next of its depth. */
function chapter(title: string): string {
  const [, after = ''] = text.split(`\n## ${title}\n`);
  return after.split('\n## ')[0] ?? '';
}

/** What stands in backticks in the first column. */
function firstColumn(section: string): Set<string> {
  const cells = [...section.matchAll(/^\| (.+?) \| /gm)].map(([, cell = '']) => cell);
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)));
}

const words = (list: string): string[] => list.trim().split(/\s+/);

/** inotifywait(1) of inotify-tools 4. */
const events = words(`
access modify attrib close_write close_nowrite close open moved_to moved_from move move_self create delete delete_self unmount
`);

/** rsync(1) of rsync 3.5.0; negations of what is there anyway are one row. */
const flags = words(`
--verbose -v --info --debug --stderr --quiet -q --no-motd --checksum -c --archive -a --no-OPTION --recursive -r
--inc-recursive --no-inc-recursive --relative -R --no-implied-dirs --backup -b --backup-dir --suffix --update -u --inplace --append
--append-verify --dirs -d --old-dirs --mkpath --links -l --copy-links -L --copy-unsafe-links --safe-links --insecure-links
--confine-root --munge-links --copy-dirlinks -k --keep-dirlinks -K --hard-links -H --perms -p --executability -E --chmod --acls -A
--xattrs -X --owner -o --group -g --devices --copy-devices --write-devices --specials --drop-D -D --times -t --atimes -U
--open-noatime --crtimes -N --omit-dir-times -O --omit-link-times -J --super --fake-super --sparse -S --preallocate --dry-run -n
--whole-file -W --no-whole-file --checksum-choice --one-file-system -x --block-size -B --rsh -e --rsync-path --existing
--ignore-non-existing --ignore-existing --remove-source-files --del --delete --delete-before --delete-during --delete-delay
--delete-after --delete-excluded --ignore-missing-args --delete-missing-args --ignore-errors --force --max-delete --max-size
--min-size --max-alloc --partial --partial-dir --delay-updates --prune-empty-dirs -m --numeric-ids --usermap --groupmap --chown
--timeout --contimeout --ignore-times -I --size-only --modify-window -@ --temp-dir -T --fuzzy -y --compare-dest --copy-dest
--link-dest --compress -z --compress-choice --compress-level --compress-threads --skip-compress --cvs-exclude -C --filter -f -F
--exclude --exclude-from --include --include-from --files-from --from0 -0 --old-args --secluded-args -s --trust-sender --copy-as
--address --port --sockopts --blocking-io --outbuf --stats --8-bit-output -8 --human-readable -h --progress -P --itemize-changes -i
--remote-option -M --out-format --log-file --log-file-format --password-file --early-input --list-only --bwlimit --stop-after
--stop-at --fsync --write-batch --only-write-batch --read-batch --protocol --iconv --checksum-seed --ipv4 -4 --ipv6 -6
`);

/** What lsyncd 2.2 and 2.3 read, the keys of `rsync = {}` apart, which are flags of rsync. */
const lsyncd = words(`
default.rsync default.rsyncssh default.direct source target host targetdir delay maxDelays maxProcesses init insist
exclude excludeFrom filter filterFrom crontab statusFile
`);

test('every event of inotifywait has a row', () => {
  const named = firstColumn(chapter('The events of inotifywait'));
  assert.equal(
    events.filter((event) => !named.has(event)),
    [],
  );
});

test('every option of rsync has a row', () => {
  // Some are in the second column, beside the one that they belong to.
  const section = chapter('Flags of rsync');
  assert.equal(
    flags.filter((flag) => !section.includes(`\`${flag}\``)),
    [],
  );
});

test('every parameter of rsyncd.conf is in the document with its outcome, and no other', () => {
  const [table = ''] = chapter('rsyncd.conf').split('\n### ');
  const rows = [...table.matchAll(/^\| `([^`]+)` \| (\w+) \| (.+) \|$/gm)];
  assert.ok(rows.length > 50);
  assert.equal(
    rows.map(([, name, outcome]) => `${name}: ${outcome}`).sort(),
    parameters.map(({ name, outcome }) => `${name}: ${outcome}`).sort(),
  );
});

test('every setting of lsyncd is named', () => {
  const section = chapter('lsyncd');
  assert.equal(
    lsyncd.filter((name) => !new RegExp(`\\b${name.replace('.', '\\.')}\\b`).test(section)),
    [],
  );
});

test('no command is named that does not exist', () => {
  // As code: in prose the name stands before verbs, too.
  const names = new Set(commands.map(({ name }) => name));
  const named = [...text.matchAll(/(?:`|^ *)p2psync ([a-z][a-z-]+)/gm)].map(([, name = '']) => name);
  assert.ok(named.length > 20);
  assert.equal([...new Set(named)].filter((name) => !names.has(name)).sort(), []);
});

test.run();
