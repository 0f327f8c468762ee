import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCode } from '../../agent/base/errors.ts';
import { commands } from '../../agent/cli/commands.ts';
import { commandHelp, generalHelp } from '../../agent/cli/help.ts';
import { parseCommandLine } from '../../agent/cli/parse.ts';

const refusals: readonly (readonly [string, string])[] = [
  ['statsu', 'there is no command "statsu"; did you mean p2psync status?'],
  ['xyzzy', 'there is no command "xyzzy"; see p2psync --help'],
  ['snapshot', 'there is no command "snapshot"'],
  ['status --wacth', 'unknown flag --wacth, did you mean --watch?; see p2psync status --help'],
  ['--wacth status', 'unknown flag --wacth'],
  ['--watch status', 'unknown flag --watch; see p2psync --help'],
  ['status -x', 'unknown flag -x'],
  ['status extra', 'unexpected argument "extra"; see p2psync status --help'],
  ['diff 1 2 p x', 'unexpected argument "x"'],
  ['init', 'DIR is missing; see p2psync init --help'],
  ['join line', 'DIR is missing'],
  ['join', 'INVITATION is missing'],
  ['wait --timeout', '--timeout needs a value: --timeout DURATION'],
  ['wait --timeout --all', '--timeout needs a value'],
  ['wait --timeout=', '--timeout needs a value'],
  ['status --home', '--home needs a value: --home DIR'],
  ['status --watch=yes', '--watch takes no value'],
  ['invite --role writer', '--role is replica, standby, archive; not "writer"'],
  ['completion tcsh', 'SHELL is bash, zsh, fish; not "tcsh"'],
  ['completion', 'SHELL is missing'],
];

for (const [line, message] of refusals) {
  test(`p2psync ${line} is wrong usage: ${message}`, () => {
    try {
      parseCommandLine(line.split(' '));
    } catch (error) {
      assert.ok(hasCode(error, 'usage'));
      assert.ok(error.message.includes(message), error.message);
      return;
    }
    throw new Error('it should have been refused');
  });
}

test('global flags may stand anywhere, with their value behind a blank or an equals sign', () => {
  for (const line of [
    '--home /h --json wait --all',
    'wait --all --home=/h --json',
    'wait --json --all --home /h',
  ]) {
    const { command, flags, globals } = parseCommandLine(line.split(' '));
    assert.is(command?.name, 'wait', line);
    assert.equal([...flags], [['all', true]]);
    assert.is(globals.get('home'), '/h');
    assert.is(globals.get('json'), true);
  }
});

test("a command's own --version takes a value; everywhere else it asks for the program's", () => {
  assert.is(parseCommandLine(['wait', '--version', '1.42']).flags.get('version'), '1.42');
  assert.is(parseCommandLine(['--version']).globals.get('version'), true);
  assert.is(parseCommandLine(['status', '--version']).globals.get('version'), true);
});

test('what follows two dashes is an argument, and so is one dash', () => {
  assert.equal(parseCommandLine(['ls', '--', '--long']).arguments, ['--long']);
  assert.equal(parseCommandLine(['ls', '-']).arguments, ['-']);
});

test('short switches may be joined', () => {
  const { flags, globals } = parseCommandLine(['ls', '-lRq']);
  assert.equal([[...flags.keys()], [...globals.keys()]], [['long', 'recursive'], ['quiet']]);
});

test('help is given without the arguments that are missing, by flag and by word', () => {
  for (const line of ['join --help', 'help join', '-h join', 'join -h']) {
    const { command, globals } = parseCommandLine(line.split(' '));
    assert.equal([command?.name, globals.get('help')], ['join', true], line);
  }
  assert.is(parseCommandLine(['help']).command, undefined);
});

test('the help names every command, and each one its flags and an example', () => {
  const general = generalHelp();
  for (const command of commands) {
    assert.match(general, command.name);
    const help = commandHelp(command);
    assert.match(help, `p2psync ${command.name}`);
    assert.match(help, 'example:\n  p2psync');
    for (const { name } of command.flags) assert.match(help, `--${name}`);
  }
});

test('the example of every command is right usage', () => {
  for (const { example, name } of commands) {
    const words = example.replace(/ > .*/, '').replaceAll('"', '').split(' ').slice(1);
    assert.is(parseCommandLine(words).command?.name, name);
  }
});

test('no line of the help is wider than a common terminal and a half', () => {
  for (const line of [generalHelp(), ...commands.map(commandHelp)].join('\n').split('\n')) {
    assert.ok(line.length <= 120, line);
  }
});

test.run();
