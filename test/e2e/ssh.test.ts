/** The daemon and targets over SSH, with real servers: what comes, what breaks, what goes on. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type DaemonProcess, scratch, startEdgestatd, stopAll } from '../support/daemon.ts';
import { edgestatd } from '../support/event-commands.ts';
import { canRunSshd, makeKey, publicKey, type Sshd, type SshdOptions, startSshd } from '../support/sshd.ts';
import { eventually } from '../support/statsd.ts';
import { listenUdp, type UdpListener } from '../support/udp-listener.ts';

const servers: (() => Promise<void>)[] = [];
afterEach(async () => {
  stopAll();
  await Promise.all(servers.splice(0).map((stop) => stop()));
});

async function sshd(options?: SshdOptions): Promise<Sshd> {
  const server = await startSshd(options);
  servers.push(() => server.stop());
  return server;
}

async function listener(): Promise<UdpListener> {
  const udp = await listenUdp();
  servers.push(() => udp.close());
  return udp;
}

const target = (server: Sshd, more = ''): string =>
  `{ type: ssh, host: ${server.address}, port: ${server.port}, user: edge, keyFile: ${server.keyFile}, knownHostsFile: ${server.knownHostsFile}${more} }`;

const config = (port: number, targets: Readonly<Record<string, string>>, jobs: readonly string[]): string => `
prefix: e2e
sinks: [ { type: statsd, host: 127.0.0.1, port: ${port} } ]
targets:
${Object.entries(targets)
  .map(([key, text]) => `  ${key}: ${text}\n`)
  .join('')}
jobs:
${jobs.map((job) => `  - ${job}\n`).join('')}`;

/** Resolves when a line that begins so has come after the first `from` ones. */
const line = (udp: UdpListener, start: string, from = 0): Promise<string> =>
  eventually(
    async () =>
      udp
        .lines()
        .slice(from)
        .find((one) => one.startsWith(start)),
    `a line ${start}`,
  );

const TCP = '{ collector: tcp, every: 1s, targets: [local, hv02, hv03], options: { include: [curr_estab, in_segs] } }';
const sessionsOf = (server: Sshd): number[] =>
  server
    .processes()
    .filter(({ argv }) => argv.includes('edge@notty'))
    .map(({ pid }) => pid);

const failures = (daemon: DaemonProcess, name: string) =>
  daemon.events.filter(({ event, target: on }) => event === 'run:failed' && on === name).map(({ code }) => code);

it.runIf(canRunSshd())(
  'measures two machines beside this one; one that goes away and comes back costs the others nothing',
  async () => {
    const [one, two, udp] = await Promise.all([sshd(), sshd(), listener()]);
    const daemon = startEdgestatd(config(udp.port, { hv02: target(one), hv03: target(two) }, [TCP]));
    for (const name of ['hv02', 'hv03']) {
      await line(udp, `e2e.${name}.tcp.curr_estab:`);
      await line(udp, `e2e.${name}.tcp.in_segs:`);
      await line(udp, `e2e.${name}.edgestatd.tcp.up:1|g`);
    }
    // One connection each, for as many runs as there were.
    expect([sessionsOf(one).length, sessionsOf(two).length]).toEqual([1, 1]);

    await one.kill();
    await daemon.event('run:failed');
    const from = udp.lines().length;
    await line(udp, 'e2e.hv02.edgestatd.tcp.up:0|g', from);
    await line(udp, 'e2e.hv03.tcp.in_segs:', from);
    expect(failures(daemon, 'hv03')).toEqual([]);

    await one.start();
    await daemon.event('run:recovered');
    await line(udp, 'e2e.hv02.edgestatd.tcp.up:1|g', udp.lines().length);
    // Said once, however many runs it lasted.
    expect(failures(daemon, 'hv02')).toEqual(['E_CONNECT']);
    expect(await daemon.end()).toBe(0);
    await eventually(async () => (sessionsOf(two).length === 0 ? true : undefined), 'the connection to be closed');
  },
  60_000,
);

