/** What a list of many queues costs us, and what remains of it: the broker is recorded, the queues are made of one. */
import { rabbitmq } from '../collectors/rabbitmq/index.ts';
import type { Host } from '../src/collector.ts';

const SIZES = [5000, 50_000] as const;
const MAX_QUEUES = 2000;
const ROUNDS = 5;

/** As RabbitMQ 3.10.8 lists a queue without its statistics. */
const listed = (index: number): object => ({
  ...{ messages: index % 7, messages_ready: index % 5, messages_unacknowledged: index % 2 },
  ...{ name: `compute.hv${index}`, node: 'rabbit@broker1', state: 'running', type: 'classic', vhost: '/' },
});

export async function manyQueues(): Promise<string[]> {
  const costs: number[] = [];
  const kept: number[] = [];
  for (const size of SIZES) {
    const text = JSON.stringify(Array.from({ length: size }, (_, index) => listed(index)));
    const job = jobOf(text);
    await job.collect();
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS; round++) {
      const before = process.cpuUsage();
      await job.collect();
      const { user, system } = process.cpuUsage(before);
      best = Math.min(best, (user + system) / 1000);
    }
    costs.push(best);
    kept.push(job.kept());
  }
  const [few = 0, many = 0] = costs;
  const [first, last] = SIZES;
  const perQueue = (ms: number, size: number): string => ((ms * 1000) / size).toFixed(2);
  return [
    `${first} and ${last} listed queues: ${perQueue(few, first)} and ${perQueue(many, last)} µs of our CPU for each, ${(many / last / (few / first)).toFixed(2)} times`,
    `queues remembered between two runs: ${kept.join(' and ')}, at most maxQueues (${MAX_QUEUES})`,
  ];
}

function jobOf(queues: string) {
  const answers: Readonly<Record<string, string>> = {
    '/api/queues': queues,
    '/api/health/checks/alarms': '{"status":"ok"}',
    '/api/overview': '{"disable_stats":true,"rates_mode":"basic"}',
  };
  let memory: unknown;
  const host = {
    name: 'broker1',
    async getJson(url: string): Promise<unknown> {
      return JSON.parse(answers[new URL(url).pathname] ?? '[]');
    },
    keep(_: string, make: () => unknown) {
      memory ??= make();
      return memory;
    },
  } as unknown as Host;
  const options = rabbitmq.options.parse({ maxQueues: MAX_QUEUES, host: 'all' });
  let readAtMs = 0;
  return {
    async collect(): Promise<void> {
      readAtMs += 30_000;
      await rabbitmq.collect({ host, options, atMs: readAtMs, readAtMs, elapsedMs: () => 0, intervalMs: 30_000 });
    },
    kept: (): number => (memory as { readonly kept: readonly unknown[] }).kept.length,
  };
}
