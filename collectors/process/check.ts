/**
 * For `edgestatd check`: who runs, who is missing, and whether this is the whole machine. What may not be read is told by
 * the run that follows.
 */
import type { Context, Verdict } from '../../src/collector.ts';
import { quoted } from '../../src/text.ts';
import { findGroups } from './groups.ts';
import type { Group } from './measure.ts';
import type { ProcessOptions, Wanted } from './options.ts';
import { parseStat } from './parse.ts';

export async function checkProcesses({
  host,
  options,
  readAtMs,
}: Context<ProcessOptions>): Promise<readonly Verdict[]> {
  const { groups, unknown, absent } = await findGroups(host, options, readAtMs);
  const verdicts = groups.map(verdictOf);
  if (absent.length > 0) verdicts.push(absentVerdict(absent, groups.length + unknown.length));
  // Process 2 of a machine is the father of the kernel's threads; a container has none of them.
  const [second] = await host.readFiles([`${options.proc}/2/stat`]);
  if (typeof second !== 'string' || parseStat(second)?.isKernels !== true) {
    const advice = 'in a container, mount the machine’s /proc and set proc: /host/proc, or share its process numbers';
    const text = `${quoted(options.proc)} shows no thread of the kernel, so it may not be the whole machine’s: ${advice}`;
    verdicts.push({ level: 'warn', text });
  }
  return verdicts;
}

function verdictOf({ name, alive, zombies }: Group): Verdict {
  const some = alive.slice(0, 3).map(({ pid }) => pid);
  const more = alive.length > some.length ? ` and ${alive.length - some.length} more` : '';
  if (alive.length > 0) return { level: 'ok', text: `${quoted(name)}: runs as process ${some.join(', ')}${more}` };
  const dead = zombies.length > 0 ? 'has ended and was not waited for (zombie)' : 'does not run';
  return { level: 'fail', text: `${quoted(name)}: ${dead}; start it, or correct how it is looked for` };
}

function absentVerdict(absent: readonly Wanted[], others: number): Verdict {
  const names = absent.map(({ name }) => quoted(name)).join(', ');
  const text = `not here, and not expected: ${names}`;
  const advice = '; name under `processes` what this machine must run';
  return others === 0 ? { level: 'warn', text: `${text}${advice}` } : { level: 'ok', text };
}
