import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { eventually, freePort, type StatsdServer, startStatsd } from '../support/statsd.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const servers: { stop?: () => Promise<void>; close?: () => Promise<void> }[] = [];
afterEach(async () => {
  stopAll();
  for (const server of servers.splice(0)) await (server.stop?.() ?? server.close?.());
});

async function statsd(ports?: { port: number; adminPort: number }): Promise<StatsdServer> {
  const server = await startStatsd(ports);
  servers.push(server);
  return server;
}

async function listener(): Promise<UdpListener> {
  const udp = await listenUdp();
  servers.push(udp);
  return udp;
}

const config = (port: number, jobs: string, more = ''): string => `
prefix: e2e
targets: { local: { type: local, name: node1 } }
sinks: [ { type: statsd, host: 127.0.0.1, port: ${port} } ]
${more}
jobs:
${jobs}
`;

const TCP = '  - { collector: tcp, every: 1s }';

/** A machine on which the daemon stood still for more than its second has skipped ticks, and it says so rightly. */
const saidBy = ({ events }: DaemonProcess): string[] =>
  events.map(({ event }) => event).filter((event) => !event.startsWith('tick:'));

/** A program that nobody else runs, so that one that is left behind is found whoever its parent is by then. */
const NAP = String(100_000 + process.pid);
function naps(): number {
  const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line === `sleep ${NAP}`).length;
}

/** A collector of a test's own, as an operator writes one. */
function plugin(body: string): string {
  const file = join(scratch(), 'probe.mjs');
  writeFileSync(
    file,
    `import { defineCollector, gauge, counter, sample, z, Failure } from 'edgestatd';
const level = gauge('level', { unit: 'things', help: 'A level.', source: 'test' });
const count = counter('count', { unit: 'things', help: 'A count.', source: 'test' });
export const probe = defineCollector({
  name: 'probe', options: z.strictObject({ level: z.number().default(1) }), metrics: { level, count },
  async collect({ host, options, atMs }) { ${body} },
});`,
    { mode: 0o644 },
  );
  return file;
}

describe('the daemon and a real StatsD server', () => {
  it('sends this machine’s TCP statistics as multi-metric datagrams, which the server counts as well-formed', async () => {
    const server = await statsd();
    const daemon = startEdgestatd(config(server.port, TCP));
    await daemon.event('sink:delivering');
    await eventually(() => server.gauge('e2e.node1.tcp.curr_estab'), 'a gauge');
    await eventually(() => server.counter('e2e.node1.tcp.in_segs'), 'a counter');
    await eventually(async () => ((await server.gauge('e2e.node1.edgestatd.tcp.up')) === 1 ? true : undefined), 'up');
    const packets = (await server.counter('statsd.packets_received')) ?? 0;
    const metrics = (await server.counter('statsd.metrics_received')) ?? 0;
    expect(metrics / packets).toBeGreaterThan(5);
    expect(await server.badLines()).toBe(0);
    expect(await daemon.end()).toBe(0);
    expect(saidBy(daemon)).toEqual([
      'daemon:started',
      'sink:delivering',
      'daemon:stopping',
      'sink:closed',
      'daemon:stopped',
    ]);
    expect(daemon.other).toEqual([]);
  });

  it('goes on by itself when the server is killed and started again, and says each change once', async () => {
    const ports = { port: await freePort(), adminPort: await freePort() };
    const first = await statsd(ports);
    const daemon = startEdgestatd(config(ports.port, TCP));
    await eventually(() => first.counter('e2e.node1.tcp.in_segs'), 'a counter at the first server');
    await first.stop();
    await daemon.event('sink:down');
    const second = await statsd(ports);
    await daemon.event('sink:up');
    await eventually(() => second.counter('e2e.node1.tcp.in_segs'), 'a counter at the second server');
    // The daemon's own report, every ten seconds, tells the new server what the outage cost.
    await eventually(() => second.counter('e2e.node1.edgestatd.statsd.refused.dropped_metrics'), 'the count of drops');
    expect(await daemon.end('SIGINT')).toBe(0);
    const names = daemon.events.map(({ event }) => event).filter((name) => name.startsWith('sink:'));
    expect(names).toEqual(['sink:delivering', 'sink:down', 'sink:up', 'sink:closed']);
  });
});

