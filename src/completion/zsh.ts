/** Completion for zsh: as a file `_edgestatd` in its fpath, or sourced. */
import { type CommandWords, type Flag, type Value, word } from './word.ts';

export function zshCompletion(commands: readonly CommandWords[]): string {
  return `#compdef edgestatd
# Completion of edgestatd for zsh.

${commands.map(functionOf).join('\n\n')}

if [[ \${funcstack[1]-} == _edgestatd ]]; then
  _edgestatd "$@"
else
  compdef _edgestatd edgestatd
fi
`;
}

const nameOf = (path: readonly string[]): string => ['_edgestatd', ...path].join('_').replaceAll('-', '_');

function functionOf({ path, flags, subcommands, values }: CommandWords): string {
  const name = nameOf(path);
  const specs = flags.flatMap(spec);
  if (subcommands.length === 0) {
    const last = values.length - 1;
    const operands = values.map((value, index) =>
      word(`${index === last && last > 0 ? '*' : index + 1}:${kind(value)}`),
    );
    return `${name}() {\n  _arguments ${[...specs, ...operands].join(' \\\n    ')}\n}`;
  }
  const list = subcommands.map((one) => `    ${word(`${one.name}:${one.help.replaceAll(':', '\\:')}`)}`);
  const branches = subcommands.map((one) => `    ${one.name}) ${nameOf([...path, one.name])} ;;`);
  return `${name}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a commands=(
${list.join('\n')}
  )
  _arguments -C ${[...specs, word('1: :->command'), word('*:: :->rest')].join(' \\\n    ')}
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${branches.map((branch) => `    ${branch}`).join('\n')}
      esac ;;
  esac
}`;
}

/** Of _arguments: names, what it does, and what its value is. May stand again, as zsh cannot know which may not. */
function spec({ names, help, value }: Flag): string[] {
  const text = help.replaceAll(/[[\]\\:]/g, '\\$&');
  return names.map((name) => {
    const takes = value !== undefined && name.startsWith('--') ? '=' : '';
    return word(`*${name}${takes}[${text}]${value === undefined ? '' : `:${kind(value)}`}`);
  });
}

function kind(value: Value): string {
  if (value.is === 'choice') return `value:(${value.choices.join(' ')})`;
  if (value.is === 'file') return 'file:_files';
  return value.is === 'folder' ? 'folder:_files -/' : 'value: ';
}
