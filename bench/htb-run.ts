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

const WARM_CLASSES = 100_000;
const VALUES_A_CLASS = 15;
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

// Until the compiler has done its work: as a daemon, this runs for months.
let classes = 0;
for (let warm = 0; warm < 5 || classes < WARM_CLASSES; warm++) classes += (await once()).values / VALUES_A_CLASS;
/** The machine does other things as well: the cheapest block of runs is the one that they disturbed least. */
const BLOCKS = 6;
const each = Math.max(1, Math.round(Number(rounds) / BLOCKS));
const blocks: number[] = [];
let values = 0;
let wallMs = 0;
let readMs = 0;
for (let block = 0; block < BLOCKS; block++) {
  const before = cpu();
  for (let round = 0; round < each; round++) {
    const one = await once();
    values = one.values;
    wallMs = Math.max(wallMs, one.wallMs);
    readMs = Math.max(readMs, one.readMs);
  }
  blocks.push(((cpu() - before) * 1000) / each);
}
const perRun = { cpuMs: Math.min(...blocks), values, wallMs, readMs };
process.stdout.write(`${JSON.stringify({ ...perRun, rssMiB: process.memoryUsage().rss / 2 ** 20 })}\n`);
process.exit(0);
