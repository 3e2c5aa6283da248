import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { gaugeIn } from '../../src/sinks/statsd-admin.ts';
import { scratch, stopAll } from '../support/daemon.ts';
import { eventually, freePort, startStatsd } from '../support/statsd.ts';
import { startStatsd030 } from '../support/statsd-0.3.0.ts';
import { listenUdp } from '../support/udp-listener.ts';

const bin = new URL('../../src/bin.js', import.meta.url).pathname;
const recorded = new URL('../../collectors/tcp/testdata/kernel6.18', import.meta.url).pathname;
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  stopAll();
  for (const stop of stops.splice(0)) await stop();
});

/** Runs a command to its end while this process stays free to be its server. */
async function edgestatd(...args: string[]) {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { stdout, stderr, code: code as number };
}

function configured(
  sink: string,
  job = `{ collector: tcp, every: 10s, options: { proc: ${recorded}, include: [retrans_segs, out_segs, curr_estab] } }`,
): string {
  const file = join(scratch(), 'edgestatd.yaml');
  writeFileSync(file, `targets: { local: { type: local, name: hv01 } }\nsinks: [ ${sink} ]\njobs: [ ${job} ]\n`);
  return file;
}

const NOWHERE = '{ type: statsd, port: 9 }';
/** How long the run took is nobody's golden output. */
const steady = (output: string): string[] => output.split('\n').filter((line) => !line.includes('duration_'));

describe('once', () => {
  it('prints totals as sorted series lines', async () => {
    const { stdout, stderr, code } = await edgestatd('once', '--config', configured(NOWHERE));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(steady(stdout)).toEqual([
      'edge.hv01.edgestatd.tcp.samples 3 gauge samples',
      'edge.hv01.edgestatd.tcp.skipped_ticks 0 counter ticks',
      'edge.hv01.edgestatd.tcp.up 1 gauge boolean',
      'edge.hv01.tcp.curr_estab 2 gauge connections',
      'edge.hv01.tcp.out_segs 33426 counter segments',
      'edge.hv01.tcp.retrans_segs 9 counter segments',
      '',
    ]);
  });

  it('prints the same as JSON', async () => {
    const { stdout } = await edgestatd('once', '--format', 'json', '--config', configured(NOWHERE));
    const all = JSON.parse(stdout) as { series: string }[];
    expect(all.find(({ series }) => series === 'edge.hv01.tcp.retrans_segs')).toEqual({
      series: 'edge.hv01.tcp.retrans_segs',
      metric: 'retrans_segs',
      labels: {},
      value: 9,
      kind: 'counter',
      unit: 'segments',
    });
  });

  it('prints the exact datagrams, with their sizes on stderr', async () => {
    const file = configured('{ type: statsd, port: 9, maxBytes: 128 }');
    const { stdout, stderr } = await edgestatd('once', '--format', 'statsd', '--config', file);
    const payloads = stdout.trimEnd().split('\n\n');
    expect(payloads.length).toBeGreaterThan(1);
    const sizes = [...stderr.matchAll(/^datagram (\d+): (\d+) bytes, (\d+) metrics \(tcp@local\)$/gm)];
    expect(sizes.map(([, , bytes]) => Number(bytes))).toEqual(payloads.map((payload) => Buffer.byteLength(payload)));
    expect(sizes.map(([, , , metrics]) => Number(metrics))).toEqual(
      payloads.map((payload) => payload.split('\n').length),
    );
    for (const payload of payloads) expect(payload.length).toBeLessThanOrEqual(128);
    expect(payloads.join('\n').split('\n')).toContain('edge.hv01.tcp.retrans_segs:9|c');
  });

  it('prints increments and ratios of real traffic with an interval', async () => {
    const server = await startStatsd();
    stops.push(server.stop);
    const chatter = setInterval(() => void server.ask('health'), 20);
    const file = configured(
      NOWHERE,
      '{ collector: tcp, every: 10s, options: { include: [in_segs, retransmit_ratio] } }',
    );
    const { stdout } = await edgestatd('once', '--interval', '500ms', '--config', file);
    clearInterval(chatter);
    const lines = new Map(stdout.split('\n').map((line) => [line.split(' ')[0], line.split(' ')[1]]));
    const total = Number(/^Tcp: [-0-9 ]+$/m.exec(readFileSync('/proc/net/snmp', 'utf8'))?.[0].split(' ')[10]);
    const increment = Number(lines.get('edge.hv01.tcp.in_segs'));
    expect(increment).toBeGreaterThan(10);
    expect(increment).toBeLessThan(total);
    expect(Number(lines.get('edge.hv01.tcp.retransmit_ratio'))).toBeLessThanOrEqual(1);
  });

  it('says what failed, sends up 0, and exits 1', async () => {
    const file = configured(NOWHERE, '{ collector: tcp, every: 10s, options: { proc: /nowhere } }');
    const { stdout, stderr, code } = await edgestatd('once', '--config', file);
    expect(code).toBe(1);
    expect(stderr).toBe('tcp@local: E_NOT_FOUND: "/nowhere/snmp" does not exist\n');
    expect(steady(stdout)).toContain('edge.hv01.edgestatd.tcp.up 0 gauge boolean');
  });

  it('refuses a job that does not exist, a bad format and a bad interval with exit code 2', async () => {
    const file = configured(NOWHERE);
    const wrong = await edgestatd('once', '--config', file, '--job', 'htb');
    expect(wrong).toMatchObject({
      code: 2,
      stdout: '',
      stderr: '--job htb: no job has this name; expected one of tcp\n',
    });
    expect((await edgestatd('once', '--config', file, '--format', 'xml')).code).toBe(2);
    expect((await edgestatd('once', '--config', file, '--interval', '5')).code).toBe(2);
    expect((await edgestatd('nonsense')).code).toBe(2);
    expect((await edgestatd()).code).toBe(2);
  });
});

