/** For `edgestatd check`: what all work on another machine needs, tried. */
import type { Verdict } from '../collector.ts';
import { asFailure, type Failure } from '../errors.ts';
import { integer, quoted } from '../text.ts';
import type { Calls } from './ssh-calls.ts';
import type { SshSettings } from './ssh-options.ts';
import { pathOf } from './ssh-sudo.ts';
import type { Link } from './ssh-wire.ts';
import { mayRun, ruleFor } from './sudo.ts';

/** Events and logs of both machines can still be put in one order. */
const MAX_SKEW_SECONDS = 2;

export async function checkThere(
  link: Link,
  calls: Calls,
  settings: SshSettings,
  deadline: AbortSignal,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  try {
    await link.wire(deadline);
    verdicts.push(await connection(calls, settings, deadline));
  } catch (thrown) {
    return [failed(asFailure(thrown))];
  }
  verdicts.push(await clock(calls, deadline).catch((thrown) => failed(asFailure(thrown))));
  for (const program of settings.user === 'root' ? [] : settings.sudo) {
    verdicts.push(await rule(calls, settings, program, deadline).catch((thrown) => failed(asFailure(thrown))));
  }
  return verdicts;
}

async function connection(calls: Calls, settings: SshSettings, deadline: AbortSignal): Promise<Verdict> {
  const as = `connected to ${settings.host}:${settings.port} as ${settings.user}`;
  if (settings.commands === 'exec') return { level: 'ok', text: `${as}; each program is an exec of its own` };
  const { stdout } = await calls.outcome(['readlink', '-f', '/bin/sh'], deadline, [0, 1, 126, 127]).answer;
  const shell = stdout.trim();
  return { level: 'ok', text: `${as}; /bin/sh${shell === '' ? '' : ` is ${quoted(shell)}`}` };
}

async function clock(calls: Calls, deadline: AbortSignal): Promise<Verdict> {
  const before = Date.now() / 1000;
  const { stdout } = await calls.outcome(['date', '+%s'], deadline, [0]).answer;
  const after = Date.now() / 1000;
  const there = integer(stdout.trim());
  if (typeof there !== 'number') return { level: 'warn', text: `date +%s printed ${quoted(stdout)}, and no time` };
  // It was some time between both, and the second has a fraction that is not told.
  const skew = there > after ? there - after : there + 1 < before ? there + 1 - before : 0;
  if (Math.abs(skew) <= MAX_SKEW_SECONDS) return { level: 'ok', text: 'its clock agrees with ours' };
  const seconds = Math.abs(Math.round(skew));
  const text = `its clock is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} ours; set it by NTP on both machines`;
  return { level: 'warn', text };
}

async function rule(calls: Calls, settings: SshSettings, program: string, deadline: AbortSignal): Promise<Verdict> {
  const { status } = await calls.outcome(mayRun(program), deadline, [0, 1]).answer;
  if (status === 0) return { level: 'ok', text: `sudo runs ${program} as root` };
  const path = await pathOf(calls, settings, program, deadline);
  if (path === program && settings.commands === 'shell')
    return { level: 'fail', text: `sudo: program ${quoted(program)} was not found there` };
  const text = `sudo does not run ${program}; add this line to /etc/sudoers.d/edgestatd there: ${ruleFor(settings.user, path)}`;
  return { level: 'fail', text };
}

function failed({ code, message }: Failure): Verdict {
  return { level: 'fail', text: `${code}: ${message}` };
}
