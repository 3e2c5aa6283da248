/** Rules: what collectors notice becomes events, held down so that what flaps is one event with a count. */
import type { Clock } from '../clock.ts';
import type { Collector } from '../collector.ts';
import type { Metric } from '../metric.ts';
import type { Point } from '../point.ts';
import { selfMetrics } from '../self.ts';
import type { Delivery } from '../sinks/sink.ts';
import { printable } from '../text.ts';
import { metricNamed, watchedBy } from './changes.ts';
import { type Event, hashOf, MAX_WHAT, tagOf } from './event.ts';
import { eventMetrics } from './event-metrics.ts';
import type { RuleOptions } from './options.ts';

export interface Rules {
  /** Looks at what a run sent; whatever that is, it throws nothing. */
  see(delivery: Delivery): void;
  /** Ends every hold-down now: what has begun becomes its event. */
  flush(): void;
}

interface Watch {
  readonly change: string;
  readonly becomes: number;
  readonly holdDownMs: number;
  readonly tags: readonly string[];
}

/** One series that a rule watches. */
interface Seen {
  value: number;
  /** Since the first change that is not told yet. */
  window?: { readonly firstMs: number; readonly openedAtMs: number; changes: number; cancel: () => void };
}

/** What changes without end is told after so many hold-downs, and then anew. */
const MAX_HELD = 10;

export function createRules(
  rules: readonly RuleOptions[],
  collectors: ReadonlyMap<string, Collector>,
  around: {
    readonly clock: Clock;
    readonly emit: (event: Event) => void;
    /** A target's key → what its series are called by. */
    readonly targetName: (key: string) => string;
  },
): Rules {
  const { clock, emit, targetName } = around;
  const watches = watchesOf(rules, collectors);
  /** By path: a run that did not read a series leaves it alone. */
  const seen = new Map<Watch, Map<string, Seen>>();
  const open = new Map<Seen, () => void>();

  const close = (one: Seen, watch: Watch, point: Point, job: string): void => {
    const { window } = one;
    if (window === undefined) return;
    window.cancel();
    delete one.window;
    open.delete(one);
    const [, key = 'local'] = job.split('@');
    emit(eventOf(watch, point, { job, target: targetName(key), window, value: one.value }));
  };

  const changed = (one: Seen, watch: Watch, point: Point, { job, atMs }: Delivery): void => {
    if (one.window === undefined && one.value !== watch.becomes) return;
    const openedAtMs = one.window?.openedAtMs ?? clock.monotonicMs();
    one.window?.cancel();
    const leftMs = openedAtMs + MAX_HELD * watch.holdDownMs - clock.monotonicMs();
    const end = (): void => close(one, watch, point, job);
    const cancel = clock.after(Math.max(0, Math.min(watch.holdDownMs, leftMs)), end);
    one.window = { firstMs: one.window?.firstMs ?? atMs, openedAtMs, changes: (one.window?.changes ?? 0) + 1, cancel };
    open.set(one, end);
  };

  const look = (watch: Watch, point: Point, delivery: Delivery): void => {
    const byPath = seen.get(watch) ?? new Map<string, Seen>();
    seen.set(watch, byPath);
    const before = byPath.get(point.path);
    // A series that ends says nothing about what it stood for.
    if (point.ends === true) {
      byPath.delete(point.path);
      return;
    }
    if (point.value !== 0 && point.value !== 1) return;
    const { value } = point;
    // What is first seen has not changed within our sight.
    if (before === undefined) byPath.set(point.path, { value });
    else if (before.value !== value) {
      before.value = value;
      changed(before, watch, point, delivery);
    }
  };

  return {
    see(delivery) {
      if (watches.size === 0 || delivery.isCut === true) return;
      for (const point of delivery.points) {
        const watching = watches.get(point.metric);
        if (watching !== undefined) for (const watch of watching) look(watch, point, delivery);
      }
    },
    flush() {
      for (const end of [...open.values()]) end();
    },
  };
}

function watchesOf(rules: readonly RuleOptions[], collectors: ReadonlyMap<string, Collector>): Map<Metric, Watch[]> {
  const watches = new Map<Metric, Watch[]>();
  for (const rule of rules) {
    const { change, watched } = watchedBy(rule);
    for (const { metric: name, becomes } of watched) {
      const metric = metricNamed(name, collectors, { ...selfMetrics, ...eventMetrics });
      if (typeof metric === 'string') continue;
      const watch = { change, becomes, holdDownMs: rule.holdDown, tags: rule.tags };
      watches.set(metric, [...(watches.get(metric) ?? []), watch]);
    }
  }
  return watches;
}

interface Told {
  readonly job: string;
  readonly target: string;
  readonly window: { readonly firstMs: number; readonly changes: number };
  readonly value: number;
}

/** `queue_stuck: cell1 nova compute.hv01`, at the time of the first change. */
function eventOf(watch: Watch, { labels, metric, path }: Point, { job, target, window, value }: Told): Event {
  const { firstMs, changes } = window;
  const named = Object.entries(labels).filter(([name, text]) => text !== undefined && name !== 'scope');
  const subject = named.map(([, text]) => text).join(' ') || job;
  const flaps = changes > 1 ? ` (${changes} changes)` : '';
  const what = cut(printable(`${watch.change}: ${subject}`), MAX_WHAT - flaps.length) + flaps;
  const now = value === watch.becomes ? 'it is so still' : 'it is over';
  const data = printable(
    `${metric.name} of ${path} (${job}) became ${watch.becomes}; ${changes} changes were seen, and now ${now}`,
  );
  const tags = [...new Set(['edgestatd', watch.change, tagOf(target), ...watch.tags])];
  const event = { what, tags, data, whenUs: Math.round(firstMs * 1000) };
  return { id: hashOf(event), ...event };
}

function cut(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