describe('check', () => {
  it('proves over the admin port that a real StatsD server reads every metric of one datagram', async () => {
    const server = await startStatsd();
    stops.push(server.stop);
    const file = configured(`{ type: statsd, port: ${server.port}, adminPort: ${server.adminPort} }`);
    const { stdout, code } = await edgestatd('check', '--config', file);
    expect(stdout.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^ok {3}job tcp@local: 3 samples in \d+ ms$/),
      `ok   sink statsd: 127.0.0.1:${server.port}: all 3 metrics of one datagram arrived, none malformed`,
      '',
    ]);
    expect(code).toBe(0);
    expect(gaugeIn(await server.ask('gauges'), 'edge.hv01.edgestatd.check_canary_1')).toBeUndefined();
  });

  it('recognises a server that corrupts packets of several metrics, and names the cure, which works', async () => {
    const old = await startStatsd030();
    stops.push(old.stop);
    const sink = `type: statsd, port: ${old.port}, adminPort: ${old.adminPort}`;
    const broken = await edgestatd('check', '--config', configured(`{ ${sink} }`));
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(
      /^fail sink statsd: .*mixes in the others, as StatsD before 0\.4\.0 does; set "packing: single"/m,
    );
    const cured = await edgestatd('check', '--config', configured(`{ ${sink}, packing: single }`));
    expect(cured.stdout).toMatch(/^ok {3}sink statsd: .* all 3 metrics of 4 datagrams arrived, none malformed$/m);
    expect(cured.code).toBe(0);
  });

  it('says that it could only send where there is no admin port, and fails where nobody listens', async () => {
    const udp = await listenUdp();
    stops.push(udp.close);
    const mute = await edgestatd(
      'check',
      '--config',
      configured(`{ type: statsd, port: ${udp.port}, adminPort: ${await freePort()} }`),
    );
    expect(mute.stdout).toMatch(/^warn sink statsd: .* 1 datagram\(s\) sent; whether they arrived is not known/m);
    expect(mute.code).toBe(0);
    const none = await edgestatd('check', '--config', configured(`{ type: statsd, port: ${await freePort()} }`));
    expect(none.stdout).toMatch(/^fail sink statsd: .* nobody listens there/m);
    expect(none.code).toBe(1);
  });

  it('says which job fails and why', async () => {
    const file = configured(NOWHERE, '{ collector: tcp, every: 10s, options: { proc: /nowhere } }');
    const { stdout, code } = await edgestatd('check', '--config', file);
    expect(stdout).toMatch(/^fail job tcp@local: E_NOT_FOUND: "\/nowhere\/snmp" does not exist$/m);
    expect(code).toBe(1);
  });

  it('validates offline without touching anything', async () => {
    const { stdout, code } = await edgestatd('check', '--offline', '--config', configured(NOWHERE));
    expect(stdout).toMatch(/^ok {3}configuration .*: valid: 1 job, 1 sink, prefix "edge"\n$/);
    expect(code).toBe(0);
    expect((await edgestatd('check', '--offline', '--config', '/nowhere.yaml')).code).toBe(2);
  });
});

