import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from './run-cli';

/** Asks a real shell; the last word is the one that is being typed. */
type Ask = (script: string, words: readonly string[]) => string[];

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const quoted = (word: string): string => `'${word}'`;

const askBash: Ask = (script, words) => {
  const program = `source ${script}; COMP_WORDS=(botctl ${words.map(quoted).join(' ')}); COMP_CWORD=${words.length}
    _botctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return lines(spawnSync('bash', ['--norc', '-c', program], { encoding: 'utf8', cwd: dir }).stdout);
};
const askFish: Ask = (script, words) => {
  const program = `source ${script}; complete -C ${quoted(`botctl ${words.join(' ')}`)}`;
  const { stdout } = spawnSync('fish', ['--no-config', '-c', program], {
    encoding: 'utf8',
    cwd: dir,
    env: { PATH: process.env['PATH'], HOME: dir, TERM: 'dumb' },
  });
  return lines(stdout).map((line) => line.split('\t', 1)[0] ?? '');
};
/** The two functions of zsh's own completion system that the script calls only print here. */
const askZsh: Ask = (script, words) => {
  const typed = words.at(-1) ?? '';
  const program = `compdef() { : }; _describe() { print -l -- "\${(@P)2}" }; _files() { print -l -- * }
    source ${script}; words=(botctl ${words.map(quoted).join(' ')}); CURRENT=${words.length + 1}; _botctl`;
  const { stdout } = spawnSync('zsh', ['-f', '-c', program], { encoding: 'utf8', cwd: dir });
  return lines(stdout)
    .map((line) => line.split(':', 1)[0] ?? '')
    .filter((word) => word.startsWith(typed));
};

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'botctl-completion-'));
  writeFileSync(join(dir, 'my.yaml'), '');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.each([
  ['bash', askBash],
  ['zsh', askZsh],
  ['fish', askFish],
] as const)('completion in a real %s', (shell, ask) => {
  const present = spawnSync(shell, ['--version']).status === 0;
  const itWithShell = present ? it : it.skip;
  const complete = (...words: string[]): string[] => ask(join(dir, shell), words).sort();

  beforeAll(async () => {
    const { code, stdout } = await runCli(['completion', shell], { cwd: dir });
    expect(code).toBe(0);
    writeFileSync(join(dir, shell), stdout);
  });

  itWithShell.each([
    ['commands', ['sta'], ['start', 'status']],
    ['flags', ['status', '--js'], ['--json']],
    ['commands of commands', ['config', 's'], ['schema', 'show']],
    ['their flags, and not those of a command with the same name', ['db', 'status', '--w'], []],
    ['flags after a flag with a value', ['logs', '--cluster', '3', '--fo'], ['--follow']],
    ['flags after an argument', ['db', 'move-guild', '81384788765712384', '--t'], ['--to']],
    ['the choices of a flag', ['start', '--log-level', 'e'], ['error']],
    ['no files for a number', ['logs', '--cluster', 'm'], []],
    ['files where one is wanted', ['status', '--config', 'm'], ['my.yaml']],
    ['the choices of an argument', ['completion', 'z'], ['zsh']],
  ])('%s', (_, words, found) => {
    expect(complete(...words)).toEqual(found);
  });
});
