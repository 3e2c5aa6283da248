/** edgestatd(1): every command with its options, and what a program's page says beside them. */
import type { Command, Option } from 'commander';
import { buildProgram } from '../../src/program.ts';
import { bold, example, italic, item, literal, paragraph, prose, section, subsection } from './roff.ts';

export function commandPage(title: string): string {
  const program = buildProgram(() => {});
  return [
    title,
    section('NAME', `edgestatd \\- ${literal('metrics collector daemon for OpenStack-style edge nodes')}`),
    section('SYNOPSIS', ...leaves(program).map(({ path, command }) => synopsis(path, command))),
    section('DESCRIPTION', ...DESCRIPTION.map(paragraph)),
    section('COMMANDS', ...leaves(program).map(({ path, command }) => commandText(path, command))),
    section('SIGNALS', paragraph('These are for `edgestatd run`.'), ...entries(SIGNALS)),
    section('EXIT STATUS', ...entries(EXIT_CODES)),
    section('ENVIRONMENT', ...entries(ENVIRONMENT)),
    section('FILES', ...FILES.map(([file, text]) => item(italic(file), text))),
    section('EXAMPLES', ...EXAMPLES.flatMap(([text, command]) => [paragraph(text), example(command)])),
    section('SEE ALSO', SEE_ALSO),
  ].join('\n');
}

interface Leaf {
  readonly path: readonly string[];
  readonly command: Command;
}

/** The commands that do something, in the order of their declaration. */
function leaves(command: Command, path: readonly string[] = []): Leaf[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((one) => leaves(one, [...path, one.name()]));
}

function synopsis(path: readonly string[], command: Command): string {
  const operands = command.registeredArguments.map((one) => {
    const name = italic(one.variadic ? `${one.name()}...` : one.name());
    return one.required ? name : `[${name}]`;
  });
  const must = command.options.filter((option) => option.mandatory).map(flagText);
  const words = [bold(['edgestatd', ...path].join(' ')), ...must, `[${italic('options')}]`, ...operands];
  return `${path.length === 0 ? '' : '.PP\n'}${words.join(' ')}`;
}

function commandText(path: readonly string[], command: Command): string {
  const operands = command.registeredArguments.flatMap((one) =>
    one.argChoices === undefined ? [] : [item(italic(one.name()), `One of ${one.argChoices.map(quoted).join(', ')}.`)],
  );
  const text = `${sentence(command.description())}`;
  return subsection(['edgestatd', ...path].join(' '), prose(text), ...operands, ...command.options.map(optionText));
}

const quoted = (text: string): string => `\`${text}\``;

function optionText(option: Option): string {
  const choices = option.argChoices === undefined ? '' : ` One of ${option.argChoices.map(quoted).join(', ')}.`;
  const { defaultValue: usual } = option;
  const isTold = usual === undefined || (Array.isArray(usual) && usual.length === 0);
  const value = typeof usual === 'number' ? `${usual / 1000}s` : String(usual);
  const must = option.mandatory ? ' Required.' : '';
  return item(
    flagText(option),
    `${sentence(option.description)}${choices}${isTold ? '' : ` Default: ${quoted(value)}.`}${must}`,
  );
}

function flagText({ long, short, flags }: Option): string {
  const names = [short, long].filter((name) => name !== undefined && name !== null).map(bold);
  const [, value] = /[<[]([\w-]+)/.exec(flags) ?? [];
  return `${names.join(', ')}${value === undefined ? '' : ` ${italic(value)}`}`;
}

/** A description begins small and has no full stop. */
function sentence(text: string): string {
  const begun = text.slice(0, 1).toUpperCase() + text.slice(1);
  return /[.)]$/.test(begun) ? begun : `${begun}.`;
}

const entries = (rows: readonly (readonly [term: string, text: string])[]): string[] =>
  rows.map(([term, text]) => item(bold(term), text));

const DESCRIPTION = [
  'edgestatd runs collectors on a schedule, turns totals of the kernel and of brokers into increments and ratios, and sends them to StatsD in paced datagrams, or to Carbon through a spool on disk that bridges its outages. Deploys and other events go to Graphite with the time at which they happened, exactly once.',
  'What could not be read is never sent as 0. Every job says by `up` whether its last run succeeded, and what could not be delivered is counted.',
  'What is measured, where and when, stands in the configuration, which edgestatd.yaml(5) describes. Results go to the standard output, all else to the standard error. The daemon logs to its standard output: as JSON, in words on a terminal, and with priorities where that is the journal.',
];

const SIGNALS = [
  [
    'SIGHUP',
    'Reads the configuration again. Jobs that did not change are not disturbed; an invalid file changes nothing, and the log says why.',
  ],
  [
    'SIGTERM, SIGINT',
    'Ends: no new runs, those under way finish within `gracePeriod`, sinks send what they hold. A second one ends at once.',
  ],
] as const;

const EXIT_CODES = [
  ['0', 'Done.'],
  ['1', 'Something failed; the message says what, with one of the codes of /usr/share/doc/edgestatd/errors.md.'],
  ['2', 'Wrong usage, or a configuration that is not valid.'],
  ['130, 143', 'Interrupted by SIGINT or SIGTERM; the daemon itself ends with 0 then.'],
] as const;

const ENVIRONMENT = [
  ['EDGESTATD_CONFIG', 'The configuration, where `--config` names none.'],
  ['NO_COLOR', 'Not empty: no colours on a terminal.'],
  ['NOTIFY_SOCKET, WATCHDOG_USEC', 'Set by systemd: readiness, reloads, status and the watchdog are told there.'],
  ['CREDENTIALS_DIRECTORY', `Set by systemd: where \`\${credential:NAME}\` of the configuration is read.`],
  ['JOURNAL_STREAM', 'Set by systemd: log lines carry their priority.'],
  ['Others', `Those that the configuration names as \`\${env:NAME}\`.`],
] as const;

const FILES = [
  ['/etc/edgestatd/edgestatd.yaml', 'The configuration; without it, the one that comes with edgestatd.'],
  [
    '/var/lib/edgestatd/',
    'What waits on disk: spools of events and of Carbon, and the places of jobs that follow a log.',
  ],
  ['/run/edgestatd/', 'The socket that status and top ask.'],
] as const;

const EXAMPLES = [
  ['What is wrong with a configuration, and what each collector lacks:', 'edgestatd check --config new.yaml'],
  ['One reading of everything, and increments over five seconds:', 'edgestatd once --interval 5s'],
  ['Why a VM is slow, by its address:', 'edgestatd trace 192.0.2.17'],
  [
    'A deploy, by a pipeline that may repeat itself:',
    'edgestatd event post --what "deploy nova 29.1" --tag deploy --id build-4711',
  ],
  ['Completion in the shell that is open:', 'source <(edgestatd completion bash)'],
] as const;

const SEE_ALSO = '.BR edgestatd.yaml (5),\n.BR tc (8),\n.BR ovs\\-vsctl (8),\n.BR systemctl (1)';
