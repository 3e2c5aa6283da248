/**
 * Hundreds of targets over SSH from one process, a third of them frozen in the end; and what a small command costs,
 * against the ssh program with a shared connection (ControlMaster).
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { scratch } from '../test/support/daemon.ts';
import { type Sshd, startSshd } from '../test/support/sshd.ts';
import { listenUdp } from '../test/support/udp-listener.ts';
import type { Report } from './ssh-many.ts';
import { roundTrips } from './ssh-trips.ts';

const TARGETS = Number(process.env.SSH_TARGETS ?? 300);
const EVERY_S = 30;
const SECONDS = Number(process.env.SSH_SECONDS ?? 120);
/** With a few classes, as a hypervisor has for its VMs. */
const DEVICE = 'edgebench0';

export async function ssh(): Promise<string[]> {
  return [...(await roundTrips()), ...(await many())];
}

export async function many(): Promise<string[]> {
  const all: Sshd[] = [];
  const udp = await listenUdp();
  shape();
  try {
    for (const _ of ['healthy', 'frozen later']) all.push(await startSshd({ addresses: ['0.0.0.0'] }));
    const [healthy, frozen] = all;
    if (healthy === undefined || frozen === undefined) return [];
    const alone = await measure(configOf(udp.port, all, 1), async (report) => {
      return report(2 * EVERY_S);
    });
    return await measure(configOf(udp.port, all, TARGETS), async (report) => {
      const begun = await report(EVERY_S * 1.5);
      const lines = [`${TARGETS} targets, tcp, link and htb every ${EVERY_S} s; begun: ${told(begun)}`];
      const calm = await report(SECONDS);
      const perTarget = (calm.rssBytes - alone.rssBytes) / (TARGETS - 1) / 1024;
      lines.push(`${SECONDS} s: ${told(calm)}; ${perTarget.toFixed(0)} KiB of RSS for each target (limit 300)`);
      signal(frozen, 'SIGSTOP');
      const shock = await report(EVERY_S);
      lines.push(`a third frozen, the first ${EVERY_S} s, of the others: ${told(onlyOf(shock, 'a'))}`);
      const cold = await report(SECONDS);
      lines.push(`then ${SECONDS} s, of the others: ${told(onlyOf(cold, 'a'))}`);
      signal(frozen, 'SIGCONT');
      await report(150);
      const after = await report(SECONDS);
      lines.push(`thawed, after 150 s: ${told(after)}`);
      return lines;
    });
  } finally {
    for (const one of all) {
      signal(one, 'SIGCONT');
      await one.stop();
    }
    await udp.close();
    execFileSync('ip', ['link', 'delete', DEVICE]);
  }
}

/** All that runs there; what ends meanwhile is none of it. */
function signal(sshd: Sshd, name: NodeJS.Signals): void {
  for (const { pid } of sshd.processes()) {
    try {
      process.kill(pid, name);
    } catch {
      // ESRCH
    }
  }
}

function shape(): void {
  execFileSync('ip', ['link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', `${DEVICE}p`]);
  execFileSync('ip', ['link', 'set', DEVICE, 'up']);
  execFileSync('tc', ['qdisc', 'add', 'dev', DEVICE, 'root', 'handle', '1:', 'htb', 'default', '1']);
  for (let at = 1; at <= 10; at++)
    execFileSync('tc', ['class', 'add', 'dev', DEVICE, 'parent', '1:', 'classid', `1:${at}`, 'htb', 'rate', '1mbit']);
}

/** Each target is an address of its own; two of three are the first server's. */
function configOf(port: number, [healthy, frozen]: readonly Sshd[], count: number): string {
  const folder = scratch();
  const lines = Array.from({ length: count }, (_, at) => {
    const isFrozen = at % 3 === 2;
    const server = isFrozen ? frozen : healthy;
    return `${isFrozen ? 'b' : 'a'}${at} edge@127.${isFrozen ? 2 : 1}.${at >> 8}.${at & 255 || 254}:${server?.port}`;
  });
  const hosts = join(folder, 'hosts');
  writeFileSync(hosts, `${lines.join('\n')}\n`);
  const key = join(folder, 'key');
  writeFileSync(key, execFileSync('cat', [healthy?.keyFile ?? '']), { mode: 0o600 });
  for (const server of [healthy, frozen])
    if (server) execFileSync('cp', [`${healthy?.keyFile}.pub`, server.authorizedKeys]);
  const job = (collector: string) => `  - { collector: ${collector}, every: ${EVERY_S}s, targets: ["*"] }\n`;
  const file = join(folder, 'edgestatd.yaml');
  const jobs = ['tcp', 'link', 'htb'].map(job).join('');
  const inventory = `inventory:
  - file: ${hosts}
    defaults: { keyFile: ${key}, knownHostsFile: ${join(folder, 'known_hosts')}, hostKeys: acceptNew }
`;
  writeFileSync(
    file,
    `prefix: bench
sinks: [ { type: statsd, port: ${port} } ]
${inventory}jobs:
${jobs}`,
  );
  return file;
}

/** Runs the jobs in a process of their own. `report(seconds)` waits, and tells what happened meanwhile. */
async function measure<Value>(
  config: string,
  work: (report: (seconds?: number) => Promise<Report>) => Promise<Value>,
): Promise<Value> {
  const program = new URL('./ssh-many.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--max-semi-space-size=4', program, config], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout });
  try {
    const begun = await Promise.race([once(answers, 'line'), once(child, 'close')]);
    if (begun.length !== 1) throw new Error('the jobs did not begin');
    return await work(async (seconds = 0) => {
      await sleep(seconds * 1000);
      const answer = once(answers, 'line');
      child.stdin.write('\n');
      return JSON.parse(String(await answer));
    });
  } finally {
    const end = once(child, 'close');
    child.stdin.end();
    await end;
    rmSync(config, { force: true });
  }
}

function onlyOf(report: Report, first: string): Report {
  const pick = <Value>(all: Readonly<Record<string, Value>>): Record<string, Value> =>
    Object.fromEntries(Object.entries(all).filter(([id]) => id.includes(`@${first}`)));
  return { ...report, late: pick(report.late), failed: pick(report.failed) };
}

function told({ late, failed, runs, skipped, cpuMs, wallMs, rssBytes, heapBytes }: Report): string {
  const all = Object.values(late)
    .flat()
    .toSorted((one, other) => one - other);
  const at = (share: number): string => `${(all[Math.floor(all.length * share)] ?? Number.NaN).toFixed(0)} ms`;
  const failures = Object.values(failed).reduce((sum, one) => sum + one, 0);
  const cpu = ((100 * cpuMs) / wallMs).toFixed(1);
  return `${runs} runs, ${failures} failed, ${skipped} skipped ticks, late p50 ${at(0.5)} p99 ${at(0.99)} max ${at(0.9999)}, ${cpu} % of a core, RSS ${(rssBytes / 2 ** 20).toFixed(0)} MiB, heap ${(heapBytes / 2 ** 20).toFixed(0)} MiB`;
}
