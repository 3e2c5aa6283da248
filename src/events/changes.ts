/** Which changes of state rules know by name: metrics that are 0 or 1, and the value that is worth an event. */
import type { Collector } from '../collector.ts';
import type { Metric } from '../metric.ts';

interface Watched {
  /** `collector.metric`. */
  readonly metric: string;
  readonly becomes: 0 | 1;
}

export const RULES = [
  ...(['controller_lost', 'link_down', 'process_dead', 'module_mismatch'] as const),
  ...(['queue_stuck', 'broker_alarm', 'job_failed', 'daemon_started'] as const),
] as const;
export type RuleName = (typeof RULES)[number];

const NAMED: { readonly [Name in RuleName]: readonly Watched[] } = {
  controller_lost: [
    { metric: 'ovs.controller_connected', becomes: 0 },
    { metric: 'ovs.manager_connected', becomes: 0 },
  ],
  link_down: [
    { metric: 'ovs.link_up', becomes: 0 },
    { metric: 'link.link_up', becomes: 0 },
    { metric: 'link.slave_up', becomes: 0 },
  ],
  process_dead: [{ metric: 'process.alive', becomes: 0 }],
  module_mismatch: [
    { metric: 'ovs_kmod.match_running', becomes: 0 },
    { metric: 'ovs_kmod.match_pending', becomes: 0 },
  ],
  queue_stuck: [{ metric: 'rabbitmq.stuck', becomes: 1 }],
  broker_alarm: [{ metric: 'rabbitmq.alarm', becomes: 1 }],
  job_failed: [{ metric: 'edgestatd.up', becomes: 0 }],
  // The daemon itself says so.
  daemon_started: [],
};

/** What a rule of the configuration watches, and what its change is called. */
export function watchedBy(rule: {
  readonly on?: RuleName | undefined;
  readonly metric?: string | undefined;
  readonly becomes: 0 | 1;
}): { readonly change: string; readonly watched: readonly Watched[] } {
  const { on, metric = '', becomes } = rule;
  if (on !== undefined) return { change: on, watched: NAMED[on] };
  return { change: `${metric.split('.')[1]}_is_${becomes}`, watched: [{ metric, becomes }] };
}

/** A collector's metric by `collector.metric`, or what is wrong with the name. */
export function metricNamed(
  name: string,
  collectors: ReadonlyMap<string, Collector>,
  own: Readonly<Record<string, Metric>>,
): Metric | string {
  const [collector = '', metric = ''] = name.split('.');
  const metrics = collector === 'edgestatd' ? own : collectors.get(collector)?.metrics;
  if (metrics === undefined) return `no collector is called "${collector}"`;
  const found = Object.values(metrics).find((one) => one.name === metric);
  if (found === undefined)
    return `the collector ${collector} has no metric "${metric}"; "edgestatd metrics" lists them`;
  if (found.unit !== 'boolean') return `${name} counts ${found.unit}; expected a metric that is 0 or 1 (unit boolean)`;
  return found;
}