describe('reload', () => {
  it('takes a valid file: unchanged jobs keep state and phase, others start, change and go with a final zero', async () => {
    const udp = await listener();
    const total = `globalThis.total = (globalThis.total ?? 1000) + 5;
      return { samples: [sample(level, options.level), sample(count, globalThis.total)] };`;
    const plugins = `plugins: [ ${plugin(total)} ]`;
    const jobs = (...lines: string[]): string => lines.join('\n');
    const keeps = '  - { collector: probe, name: keeps, every: 1s, options: { level: 3 } }';
    const daemon = startEdgestatd(config(udp.port, jobs(keeps, '  - { collector: tcp, every: 1s }'), plugins));
    await udp.until((lines) => lines.includes('e2e.node1.probe.count:5|c'), 'an increment');

    daemon.configure(config(udp.port, jobs(keeps), plugins));
    let from = daemon.events.length;
    const datagrams = udp.datagrams.length;
    daemon.child.kill('SIGHUP');
    expect(await daemon.event('daemon:reloaded', from)).toMatchObject({ kept: 1, added: 0, changed: 0, removed: 1 });
    await udp.until((lines) => lines.includes('e2e.node1.edgestatd.tcp.up:0|g'), 'the final zero of the removed job');
    const later = (): string[] => udp.datagrams.slice(datagrams).flatMap((datagram) => datagram.split('\n'));
    await udp.until(
      () => later().filter((line) => line === 'e2e.node1.probe.count:5|c').length >= 2,
      'increments that go on',
    );
    expect(later()).toContain('e2e.node1.tcp.curr_estab:0|g');

    daemon.configure(config(udp.port, jobs(keeps.replace('level: 3', 'level: 4')), plugins));
    from = daemon.events.length;
    daemon.child.kill('SIGHUP');
    expect(await daemon.event('daemon:reloaded', from)).toMatchObject({ kept: 0, changed: 1, removed: 0 });
    await udp.until((lines) => lines.includes('e2e.node1.probe.level:4|g'), 'the new option');
    // The totals were kept over the change: no total ever shows up as an increment.
    const counts = udp.lines().filter((line) => line.startsWith('e2e.node1.probe.count:'));
    expect(new Set(counts)).toEqual(new Set(['e2e.node1.probe.count:5|c']));
    expect(await daemon.end()).toBe(0);
  });

  it('leaves jobs alone when another part of the file begins to use a secret', async () => {
    const udp = await listener();
    const daemon = startEdgestatd(config(udp.port, TCP), { E2E_LEVEL: 'warn' });
    await daemon.event('sink:delivering');
    // biome-ignore lint/suspicious/noTemplateCurlyInString: edgestatd's own reference
    daemon.configure(config(udp.port, TCP, 'log: { level: "${env:E2E_LEVEL}" }'));
    daemon.child.kill('SIGHUP');
    const datagrams = udp.datagrams.length;
    await udp.until(() => udp.datagrams.slice(datagrams).join('\n').includes('.tcp.in_segs:'), 'counters that go on');
    expect(await daemon.end()).toBe(0);
    // Nothing was stopped or started, and what is below "warn" is no longer said.
    expect(saidBy(daemon)).toEqual(['daemon:started', 'sink:delivering']);
    expect(udp.lines()).not.toContain('e2e.node1.edgestatd.tcp.up:0|g');
  });

  it('refuses an invalid file with one clear error and goes on', async () => {
    const udp = await listener();
    const daemon = startEdgestatd(config(udp.port, TCP));
    await udp.until((lines) => lines.some((line) => line.startsWith('e2e.node1.tcp.in_segs:')), 'a counter');
    daemon.configure(config(udp.port, '  - { collector: tpc, every: 1s }'));
    daemon.child.kill('SIGHUP');
    const refused = await daemon.event('config:refused');
    expect(refused.message).toMatch(
      /edgestatd\.yaml:7:7: jobs\[0\]\.collector: unknown collector "tpc"; did you mean "tcp"\?$/,
    );
    const datagrams = udp.datagrams.length;
    await udp.until(
      () => udp.datagrams.slice(datagrams).join('\n').includes('e2e.node1.tcp.in_segs:'),
      'counters that go on',
    );
    expect(daemon.events.filter(({ event }) => event === 'config:refused')).toHaveLength(1);
    expect(await daemon.end()).toBe(0);
  });
});

