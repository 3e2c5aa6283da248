/** Completion for bash 4.2 and later, without the functions of bash-completion. */
import { type CommandWords, type Value, word } from './word.ts';

export function bashCompletion(commands: readonly CommandWords[]): string {
  const paths = commands.filter(({ path }) => path.length > 0).map(({ path }) => word(` ${path.join(' ')}`));
  const values = commands.flatMap(({ path, flags }) =>
    flags.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : [`    ${names.map((name) => word(at(path, name))).join('|')}) ${action(value)}; return ;;`],
    ),
  );
  const flags = commands.map(
    ({ path, flags }) => `    ${word(at(path))}) words=${word(flags.flatMap(({ names }) => names).join(' '))} ;;`,
  );
  const operands = commands.map(({ path, subcommands, values }) => {
    const names = subcommands.map(({ name }) => name);
    const [first] = values;
    return `    ${word(at(path))}) ${names.length > 0 ? list(names) : first === undefined ? ':' : action(first)} ;;`;
  });
  return `# Completion of edgestatd for bash.
_edgestatd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path words i
  COMPREPLY=()
  # --format=json comes in three words.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
    prev=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${paths.join('|')}) path+=" \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path:$prev" in
${values.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    case "$path:" in
${flags.join('\n')}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    return
  fi
  case "$path:" in
${operands.join('\n')}
  esac
}
complete -F _edgestatd edgestatd
`;
}

/** What `$path:$prev` is there. */
const at = (path: readonly string[], flag = ''): string => `${path.map((name) => ` ${name}`).join('')}:${flag}`;

const list = (words: readonly string[]): string =>
  `mapfile -t COMPREPLY < <(compgen -W ${word(words.join(' '))} -- "$cur")`;

function action(value: Value): string {
  if (value.is === 'choice') return list(value.choices);
  if (value.is === 'text') return ':';
  const what = value.is === 'folder' ? '-d' : '-f';
  return `compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen ${what} -- "$cur")`;
}
