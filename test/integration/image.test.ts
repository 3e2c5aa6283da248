// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references of configurations.
/** The Dockerfile, built by buildah from bases that are made here, and run by crun as an engine would. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Container, type ContainerOptions, startContainer } from '../support/container.ts';
import { type ImageConfig, type Images, imageStore } from '../support/image.ts';
import { eventually, freePort } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

// Each container starts Node.js once or twice, and others build meanwhile.
vi.setConfig({ testTimeout: 90_000 });

const noTestbed = testbedReason();
let images: Images;
let config: ImageConfig;
let rootfs: string;
const scratch = mkdtempSync(join(tmpdir(), 'edgestatd-image-'));
const lasting: Container[] = [];
const passing: Container[] = [];
let doomed: { readonly sinkless: Container; readonly jobless: Container; readonly udp: UdpListener };

const start = async (options: ContainerOptions, kept = passing): Promise<Container> => {
  const container = await startContainer(rootfs, config, options);
  kept.push(container);
  return container;
};
const healthy = (container: Container) => container.exec(config.Healthcheck.Test.slice(1));

beforeAll(async () => {
  images = await imageStore();
  const image = await images.build('edgestatd', 'base');
  config = await images.config(image);
  rootfs = await images.unpack(image);
  doomed = await startDoomed();
}, 400_000);

afterEach(async () => {
  for (const container of passing.splice(0)) await container.end();
});
afterAll(async () => {
  for (const container of lasting.splice(0)) await container.end();
  await doomed?.udp.close();
  await images?.end();
  rmSync(scratch, { recursive: true, force: true });
}, 60_000);

/** What is unhealthy only after a minute is broken before the rest begins. */
async function startDoomed(): Promise<typeof doomed> {
  const udp = await listenUdp();
  const working = { STATSD_PORT: String(udp.port), EDGESTATD_NAME: 'doomed' };
  const sinkPort = await freePort();
  const receiver = await listenUdp({ port: sinkPort });
  const sinkless = await start({ hostNetwork: true, env: { STATSD_PORT: String(sinkPort) } }, lasting);
  await receiver.until((lines) => lines.length > 0, 'metrics before the sink ends');
  expect(await healthy(sinkless)).toMatchObject({ code: 0 });
  await receiver.close();
  const yaml = ['sinks: [ { type: statsd, port: "${env:STATSD_PORT}" } ]', 'jobs: [ { collector: ovs, every: 5s } ]'];
  const file = join(scratch, 'jobless.yaml');
  writeFileSync(file, yaml.join('\n'));
  const mounts = { [file]: '/etc/edgestatd/edgestatd.yaml' };
  const jobless = await start({ hostNetwork: true, env: working, mounts }, lasting);
  return { sinkless, jobless, udp };
}

