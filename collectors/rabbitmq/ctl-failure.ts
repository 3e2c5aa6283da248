/** One sentence for the pages that rabbitmqctl prints where it cannot do what it was asked. Pure. */
import { type Code, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';

const asRoot = 'run it as root or as rabbitmq, for example with command: [sudo, -n, rabbitmqctl]';

interface Known {
  readonly pattern: RegExp;
  readonly code: Code;
  /** `node`: what stands in the first group of the pattern. */
  readonly message: (node: string) => string;
}

/** Texts of 3.6 to 4.3 (rabbitmq_cli), of the wrapper that Debian puts before it, of sudo and of Erlang. */
const known: readonly Known[] = [
  {
    pattern:
      /requires the 'rabbit' app to be running|rabbit application is not running|rabbit app(?:lication)? stopped/i,
    code: 'E_CONNECT',
    message: () => 'the node runs, but not its broker; expected it running: rabbitmqctl start_app',
  },
  {
    pattern:
      /unable to (?:perform an operation on|connect to) node '?([^\s'"]{1,255}?)'?(?:[.:\s]|$)|(?:badrpc,|: )nodedown/,
    code: 'E_CONNECT',
    message: (node) =>
      `${node === '' ? 'the node' : `node ${quoted(node)}`} does not run, or has another Erlang cookie than rabbitmqctl; start it, or ${asRoot}`,
  },
  {
    pattern: /password is required|not allowed to execute|may not run sudo|not in the sudoers/i,
    code: 'E_DENIED',
    message: () => 'sudo does not allow it without a password; add a NOPASSWD rule for these commands',
  },
  {
    pattern:
      /\bOnly root\b|cookie file|cookie[^\n]*\beacces\b|\beacces\b[^\n]*cookie|must be (?:run as|accessible by)|Permission denied/i,
    code: 'E_DENIED',
    message: () => `this user may not use it; ${asRoot}`,
  },
  {
    pattern: /timed out|badrpc,\s*\{?timeout/i,
    code: 'E_TIMEOUT',
    message: () =>
      'the node did not answer in time; queues that do not answer are told by: rabbitmqctl list_unresponsive_queues',
  },
];

/** Undefined: none of the reasons that are known, as a column or formatter that this version has not. */
function reasonOf(failure: Failure): Failure | undefined {
  const { stderr = '', argv = [] } = failure.evidence;
  for (const { pattern, code, message } of known) {
    const found = pattern.exec(stderr);
    if (found === null) continue;
    return new Failure(code, `${commandIn(argv)}: ${message(found[1] ?? '')}`, { ...failure.evidence, cause: failure });
  }
  return undefined;
}

/** What was done, as a person would write it: `rabbitmqctl list_queues`. */
function commandIn(argv: readonly string[]): string {
  const name = argv.find((word) => /^[a-z]+_[a-z_]+$|^status$/.test(word));
  return `rabbitmqctl${name === undefined ? '' : ` ${name}`}`;
}

export interface Told {
  readonly failure: Failure;
  /** None of the reasons that are known: another way of asking may work. */
  readonly isRefused: boolean;
  /** It says that this version has not one of the columns. */
  readonly isColumn: boolean;
}

export function toldOf(failure: Failure): Told {
  if (failure.code !== 'E_EXIT') return { failure, isRefused: false, isColumn: false };
  const reason = reasonOf(failure);
  if (reason !== undefined) return { failure: reason, isRefused: false, isColumn: false };
  const isColumn = /Info key|bad_argument|bad argument/i.test(failure.evidence.stderr ?? '');
  return { failure, isRefused: failure.evidence.exitCode !== undefined, isColumn };
}