describe('a job that fails', () => {
  it('sends up 0, counts and logs it once, recovers, and disturbs nobody', async () => {
    const udp = await listener();
    const flag = join(scratch(), 'works');
    const body = `await host.readFile(${JSON.stringify(flag)}); return { samples: [sample(level, 7)] };`;
    const daemon = startEdgestatd(
      config(udp.port, `${TCP}\n  - { collector: probe, every: 1s }`, `plugins: [ ${plugin(body)} ]`),
    );
    const count = (text: string) => udp.lines().filter((line) => line === text).length;
    await udp.until(() => count('e2e.node1.edgestatd.probe.up:0|g') >= 3, 'three failed runs');
    expect(count('e2e.node1.edgestatd.probe.E_NOT_FOUND.problems:1|c')).toBeGreaterThanOrEqual(3);
    writeFileSync(flag, '');
    await udp.until(() => count('e2e.node1.edgestatd.probe.up:1|g') >= 1, 'a good run');
    expect(udp.lines()).toContain('e2e.node1.probe.level:7|g');
    expect(udp.lines()).toContain('e2e.node1.edgestatd.tcp.up:1|g');
    await daemon.event('run:recovered');
    expect(await daemon.end()).toBe(0);
    expect(daemon.events.filter(({ event }) => event === 'run:failed')).toHaveLength(1);
  });

  it('cannot hide behind the daemon’s own code for a run that it ended', async () => {
    const udp = await listener();
    const body = `throw new Failure('E_ABORTED', 'not true');`;
    const daemon = startEdgestatd(
      config(udp.port, '  - { collector: probe, every: 1s }', `plugins: [ ${plugin(body)} ]`),
    );
    expect(await daemon.event('run:failed')).toMatchObject({ code: 'E_BUG' });
    await udp.until((lines) => lines.includes('e2e.node1.edgestatd.probe.up:0|g'), 'up 0');
    expect(await daemon.end()).toBe(0);
  });

  it('is contained when its collector hands over nonsense', async () => {
    const udp = await listener();
    const body = `const trap = Object.create(level, { kind: { get() { throw new Error('boom'); } } });
      return { samples: [{ metric: trap, labels: {}, value: 1 }] };`;
    const daemon = startEdgestatd(
      config(udp.port, `${TCP}\n  - { collector: probe, every: 1s }`, `plugins: [ ${plugin(body)} ]`),
    );
    expect(await daemon.event('run:failed')).toMatchObject({ job: 'probe', code: 'E_BUG' });
    await udp.until((lines) => lines.filter((line) => line === 'e2e.node1.edgestatd.probe.up:0|g').length >= 2, 'up 0');
    expect(udp.lines()).toContain('e2e.node1.edgestatd.tcp.up:1|g');
    expect(await daemon.end()).toBe(0);
  });

  it('is ended when it hangs, skips no other job, and leaves nothing behind when the daemon stops', async () => {
    const udp = await listener();
    const mark = `mark-${process.pid}-hang`;
    const body = `await host.run(['sh', '-c', ': ${mark}; trap "" TERM; sleep 600 & wait; sleep 600']); return { samples: [] };`;
    const daemon = startEdgestatd(
      config(
        udp.port,
        `${TCP}\n  - { collector: probe, every: 60s, timeout: 1s }`,
        `gracePeriod: 3s\nplugins: [ ${plugin(body)} ]`,
      ),
    );
    const failed = await daemon.event('run:failed');
    expect(failed).toMatchObject({ code: 'E_TIMEOUT', job: 'probe' });
    await udp.until((lines) => lines.includes('e2e.node1.edgestatd.probe.up:0|g'), 'up 0');
    await udp.until(
      (lines) => lines.filter((line) => line === 'e2e.node1.edgestatd.tcp.up:1|g').length >= 3,
      'the other job',
    );
    expect(await daemon.end()).toBe(0);
    const { stdout } = spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(stdout.split('\n').filter((line) => line.includes(mark))).toEqual([]);
  });

  it('ends a run under way at the grace period and exits 0', async () => {
    const udp = await listener();
    const daemon = startEdgestatd(
      config(
        udp.port,
        '  - { collector: probe, every: 60s, timeout: 50s }',
        `gracePeriod: 1s\nplugins: [ ${plugin(`await host.run(['sleep', '${NAP}']); return { samples: [] };`)} ]`,
      ),
    );
    await daemon.event('daemon:started');
    await eventually(() => (naps() > 0 ? true : undefined), 'the program to run');
    expect(await daemon.end()).toBe(0);
    expect(naps()).toBe(0);
  });
});

