/** Rules: changes that collectors notice become events, each once, with the time of the first change. */
import { describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';
import type { Event } from '../src/events/event.ts';
import { eventFaults } from '../src/events/faults.ts';
import { eventsOptions, type RuleOptions } from '../src/events/options.ts';
import { createRules } from '../src/events/rules.ts';
import type { Metric } from '../src/metric.ts';
import type { Point } from '../src/point.ts';
import { selfMetrics } from '../src/self.ts';
import { fakeClock } from './support/fake-clock.ts';

const metricOf = (collector: string, name: string): Metric => {
  const metrics = collector === 'edgestatd' ? selfMetrics : (registry.get(collector)?.metrics ?? {});
  const found = Object.values(metrics).find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${collector}.${name}`);
  return found;
};
const stuck = metricOf('rabbitmq', 'stuck');
const linkUp = metricOf('ovs', 'link_up');

interface RuleInput {
  readonly on?: string;
  readonly metric?: string;
  readonly becomes?: 0 | 1;
  readonly tags?: string[];
  readonly holdDown?: string;
}

function setUp(...rules: RuleInput[]) {
  const clock = fakeClock();
  const events: Event[] = [];
  const options: RuleOptions[] = eventsOptions.parse({ rules }).rules;
  const made = createRules(options, registry, {
    clock,
    emit: (event) => void events.push(event),
    targetName: (key) => (key === 'local' ? 'hv 01' : key),
  });
  const see = (
    metric: Metric,
    value: number,
    more: Partial<Point> = {},
    job = 'rabbitmq@local',
    isCut?: true,
  ): void => {
    const point = { path: 'edge.hv01.x', base: 'edge.hv01', metric, labels: { queue: 'compute.hv01' }, value, ...more };
    const cut = isCut === undefined ? {} : { isCut };
    made.see({ job, atMs: clock.wallMs(), intervalMs: 10_000, points: [point], ...cut });
  };
  return { clock, events, see, rules: made };
}

describe('a rule', () => {
  it('makes one event of a change, at the time of the change, when the hold-down is over', async () => {
    const { clock, events, see } = setUp({ on: 'queue_stuck', tags: ['cell1'], holdDown: '60s' });
    see(stuck, 0);
    await clock.advance(10_000);
    const atMs = clock.wallMs();
    see(stuck, 1);
    await clock.advance(59_000);
    expect(events).toEqual([]);
    await clock.advance(1000);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      what: 'queue_stuck: compute.hv01',
      tags: ['edgestatd', 'queue_stuck', 'hv_01', 'cell1'],
      whenUs: atMs * 1000,
    });
    expect(events[0]?.data).toContain('it is so still');
    see(stuck, 1);
    await clock.advance(3_600_000);
    expect(events).toHaveLength(1);
    expect(clock.timers).toBe(0);
  });

  it('says nothing of what was so when it was first seen, nor of what gets better', async () => {
    const { clock, events, see } = setUp({ on: 'queue_stuck', holdDown: '1s' });
    see(stuck, 1);
    await clock.advance(10_000);
    see(stuck, 0);
    await clock.advance(10_000);
    expect(events).toEqual([]);
  });

  it('makes one event with a count of what flaps', async () => {
    const { clock, events, see } = setUp({ on: 'link_down', holdDown: '60s' });
    see(linkUp, 1, {}, 'ovs@local');
    const atMs = clock.wallMs();
    for (let change = 0; change < 7; change++) {
      see(linkUp, change % 2, {}, 'ovs@local');
      await clock.advance(10_000);
    }
    await clock.advance(60_000);
    expect(events.map(({ what, whenUs }) => [what, whenUs])).toEqual([
      ['link_down: compute.hv01 (7 changes)', atMs * 1000],
    ]);
  });

  it('tells what flaps without end after ten hold-downs, and then anew', async () => {
    const { clock, events, see } = setUp({ on: 'link_down', holdDown: '10s' });
    see(linkUp, 1, {}, 'ovs@local');
    for (let change = 0; change < 50; change++) {
      see(linkUp, change % 2, {}, 'ovs@local');
      await clock.advance(5000);
    }
    await clock.advance(10_000);
    expect(events.length).toBeGreaterThanOrEqual(2);
    expect(events.length).toBeLessThanOrEqual(3);
    const changes = events.map(({ what }) => Number(/\((\d+) changes\)/.exec(what)?.[1] ?? 1));
    // A change for the better begins no event, so one of them may be told by none.
    expect(changes.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(48);
  });

  it('takes a series that ends for no change, and a run that the daemon cut short for none either', async () => {
    const { clock, events, see } = setUp({ on: 'link_down', holdDown: '1s' }, { on: 'job_failed', holdDown: '1s' });
    const up = metricOf('edgestatd', 'up');
    see(linkUp, 1, {}, 'ovs@local');
    see(linkUp, 0, { ends: true }, 'ovs@local');
    see(up, 1);
    see(up, 0, {}, 'rabbitmq@local', true);
    await clock.advance(10_000);
    expect(events).toEqual([]);
    see(up, 0);
    await clock.advance(1000);
    expect(events.map(({ what }) => what)).toEqual(['job_failed: compute.hv01']);
  });

  it('keeps series apart', async () => {
    const { clock, events, see } = setUp({ on: 'queue_stuck', holdDown: '1s' });
    for (const queue of ['a', 'b']) see(stuck, 0, { path: queue, labels: { queue } });
    for (const queue of ['a', 'b']) see(stuck, 1, { path: queue, labels: { queue } });
    await clock.advance(1000);
    expect(events.map(({ what }) => what)).toEqual(['queue_stuck: a', 'queue_stuck: b']);
    expect(new Set(events.map(({ id }) => id)).size).toBe(2);
  });

  it('may watch any metric that is 0 or 1', async () => {
    const { clock, events, see } = setUp({ metric: 'ovs.bond_member_active', becomes: 1, holdDown: '0s' });
    const active = metricOf('ovs', 'bond_member_active');
    see(active, 0);
    see(active, 1);
    await clock.advance(0);
    expect(events.map(({ what }) => what)).toEqual(['bond_member_active_is_1: compute.hv01']);
  });

  it('lets no name break a line, and cuts what is too long', async () => {
    const { clock, events, see } = setUp({ on: 'queue_stuck', holdDown: '0s' });
    const labels = { scope: 'queue', queue: `a\nb\u202e${'x'.repeat(400)}` };
    see(stuck, 0, { labels });
    see(stuck, 1, { labels });
    await clock.advance(0);
    const [event] = events;
    expect([...(event?.what ?? '')].length).toBeLessThanOrEqual(255);
    expect(event?.what).toMatch(/^queue_stuck: a\\u000ab\\u202ex+…$/);
    expect(event?.data).not.toMatch(/[\n\u202e]/);
  });

  it('ends what is held down when the daemon stops', async () => {
    const { clock, events, see, rules } = setUp({ on: 'queue_stuck', holdDown: '60s' });
    see(stuck, 0);
    see(stuck, 1);
    rules.flush();
    expect(events).toHaveLength(1);
    await clock.advance(120_000);
    expect(events).toHaveLength(1);
  });
});

describe('the section events', () => {
  const faults = (section: unknown) =>
    eventFaults(eventsOptions.parse(section), registry).map(({ path, message }) => `${path.join('.')}: ${message}`);

  it('has rules whose metrics exist, and are 0 or 1', () => {
    const rules = ['ovs.nosuch', 'nosuch.up', 'tcp.retrans_segs', 'ovs.link_up'].map((metric) => ({ metric }));
    expect(faults({ rules })).toEqual([
      'rules.0.metric: the collector ovs has no metric "nosuch"; "edgestatd metrics" lists them',
      'rules.1.metric: no collector is called "nosuch"',
      'rules.2.metric: tcp.retrans_segs counts segments; expected a metric that is 0 or 1 (unit boolean)',
    ]);
  });

  it('gives each destination a name of its own, and one way to say who asks', () => {
    const url = 'http://graphite.example/events/';
    expect(faults({ graphite: { url }, destinations: [{ type: 'graphite', url }] })).toEqual([
      'destinations.0: events.graphite is named "graphite" too; give this destination a "name" of its own',
    ]);
    expect(faults({ graphite: { url: 'http://u:p@h/', user: 'u', passwordFile: '/p', tokenFile: '/t' } })).toEqual([
      'graphite: "url" has a user in it; give "user" and "passwordFile" instead',
      'graphite: expected either a user with his password or a token',
    ]);
    expect(faults({ graphite: { url, user: 'u', certFile: '/c' } })).toEqual([
      'graphite: "user" and "passwordFile" belong together',
      'graphite: "certFile" and "keyFile" belong together',
    ]);
  });

  it.each([
    [{ listen: { address: '0.0.0.0', port: 1 } }, 'loopback'],
    [{ listen: { address: 'localhost', port: 1 } }, 'loopback'],
    [{ listen: {} }, 'exactly one of "socket" and "port"'],
    [{ listen: { socket: '/s', port: 1 } }, 'exactly one of "socket" and "port"'],
    [{ listen: { socket: 's' } }, 'absolute path'],
    [{ graphite: { url: 'ftp://x/' } }, 'http://HOST'],
    [{ rules: [{}] }, 'exactly one of "on" and "metric"'],
    [{ rules: [{ on: 'x' }] }, 'controller_lost'],
    [{ maxBytes: '1B' }, 'expected a size'],
    [{ spool: 'relative.db' }, 'absolute path'],
  ])('refuses %j', (section, message) => {
    const parsed = eventsOptions.safeParse(section);
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(message.replaceAll('"', '\\"'));
  });
});
