import { valueFlags, type Level } from './levels';

/** Walks the words before the cursor as the command line itself would: values of flags are no commands. */
export function bash(levels: readonly Level[]): string {
  const cases = levels.map((level) => {
    const words = [...level.words.map(({ word }) => word), ...level.flags.map(({ long }) => long)].join(' ');
    return `    "${level.path}") words="${words}" values=" ${valueFlags(level).join(' ')} " ;;`;
  });
  return `# bash completion of botctl
_botctl_level() {
  case "$1" in
${cases.join('\n')}
    *) return 1 ;;
  esac
}
_botctl_value() {
  case "$1 $2" in
${valueCases(levels).join('\n')}
  esac
}
_botctl() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path="" words="" values="" flag="" files="" word
  _botctl_level ""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$flag" ]; then flag=""; continue; fi
    case "$word" in
      -*) case "$values" in *" $word "*) flag="$word" ;; esac ;;
      *) _botctl_level "\${path:+$path }$word" && path="\${path:+$path }$word" ;;
    esac
  done
  if [ -n "$flag" ]; then words=""; _botctl_value "$path" "$flag"; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [ -n "$files" ]; then compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); fi
}
complete -F _botctl botctl
`;
}

function valueCases(levels: readonly Level[]): string[] {
  return levels.flatMap(({ path, flags }) =>
    flags.flatMap(({ long, short, value }) => {
      if (value === null || (value.choices.length === 0 && !value.file)) return [];
      const action = value.file ? 'files=1' : `words="${value.choices.join(' ')}"`;
      const spellings = short === null ? [long] : [short, long];
      return [`    ${spellings.map((flag) => `"${path} ${flag}"`).join(' | ')}) ${action} ;;`];
    }),
  );
}
