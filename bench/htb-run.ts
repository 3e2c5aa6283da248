/** Runs of the htb job, one after the other, from the kernel to datagrams; what they cost, as JSON on stdout. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { htb } from '../collectors/htb/index.ts';
import { systemClock } from '../src/clock.ts';
import type { JobConfig } from '../src/config.ts';
import { localTarget } from '../src/hosts/local.ts';
import { deliveryOf, freshMemory, planOf } from '../src/job.ts';
import { run } from '../src/run.ts';
import { pack } from '../src/sinks/pack.ts';
import { createClaims } from '../src/vet.ts';

const [source = 'netlink', rounds = '20'] = process.argv.slice(2);
const target = localTarget('hv01');
const config = {
  ...{ id: 'htb@local', name: 'htb', collector: htb, target: 'local', intervalMs: 10_000, timeoutMs: 60_000 },
  options: htb.options.parse({ source, rundir: '/nonexistent' }),
} as unknown as JobConfig;
const around = { prefix: 'edge', target, claims: createClaims() };
const memory = freshMemory(config, around);
const socket = createSocket('udp4');
await new Promise<void>((resolve) => socket.connect(9, '127.0.0.1', resolve));
socket.on('error', () => {});

/** With the children that have ended, in seconds. */
function cpu(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  const children = (Number(fields[13]) + Number(fields[14])) / 100;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + children;
}

const once = async (): Promise<{ values: number; wallMs: number; readMs: number }> => {
  const began = performance.now();
  const batch = await run(planOf(config, target), systemClock);
  const readMs = performance.now() - began;
  if (batch.failure !== undefined) throw batch.failure;
  const { delivery } = deliveryOf(batch, config, around, memory);
  const { datagrams } = pack(delivery.points, { maxBytes: 1432, single: false, tags: 'none' });
  for (const { payload } of datagrams) socket.send(payload);
  await new Promise((resolve) => setImmediate(resolve));
  return { values: delivery.points.length, wallMs: performance.now() - began, readMs };
};

for (let warm = 0; warm < 5; warm++) await once();
const before = cpu();
let values = 0;
let wallMs = 0;
let readMs = 0;
for (let round = 0; round < Number(rounds); round++) {
  const one = await once();
  values += one.values;
  wallMs = Math.max(wallMs, one.wallMs);
  readMs = Math.max(readMs, one.readMs);
}
const seconds = cpu() - before;
const perRun = { cpuMs: (seconds * 1000) / Number(rounds), values: values / Number(rounds), wallMs, readMs };
process.stdout.write(`${JSON.stringify({ ...perRun, rssMiB: process.memoryUsage().rss / 2 ** 20 })}\n`);
process.exit(0);
