/** Series that must fire an alert rule, and series that must not: what each of them is at every time. */
import type { Alert } from '../../scripts/dashboards/alert.ts';
import { type Naming, seriesOf } from '../../scripts/dashboards/naming.ts';

/** Of one series: the value at a time, which is told in seconds before now; undefined: no point. */
export interface Course {
  readonly target: string;
  readonly fires: boolean;
  /** Instead of what the labels are otherwise. */
  readonly places?: Readonly<Record<string, string>>;
  /** How far back it goes; half an hour if not given. */
  readonly sinceSeconds?: number;
  at(secondsAgo: number): number | undefined;
}

const WEEK = 8 * 86_400;
const always = (value: number) => (): number => value;
/** As a share of retransmits is over the day. */
const daily = (ago: number): number => 0.002 + 0.001 * Math.sin((ago / 86_400) * 2 * Math.PI);

export const courses: Readonly<Record<string, readonly Course[]>> = {
  'vm-rate-limited': [
    { target: 'held-back', fires: true, at: always(0.97) },
    { target: 'sparse', fires: true, at: (ago) => (ago % 60 < 10 ? 0.97 : undefined) },
    { target: 'eases', fires: false, at: (ago) => (ago > 100 && ago < 130 ? 0.4 : 0.97) },
    { target: 'just-began', fires: false, at: (ago) => (ago < 120 ? 0.97 : undefined) },
    { target: 'idle', fires: false, at: always(0.1) },
    { target: 'full-link', fires: false, places: { name: 'inner_1_fffe' }, at: always(1) },
  ],
  'queue-growing': [
    { target: 'grows', fires: true, at: always(3) },
    { target: 'drains', fires: false, at: always(-3) },
    { target: 'of-a-cell', fires: true, places: { cluster: 'cell1' }, at: always(3) },
    { target: 'swings', fires: false, at: (ago) => (ago % 20 < 10 ? 3 : -3) },
  ],
  'compute-queue-stuck': [
    { target: 'stuck', fires: true, at: (ago) => (ago < 60 ? 1 : 0) },
    { target: 'of-a-cell', fires: true, places: { cluster: 'cell1' }, at: always(1) },
    { target: 'flows', fires: false, at: always(0) },
    { target: 'mended', fires: false, at: (ago) => (ago < 60 ? 0 : 1) },
    { target: 'another', fires: false, places: { queue: 'conductor' }, at: always(1) },
  ],
  'controller-lost': [
    { target: 'lost', fires: true, at: (ago) => (ago < 240 ? 0 : 1) },
    { target: 'blinked', fires: false, at: (ago) => (ago > 30 && ago < 60 ? 0 : 1) },
    { target: 'there', fires: false, at: always(1) },
  ],
  'module-mismatch': [
    { target: 'wrong', fires: true, at: always(0) },
    { target: 'fits', fires: false, at: always(1) },
    { target: 'seldom', fires: true, at: (ago) => (ago % 300 < 10 ? 0 : undefined) },
  ],
  'module-mismatch-next-boot': [
    { target: 'wrong', fires: true, at: always(0) },
    { target: 'fits', fires: false, at: always(1) },
  ],
  retransmits: [
    { target: 'worse', fires: true, sinceSeconds: WEEK, at: (ago) => (ago < 1200 ? 0.2 : daily(ago)) },
    { target: 'usual', fires: false, sinceSeconds: WEEK, at: daily },
    // Bad, and as bad as ever.
    { target: 'always-bad', fires: false, sinceSeconds: WEEK, at: (ago) => 0.1 + 10 * daily(ago) },
  ],
  'job-failing': [
    { target: 'fails', fires: true, at: (ago) => (ago < 400 ? 0 : 1) },
    { target: 'failed-once', fires: false, at: (ago) => (ago > 30 && ago < 60 ? 0 : 1) },
  ],
  'edgestatd-silent': [
    { target: 'gone', fires: true, at: (ago) => (ago > 600 ? 2 : undefined) },
    // As StatsD tells it.
    { target: 'gone-by-statsd', fires: true, at: (ago) => (ago > 600 ? 2 : 0) },
    // Taken away two days ago: StatsD says 0 until it is started anew.
    { target: 'forgotten', fires: false, sinceSeconds: 2 * 86_400, at: (ago) => (ago > 90_000 ? 2 : 0) },
    { target: 'speaks', fires: false, at: always(2) },
  ],
};

/** What labels are where a course says nothing else. */
const usual: Readonly<Record<string, string>> = {
  ...{ device: 'eth1', name: 'vif1_0', vhost: '_', bridge: 'br-int', controller: 'tcp_6653', job: 'htb', sink: 'out' },
};

/** What the first path node of these series is, so that they meet no others. */
export const PREFIX = 'dc1.fire';

/** Lines for Carbon, by the way that the naming is about: totals where counters are totals. */
export function linesOf(alert: Alert, naming: Naming, now: number): string[] {
  const lines: string[] = [];
  for (const { target, places, sinceSeconds = 1800, at } of courses[alert.id] ?? []) {
    const queue = alert.id === 'compute-queue-stuck' ? 'compute_hv01' : 'notifications';
    const values: Readonly<Record<string, string>> = { ...usual, queue, ...places };
    const labels = Object.fromEntries(
      Object.entries({ ...alert.places, ...places }).map(([label, pattern]) => [
        label,
        pattern.includes('*') ? (values[label] ?? '') : pattern,
      ]),
    );
    const asked = seriesOf(alert.instrument, labels, { prefix: PREFIX, target }, naming);
    const isTotal = asked.startsWith('perSecond(');
    const name = isTotal ? asked.slice('perSecond('.length, -1) : asked;
    let total = 0;
    for (let ago = sinceSeconds; ago >= 10; ) {
      const value = at(ago);
      // Ten seconds apart as far as slots of ten seconds go; before that, one in ten minutes is what baselines take.
      const step = ago > 6 * 3600 ? 600 : 10;
      total += (value ?? 0) * step;
      if (value !== undefined) lines.push(`${name} ${isTotal ? total : value} ${now - ago}`);
      ago -= step;
    }
  }
  return lines;
}
