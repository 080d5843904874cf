import type { Command } from 'commander';
import { EXIT } from '../../control/contract';
import { CliError } from '../cli-error';
import type { CliContext } from '../context';

/** One level of the command line: what can follow it. */
interface Level {
  /** Words before it, joined by a space; empty for botctl itself. */
  path: string;
  words: { word: string; about: string }[];
}

const SHELLS: Record<string, (levels: Level[]) => string> = { bash, zsh, fish };

/** Prints a completion script made from the commands themselves. */
export function completion(program: Command, options: { argument: string }, { stdout }: CliContext): number {
  const script = SHELLS[options.argument];
  if (script === undefined) {
    throw new CliError(`There is no completion for ${options.argument}.`, EXIT.usage, 'Shells: bash, zsh, fish.');
  }
  stdout.write(script(levelsOf(program, '')));
  return EXIT.ok;
}

function levelsOf(command: Command, path: string): Level[] {
  const commands = command.commands.map((child) => ({ word: child.name(), about: child.description() }));
  const flags = command.options.flatMap(({ long, description }) =>
    long === undefined ? [] : [{ word: long, about: description }],
  );
  const help = { word: '--help', about: 'Print this help.' };
  const below = command.commands.flatMap((child) =>
    levelsOf(child, path === '' ? child.name() : `${path} ${child.name()}`),
  );
  return [{ path, words: [...commands, ...flags, help] }, ...below];
}

function bash(levels: Level[]): string {
  const cases = levels.map(({ path, words }) => `    "${path}") words="${words.map(({ word }) => word).join(' ')}" ;;`);
  return `# bash completion of botctl
_botctl() {
  local path="" word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ "\${#COMPREPLY[@]}" -eq 0 ] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _botctl botctl
`;
}

function zsh(levels: Level[]): string {
  const quote = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(':', '\\:');
  const cases = levels.map(({ path, words }) => {
    const described = words.map(({ word, about }) => `'${quote(word)}:${quote(about)}'`);
    return `    '${path}') words=(${described.join(' ')}) ;;`;
  });
  return `#compdef botctl
_botctl() {
  local -a words_before=(\${words[2,CURRENT-1]:#-*}) words
  case "\${(j: :)words_before}" in
${cases.join('\n')}
  esac
  _describe 'botctl' words || _files
}
compdef _botctl botctl
`;
}

function fish(levels: Level[]): string {
  const quote = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  const lines = levels.flatMap(({ path, words }) => {
    const condition =
      path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1) ?? ''}`;
    return words.map(({ word, about }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c botctl -n '${condition}' ${what} -d '${quote(about)}'`;
    });
  });
  return `# fish completion of botctl\n${lines.join('\n')}\n`;
}
