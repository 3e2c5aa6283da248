/** What went wrong in a run that goes on, in words; and what to do about a log that cannot be read. */
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import type { Memory } from './memory.ts';
import type { NagiosOptions } from './options.ts';
import { MAX_OFFERS, type Told } from './tally.ts';

/** Labels of a problem that leaves nothing unknown: what was counted remains true. */
export const NOTHING = { scope: 'none' } as const;

/** Where the programs and distributions put their logs. */
export const USUAL_LOGS = [
  ...['/var/log/nagios/nagios.log', '/var/log/nagios4/nagios.log', '/var/log/nagios3/nagios.log'],
  ...['/usr/local/nagios/var/nagios.log', '/var/log/icinga/icinga.log', '/var/log/naemon/naemon.log'],
];

export function problemsOf(told: Told, memory: Memory, { log, maxSeries }: NagiosOptions): Failure[] {
  const problems: Failure[] = [];
  const add = (code: Failure['code'], message: string, evidence: Failure['evidence'] = {}): void =>
    void problems.push(new Failure(code, message, { path: log, ...evidence, labels: NOTHING }));
  if (told.firstUnreadable !== undefined) {
    const { text, why } = told.firstUnreadable;
    const message = `${quoted(log)}: lines could not be read, the first is ${quoted(text)}: ${why}`;
    add('E_PARSE', message, { text, count: told.unreadable });
  }
  if (memory.isCrowded) {
    const message = `not every selected host and service has series of its own: maxSeries is ${maxSeries}`;
    add('E_OUTPUT_SIZE', `${message}; the others are in other_alerts: select fewer, or raise it`);
  }
  if (told.forgotten > 0) {
    const message = `${told.forgotten} hard problems are more than can be remembered: hard_problems is too small`;
    add('E_OUTPUT_SIZE', message, { count: told.forgotten });
  }
  if (told.leftOut > 0) {
    const message = `${told.leftOut} hard problems and recoveries were counted and not offered as events`;
    add('E_OUTPUT_SIZE', `${message}: a run offers at most ${MAX_OFFERS}`, { count: told.leftOut });
  }
  return problems;
}

export function scoped({ code, message, evidence }: Failure): Failure {
  return new Failure(code, message, { ...evidence, labels: NOTHING });
}

export function lostMemory(log: string): Failure {
  const message = 'what was remembered of the run before could not be read: counting begins anew at the end of the log';
  return new Failure('E_PARSE', message, { path: log, labels: NOTHING });
}

/** A failure to read the log, with what to do about it. */
export function advised(thrown: unknown, log: string): Failure {
  const { code, message, evidence } = asFailure(thrown);
  const advice = adviceOf(code, log);
  return advice === undefined || evidence.path !== log
    ? asFailure(thrown)
    : new Failure(code, `${message}: ${advice}`, { ...evidence, cause: thrown });
}

function adviceOf(code: Failure['code'], log: string): string | undefined {
  if (code === 'E_DENIED')
    return 'make edgestatd’s user a member of the group that the log and its directory belong to (nagios, icinga, naemon or adm), and let that group read both';
  if (code !== 'E_NOT_FOUND') return undefined;
  const others = USUAL_LOGS.filter((one) => one !== log);
  return `name the log_file of the monitoring as "log"; usual ones are ${others.join(', ')}`;
}