describe('the image', () => {
  it('holds what runs, and nothing else', () => {
    const has = (path: string): boolean => existsSync(join(rootfs, path));
    for (const path of [
      'usr/local/bin/node',
      'usr/local/bin/tini',
      'opt/edgestatd/dist/src/bin.js',
      'opt/edgestatd/LICENSE',
    ])
      expect(has(path), path).toBe(true);
    for (const path of [
      'bin/sh',
      'usr/bin/sh',
      'usr/bin/env',
      'usr/bin/apt',
      'opt/edgestatd/src',
      'opt/edgestatd/scripts',
    ])
      expect(has(path), path).toBe(false);
    const modules = readdirSync(join(rootfs, 'opt/edgestatd/node_modules'));
    expect(modules).toEqual(expect.arrayContaining(['zod', 'ssh2', 'koffi']));
    for (const name of ['typescript', 'vitest', 'node', 'statsd']) expect(modules).not.toContain(name);
    expect(readdirSync(join(rootfs, 'etc/edgestatd')).toSorted()).toEqual([
      'broker.yaml',
      'edgestatd.yaml',
      'hypervisor.yaml',
    ]);
    // Whose file is who may run it, and nobody gains a right by it.
    const privileged = execFileSync('find', [join(rootfs, 'usr/local'), join(rootfs, 'opt'), '-perm', '/6000']);
    expect(String(privileged)).toBe('');
  });

  it('keeps the licence of each module that has one', () => {
    const modules = join(rootfs, 'opt/edgestatd/node_modules');
    for (const name of ['zod', 'ssh2', 'got', 'pino', 'yaml', 'commander', 'hot-shots', 'node-cron', 'koffi'])
      expect(
        readdirSync(join(modules, name)).some((file) => /^licen[cs]e/i.test(file)),
        name,
      ).toBe(true);
  });

  it('says who it is, runs as a number, and is asked for its health without a shell', () => {
    expect(config.User).toBe('65534:65534');
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'edgestatd',
      'org.opencontainers.image.version': '1.2.3',
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
    expect(config.Healthcheck.Test).toEqual(['CMD', '/usr/local/bin/edgestatd', 'status', '--healthy']);
    expect(config.Entrypoint[0]).toBe('/usr/local/bin/tini');
  });

  it('is small', async () => {
    const bytes = (folder: string): number => Number(String(execFileSync('du', ['-sb', folder])).split('\t')[0]);
    const mib = (count: number): string => `${(count / 2 ** 20).toFixed(1)} MiB`;
    const own = ['usr/local', 'opt', 'etc/edgestatd'].map((path) => bytes(join(rootfs, path)));
    const node = statSync(join(rootfs, 'usr/local/bin/node')).size;
    const total = own.reduce((sum, one) => sum + one, 0);
    const all = bytes(rootfs);
    const compressed = await images.compressedBytes(rootfs);
    console.log(
      `image: ${mib(all)}, of which Node.js ${mib(node)}, edgestatd ${mib(total - node)}, base ${mib(all - total)}; compressed ${mib(compressed)}`,
    );
    expect(total - node).toBeLessThan(20 * 2 ** 20);
    expect(all).toBeLessThan(170 * 2 ** 20);
  }, 120_000);
});

