import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { eventually } from '../support/statsd.ts';
import { listenUdp } from '../support/udp-listener.ts';

/** sd_notify(3)'s other end. Node.js has no unix datagram sockets, and perl-base is on every Debian. */
const LISTENER = `use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un(shift)) or die; $| = 1;
while (defined recv(S, $m, 65536, 0)) { $m =~ s/\\n/ /g; print "$m\\n" }`;

let listener: ChildProcess | undefined;
afterEach(() => {
  stopAll();
  listener?.kill('SIGKILL');
});

async function notifySocket(): Promise<{ path: string; messages: string[]; until(pattern: RegExp): Promise<string> }> {
  const path = join(scratch(), 'notify');
  const child = spawn('perl', ['-e', LISTENER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  listener = child;
  const messages: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => messages.push(line));
  await eventually(() => (existsSync(path) ? true : undefined), 'the notify socket');
  return {
    path,
    messages,
    until: (pattern) => eventually(() => messages.find((one) => pattern.test(one)), String(pattern)),
  };
}

describe('under systemd', () => {
  it('says READY, RELOADING, STOPPING and STATUS, feeds the watchdog, and prefixes log lines by level', async () => {
    const notify = await notifySocket();
    const udp = await listenUdp();
    const yaml = (jobs: string): string => `sinks: [ { type: statsd, port: ${udp.port} } ]\njobs:\n${jobs}\n`;
    const daemon = startEdgestatd(
      yaml('  - { collector: tcp, every: 1s }'),
      { NOTIFY_SOCKET: notify.path, WATCHDOG_USEC: '400000' },
      { journal: true },
    );
    const lines: string[] = [];
    daemon.child.stdout?.on('data', (data: Buffer) => lines.push(...data.toString().split('\n')));
    const pid = daemon.child.pid;
    expect(await notify.until(/READY=1/)).toContain('STATUS=1 jobs, 1 sinks');
    expect(notify.messages[0]).toContain(`MAINPID=${pid}`);
    await eventually(
      () => (notify.messages.filter((one) => one === 'WATCHDOG=1').length >= 3 ? true : undefined),
      'three beats',
    );

    daemon.configure(yaml('  - { collector: tcp, every: 1s }\n  - { collector: tcp, name: slow, every: 60s }'));
    daemon.child.kill('SIGHUP');
    expect(await notify.until(/RELOADING=1/)).toMatch(/MONOTONIC_USEC=[0-9]+/);
    await notify.until(/READY=1.*STATUS=2 jobs/);
    daemon.configure('jobs: 5\n');
    daemon.child.kill('SIGHUP');
    await notify.until(/READY=1.*STATUS=2 jobs, 1 sinks; the new configuration was refused/);

    const order = notify.messages
      .filter((one) => /READY|RELOADING/.test(one))
      .map((one) => /(READY|RELOADING)/.exec(one)?.[1]);
    expect(order).toEqual(['READY', 'RELOADING', 'READY', 'RELOADING', 'READY']);
    expect(await daemon.end()).toBe(0);
    await notify.until(/STOPPING=1/);
    await udp.close();
    const said = lines.filter((line) => line !== '');
    for (const line of said) expect(line).toMatch(/^<[0-7]>\{"level"/);
    expect(said.find((line) => line.includes('config:refused'))).toMatch(/^<3>/);
    expect(said.find((line) => line.includes('daemon:started'))).toMatch(/^<6>/);
  });

  it('does nothing of this without systemd, and says once where systemd-notify fails', async () => {
    const udp = await listenUdp();
    const daemon = startEdgestatd(
      `sinks: [ { type: statsd, port: ${udp.port} } ]\njobs: [ { collector: tcp, every: 1s } ]\n`,
      {
        NOTIFY_SOCKET: '/nowhere/notify',
      },
    );
    expect((await daemon.event('notify:failed')).message).toContain('systemd-notify');
    await udp.until((all) => all.length > 0, 'metrics all the same');
    expect(await daemon.end()).toBe(0);
    await udp.close();
  });
});
