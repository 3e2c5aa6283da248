/** The unit as it is shipped, started by a real systemd as process 1: what every collector can do under it. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobStatus } from '../../src/status/document.ts';
import { eventually } from '../support/statsd.ts';
import { machineReason, type SystemdMachine, startMachine } from '../support/systemd-machine.ts';
import { installService, type SystemdService } from '../support/systemd-service.ts';

const NONE = '0000000000000000';
const CAP_DAC_OVERRIDE = '0000000000000002';
const CAP_SYS_ADMIN = '0000000000200000';
const BOTH = '0000000000200002';
const CAP_DAC_READ_SEARCH = '0000000000000004';

/** What a hypervisor has: traffic control, Neutron's namespaces, Open vSwitch as root, a log of Nagios, sudo. */
const SURROUNDINGS = `set -e
ip link add eth1 type veth peer name peer1
ip link set eth1 up
ip link set peer1 up
tc qdisc add dev eth1 root handle 1: htb default 1
tc class add dev eth1 parent 1: classid 1:1 htb rate 1mbit
ip netns add qrouter-1
ip netns add qrouter-2
install -d -m 2750 -g adm /var/log/nagios4
echo "[$(date +%s)] CURRENT HOST STATE: gw1;UP;HARD;1;ok" > /var/log/nagios4/nagios.log
chmod 640 /var/log/nagios4/nagios.log
install -d -o edgestatd -g edgestatd -m 2770 /var/spool/edgestatd
install -d -m 711 /run/containerd
perl -e 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("/run/containerd/root.sock")) or die'
chmod 600 /run/containerd/root.sock
printf 'edgestatd ALL=(root) NOPASSWD: /usr/bin/id -u\\n' > /etc/sudoers.d/edgestatd
chmod 440 /etc/sudoers.d/edgestatd
mkdir -p /lib/modules/$(uname -r) /var/lib/ovs
touch /lib/modules/$(uname -r)/modules.dep /lib/modules/$(uname -r)/modules.builtin
ovsdb-tool create /var/lib/ovs/conf.db /usr/share/openvswitch/vswitch.ovsschema
printf '[Service]\\nType=forking\\nRuntimeDirectory=openvswitch\\nRuntimeDirectoryPreserve=yes\\nExecStart=/usr/sbin/ovsdb-server /var/lib/ovs/conf.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach\\n' > /run/systemd/system/database.service
printf '[Unit]\\nAfter=database.service\\nRequires=database.service\\n[Service]\\nType=forking\\nExecStartPre=/usr/bin/ovs-vsctl --no-wait init\\nExecStart=/usr/sbin/ovs-vswitchd --disable-system --pidfile --detach\\n' > /run/systemd/system/switch.service
systemctl daemon-reload
systemctl start switch
ovs-vsctl --timeout=10 add-br br0 -- set Bridge br0 datapath_type=netdev
`;

