/** The stdout sink: what is sent, for a person at a terminal or a pipe. */
import type { Writable } from 'node:stream';
import { MAX_WAITING_BYTES, unblocked } from '../terminal.ts';
import { type Packing, pack } from './pack.ts';
import { jsonLines, seriesLines } from './series.ts';
import type { Delivery, DropReason, Sink } from './sink.ts';
import type { StdoutSinkOptions } from './stdout-options.ts';

/** `packing`: how the StatsD sink beside it packs now, for `format: statsd`. */
export function stdoutSink(
  options: StdoutSinkOptions & { readonly name: string },
  stdout: Writable & { isTTY?: boolean },
  packing: () => Packing,
): Sink {
  const counts = { sentMetrics: 0, sentDatagrams: 0, sentBytes: 0, paceOverruns: 0 };
  const droppedMetrics = new Map<DropReason, number>();
  const silent = options.onlyOnTerminal && stdout.isTTY !== true;
  const drop = (reason: DropReason, metrics: number): void => {
    droppedMetrics.set(reason, (droppedMetrics.get(reason) ?? 0) + metrics);
  };
  unblocked(stdout);

  return {
    name: options.name,
    write(delivery) {
      if (silent) return;
      const { text, metrics } = render(delivery, options.format, packing);
      if (stdout.destroyed || stdout.writableLength > MAX_WAITING_BYTES) {
        drop(stdout.destroyed ? 'refused' : 'overrun', metrics);
        return;
      }
      stdout.write(text);
      counts.sentMetrics += metrics;
      counts.sentBytes += Buffer.byteLength(text);
    },
    counts: () => ({ ...counts, droppedMetrics }),
    async close(withinMs) {
      if (stdout.destroyed || stdout.writableLength === 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        stdout.write('', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}

function render(
  delivery: Delivery,
  format: StdoutSinkOptions['format'],
  packing: () => Packing,
): { text: string; metrics: number } {
  const { points, job, atMs } = delivery;
  if (format === 'json') {
    const all = jsonLines(points);
    return { text: all.map((line) => `${line}\n`).join(''), metrics: all.length };
  }
  const head = `# ${new Date(atMs).toISOString()} ${job}`;
  if (format === 'series') {
    const all = seriesLines(points);
    return { text: `${[`${head}: ${all.length} metrics`, ...all].join('\n')}\n\n`, metrics: all.length };
  }
  const { datagrams } = pack(points, packing());
  const text = datagrams.map(
    ({ payload, metrics }) => `${head}: ${payload.length} bytes, ${metrics} metrics\n${payload}\n\n`,
  );
  return { text: text.join(''), metrics: datagrams.reduce((sum, { metrics }) => sum + metrics, 0) };
}
