import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rsyncdIncludeDepthMax } from '../../../agent/base/limits.ts';
import { readModules } from '../../../agent/daemon/rsyncd/modules.ts';
import { type Files, loadFrom } from './files.ts';

/** What counts in each module, as `web: comment=x path=/a`. */
async function shown(text: string, files: Files = {}): Promise<string[]> {
  const { modules } = await readModules('f', loadFrom({ ...files, f: text }), { HOME: '/h' });
  return modules.map(({ name, values }) => {
    const words = [...values].map(([parameter, { value }]) => `${parameter}=${value}`).sort();
    return [`${name}:`, ...words].join(' ');
  });
}

// Each expectation was compared with rsync 3.5.0 by its list of modules and comments.
const cases: readonly (readonly [title: string, text: string, expected: readonly string[], files?: Files])[] =
  [
    [
      'what stands before the first module is a default',
      'timeout=1\n[a]\n[b]\ntimeout=2',
      ['a: timeout=1', 'b: timeout=2'],
    ],
    ['the last one counts', '[a]\ntimeout=1\ntimeout=2', ['a: timeout=2']],
    [
      'case and space in names do not count',
      '[a]\nMAXCONNECTIONS=1\nhosts  ALLOW=x',
      ['a: hosts allow=x max connections=1'],
    ],
    ["what is global is no default and no module's", 'port=1\n[a]\nport=2\nlist=no', ['a: list=no']],
    ['[global] is back before the modules', '[a]\n[Glo bal]\ntimeout=1\n[b]', ['a:', 'b: timeout=1']],
    [
      'a text that comes late is a default of modules above, too',
      '[a]\n[global]\nexclude=x',
      ['a: exclude=x'],
    ],
    ['unless rsync has one of its own', '[a]\n[global]\nlog format=x\nlist=no', ['a:']],
    ['or the module has it, be it empty', '[a]\nexclude=\n[global]\nexclude=x', ['a: exclude=']],
    ['a module may be opened again', '[a]\nlist=no\n[b]\n[A]\nuid=x', ['a: list=no uid=x', 'b:']],
    [
      'a module that is opened again takes no new defaults',
      '[a]\n[global]\nlist=no\n[a]\nuid=x',
      ['a: uid=x'],
    ],
    ['what is no boolean changes nothing', 'list=no\n[a]\nlist=maybe\nread only=', ['a: list=no']],
    ['unset is for some booleans', '[a]\nuse chroot=unset\nlist=unset', ['a: use chroot=unset']],
    [
      'a facility is a word or a number',
      '[a]\nsyslog facility=Local5\n[b]\nsyslog facility=none',
      ['a: syslog facility=Local5', 'b:'],
    ],
    ['&merge stands for the text', '[a]\n&merge x\nlist=no', ['a: list=no timeout=1'], { x: 'timeout=1' }],
    [
      '&include starts with the defaults and leaves them alone',
      'timeout=1\n[a]\n&include x\nlist=no\n[c]',
      ['a: timeout=1', 'b: timeout=2', 'c: list=no timeout=1'],
      { x: 'timeout=2\n[b]' },
    ],
    [
      'a directory is read in the order of its bytes, *.conf or *.inc',
      '&include d/\n&merge d\n[z]',
      ['A:', 'b: timeout=3', 'z: list=no'],
      {
        'd/': ['b.conf', 'A.conf', 'x.inc', 'readme'],
        d: ['x.inc', 'b.conf', 'A.conf'],
        'd/A.conf': '[A]\n',
        'd/b.conf': 'timeout=3\n[b]',
        'd/x.inc': 'list=no',
      },
    ],
    ['an empty directory changes nothing', '[a]\n&include d\nlist=no', ['a: list=no'], { d: [] }],
  ];

for (const [title, text, expected, files] of cases) {
  test(`modules: ${title}`, async () => assert.equal(await shown(text, files), expected));
}

test('what rsync refuses is refused with file, line and reason', async () => {
  const cases: readonly (readonly [string, string, Files?])[] = [
    ['a=b\n[web', 'f:2: [web has no closing bracket'],
    ['\n[]', 'f:2: a module without a name'],
    ['[a/b]', "f:1: a module's name cannot hold a slash"],
    ['=x', 'f:1: nothing stands before the "="'],
    ['&inklude x', 'f:1: &inklude is not a directive'],
    ['\n&merge x', 'f:2: &merge x: there is no x'],
    ['&merge x', 'x:3: [y has no closing bracket', { x: '\n\n[y' }],
  ];
  for (const [text, message, files] of cases) {
    try {
      await shown(text, files);
      assert.unreachable(text);
    } catch (error) {
      assert.match(String(error), message);
      assert.match(String(error), 'rsync refuses this file too');
    }
  }
});

test('files that include each other in a circle are refused', async () => {
  try {
    await shown('&merge f');
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), `more than ${rsyncdIncludeDepthMax} files include each other`);
  }
});

test('lines that rsync ignores are remarked upon, with what was probably meant', async () => {
  const text = 'bwlimit = 100\ntimout = 3\nignore errors\n[a]\npid file = x\nlist = perhaps\n--delete = yes';
  const { remarks } = await readModules('f', loadFrom({ f: text }), {});
  assert.equal(
    remarks.map(({ line, parameter, outcome }) => `${line} ${parameter}: ${outcome}`),
    [
      '1 bwlimit: explained',
      '2 timout: explained',
      '3 ignore errors: explained',
      '5 pid file: explained',
      '6 list: explained',
      '7 --delete: explained',
    ],
  );
  const note = (line: number): string => remarks.find((remark) => remark.line === line)?.note ?? '';
  assert.match(note(1), '[limits] upload');
  assert.match(note(2), 'is "timeout" meant?');
  assert.match(note(3), 'max_delete');
  assert.match(note(5), 'inside a module');
  assert.match(note(7), 'a flag of the rsync client');
});

test.run();