const yaml = (jobs: readonly string[], events: Readonly<Record<string, unknown>> = {}): string => `
sinks: [ { type: statsd, port: 8125 } ]
state: /var/lib/edgestatd/state.db
${Object.keys(events).length === 0 ? '' : `events: ${JSON.stringify({ ...events, graphite: { url: 'http://127.0.0.1:9/events/' } })}`}
jobs:
${jobs.map((job) => `  - { collector: ${job} }`).join('\n')}
`;
const every = 'every: 1s, timeout: 60s';
/** Tries what the service should not be able to do, and one thing that it should; one line for each that it could. */
const PROBE = `#!/bin/sh
# Nobody listens there: whoever may connect is told that, and not that he may not.
REACH='use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); connect(S, sockaddr_un(shift)); exit !$!{ECONNREFUSED}'
{
  touch /etc/edgestatd/probe && echo writes /etc
  touch /usr/lib/probe && echo writes /usr
  touch /run/probe /run/systemd/system/probe.service && echo writes /run
  grep -q ^root: /etc/shadow /run/systemd/unit-root/etc/shadow && echo reads /etc/shadow
  for root in "" /run/systemd/unit-root; do
    perl -e "$REACH" $root/run/containerd/root.sock && echo reaches sockets of root
  done
  grep -q secret /etc/probe && echo reads files of root
  unshare --mount true && echo makes mount namespaces
  unshare --user true && echo makes user namespaces
  mount -t tmpfs tmpfs /tmp && echo mounts
  kill -0 $(cat /run/openvswitch/ovsdb-server.pid) && echo signals others
  sysctl -w kernel.domainname=probe && echo changes the kernel
  touch /var/lib/edgestatd/probed && echo writes its own
} 2>/dev/null | grep -E '^(writes|reads|reaches|makes|mounts|signals|changes) *' > /var/lib/edgestatd/probe.new
mv /var/lib/edgestatd/probe.new /var/lib/edgestatd/probe
echo OK
`;
const exec = (name: string, ...command: readonly string[]): string =>
  `exec, name: ${name}, ${every}, options: { check: ${name}, command: ${JSON.stringify(command)} }`;
const hasJob = (name: string, job: JobStatus | undefined): JobStatus => {
  if (job === undefined) throw new Error(`no job ${name}`);
  return job;
};
const codes = ({ problems }: JobStatus): string[] => problems.map(({ code }) => code);
/** But for the advice that every second is more often than vswitchd counts. */
const refusals = ({ problems }: JobStatus): string =>
  problems.flatMap(({ code, message }) => (code === 'E_CONFIG' ? [] : [message])).join('\n');
const messages = ({ problems }: JobStatus): string => problems.map(({ message }) => message).join('\n');

