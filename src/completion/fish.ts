/** Completion for fish 3 and later. */
import { type CommandWords, type Flag, type Value, word } from './word.ts';

export function fishCompletion(commands: readonly CommandWords[]): string {
  const paths = commands.filter(({ path }) => path.length > 0).map(({ path }) => word(path.join(' ')));
  return `# Completion of edgestatd for fish.
function __edgestatd_at --description 'whether the words before the cursor name this command'
    set -l path
    for word in (commandline -opc)[2..-1]
        if contains -- "$path $word" ${paths.map((path) => `' '${path}`).join(' ')}
            set path "$path $word"
        end
    end
    test "$path" = "$argv[1]"
end
complete -c edgestatd -f
${commands.flatMap(linesOf).join('\n')}
`;
}

function linesOf({ path, flags, subcommands, values }: CommandWords): string[] {
  const here = word(`__edgestatd_at "${path.map((name) => ` ${name}`).join('')}"`);
  const line = (rest: string): string => `complete -c edgestatd -n ${here} ${rest}`;
  const [first] = values;
  return [
    ...subcommands.map(({ name, help }) => line(`-a ${word(name)} -d ${fishWord(help)}`)),
    ...flags.map((flag) => line(`${names(flag)}${takes(flag.value)} -d ${fishWord(flag.help)}`)),
    ...(first === undefined || first.is === 'text' ? [] : [line(operand(first))]),
  ];
}

/** In fish's quotes a backslash escapes a quote and itself. */
const fishWord = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;

const names = (flag: Flag): string =>
  flag.names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(' ');

function takes(value: Value | undefined): string {
  if (value === undefined) return '';
  if (value.is === 'choice') return ` -x -a ${word(value.choices.join(' '))}`;
  if (value.is === 'folder') return " -x -a '(__fish_complete_directories)'";
  return value.is === 'file' ? ' -r -F' : ' -x';
}

function operand(value: Value): string {
  if (value.is === 'choice') return `-a ${word(value.choices.join(' '))}`;
  return value.is === 'folder' ? "-a '(__fish_complete_directories)'" : '-F';
}
