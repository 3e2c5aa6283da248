/**
 * A process of its own, `rabbitmq-memory.ts URL RUNS`: runs the job on a broker so often (0: only what is loaded anyway)
 * and prints its largest memory in MiB.
 */
import { rabbitmq } from '../collectors/rabbitmq/index.ts';
import { systemClock } from '../src/clock.ts';
import type { JobConfig } from '../src/config.ts';
import { localTarget } from '../src/hosts/local.ts';
import { deliveryOf, freshMemory, planOf } from '../src/job.ts';
import { run } from '../src/run.ts';
import { createClaims } from '../src/vet.ts';

const [url = '', runs = '0'] = process.argv.slice(2);
const target = localTarget('broker1');
const options = rabbitmq.options.parse({ urls: [url], user: 'guest', password: 'guest', host: 'all' });
const config = {
  ...{ id: 'rabbitmq@local', name: 'rabbitmq', collector: rabbitmq, target: 'local', options },
  ...{ intervalMs: undefined, timeoutMs: 25_000 },
} as unknown as JobConfig;
const around = { prefix: 'edge', target, claims: createClaims() };
const memory = freshMemory(config, around);
for (let count = 0; count < Number(runs); count++) {
  const { failure } = deliveryOf(await run(planOf(config, target), systemClock), config, around, memory);
  if (failure !== undefined) throw failure;
}
console.log(Math.round(process.resourceUsage().maxRSS / 1024));
process.exit(0);
