/** A real graphite-web over a real Carbon that has what recorded machines send, in each of the ways it can come there. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namings } from '../../scripts/dashboards/naming.ts';
import { carbonLine } from '../../src/sinks/carbon-lines.ts';
import { statsdLine } from '../../src/sinks/lines.ts';
import { fileOf } from './carbon-points.ts';
import { type GraphiteAndCarbon, startGraphiteAndCarbon } from './graphite-carbon.ts';
import { type Moment, type Recording, recordedPoints } from './recorded-points.ts';
import { eventually } from './statsd.ts';
import { type StatsdIntoCarbon, startStatsdIntoCarbon } from './statsd-into-carbon.ts';

const numbers = /\b\d{2,}\b/g;

/** Each metric of the dashboards is in one of them. */
export const recordings: readonly Recording[] = [
  { collector: 'htb', folder: 'tc6.1-ovs-two-readings', target: 'hv01' },
  { collector: 'htb', folder: 'kernel6.18-ovs-drift', target: 'hv02' },
  { collector: 'link', folder: 'kernel6.18-two-readings', target: 'hv01' },
  { collector: 'link', folder: 'kernel6.8-lacp-lost', target: 'hv02' },
  { collector: 'tcp', folder: 'kernel6.18-two-readings', target: 'hv01' },
  {
    ...{ collector: 'tcp', folder: 'kernel6.18-namespaces', target: 'net01' },
    // What is counted in the namespace too; ten seconds later it is a tenth more.
    options: { include: ['retrans_segs', 'out_segs', '*_ratio'] },
    later: {
      question: /nsenter|snmp/,
      grow: (text) => text.replace(numbers, (digits) => String(Math.ceil(Number(digits) * 1.1))),
    },
  },
  {
    ...{ collector: 'ovs', folder: 'ovs3.1', target: 'hv01' },
    later: {
      question: /dpctl\/show/,
      grow: (text) => text.replace(/(hit|missed):(\d+)/g, (_, name, digits) => `${name}:${Number(digits) + 40}`),
    },
  },
  { collector: 'ovs', folder: 'ovs3.1-hostile-names', target: 'hv02' },
  { collector: 'ovs_kmod', folder: 'kernel5.15-other-version', target: 'hv01' },
  { collector: 'rabbitmq', folder: 'rabbitmq3.10.8-openstack', target: 'broker1' },
];

export interface DashboardRig extends GraphiteAndCarbon {
  readonly moments: readonly Moment[];
  /** `/render` as JSON, over the last hours if not given. */
  series(target: string, from?: string): Promise<Rendered[]>;
}

export interface Rendered {
  readonly target: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly datapoints: readonly (readonly [value: number | null, seconds: number])[];
}

/**
 * What baselines are made of: a point each ten minutes, and since six hours, where ten-second slots make those of a
 * minute, as many as it takes for that.
 */
const baselines = [
  'hv01.tcp.retransmit_ratio',
  ...['publish_rate', 'consume_rate', 'ready'].map((name) => `broker1.rabbitmq.broker.${name}`),
];

function lastWeek(now: number): string[] {
  const seconds = [
    ...Array.from({ length: 8 * 144 }, (_, at) => now - 6 * 3600 - at * 600),
    ...Array.from({ length: 6 * 180 }, (_, at) => now - 60 - at * 20),
  ];
  const roots = new Set(namings.map(({ gauge }) => gauge('edge.')));
  return [...roots].flatMap((root) =>
    baselines.flatMap((path) =>
      seconds.map((at) => `${root}${path} ${2 + Math.sin((at / 86_400) * 2 * Math.PI)} ${at}`),
    ),
  );
}

/** Ten seconds as jobs have them, and a week as baselines need it. */
const RETENTIONS = '10s:6h,60s:9d';
const slot = (seconds: number): number => Math.floor(seconds / 10) * 10;

/** `more`: lines that go into Carbon beside what was recorded. */
export async function startDashboardRig(more: readonly string[] = []): Promise<DashboardRig> {
  const both = await startGraphiteAndCarbon({ carbon: { retentions: RETENTIONS }, graphite: { sync: false } });
  const servers: StatsdIntoCarbon[] = [];
  const close = async (): Promise<void> => {
    await Promise.all([both.close(), ...servers.map((server) => server.stop())]);
  };
  try {
    const { carbon, graphite } = both;
    const [moments] = await Promise.all([
      recordedPoints(recordings, slot(Date.now() / 1000) - 10),
      ...[false, true].map(async (legacy) => servers.push(await startStatsdIntoCarbon(carbon.port, legacy))),
    ]);
    const points = moments.flatMap((moment) => moment.points);
    const byStatsd = points.flatMap((point) => statsdLine(point, 'none')?.split('\n') ?? []);
    const direct = (['totals', 'rates'] as const).flatMap((counters) =>
      moments.flatMap(({ seconds, points: all }) =>
        all.flatMap((point) => {
          const written = carbonLine(point, seconds, { tags: 'none', counters });
          return typeof written === 'string' ? [] : [written.line];
        }),
      ),
    );
    await Promise.all([
      ...servers.map((server) => server.send(byStatsd)),
      carbon.send([...direct, ...more, ...lastWeek(Math.floor(Date.now() / 1000))]),
    ]);
    const rig: DashboardRig = {
      ...both,
      close,
      moments,
      async series(target, from = '-2h') {
        const body = new URLSearchParams({ target, from, until: 'now', format: 'json' });
        const { status, text } = await graphite.ask('/render', {
          body: `${body}`,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        });
        if (status !== 200) throw new Error(`${target}: ${status} ${text.slice(-1500)}`);
        return JSON.parse(text);
      },
    };
    const missing = new Set([
      ...[...direct, ...more].map((line) => line.split(' ')[0] ?? ''),
      ...byStatsd.flatMap(statsdSeries),
    ]);
    const look = (): true | undefined => {
      for (const name of missing)
        if (existsSync(join(carbon.whisperDirectory, fileOf(name)))) missing.delete(name);
        else return undefined;
      return true;
    };
    await eventually(look, 'Carbon to store what was sent', 60_000);
    // They would go on to write every gauge each second.
    await Promise.all(servers.map((server) => server.stop()));
    return rig;
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a StatsD line becomes in Graphite, with the names of either kind. */
function statsdSeries(line: string): string[] {
  const [name = '', rest = ''] = line.split(':');
  if (rest.endsWith('|g')) return [`stats.gauges.${name}`];
  if (rest.endsWith('|ms')) return [`stats.timers.${name}.upper`];
  return [`stats.counters.${name}.rate`, `stats.${name}`];
}

export const valuesOf = ({ datapoints }: Rendered): number[] =>
  datapoints.flatMap(([value]) => (value === null ? [] : [value]));
