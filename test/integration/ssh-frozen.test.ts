/** Forty machines by SSH in one process, of which thirteen hang: the others do not notice. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { canRunSshd, type Sshd, startSshd } from '../support/sshd.ts';
import { eventually } from '../support/statsd.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const HEALTHY = 27;
const FROZEN = 13;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  stopAll();
  await Promise.all(closers.splice(0).map((close) => close()));
});

/** Stops (SIGSTOP) or continues all that runs there, as a machine that hangs: its kernel still takes connections. */
async function freeze(sshd: Sshd): Promise<void> {
  // What one of them was just starting is among the next ones.
  const stopped = new Set<number>();
  for (
    let fresh = sshd.processes();
    fresh.length > 0;
    fresh = sshd.processes().filter(({ pid }) => !stopped.has(pid))
  ) {
    for (const { pid } of fresh) {
      stopped.add(pid);
      signal(pid, 'SIGSTOP');
    }
  }
}

function thaw(sshd: Sshd): void {
  for (const { pid } of sshd.processes()) signal(pid, 'SIGCONT');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Resolves when each target has sent this so often after the call. Its job is called as the target is, without a number. */
async function each(udp: UdpListener, names: readonly string[], up: 0 | 1, times: number): Promise<void> {
  const from = udp.lines().length;
  const wanted = new Map(names.map((name) => [`frozen.${name}.edgestatd.${name.replace(/\d/g, '')}.up:${up}|g`, name]));
  const isDone = (lines: readonly string[]): boolean => {
    const seen = new Map<string, number>();
    for (const line of lines.slice(from)) {
      const name = wanted.get(line);
      if (name !== undefined) seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    return names.every((name) => (seen.get(name) ?? 0) >= times);
  };
  await udp.until(isDone, `up ${up} of ${names.length} targets, ${times} times`);
}

const failed = (daemon: DaemonProcess) => daemon.events.filter(({ event }) => event === 'run:failed');

it.runIf(canRunSshd())(
  'goes on with all machines but those that hang, takes these in again, and leaves nothing behind',
  async () => {
    const udp = await listenUdp();
    closers.push(() => udp.close());
    const [well, ill] = await Promise.all(
      [1, 2].map(async () => {
        const sshd = await startSshd({ addresses: ['0.0.0.0'], hostKeys: ['ed25519'] });
        closers.push(() => sshd.stop());
        return sshd;
      }),
    );
    if (well === undefined || ill === undefined) throw new Error('no servers');
    const known = join(scratch(), 'known_hosts');
    writeFileSync(known, [well, ill].map(({ knownHostsFile }) => readFileSync(knownHostsFile, 'utf8')).join(''));
    const healthy = Array.from({ length: HEALTHY }, (_, index) => `well${index + 1}`);
    const frozen = Array.from({ length: FROZEN }, (_, index) => `ill${index + 1}`);
    const target = (name: string, index: number, { port, keyFile }: Sshd): string =>
      `  ${name}: { type: ssh, host: 127.0.${port % 250}.${index + 1}, port: ${port}, user: edge, keyFile: ${keyFile}, knownHostsFile: ${known} }\n`;
    const all = [
      ...healthy.map((name, index) => target(name, index, well)),
      ...frozen.map((name, index) => target(name, index, ill)),
    ];
    // A machine that is slow is none that hangs.
    const job = (name: string, names: readonly string[], timeout: string): string =>
      `{ name: ${name}, collector: tcp, every: 2s, timeout: ${timeout}, targets: [${names}], options: { include: [curr_estab] } }`;
    await freeze(ill);
    const daemon = startEdgestatd(`
prefix: frozen
sinks: [ { type: statsd, host: 127.0.0.1, port: ${udp.port} } ]
targets:
${all.join('')}
jobs:
  - ${job('well', healthy, '20s')}
  - ${job('ill', frozen, '2s')}
`);
    // Those that hang from the beginning never greet.
    await Promise.all([each(udp, healthy, 1, 2), each(udp, frozen, 0, 1)]);
    thaw(ill);
    await each(udp, frozen, 1, 1);

    const [from, lines] = [failed(daemon).length, udp.lines().length];
    await freeze(ill);
    await each(udp, frozen, 0, 1);
    await Promise.all([each(udp, healthy, 1, 2), each(udp, frozen, 0, 2)]);
    const now = failed(daemon).slice(from);
    expect(new Set(now.map(({ target }) => target))).toEqual(new Set(frozen));
    const codes = failed(daemon).map(({ code }) => code);
    expect(codes.filter((code) => code !== 'E_TIMEOUT' && code !== 'E_CONNECT')).toEqual([]);
    expect(
      udp
        .lines()
        .slice(lines)
        .filter((line) => /^frozen\.well\d+\.edgestatd\.well\.up:0/.test(line)),
    ).toEqual([]);
    expect(failed(daemon).filter(({ target }) => String(target).startsWith('well'))).toEqual([]);
    thaw(ill);
    await each(udp, frozen, 1, 1);

    // An end does not wait for who hangs, and its connections are gone when he wakes up.
    await freeze(ill);
    expect(await daemon.end()).toBe(0);
    thaw(ill);
    for (const sshd of [well, ill])
      await eventually(() => (sshd.processes().length === 1 ? true : undefined), 'the end of all sessions');
  },
  60_000,
);
