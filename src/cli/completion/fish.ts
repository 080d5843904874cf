import { valueFlags, type Level } from './levels';

/** One line for each word, with the command after which it may stand; no files where none are wanted. */
export function fish(levels: readonly Level[]): string {
  const paths = levels.flatMap(({ path }) => (path === '' ? [] : [quoted(path)]));
  const values = levels.flatMap((level) => valueFlags(level).map((flag) => quoted(`${level.path} ${flag}`)));
  return `# fish completion of botctl
set -g __botctl_levels ${paths.join(' ')}
set -g __botctl_values ${values.join(' ')}
function __botctl_at
  set -l place ''
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
    else if string match -q -- '-*' $word
      contains -- "$place $word" $__botctl_values; and set skip 1
    else
      set -l next (string trim -- "$place $word")
      contains -- $next $__botctl_levels; and set place $next
    end
  end
  test "$place" = "$argv[1]"
end
complete -c botctl -f
${levels.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, words, flags }: Level): string[] {
  const at = `complete -c botctl -n ${quoted(`__botctl_at '${path}'`)}`;
  return [
    ...words.map(({ word, about }) => `${at} -a ${word} -d ${quoted(about)}`),
    ...flags.map(({ long, short, about, value }) => {
      const choices = value === null || value.choices.length === 0 ? '' : ` -a ${quoted(value.choices.join(' '))}`;
      const wants = value === null ? '' : value.file ? ' -r -F' : ' -x';
      return `${at} -l ${long.slice(2)}${short === null ? '' : ` -s ${short.slice(1)}`}${wants}${choices} -d ${quoted(about)}`;
    }),
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
