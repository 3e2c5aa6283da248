/** `edgestatd once`: every job run once (with an interval twice), and what would be sent. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from './clock.ts';
import type { Config, JobConfig } from './config.ts';
import type { Failure } from './errors.ts';
import type { Target } from './hosts/target.ts';
import { deliveryOf, freshMemory, planOf } from './job.ts';
import type { Point } from './point.ts';
import { run } from './run.ts';
import { type Packing, pack } from './sinks/pack.ts';
import { packingOf } from './sinks/packing.ts';
import { jsonLines, seriesLines } from './sinks/series.ts';
import type { Delivery } from './sinks/sink.ts';
import { createClaims } from './vet.ts';

export type Format = 'series' | 'json' | 'statsd';

export interface OnceResult {
  readonly stdout: string;
  /** One line each: problems, failures, sizes. */
  readonly stderr: readonly string[];
  readonly failed: boolean;
}

export async function once(
  config: Config,
  jobs: readonly JobConfig[],
  openTarget: (key: string, config: Config) => Target,
  {
    format,
    intervalMs,
    clock,
  }: { readonly format: Format; readonly intervalMs: number | undefined; readonly clock: Clock },
): Promise<OnceResult> {
  const claims = createClaims();
  const stderr: string[] = [];
  const results = await Promise.all(
    jobs.map(async (job): Promise<{ delivery: Delivery; failure?: Failure | undefined }> => {
      const target = openTarget(job.target, config);
      const around = { prefix: config.prefix, target, claims };
      const memory = freshMemory(job, around);
      const read = async () => {
        // Outside of the schedule nothing waits for its turn.
        const batch = await run({ ...planOf(job, target), intervalMs: undefined }, clock);
        return { batch, ...deliveryOf(batch, job, around, memory) };
      };
      const told = new Set<string>();
      const tell = (problems: readonly Failure[]): void => {
        for (const { code, message } of problems) told.add(`${job.id}: ${code}: ${message}`);
      };
      let { batch, delivery, problems } = await read();
      tell(problems);
      if (intervalMs !== undefined && batch.failure === undefined) {
        await sleep(intervalMs);
        ({ batch, delivery, problems } = await read());
        tell(problems);
      }
      stderr.push(...told);
      await target.close();
      return { delivery: intervalMs === undefined ? withTotals(delivery) : delivery, failure: batch.failure };
    }),
  );
  const failed = results.some(({ failure }) => failure !== undefined);
  const deliveries = results.map(({ delivery }) => delivery);
  if (format === 'statsd') return { ...datagrams(deliveries, packingOf(config.sinks), stderr), failed };
  const points = deliveries.flatMap((delivery) => delivery.points);
  const lines = format === 'series' ? seriesLines(points) : jsonLines(points);
  const text = lines.join(format === 'series' ? '\n' : ',\n');
  const stdout = format === 'series' ? (text === '' ? '' : `${text}\n`) : `[\n${text}\n]\n`;
  return { stdout, stderr, failed };
}

/** Without a second reading there are no increments: a counter shows its total. */
function withTotals(delivery: Delivery): Delivery {
  const points = delivery.points.map(
    (point): Point => (point.total === undefined ? point : { ...point, value: Number(point.total) }),
  );
  return { ...delivery, points };
}

/** The exact payloads on stdout, an empty line between two; their sizes on stderr. */
function datagrams(
  deliveries: readonly Delivery[],
  packing: Packing,
  stderr: string[],
): { stdout: string; stderr: string[] } {
  const payloads: string[] = [];
  for (const delivery of deliveries) {
    const packed = pack(delivery.points, packing);
    for (const { payload, metrics } of packed.datagrams) {
      payloads.push(payload);
      stderr.push(`datagram ${payloads.length}: ${payload.length} bytes, ${metrics} metrics (${delivery.job})`);
    }
    for (const { path } of packed.oversize)
      stderr.push(`dropped: the line of ${path} is longer than ${packing.maxBytes} bytes`);
  }
  return { stdout: payloads.length === 0 ? '' : `${payloads.join('\n\n')}\n`, stderr };
}
