/** What the daemon costs beside production VMs: the default job at `every: 10s`, over a minute, as its own process. */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEdgestatd, stopAll } from '../test/support/daemon.ts';
import { listenUdp } from '../test/support/udp-listener.ts';

const SECONDS = 60;

export async function idle(): Promise<string[]> {
  const udp = await listenUdp();
  const daemon = startEdgestatd(
    `sinks: [ { type: statsd, port: ${udp.port} }, { type: stdout, onlyOnTerminal: true } ]\njobs: [ { collector: tcp, every: 10s } ]\n`,
  );
  // The baseline: a Node.js process that does nothing but wait.
  const nothing = spawn(process.execPath, ['-e', 'setInterval(() => {}, 10000)']);
  try {
    await daemon.event('sink:delivering');
    await sleep(10_000);
    const before = { daemon: cpuSeconds(daemon.child.pid), nothing: cpuSeconds(nothing.pid) };
    await sleep(SECONDS * 1000);
    const used = {
      daemon: cpuSeconds(daemon.child.pid) - before.daemon,
      nothing: cpuSeconds(nothing.pid) - before.nothing,
    };
    const delays = udp.lines().filter((line) => line.includes('event_loop_delay_p99_seconds'));
    const worst = Math.max(...delays.map((line) => Number(/:([0-9.]+)\|/.exec(line)?.[1])));
    return [
      `CPU: ${((100 * used.daemon) / SECONDS).toFixed(3)} % of a core over ${SECONDS} s (an idle Node.js: ${((100 * used.nothing) / SECONDS).toFixed(3)} %; limit 0.3 %)`,
      `RSS: ${rssMiB(daemon.child.pid)} MiB (an idle Node.js: ${rssMiB(nothing.pid)} MiB)`,
      `event-loop delay p99, worst of ${delays.length} reports: ${(worst * 1000).toFixed(1)} ms`,
    ];
  } finally {
    nothing.kill();
    stopAll();
    await udp.close();
  }
}

/** utime and stime of /proc/PID/stat, proc(5), in ticks of 1/100 s. */
function cpuSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function rssMiB(pid: number | undefined): string {
  const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return (kib / 1024).toFixed(1);
}