describe('a stop', () => {
  it('tells how much was dropped, when more waits than the grace period can send', async () => {
    const udp = await listener();
    const body = `return { samples: Array.from({ length: 50000 }, (_, i) => sample({ ...level, labels: ['i'] }, i, { i: String(i) })) };`;
    const daemon = startEdgestatd(
      config(udp.port, '  - { collector: probe, every: 60s }', `gracePeriod: 500ms\nplugins: [ ${plugin(body)} ]`),
    );
    await udp.until((lines) => lines.some((line) => line.includes('.probe.')), 'the first of them');
    expect(await daemon.end()).toBe(0);
    const [closed] = daemon.events.filter(({ event }) => event === 'sink:closed') as unknown as {
      sentMetrics: number;
      droppedMetrics: { stopped: number };
    }[];
    expect(closed?.droppedMetrics.stopped).toBeGreaterThan(1000);
    expect((closed?.sentMetrics ?? 0) + (closed?.droppedMetrics.stopped ?? 0)).toBeGreaterThanOrEqual(50_000);
  });

  it('takes a signal that comes twice at once for one, and a later one for impatience', async () => {
    const udp = await listener();
    const twice = startEdgestatd(config(udp.port, TCP));
    await twice.event('daemon:started');
    twice.child.kill('SIGINT');
    expect(await twice.end('SIGINT')).toBe(0);

    const hangs = `await host.run(['sleep', '${NAP}']); return { samples: [] };`;
    const impatient = startEdgestatd(
      config(
        udp.port,
        '  - { collector: probe, every: 60s, timeout: 50s }',
        `gracePeriod: 60s\nplugins: [ ${plugin(hangs)} ]`,
      ),
    );
    await eventually(() => (naps() > 0 ? true : undefined), 'the program');
    impatient.child.kill('SIGTERM');
    await impatient.event('daemon:stopping');
    // More than the time in which one signal may come twice.
    const since = performance.now();
    await eventually(() => (performance.now() - since > 700 ? true : undefined), 'a second thought');
    expect(await impatient.end()).toBe(1);
    await eventually(() => (naps() === 0 ? true : undefined), 'the program to be ended');
  });

  it('waits for a reload that is under way', async () => {
    const udp = await listener();
    const daemon = startEdgestatd(config(udp.port, TCP));
    await eventually(() => (daemon.child.pid === undefined ? undefined : true), 'the process');
    await daemon.event('daemon:started');
    daemon.child.kill('SIGHUP');
    expect(await daemon.end()).toBe(0);
    expect(daemon.events.map(({ event }) => event)).toContain('daemon:stopped');
  });
});

describe('a fault of the daemon', () => {
  it('logs an uncaught error, sends what waits, and exits 1', async () => {
    const udp = await listener();
    const body = `setTimeout(() => { throw new Error('out of nowhere'); }, 10); return { samples: [sample(level, 42)] };`;
    const daemon = startEdgestatd(
      config(udp.port, '  - { collector: probe, every: 60s }', `plugins: [ ${plugin(body)} ]`),
    );
    const crash = await daemon.event('daemon:crashed');
    expect(crash).toMatchObject({ level: 'fatal', message: 'out of nowhere' });
    await udp.until((lines) => lines.includes('e2e.node1.probe.level:42|g'), 'what was buffered');
    expect(await eventually(() => daemon.child.exitCode ?? undefined, 'the exit')).toBe(1);
  });
});