describe.skipIf(machineReason() !== undefined)('the unit, started by systemd as process 1', () => {
  let machine: SystemdMachine;
  let service: SystemdService;
  /** By name; throws where there is none. */
  let of: (name: string) => JobStatus;
  const restart = async (options: Parameters<SystemdService['restart']>[0]): Promise<void> => {
    const jobs = await service.restart(options);
    of = (name) => hasJob(name, jobs[name]);
  };
  /** What the kernel says of the process itself. */
  const rights = async (): Promise<Record<string, string>> => {
    const text = await machine.must(`cat /proc/${await service.show('MainPID')}/status`);
    return Object.fromEntries(text.split('\n').map((line) => line.split(':\t', 2) as [string, string]));
  };

  const probed = (): string[] => {
    const file = join(machine.root, 'var/lib/edgestatd/probe');
    const text = readFileSync(file, 'utf8');
    rmSync(file);
    return text.split('\n').filter((line) => line !== '');
  };

  beforeAll(async () => {
    machine = await startMachine();
    await machine.write('/etc/rabbitmq/enabled_plugins', '[rabbitmq_management].\n');
    await machine.write('/usr/local/bin/probe', PROBE, '0755');
    await machine.write('/etc/probe', 'a secret of root\n', '0600');
    service = await installService(machine);
    // It takes its time: it is asked last.
    await machine.must('systemctl start --no-block rabbitmq-server');
    await machine.must(SURROUNDINGS);
  }, 60_000);
  afterAll(() => machine?.close(), 30_000);

  it('lets what needs no right work, and refuses all else with a reason', async () => {
    await restart({
      yaml: yaml([
        `tcp, ${every}`,
        `htb, ${every}, options: { source: netlink }`,
        `link, ${every}`,
        `nagios, ${every}, options: { log: /var/log/nagios4/nagios.log }`,
        `ovs, ${every}`,
        `process, ${every}, options: { processes: [ovsdb-server] }`,
        exec('probe', '/usr/local/bin/probe'),
        exec('sudo', 'sudo', '-n', '/usr/bin/id', '-u'),
      ]),
    });
    expect(await service.show('ActiveState')).toBe('active');
    expect(await rights()).toMatchObject({ CapEff: NONE, CapPrm: NONE, CapBnd: NONE, NoNewPrivs: '1', Seccomp: '2' });
    for (const name of ['tcp', 'htb', 'link', 'probe']) expect([name, of(name).state]).toEqual([name, 'up']);
    for (const name of ['tcp', 'link', 'probe']) expect(of(name).problems, name).toEqual([]);
    expect(of('htb').samples).toBeGreaterThan(0);
    expect(codes(of('htb'))).toEqual(['E_DENIED']);
    expect(of('ovs').state).toBe('down');
    expect(codes(of('ovs'))).toContain('E_DENIED');
    expect(codes(of('nagios'))).toEqual(['E_DENIED']);
    expect(messages(of('process'))).toContain('hides the processes of others');
    expect(messages(of('sudo'))).toContain('no new privileges');
    expect(probed()).toEqual(['writes its own']);
  }, 120_000);

  it('reads HTB by tc and network namespaces by nsenter, with the drop-in', async () => {
    const jobs = [
      `htb, ${every}, options: { source: tc }`,
      `tcp, ${every}, options: { namespaces: ["qrouter-*"] }`,
      exec('probe', '/usr/local/bin/probe'),
    ];
    await restart({ yaml: yaml(jobs) });
    expect(of('htb').samples).toBeGreaterThan(0);
    expect(messages(of('tcp'))).toContain('nsenter');
    const without = of('tcp').samples ?? 0;
    await restart({ yaml: yaml(jobs), dropIns: ['namespaces'] });
    expect(await rights()).toMatchObject({ CapEff: CAP_SYS_ADMIN, CapBnd: CAP_SYS_ADMIN, NoNewPrivs: '1' });
    expect(of('tcp').problems).toEqual([]);
    expect(of('tcp').samples).toBeGreaterThan(2 * without);
    expect(probed()).toEqual(['writes its own']);
    // Together with another one, and with a namespace that comes later.
    await restart({ yaml: yaml(jobs), dropIns: ['namespaces', 'openvswitch'] });
    expect(await rights()).toMatchObject({ CapEff: BOTH, CapBnd: BOTH });
    expect(of('tcp').problems).toEqual([]);
    const before = of('tcp').samples ?? 0;
    await machine.must('ip netns add qrouter-3');
    await eventually(async () => {
      const tcp = (await service.status()).jobs.find(({ name }) => name === 'tcp');
      return tcp?.problems.length === 0 && (tcp.samples ?? 0) > before ? true : undefined;
    }, 'the numbers of a namespace that came later');
  }, 120_000);

  it('asks Open vSwitch of root, and follows the log of a group, with the drop-ins', async () => {
    await restart({
      dropIns: ['openvswitch', 'nagios'],
      yaml: yaml([
        `htb, ${every}`,
        `ovs, ${every}`,
        `ovs_kmod, ${every}`,
        `nagios, ${every}, options: { log: /var/log/nagios4/nagios.log }`,
        `process, ${every}, options: { processes: [ovsdb-server] }`,
        exec('probe', '/usr/local/bin/probe'),
      ]),
    });
    expect(await rights()).toMatchObject({ CapEff: CAP_DAC_OVERRIDE, CapBnd: CAP_DAC_OVERRIDE });
    for (const name of ['htb', 'ovs', 'nagios', 'process']) {
      expect(of(name).state, name).toBe('up');
      expect(refusals(of(name)), name).toBe('');
      expect(of(name).samples, name).toBeGreaterThan(0);
    }
    // What kernel this machine boots next is its own affair.
    expect(of('ovs_kmod').state).toBe('up');
    expect(messages(of('ovs_kmod'))).not.toMatch(/may not be (used|read)|socket/);
    // The capability reads root's files, and still writes none.
    expect(probed()).toEqual(['reads files of root', 'writes its own']);
  }, 120_000);

  it('asks Open vSwitch of another user as that user, with the drop-in', async () => {
    await machine.must('useradd --system openvswitch && chown -R openvswitch: /run/openvswitch');
    await restart({
      dropIns: ['openvswitch-user'],
      yaml: yaml([`htb, ${every}`, `ovs, ${every}`, exec('probe', '/usr/local/bin/probe')]),
    });
    expect(await rights()).toMatchObject({ CapEff: NONE, CapBnd: NONE });
    for (const name of ['htb', 'ovs']) {
      expect(of(name).state, name).toBe('up');
      expect(refusals(of(name)), name).toBe('');
    }
    expect(probed()).toEqual(['writes its own']);
    await machine.must('chown -R root: /run/openvswitch');
  }, 120_000);

  it('sees the processes of others with one drop-in, and their open files with another', async () => {
    const jobs = yaml([
      `process, ${every}, options: { processes: [ovsdb-server] }`,
      exec('probe', '/usr/local/bin/probe'),
    ]);
    await restart({ yaml: jobs, dropIns: ['processes'] });
    expect(of('process').state).toBe('up');
    expect(messages(of('process'))).toContain('open files');
    const without = of('process').samples ?? 0;
    expect(probed()).toEqual(['writes its own']);
    await restart({ yaml: jobs, dropIns: ['open-files'] });
    expect(await rights()).toMatchObject({ CapEff: CAP_DAC_READ_SEARCH, CapBnd: CAP_DAC_READ_SEARCH });
    expect(of('process')).toMatchObject({ state: 'up', problems: [] });
    expect(of('process').samples).toBeGreaterThan(without);
    expect(probed()).toEqual(['reads files of root', 'writes its own']);
  }, 120_000);

  it('runs sudo, and takes events out of a folder, with the drop-ins', async () => {
    const jobs = [exec('sudo', 'sudo', '-n', '/usr/bin/id', '-u')];
    const folder = { spool: '/var/lib/edgestatd/spool.db', folder: { path: '/var/spool/edgestatd' } };
    await restart({ yaml: yaml(jobs, folder), dropIns: ['sudo', 'events-folder'] });
    // sudo has done it: id(1) printed 0, which is a state of a plugin.
    expect(messages(of('sudo'))).not.toContain('sudo:');
    expect(of('sudo').state).toBe('up');
    const event = { what: 'deploy', tags: ['deploy'] };
    await machine.write('/var/spool/edgestatd/.event', JSON.stringify(event));
    await machine.must(
      'chown edgestatd: /var/spool/edgestatd/.event && mv /var/spool/edgestatd/.event /var/spool/edgestatd/event.json',
    );
    await eventually(
      async () => ((await machine.must('ls /var/spool/edgestatd')).includes('event.json') ? undefined : true),
      'the file of an event to be taken',
    );
    expect((await service.status()).events?.destinations[0]?.waiting).toBe(1);
  }, 120_000);

  it('measures a real broker: with a password that it alone was given, and by rabbitmqctl with the drop-in', async () => {
    await machine.must('systemctl start rabbitmq-server');
    await machine.write('/etc/edgestatd/rabbitmq', 'guest', '0600');
    await restart({
      lines: ['LoadCredential=rabbitmq:/etc/edgestatd/rabbitmq'],
      yaml: yaml([
        `rabbitmq, ${every}, options: { urls: ["http://127.0.0.1:15672"], user: guest, password: "\${credential:rabbitmq}" }`,
      ]),
    });
    expect(of('rabbitmq')).toMatchObject({ state: 'up', problems: [] });
    await restart({
      dropIns: ['rabbitmqctl'],
      yaml: yaml([`rabbitmq, ${every}, options: { source: rabbitmqctl }`]),
    });
    expect(await rights()).toMatchObject({ CapEff: NONE, CapBnd: NONE });
    expect(of('rabbitmq')).toMatchObject({ state: 'up', problems: [] });
  }, 240_000);
});
