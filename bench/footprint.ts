/** What a job costs, as docs/sizing.md tells it: CPU of a run, memory, datagrams and bytes, for jobs that start nothing else. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startKeeper } from '../test/support/testbed-keeper.ts';
import { asker, cpuSeconds, rssMiB } from './htb-tree.ts';

const RUNS = 30;
const WARM_UP = 10;
const PORT = 8125;

/** Each in a network namespace of so many interfaces. */
const CASES = [
  { name: 'tcp', interfaces: 1, job: '{ collector: tcp, every: 1s }' },
  { name: 'tcp, all: true', interfaces: 1, job: '{ collector: tcp, every: 1s, options: { all: true, snmp6: true } }' },
  { name: 'link, 10 interfaces', interfaces: 10, job: '{ collector: link, every: 1s, options: { include: ["*"] } }' },
  { name: 'link, 200 interfaces', interfaces: 200, job: '{ collector: link, every: 1s, options: { include: ["*"] } }' },
  {
    name: 'process, 3 names',
    interfaces: 1,
    job: '{ collector: process, every: 1s, options: { hypervisor: false, processes: [sshd, systemd, cron] } }',
  },
  {
    name: 'exec, /bin/echo',
    interfaces: 1,
    job: '{ collector: exec, every: 1s, options: { command: [/bin/echo, OK] } }',
  },
] as const;

interface Counts {
  readonly datagrams: number;
  readonly bytes: number;
  readonly metrics: number;
}

const RECEIVER = `
const counts = { datagrams: 0, bytes: 0, metrics: 0 };
require('node:dgram').createSocket('udp4').on('message', (data) => {
  counts.datagrams += 1;
  counts.bytes += data.length;
  for (const byte of data) if (byte === 124) counts.metrics += 1;
}).bind(${PORT}, '127.0.0.1');
process.stdin.on('data', () => console.log(JSON.stringify(counts)));
`;

export async function footprint(): Promise<string[]> {
  const lines = [`each job alone, every second, ${RUNS} runs; with the daemon's own series`];
  for (const one of CASES) lines.push(await measure(one));
  return lines;
}

async function measure({ name, interfaces, job }: (typeof CASES)[number]): Promise<string> {
  const keeper = await startKeeper();
  const [program = '', ...words] = keeper.prefix('hv');
  const start = (...argv: string[]) => spawn(program, [...words, ...argv], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    // Both ends of a pair are interfaces; a kernel without modules has no plainer kind.
    const links = Array.from(
      { length: Math.ceil(interfaces / 2) },
      (_, index) => `link add a${index} type veth peer name b${index}\nlink set a${index} up\nlink set b${index} up`,
    );
    const made = start('ip', '-batch', '-');
    made.stdin.end(`link set lo up\n${links.join('\n')}\n`);
    await new Promise((resolve) => made.once('close', resolve));
    const ask = asker(start(process.execPath, '-e', RECEIVER));
    await ask();
    const config = join(keeper.directory, 'edgestatd.yaml');
    writeFileSync(config, `sinks: [ { type: statsd, port: ${PORT} } ]\njobs: [ ${job} ]\n`);
    const bin = new URL('../src/bin.js', import.meta.url).pathname;
    const daemon = start(process.execPath, '--max-semi-space-size=4', bin, 'run', '--config', config);
    daemon.stdout.resume();
    await sleep(WARM_UP * 1000);
    const look = async () => ({ ...(JSON.parse(await ask()) as Counts), cpu: cpuSeconds(daemon.pid) });
    const before = await look();
    await sleep(RUNS * 1000);
    const after = await look();
    const per = (key: keyof Counts): number => (after[key] - before[key]) / RUNS;
    const cpuMs = ((after.cpu - before.cpu) * 1000) / RUNS;
    return (
      `${name.padEnd(22)} ${cpuMs.toFixed(1).padStart(6)} ms CPU a run, ${rssMiB(daemon.pid).toFixed(0)} MiB RSS, ` +
      `${per('metrics').toFixed(0)} metrics, ${per('datagrams').toFixed(1)} datagrams, ${per('bytes').toFixed(0)} bytes a run`
    );
  } finally {
    await keeper.close();
  }
}
