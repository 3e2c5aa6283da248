/**
 * HTB from netlink to datagram, beside collectd's netlink plugin with write_graphite in the same run; and what a class
 * costs with few and with many of them. Needs root and collectd-core.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asker, cpuSeconds, htbTree, rssMiB } from './htb-tree.ts';

const CLASSES = 10_000;
const INTERVAL_S = 5;
const CYCLES = 8;
const UDP = 8125;
const TCP = 2003;

export async function htb(): Promise<string[]> {
  return [...(await besideCollectd()), ...(await bySize())];
}

interface Counts {
  readonly metrics: number;
  readonly lines: number;
  readonly durations: readonly number[];
}

async function besideCollectd(): Promise<string[]> {
  const tree = await htbTree(CLASSES);
  try {
    const receiver = tree.start([process.execPath, script('./htb-receiver.ts'), String(UDP), String(TCP)]);
    const ask = asker(receiver);
    await ask();
    const config = join(tree.directory, 'edgestatd.yaml');
    writeFileSync(
      config,
      `sinks: [ { type: statsd, port: ${UDP} } ]\njobs: [ { collector: htb, every: ${INTERVAL_S}s, options: { source: netlink } } ]\n`,
    );
    const collectdConfig = join(tree.directory, 'collectd.conf');
    writeFileSync(collectdConfig, collectdText(tree.directory));
    const daemon = tree.start([process.execPath, script('../src/bin.js'), 'run', '--config', config]);
    const collectd = tree.start(['/usr/sbin/collectd', '-f', '-C', collectdConfig]);
    daemon.stdout?.resume();
    collectd.stdout?.resume();
    await sleep(4 * INTERVAL_S * 1000);
    const look = async () => ({
      ...(JSON.parse(await ask()) as Counts),
      ours: cpuSeconds(daemon.pid),
      theirs: cpuSeconds(collectd.pid),
    });
    const before = await look();
    await sleep(CYCLES * INTERVAL_S * 1000);
    const after = await look();
    const ours = ((after.ours - before.ours) * 1e6) / (after.metrics - before.metrics);
    const theirs = ((after.theirs - before.theirs) * 1e6) / (after.lines - before.lines);
    const per = (total: number): string => Math.round(total / CYCLES).toLocaleString('en');
    const worst = Math.max(...after.durations.slice(before.durations.length));
    return [
      `${CLASSES} classes on one device, every ${INTERVAL_S} s, ${CYCLES} cycles, both at once`,
      `edgestatd: ${per(after.metrics - before.metrics)} values a cycle, ${ours.toFixed(2)} µs CPU each, ${rssMiB(daemon.pid).toFixed(0)} MiB RSS; longest run ${worst.toFixed(0)} ms (limit 1000)`,
      `collectd:  ${per(after.lines - before.lines)} values a cycle, ${theirs.toFixed(2)} µs CPU each, ${rssMiB(collectd.pid).toFixed(0)} MiB RSS`,
      `ratio of CPU per value: ${(ours / theirs).toFixed(2)} (limit 0.5)`,
    ];
  } finally {
    await tree.close();
  }
}

function collectdText(directory: string): string {
  return `
Hostname "hv01"
BaseDir "${directory}"
PIDFile "${directory}/collectd.pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
Interval ${INTERVAL_S}
WriteQueueLimitHigh 1000000
WriteQueueLimitLow 1000000
LoadPlugin netlink
LoadPlugin write_graphite
<Plugin netlink>
  Class "eth1"
  IgnoreSelected false
</Plugin>
<Plugin write_graphite>
  <Node "sink">
    Host "127.0.0.1"
    Port "${TCP}"
    Protocol "tcp"
  </Node>
</Plugin>
`;
}

interface RunCost {
  readonly cpuMs: number;
  readonly values: number;
  readonly wallMs: number;
  readonly readMs: number;
}

/** What a run costs whatever it finds (dumps, the database that is not there) is told apart from what a class costs. */
async function bySize(): Promise<string[]> {
  const lines: string[] = [];
  const costs = new Map<number, RunCost>();
  for (const classes of [1, 100, 1000, 10_000]) {
    const tree = await htbTree(classes);
    try {
      const rounds = String(Math.max(12, Math.min(600, Math.round(100_000 / classes))));
      const cost = (await tree.measure('./htb-run.ts', 'netlink', rounds)) as RunCost;
      costs.set(classes, cost);
      const fixedMs = costs.get(1)?.cpuMs ?? Number.NaN;
      if (classes === 1) {
        lines.push(`netlink, a run with 1 class: ${fixedMs.toFixed(2)} ms CPU`);
        continue;
      }
      const all = (cost.cpuMs * 1000) / classes;
      const each = ((cost.cpuMs - fixedMs) * 1000) / classes;
      const wall = `longest run ${cost.wallMs.toFixed(1)} ms, of which reading ${cost.readMs.toFixed(1)} ms`;
      lines.push(
        `netlink, ${classes} classes: ${each.toFixed(1)} µs CPU a class (${all.toFixed(1)} with the run), ${wall}`,
      );
      if (classes < 10_000) continue;
      const tc = (await tree.measure('./htb-run.ts', 'tc', '12')) as RunCost;
      const more = `${(tc.cpuMs / cost.cpuMs).toFixed(2)} of netlink's`;
      lines.push(
        `tc,      ${classes} classes: ${((tc.cpuMs * 1000) / classes).toFixed(1)} µs CPU a class (${more}), with tc's own`,
      );
    } finally {
      await tree.close();
    }
  }
  return lines;
}

function script(path: string): string {
  return new URL(path, import.meta.url).pathname;
}
