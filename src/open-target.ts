/** A configured target → the machine itself. */
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { targetName } from './config-faults.ts';
import { localTarget } from './hosts/local.ts';
import { createLinks } from './hosts/ssh-links.ts';
import { sshTarget } from './hosts/ssh-target.ts';
import type { Target } from './hosts/target.ts';
import type { TargetConfig } from './targets.ts';

/** Of all targets, also of a command's that opens them one by one. */
const links = createLinks(systemClock);
/** What takes longest outside of the schedule: trace. */
const LONGEST_VISIT_MS = 30_000;
const SPARE_SECONDS = 10;

/** `withheld`: the variables that programs must not see; asked at each run, as a reload may add some. */
export function openTarget(key: string, config: Config, withheld = () => config.variables): Target {
  const name = targetName(key, config.targets);
  const found = config.targets.get(key);
  if (found?.type !== 'ssh') return localTarget(name, { withheld });
  const { link, release } = links.take(found.settings);
  const target = sshTarget(name, found.settings, link, { safetySeconds: safetySeconds(key, config) });
  return {
    ...target,
    async close() {
      await target.close();
      release();
    },
  };
}

/** What a target is opened with: one of which none of this changes is left alone by a reload. */
export function settingsOf(
  config: Config,
): { readonly key: string; readonly target: TargetConfig; seconds?: number }[] {
  return [...config.targets].map(([key, target]) =>
    target.type === 'ssh' ? { key, target, seconds: safetySeconds(key, config) } : { key, target },
  );
}

/** No program of a target runs for longer, also when nobody is left who could end it. */
function safetySeconds(key: string, { jobs }: Config): number {
  const known = longestRuns.get(jobs) ?? longestIn(jobs);
  longestRuns.set(jobs, known);
  return Math.ceil(Math.max(LONGEST_VISIT_MS, known.get(key) ?? 0) / 1000) + SPARE_SECONDS;
}

/** Gone through once: thousands of targets have tens of thousands of jobs. */
const longestRuns = new WeakMap<Config['jobs'], ReadonlyMap<string, number>>();

function longestIn(jobs: Config['jobs']): ReadonlyMap<string, number> {
  const longest = new Map<string, number>();
  for (const { target, timeoutMs } of jobs) longest.set(target, Math.max(longest.get(target) ?? 0, timeoutMs));
  return longest;
}
