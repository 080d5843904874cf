import { valueFlags, type Level } from './levels';

/** The same walk as in bash; each word comes with what it is for. */
export function zsh(levels: readonly Level[]): string {
  const cases = levels.map((level) => {
    const words = level.words.map(({ word, about }) => described(word, about));
    const flags = level.flags.map(({ long, about }) => described(long, about));
    return `    '${level.path}') found=(${[...words, ...flags].join(' ')}) values=(${valueFlags(level).join(' ')}) ;;`;
  });
  return `#compdef botctl
_botctl_level() {
  case "$1" in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_botctl_value() {
  case "$1 $2" in
${valueCases(levels).join('\n')}
    *) found=() ;;
  esac
}
_botctl() {
  local place='' flag='' files='' word
  local -a found values
  _botctl_level ''
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if [[ -n $flag ]]; then flag=''; continue; fi
    if [[ $word == -* ]]; then
      (( \${values[(Ie)$word]} )) && flag=$word
    elif _botctl_level "\${place:+$place }$word"; then
      place="\${place:+$place }$word"
    fi
  done
  [[ -n $flag ]] && _botctl_value "$place" "$flag"
  if [[ -n $files ]]; then _files; elif (( $#found )); then _describe 'botctl' found; fi
}
compdef _botctl botctl
`;
}

function valueCases(levels: readonly Level[]): string[] {
  return levels.flatMap(({ path, flags }) =>
    flags.flatMap(({ long, short, value }) => {
      if (value === null || (value.choices.length === 0 && !value.file)) return [];
      const action = value.file ? 'files=1' : `found=(${value.choices.join(' ')})`;
      const spellings = short === null ? [long] : [short, long];
      return [`    ${spellings.map((flag) => `'${path} ${flag}'`).join('|')}) ${action} ;;`];
    }),
  );
}

function described(word: string, about: string): string {
  return `'${word}:${about.replaceAll("'", "'\\''").replaceAll(':', '\\:')}'`;
}
