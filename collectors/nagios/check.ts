/** For `edgestatd check`: whether the log is one, may be read, and is rotated in a way that can be followed. */
import type { Context, Verdict } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import { lines, quoted } from '../../src/text.ts';
import type { NagiosOptions } from './options.ts';
import { parseLine } from './parse.ts';
import { advised, USUAL_LOGS } from './problems.ts';
import { archiveOf, orderOf } from './rotated.ts';

type Tried = Context<NagiosOptions>;

const TAIL_BYTES = 64 * 1024;
const HEAD_BYTES = 2 ** 20;
/** A log that is older is of a program that does not run, or of another one. */
const OLD_SECONDS = 2 * 86_400;

export async function checkNagios(context: Tried): Promise<readonly Verdict[]> {
  const { host, options } = context;
  try {
    const { size } = await host.readPart(options.log, 0, 0);
    const [head, tail] = await Promise.all([
      host.readPart(options.log, 0, HEAD_BYTES),
      host.readPart(options.log, Math.max(0, size - TAIL_BYTES), TAIL_BYTES),
    ]);
    const decoder = new TextDecoder();
    const isWhole = size <= TAIL_BYTES;
    const last = lines(decoder.decode(tail.bytes)).slice(isWhole ? 0 : 1);
    const verdicts = [logVerdict(context, last), stateVerdict(lines(decoder.decode(head.bytes)))];
    return [...verdicts, await archiveVerdict(context)];
  } catch (thrown) {
    const { code, message } = advised(thrown, options.log);
    const there = code === 'E_NOT_FOUND' ? await othersThere(context) : [];
    const found = there.length === 0 ? '' : `; here is ${there.map((one) => quoted(one)).join(', ')}`;
    return [{ level: 'fail', text: `${code}: ${message}${found}` }];
  }
}

async function othersThere({ host, options }: Tried): Promise<readonly string[]> {
  const tried = USUAL_LOGS.filter((path) => path !== options.log).map(async (path) => {
    const isThere = await host.readPart(path, 0, 0).then(
      () => true,
      (thrown) => asFailure(thrown).code !== 'E_NOT_FOUND',
    );
    return isThere ? [path] : [];
  });
  return (await Promise.all(tried)).flat();
}

function logVerdict({ options: { log }, atMs }: Tried, last: readonly string[]): Verdict {
  const read = last.filter((line) => line !== '').map((text) => ({ text, line: parseLine(text) }));
  const unreadable = read.find(({ line }) => line.kind === 'unreadable');
  if (read.length === 0) return { level: 'warn', text: `${quoted(log)}: may be read, and is empty` };
  if (unreadable?.line.kind === 'unreadable') {
    const { text, line } = unreadable;
    return { level: 'fail', text: `${quoted(log)}: ${quoted(text)} is no line of such a log: ${line.why}` };
  }
  const newest = read.at(-1)?.line;
  const age = newest === undefined || newest.kind === 'unreadable' ? 0 : Math.round(atMs / 1000 - newest.atSeconds);
  if (age > OLD_SECONDS) {
    const days = Math.floor(age / 86_400);
    return { level: 'warn', text: `${quoted(log)}: its last line is ${days} days old; does the monitoring run?` };
  }
  if (age < -60) {
    const text = `${quoted(log)}: its last line is ${-age} s ahead of this clock; set the clocks by NTP`;
    return { level: 'warn', text: `${text}: events carry the time of the log` };
  }
  return { level: 'ok', text: `${quoted(log)}: may be read, and is such a log` };
}

function stateVerdict(first: readonly string[]): Verdict {
  if (first.some((line) => parseLine(line).kind === 'state')) return { level: 'ok', text: 'the log lists all states' };
  const advice = 'set log_current_states=1 (at each rotation) or log_initial_states=1 (at each start)';
  return {
    level: 'warn',
    text: `the log does not list the states: hard_problems is learnt from alerts alone; ${advice}`,
  };
}

async function archiveVerdict({ host, options }: Tried): Promise<Verdict> {
  const archive = archiveOf(options);
  const slash = options.log.lastIndexOf('/');
  const name = options.log.slice(slash + 1);
  const found: string[] = [];
  const missing: string[] = [];
  for (const directory of new Set([options.log.slice(0, slash) || '/', archive])) {
    try {
      found.push(...(await host.list(directory)).filter((one) => orderOf(one, name) !== undefined));
    } catch (thrown) {
      const { code, message } = asFailure(thrown);
      if (code !== 'E_NOT_FOUND') {
        return { level: 'fail', text: `${code}: ${message}: what is rotated there is lost to the counts` };
      }
      missing.push(directory);
    }
  }
  if (found.length === 0) {
    const absent = missing.length === 0 ? '' : ` (${quoted(archive)} does not exist)`;
    const text = `no rotated log was found beside the log or in the archive${absent}`;
    return { level: 'warn', text: `${text}; where the log is rotated elsewhere, name that directory as "archive"` };
  }
  if (found.every((one) => /\.(?:gz|bz2|xz|zst|lz4|Z)$/.test(one))) {
    const text = 'every rotated log is compressed: what is written just before a rotation may be lost to the counts';
    return { level: 'warn', text: `${text}; let logrotate keep the last one as it is (delaycompress)` };
  }
  return { level: 'ok', text: `rotated logs were found: ${found.length}` };
}
