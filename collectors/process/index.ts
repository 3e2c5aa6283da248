/** Named processes: whether they run, since when, what they use, and whether they hang. */
import { type Context, defineCollector, type Reading } from '../../src/collector.ts';
import { checkProcesses } from './check.ts';
import { readDetails } from './details.ts';
import { findGroups } from './groups.ts';
import { measure } from './measure.ts';
import { metrics } from './metrics.ts';
import { options, type ProcessOptions } from './options.ts';
import { tables } from './tables.ts';

export const namedProcesses = defineCollector<ProcessOptions>({
  name: 'process',
  options,
  metrics,
  tables,
  async collect({ host, options, readAtMs }: Context<ProcessOptions>): Promise<Reading> {
    const { groups, unknown, problems, uptime } = await findGroups(host, options, readAtMs);
    const pids = new Set(groups.flatMap(({ alive }) => alive.map(({ pid }) => pid)));
    const details = await readDetails(host, options.proc, [...pids], options.openFiles);
    const moment = { readAtMs, uptime, counts: options.openFiles };
    const parts = groups.map((group) => ({ name: group.name, ...measure(group, details, moment) }));
    const partly = parts.filter(({ isPartial }) => isPartial);
    return {
      samples: parts.flatMap(({ samples }) => samples),
      problems: [...problems, ...parts.flatMap((part) => part.problems)],
      // A problem alone would hold what was sent before for a while only, and then end it with a 0.
      unread: [...unknown, ...partly.map(({ name }) => name)].map((name) => ({ process: name })),
    };
  },
  check: checkProcesses,
});