describe('a container, without any capability, on a read-only root', () => {
  it('sends what the machine counts, by the environment alone, and drains at SIGTERM', async () => {
    const udp = await listenUdp();
    const env = { STATSD_PORT: String(udp.port), EDGESTATD_PREFIX: 'site1', EDGESTATD_NAME: 'hv01' };
    const container = await start({ hostNetwork: true, env });
    await udp.until((lines) => lines.some((line) => line.startsWith('site1.hv01.tcp.')), 'TCP', 60_000);
    await udp.until((lines) => lines.some((line) => line === 'site1.hv01.edgestatd.htb.up:1|g'), 'htb', 60_000);
    await udp.until((lines) => lines.some((line) => line === 'site1.hv01.edgestatd.link.up:1|g'), 'link', 60_000);
    expect(container.events.filter(({ level }) => level !== 'info')).toEqual([]);

    const [first, second] = container.processes();
    expect([first?.pid, first?.name]).toEqual([1, 'tini']);
    const status = readFileSync(`/proc/${second?.hostPid}/status`, 'utf8');
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\t0+$`, 'm'));
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    const mounts = readFileSync(`/proc/${second?.hostPid}/mountinfo`, 'utf8');
    expect(
      mounts
        .split('\n')
        .find((line) => line.split(' ')[4] === '/')
        ?.split(' ')[5],
    ).toMatch(/^ro/);

    const beganAt = performance.now();
    await container.signal('TERM');
    expect(await container.ended).toBe(0);
    expect(performance.now() - beganAt).toBeLessThan(10_000);
    expect(container.events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['daemon:stopping', 'sink:closed', 'daemon:stopped']),
    );
    await udp.close();
  });

  it('loads every part of itself, the native one too', async () => {
    const code = `
      const { readdirSync } = require('node:fs'); const { join } = require('node:path');
      const files = readdirSync('/opt/edgestatd/dist', { recursive: true }).filter((one) => one.endsWith('.js'));
      (async () => {
        for (const file of files) if (!/(?:cli|bin)\\.js$/.test(file)) await import(join('/opt/edgestatd/dist', file));
        const { default: koffi } = await import('/opt/edgestatd/node_modules/koffi/index.js');
        await import('/opt/edgestatd/node_modules/ssh2/lib/index.js');
        console.log(files.length > 10, typeof koffi.load('libc.so.6').func('int getpid()')());
      })();`;
    const entrypoint = ['/usr/local/bin/node'];
    const container = await start({ entrypoint, command: ['-e', code], hostNetwork: true });
    expect([await container.ended, container.lines]).toEqual([0, ['true number']]);
  });

  it('writes nothing, even where it might', async () => {
    const udp = await listenUdp();
    const marker = join(scratch, 'marker');
    writeFileSync(marker, '');
    const env = { STATSD_PORT: String(udp.port) };
    const container = await start({ hostNetwork: true, isWritable: true, user: '0:0', env });
    await udp.until((lines) => lines.length > 100, 'metrics');
    expect(await healthy(container)).toMatchObject({ code: 0 });
    await container.signal('TERM');
    expect(await container.ended).toBe(0);
    expect(String(execFileSync('find', [rootfs, '-xdev', '-type', 'f', '-newer', marker]))).toBe('');
    await udp.close();
  });

  it('shows its status to who asks within it, and to nobody else', async () => {
    const udp = await listenUdp();
    const container = await start({ hostNetwork: true, env: { STATSD_PORT: String(udp.port) } });
    await udp.until((lines) => lines.length > 0, 'metrics');
    const asked = await eventually(async () => {
      const found = await healthy(container);
      return found.code === 0 ? found : undefined;
    }, 'health');
    expect(asked.output).toContain('healthy');
    const status = await container.exec(['edgestatd', 'status', '--json']);
    expect(
      JSON.parse(status.output)
        .jobs.map(({ name }: { name: string }) => name)
        .toSorted(),
    ).toEqual(['htb', 'link', 'tcp']);
    const [, second] = container.processes();
    const folder = statSync(`/proc/${second?.hostPid}/root/dev/shm/edgestatd`);
    expect([folder.mode & 0o777, folder.uid]).toEqual([0o750, 65534]);
    await udp.close();
  });

  it('reads the machine’s numbers from a mount where it has a network of its own', async () => {
    const once = async (options: ContainerOptions): Promise<readonly string[]> => {
      const container = await start({ ...options, command: ['once', '--job', 'tcp'] });
      expect(await container.ended).toBe(0);
      return container.lines;
    };
    const octets = (lines: readonly string[]): number =>
      Number(lines.find((line) => line.includes('.tcp.ip_in_octets '))?.split(' ')[1] ?? 0);
    const own = await once({});
    const mounted = await once({ env: { HOST_PROC: '/host/proc' }, mounts: { '/proc': '/host/proc' } });
    const shared = await once({ hostNetwork: true });
    expect(octets(own)).toBe(0);
    expect(octets(mounted)).toBeGreaterThan(0);
    expect(octets(shared)).toBeGreaterThanOrEqual(octets(mounted));
  });
});

describe('what a program leaves behind', () => {
  // Its grandchild has a session of its own, so the end of the program's process group does not reach it.
  const program = `const { spawn } = require('node:child_process');
    spawn(process.execPath, ['-e', 'setTimeout(() => {}, 500)'], { detached: true, stdio: 'ignore' }).unref();
    console.log('OK|left=1');`;
  const yaml = (port: number): string =>
    JSON.stringify({
      sinks: [{ type: 'statsd', port }],
      jobs: [
        { collector: 'exec', every: '1s', options: { command: ['/usr/local/bin/node', '-e', program], check: 'left' } },
      ],
    });
  const run = async (without: number): Promise<{ container: Container; udp: UdpListener }> => {
    const udp = await listenUdp();
    const file = join(scratch, `left-${without}.yaml`);
    writeFileSync(file, yaml(udp.port));
    const entrypoint = config.Entrypoint.slice(without);
    const mounts = { [file]: '/etc/edgestatd/edgestatd.yaml' };
    const container = await start({ hostNetwork: true, entrypoint, mounts });
    return { container, udp };
  };
  const runs = (lines: readonly string[]): number =>
    lines.filter((line) => line.endsWith('.edgestatd.exec.up:1|g')).length;

  it('is waited for by tini', async () => {
    const { container, udp } = await run(0);
    const orphan = (): object | undefined => {
      const [first, ...others] = container.processes();
      return others.find(({ pid, parent }) => pid > 2 && parent === first?.hostPid);
    };
    await eventually(orphan, 'an orphan');
    await udp.until((lines) => runs(lines) >= 5, 'five runs', 60_000);
    const zombies = (): number => container.processes().filter(({ state }) => state === 'Z').length;
    await eventually(() => (zombies() === 0 ? true : undefined), 'no zombie');
    await udp.close();
  });

  it('stays for ever where Node.js is the first process: this is what tini is for', async () => {
    const { container, udp } = await run(2);
    await eventually(
      () => (container.processes().filter(({ state }) => state === 'Z').length > 1 ? true : undefined),
      'zombies',
    );
    await udp.close();
  });
});

describe.skipIf(noTestbed !== undefined)('beside Open vSwitch', () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed();
  });
  afterAll(() => testbed?.close());

  const beside = (options: ContainerOptions): ContainerOptions => ({
    ...{ through: testbed.prefix, hostNetwork: true, user: '0:0' },
    ...{ mounts: { [testbed.rundir]: '/var/run/openvswitch' } },
    ...options,
    env: { EDGESTATD_CONFIG: '/etc/edgestatd/hypervisor.yaml', EDGESTATD_NAME: 'hv01' },
  });
  const once = async (options: ContainerOptions): Promise<readonly string[]> => {
    const container = await start(beside(options));
    await container.ended;
    return container.lines;
  };

  it('reads its sockets as their owner, and HTB from the kernel, without a capability', async () => {
    const lines = await once({ command: ['once', '--job', 'htb'] });
    expect(lines.join('\n')).toMatch(/^edge\.hv01\.htb\.eth1\.\S+\.sent_bytes \d+/m);
    const ovs = (await once({ command: ['once', '--job', 'ovs'] })).join('\n');
    expect(ovs).toMatch(/^edge\.hv01\.ovs\.ovs-vswitchd\.running 1/m);
    expect(ovs).toContain('--build-arg BASE_IMAGE=tools');
  });

  it('is told by check which mount, user, program or option it lacks', async () => {
    const others = (await once({ user: '65534:65534', command: ['check'] })).join('\n');
    expect(others).toMatch(/^fail job ovs@local: .*db\.sock.*E_DENIED|^fail job ovs@local: E_DENIED.*--user UID:GID/m);
    const none = (await once({ mounts: {}, command: ['check'] })).join('\n');
    expect(none).toMatch(/^fail job ovs@local: .*-v \/var\/run\/openvswitch:\/var\/run\/openvswitch/m);
    expect(none).toMatch(/^warn configuration: job process@local: "\/proc" shows .*--pid host/m);
    expect(none).toMatch(/^warn configuration: job htb@local: .*--network host/m);
  });

  it('has the programs too where the image stands on its stage tools: VIFs have their names', async () => {
    const image = await images.build('edgestatd-tools', 'tools');
    const tools = await images.unpack(image);
    const container = await startContainer(
      tools,
      await images.config(image),
      beside({ command: ['once', '--job', 'htb'] }),
    );
    passing.push(container);
    expect(await container.ended).toBe(0);
    expect(container.lines.join('\n')).toMatch(/^edge\.hv01\.htb\.eth1\.vif2_1\.sent_bytes \d+/m);
  }, 300_000);
});

describe('HEALTHCHECK', () => {
  const unhealthy = (container: Container): Promise<string> =>
    eventually(
      async () => {
        const { code, output } = await healthy(container);
        return code === 0 ? undefined : output;
      },
      'the end of its health',
      120_000,
    );

  it('fails when the sink is gone', async () => {
    expect(await unhealthy(doomed.sinkless)).toMatch(/statsd/);
  }, 130_000);

  it('fails when no job succeeds, and the log says which mount is missing', async () => {
    expect(await unhealthy(doomed.jobless)).toMatch(/ovs/);
    const { message } = await doomed.jobless.event('run:failed');
    expect(message).toContain('-v /var/run/openvswitch:/var/run/openvswitch');
  }, 130_000);

  it('fails where no daemon runs', async () => {
    const command = ['-e', 'setTimeout(() => {}, 60000)'];
    const container = await start({ entrypoint: ['/usr/local/bin/tini', '--', '/usr/local/bin/node'], command });
    await eventually(() => (container.processes().length > 1 ? true : undefined), 'the container');
    expect((await healthy(container)).code).toBe(1);
  });
});
