/** For `edgestatd check`: runs the program once, and says what to declare. */
import type { Context, Verdict } from '../../src/collector.ts';
import { asFailure, type Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { measure } from './measure.ts';
import { checkName, declaredIn, type ExecOptions } from './options.ts';
import { type Output, readOutput } from './output.ts';
import type { Value } from './record.ts';

const STATES = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'];
/** So many declarations are written out. */
const MAX_SUGGESTED = 5;

export async function checkExec({ host, options, atMs }: Context<ExecOptions>): Promise<readonly Verdict[]> {
  const { command } = options;
  const [program = ''] = command;
  let output: Output;
  try {
    output = await readOutput(host, options, atMs);
  } catch (thrown) {
    return [{ level: 'fail', text: `${quoted(program)}: ${whatToDo(asFailure(thrown), command)}` }];
  }
  // What is missing or unknown is told by the run, which `edgestatd check` tries too.
  const { status, said, values } = output;
  const declared = declaredIn(options);
  const { missing, undeclared } = measure(values, declared, options, checkName(options));
  const ended = status === undefined ? 'ended well' : `ended with ${STATES[status]} (${status})`;
  const isUnknown = status === 3;
  const heard = isUnknown ? `: ${quoted(said, 100)}; do its arguments fit its version?` : '';
  const sent = `${declared.length - missing} of ${declared.length} declared metrics`;
  const text = `${quoted(program)} ${ended}; values printed: ${values.length}, for ${sent}${heard}`;
  const suggested = values.filter((value) => undeclared.includes(value.name)).slice(0, MAX_SUGGESTED);
  const verdicts: Verdict[] = [{ level: isUnknown ? 'warn' : 'ok', text }];
  if (suggested.length > 0)
    verdicts.push({ level: 'ok', text: `could be declared under "metrics": ${suggested.map(suggestion).join(', ')}` });
  return verdicts;
}

const BASES: Readonly<Record<string, string>> = {
  s: 'seconds',
  ms: 'seconds',
  us: 'seconds',
  '%': 'ratio',
  B: 'bytes',
};

function suggestion({ name, unit }: Value): string {
  const base = BASES[unit] ?? (/^[KMGTP]i?B$/.test(unit) ? 'bytes' : 'units');
  const plain =
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .replace(/^[_0-9]+|_$/g, '') || 'value';
  const own = base === 'units' ? plain : `${plain}_${base}`;
  const kind = unit === 'c' ? 'counter' : 'gauge';
  return `{ name: ${own}, kind: ${kind}, unit: ${base}, from: ${quoted(name)} }`;
}

function whatToDo({ code, message, evidence }: Failure, command: readonly string[]): string {
  const words = command.map((word) => quoted(word)).join(', ');
  if (code === 'E_NOT_FOUND') return `${message}; it must be there on this target, best by its whole path`;
  if (code === 'E_DENIED') return `${message}; give this user the right to execute it`;
  if (/sudo|password is required/.test(evidence.stderr ?? ''))
    return `${message}; allow it in sudoers on this target, with NOPASSWD and these very words: ${words}`;
  if (code === 'E_TIMEOUT') return `${message}; give the job a longer timeout, or the program less to do`;
  return message;
}