describe('secrets and hostile names', () => {
  it('keeps a secret out of every line that is logged, and hostile labels out of every line that is sent', async () => {
    const udp = await listener();
    const file = join(scratch(), 'hostile.mjs');
    writeFileSync(
      file,
      `import { defineCollector, gauge, sample, z } from 'edgestatd';
const level = gauge('level', { unit: 'things', labels: ['name'], help: 'A level.', source: 'test' });
export const hostile = defineCollector({
  name: 'hostile', options: z.strictObject({ token: z.string() }), metrics: { level },
  async collect({ options }) {
    if (globalThis.again) throw new Error('cannot log in with ' + options.token + '\\n{"level":"info","event":"forged"}');
    globalThis.again = true;
    return { samples: [sample(level, 1, { name: 'vif\\nevil:1|c\\n$(id)/../é' })] };
  },
});`,
      { mode: 0o644 },
    );
    // biome-ignore lint/suspicious/noTemplateCurlyInString: edgestatd's own reference
    const jobs = '  - { collector: hostile, every: 1s, options: { token: "${env:E2E_TOKEN}" } }';
    const daemon = startEdgestatd(config(udp.port, jobs, `plugins: [ ${file} ]`), { E2E_TOKEN: 'hunter2hunter2' });
    const failed = await daemon.event('run:failed');
    expect(failed.message).toContain('cannot log in with [redacted]');
    await udp.until((lines) => lines.some((line) => line.startsWith('e2e.node1.hostile.')), 'the sample');
    expect(await daemon.end()).toBe(0);
    expect(JSON.stringify([daemon.events, daemon.other])).not.toContain('hunter2');
    expect(daemon.events.map(({ event }) => event)).not.toContain('forged');
    for (const line of udp.lines()) expect(line).toMatch(/^[A-Za-z0-9_.-]+:-?[0-9.]+\|(g|c|ms)$/);
  });
});

describe('a bad start', () => {
  it.each([
    [
      'jobs: [ { collector: tcp, every: 10 } ]',
      /^.*edgestatd\.yaml:\d+:\d+: jobs\[0\]\.every: expected a duration with its unit .*; found 10 \(number\)$/m,
    ],
    ['jobs: [ { collector: tcp, evry: 10s } ]', /jobs\[0\]\.evry: unknown key; did you mean "every"\?/],
    [
      'jobs: [ { collector: tcp, every: 10s, options: { includ: [] } } ]',
      /jobs\[0\]\.options\.includ: unknown key; did you mean "include"\?/,
    ],
    [
      'jobs: [ { collector: tcp, every: 1s }, { collector: tcp, every: 2s } ]',
      /jobs\[1\]: jobs\[0\] is named "tcp" too/,
    ],
  ])('refuses %s with exit code 2, and starts nothing', async (jobs, message) => {
    const udp = await listener();
    const daemon = startEdgestatd(`sinks: [ { type: statsd, port: ${udp.port} } ]\n${jobs}\n`);
    expect(await eventually(() => daemon.child.exitCode ?? undefined, 'the exit')).toBe(2);
    await eventually(() => (daemon.other.length > 0 ? true : undefined), 'the message');
    expect(daemon.other.join('\n')).toMatch(message);
    expect(daemon.events).toEqual([]);
    expect(udp.datagrams).toEqual([]);
  });

  it('refuses a plugin that others may write', async () => {
    const file = plugin('return { samples: [] };');
    chmodSync(file, 0o666);
    const daemon = startEdgestatd(config(9, '  - { collector: probe, every: 1s }', `plugins: [ ${file} ]`));
    expect(await eventually(() => daemon.child.exitCode ?? undefined, 'the exit')).toBe(2);
    await eventually(() => (daemon.other.length > 0 ? true : undefined), 'the message');
    expect(daemon.other.join('\n')).toContain('is writable by others (mode 0666); chmod go-w it');
  });

  it('says in one line that Node.js is too old', () => {
    const bin = new URL('../../src/bin.js', import.meta.url).pathname;
    const source = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.1' } });
      process.argv = [process.argv[0], ${JSON.stringify(bin)}];
      await import(${JSON.stringify(`file://${bin}`)});`;
    const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' });
    expect(stderr).toMatch(/^edgestatd: found Node\.js 20\.11\.1 \(.*\), but needs 22\.13 or newer: .*\n$/);
    expect(status).toBe(1);
  });
});