it.runIf(canRunSshd())(
  'refuses a machine whose key has changed, and collects nothing from it',
  async () => {
    const [one, two, udp] = await Promise.all([sshd(), sshd(), listener()]);
    const other = join(scratch(), 'other');
    makeKey(other);
    writeFileSync(one.knownHostsFile, `[${one.address}]:${one.port} ${publicKey(other)}\n`);
    const daemon = startEdgestatd(config(udp.port, { hv02: target(one), hv03: target(two) }, [TCP]));
    const { code, message, target: on } = await daemon.event('run:failed');
    expect([on, code]).toEqual(['hv02', 'E_AUTH']);
    expect(message).toContain('SHA256:');
    expect(message).toContain(`${one.knownHostsFile}:1`);
    await line(udp, 'e2e.hv03.tcp.in_segs:');
    expect(udp.lines().filter((text) => text.startsWith('e2e.hv02.tcp.'))).toEqual([]);
    expect(one.log()).not.toContain('Accepted publickey');
    expect(await daemon.end()).toBe(0);
  },
  60_000,
);

it.runIf(canRunSshd())(
  'keeps connections of which a reload changes nothing, and takes new hosts of an inventory in',
  async () => {
    const [one, two, udp] = await Promise.all([sshd(), sshd(), listener()]);
    const folder = scratch();
    const hosts = join(folder, 'hosts');
    const known = join(folder, 'known_hosts');
    appendFileSync(two.authorizedKeys, readFileSync(`${one.keyFile}.pub`));
    writeFileSync(known, [one, two].map(({ knownHostsFile }) => readFileSync(knownHostsFile, 'utf8')).join(''));
    const entry = (name: string, { address, port }: Sshd): string => `${name} edge@${address}:${port}\n`;
    writeFileSync(hosts, `[compute]\n${entry('hv02', one)}`);
    const yaml = `
prefix: e2e
sinks: [ { type: statsd, host: 127.0.0.1, port: ${udp.port} } ]
inventory:
  - { file: ${hosts}, defaults: { keyFile: ${one.keyFile}, knownHostsFile: ${known} } }
jobs:
  - { collector: tcp, every: 1s, targets: ["group:compute"], options: { include: [curr_estab, in_segs] } }
`;
    const daemon = startEdgestatd(yaml);
    await line(udp, 'e2e.hv02.tcp.in_segs:');
    const before = sessionsOf(one);
    expect(before).toHaveLength(1);

    writeFileSync(hosts, `[compute]\n${entry('hv02', one)}${entry('hv03', two)}bad name !\n`);
    daemon.child.kill('SIGHUP');
    expect(await daemon.event('daemon:reloaded')).toMatchObject({ kept: 1, added: 1, changed: 0, removed: 0 });
    expect((await daemon.event('config:problem')).message).toContain(`${hosts}:4`);
    await line(udp, 'e2e.hv03.tcp.in_segs:');
    expect(sessionsOf(one)).toEqual(before);

    // What cannot be read changes nothing.
    writeFileSync(hosts, '{ not an inventory');
    daemon.child.kill('SIGHUP');
    await daemon.event('config:refused');
    await line(udp, 'e2e.hv03.tcp.in_segs:', udp.lines().length);
    expect(sessionsOf(one)).toEqual(before);

    writeFileSync(hosts, `[compute]\n${entry('hv03', two)}`);
    const from = daemon.events.length;
    daemon.child.kill('SIGHUP');
    expect(await daemon.event('daemon:reloaded', from)).toMatchObject({ kept: 1, removed: 1 });
    await eventually(async () => (sessionsOf(one).length === 0 ? true : undefined), 'the connection to be closed');
    expect(await daemon.end()).toBe(0);
  },
  60_000,
);

it.runIf(canRunSshd())(
  'check says of each target what is missing, and what to do',
  async () => {
    const [one, two] = await Promise.all([sshd(), sshd()]);
    await two.kill();
    const file = join(scratch(), 'edgestatd.yaml');
    const jobs = ['tcp', 'ovs'].map((name) => `{ collector: ${name}, every: 10s, targets: [hv02, hv03] }`);
    writeFileSync(file, config(9, { hv02: target(one, ', sudo: [ovs-ofctl]'), hv03: target(two) }, jobs));
    const { code, stdout } = await edgestatd(['check', '--config', file]);
    expect(code).toBe(1);
    const said = stdout.split('\n');
    expect(said.find((text) => text.startsWith('ok   target hv02:'))).toContain('as edge');
    expect(said.find((text) => text.includes('target hv02') && text.includes('NOPASSWD'))).toMatch(
      /edge ALL=\(root\) NOPASSWD: \/usr\/bin\/ovs-ofctl/,
    );
    expect(said.find((text) => text.startsWith('ok   job tcp@hv02:'))).toContain('samples');
    expect(said.find((text) => text.startsWith('fail target hv03:'))).toMatch(/E_CONNECT.*its 2 jobs were not tried/);
    expect(stdout).not.toContain('job tcp@hv03');
  },
  60_000,
);