describe('metrics', () => {
  it('lists the catalogue, as text and as JSON', async () => {
    const { stdout } = await edgestatd('metrics');
    expect(stdout).toMatch(
      /^tcp\.retrans_segs\tcounter\tsegments\tnamespace\tSegments retransmitted\. \(\/proc\/net\/snmp Tcp: RetransSegs\)$/m,
    );
    const all = JSON.parse((await edgestatd('metrics', '--json')).stdout) as { collector: string; metric: string }[];
    expect(stdout.trimEnd().split('\n')).toHaveLength(all.length);
    expect(all).toContainEqual(expect.objectContaining({ collector: 'edgestatd', metric: 'up', kind: 'gauge' }));
  });

  it('does not mind a reader that goes away, and does mind a full disk', () => {
    const script = (command: string): ReturnType<typeof spawnSync> =>
      spawnSync('sh', ['-c', `{ "$0" "${bin}" metrics --json; echo "code $?" >&2; } ${command}`, process.execPath], {
        encoding: 'utf8',
      });
    expect(script('| head -n 1')).toMatchObject({ stdout: '[\n', stderr: 'code 0\n' });
    expect(script('> /dev/full')).toMatchObject({ stderr: 'code 1\n' });
  });
});

describe('what a command leaves behind', () => {
  const plugin = (body: string): string => {
    const file = join(scratch(), 'probe.mjs');
    writeFileSync(
      file,
      `import { defineCollector, gauge, sample, z } from 'edgestatd';
const level = gauge('level', { unit: 'things', help: 'A level.', source: 'test' });
export const probe = defineCollector({ name: 'probe', options: z.strictObject({}), metrics: { level },
  async collect({ host }) { ${body} } });`,
      { mode: 0o644 },
    );
    const config = join(scratch(), 'edgestatd.yaml');
    writeFileSync(
      config,
      `plugins: [ ${file} ]\nsinks: [ ${NOWHERE} ]\njobs: [ { collector: probe, every: 60s, timeout: 50s } ]\n`,
    );
    return config;
  };

  it('is no program, when it is interrupted', async () => {
    const mark = `mark-${process.pid}-once`;
    const config = plugin(`await host.run(['sh', '-c', ': ${mark}; sleep 600']); return { samples: [] };`);
    const child = spawn(process.execPath, [bin, 'once', '--config', config], { stdio: 'ignore' });
    const marked = (): string[] =>
      spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
        .stdout.split('\n')
        .filter((line) => line.startsWith('sh') && line.includes(mark));
    await eventually(() => (marked().length > 0 ? true : undefined), 'the program to run');
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(130);
    await eventually(() => (marked().length === 0 ? true : undefined), 'the program to end');
  });

  it('is no timer that holds it', async () => {
    const config = plugin('setInterval(() => {}, 1000); return { samples: [sample(level, 5)] };');
    const { stdout, code } = await edgestatd('once', '--config', config);
    expect(code).toBe(0);
    expect(stdout).toContain('probe.level 5 gauge things');
  });
});
