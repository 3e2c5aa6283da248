/** The testbed proves itself: it shapes, it survives what tests do to it, and nothing of it stays. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endWithParent, eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason, VIFS } from '../support/testbed.ts';

const reason = testbedReason();
const never = new AbortController().signal;
const NETNS = '/run/netns';

/** The inodes of network namespaces by their names. */
const inodesOf = (names: readonly string[]): Set<string> =>
  new Set(names.map((name) => `net:[${statSync(`${NETNS}/${name}`).ino}]`));

function processesIn(inodes: ReadonlySet<string>): string[] {
  return readdirSync('/proc').filter((entry) => {
    try {
      return /^\d+$/.test(entry) && inodes.has(readlinkSync(`/proc/${entry}/ns/net`));
    } catch {
      // It ended, or was not reaped yet: it is in no namespace.
      return false;
    }
  });
}

const namespacesOf = (prefix: string): string[] =>
  existsSync(NETNS) ? readdirSync(NETNS).filter((name) => name.startsWith(prefix)) : [];

/** One class of eth1, as tc shows it. */
async function classOf(testbed: Testbed, id: string): Promise<string> {
  const all = await testbed.tc('-s', 'class', 'show', 'dev', 'eth1');
  const found = all.split('\n\n').find((text) => text.startsWith(`class htb ${id} `));
  if (found === undefined) throw new Error(`no class ${id} in:\n${all}`);
  return found;
}

const ofportOf = async (testbed: Testbed, name: string): Promise<number> =>
  Number(await testbed.vsctl('get', 'Interface', name, 'ofport'));

describe.skipIf(reason !== undefined)(`the testbed${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  beforeAll(async () => {
    testbed = await startTestbed();
  });
  afterAll(() => testbed.close());

  it('shapes: what a VM sends meets the ceiling of its class, and is lost above it', async () => {
    let { bitsPerSecond, retransmits } = await testbed.traffic('vm2', { seconds: 3 });
    // On a busy machine the sender, or the switch, may have had no turn for a part of that time.
    for (let more = 4; more > 0 && (bitsPerSecond <= 9e6 || retransmits === 0); more--)
      ({ bitsPerSecond, retransmits } = await testbed.traffic('vm2', { seconds: 3 }));
    expect(bitsPerSecond).toBeGreaterThan(9e6);
    expect(bitsPerSecond).toBeLessThan(10e6);
    expect(retransmits).toBeGreaterThan(0);
    const snmp = await testbed.inside('vm2', ['cat', '/proc/net/snmp']);
    const [names = [], values = []] = [...snmp.matchAll(/^Tcp: (.*)$/gm)].map(([, row = '']) => row.split(' '));
    expect(Number(values[names.indexOf('RetransSegs')])).toBeGreaterThanOrEqual(retransmits);
    const text = await classOf(testbed, '1:367d');
    expect(text).toMatch(/ rate 1Mbit ceil 10Mbit /);
    expect(Number(/Sent (\d+) bytes/.exec(text)?.[1])).toBeGreaterThan((bitsPerSecond * 3) / 8);
    expect(Number(/overlimits (\d+)/.exec(text)?.[1])).toBeGreaterThan(0);
    expect(Number(/borrowed: (\d+)/.exec(text)?.[1])).toBeGreaterThan(0);
  });

  it('gives each VIF a class, a queue, flows and ids of its own', async () => {
    const { bitsPerSecond } = await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 30_000_000 });
    expect(bitsPerSecond).toBeGreaterThan(20e6);
    expect(await classOf(testbed, '1:367c')).toMatch(/ ceil 614400Kbit [\s\S]* Sent [1-9]\d{6,} bytes/);
    const flows = await testbed.ofctl('dump-flows', `unix:${testbed.rundir}/xapi0.mgmt`);
    const ofport = await ofportOf(testbed, 'vif3.1');
    expect(flows).toContain('ip,nw_src=10.0.0.38 actions=set_queue:13948,NORMAL');
    expect(flows).toContain(`priority=90,arp,in_port=${ofport},arp_spa=10.0.0.38 actions=NORMAL`);
    const { port, mac, vm } = VIFS['vif3.1'];
    const ids = await testbed.vsctl('get', 'Interface', 'vif3.1', 'external_ids');
    for (const text of [`iface-id="${port}"`, `attached-mac="${mac}"`, `vm-uuid="${vm}"`, `xs-vm-uuid="${vm}"`])
      expect(ids).toContain(text);
    const [queue] = (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).split('\n');
    expect(await testbed.vsctl('get', 'QoS', queue ?? '', 'queues')).toMatch(/^\{13947=.*, 13948=.*\}\n$/);
  });

  it('is a target: the hypervisor as a collector sees it', async () => {
    const host = testbed.hv.open(never);
    expect(await host.run(['tc', 'class', 'show', 'dev', 'eth1'])).toContain('class htb 1:367c');
    expect(await host.readFile('/proc/net/dev')).toContain('vif2.1:');
    expect(await host.readFile(`${testbed.rundir}/ovs-vswitchd.pid`)).toMatch(/^\d+\n$/);
    const db = await host.connect(testbed.database);
    db.end('{"id":1,"method":"list_dbs","params":[]}');
    expect(JSON.parse((await db.setEncoding('utf8').toArray()).join(''))).toMatchObject({
      result: ['Open_vSwitch', '_Server'],
    });
    for (const missing of [
      () => host.run(['edgestatd-no-such-program']),
      () => host.readFile('/proc/net/no-such-file'),
      () => host.readFile('/sys/class/net/eth1/speed'),
      () => host.netlink({ type: 42, body: new Uint8Array(0) }),
    ])
      await expect(missing()).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    await expect(host.run(['tc', 'class', 'show', 'dev', 'nope'])).rejects.toMatchObject({
      code: 'E_EXIT',
      message: 'tc ended with status 1: "Cannot find device \\"nope\\""',
      evidence: { argv: ['tc', 'class', 'show', 'dev', 'nope'], exitCode: 1 },
    });
  });

  it('runs node inside, where /proc/net and netlink are of the hypervisor', async () => {
    const script = 'console.log(require("node:fs").readFileSync("/proc/net/dev", "utf8"), process.env.COLOUR)';
    const child = testbed.nodeInside(['-e', script], { env: { COLOUR: 'blue' } });
    const text = (await child.stdout?.setEncoding('utf8').toArray())?.join('') ?? '';
    expect(text).toMatch(/vif2\.1:[\s\S]* blue\n$/);
  });

  it('stops, kills and starts both daemons, and the switch works again', async () => {
    await testbed.stopVswitchd();
    expect(existsSync(`${testbed.rundir}/ovs-vswitchd.pid`)).toBe(false);
    await testbed.startVswitchd();
    await testbed.killVswitchd();
    expect(existsSync(`${testbed.rundir}/ovs-vswitchd.pid`)).toBe(true);
    await testbed.killOvsdb();
    await expect(testbed.vsctl('show')).rejects.toThrow(/database connection failed/);
    await testbed.startOvsdb();
    await testbed.startVswitchd();
    await testbed.addFlows();
    expect((await testbed.traffic('vm2', { seconds: 1 })).bitsPerSecond).toBeLessThan(11e6);
    await testbed.stopOvsdb();
    expect(existsSync(testbed.database)).toBe(false);
    await testbed.startOvsdb();
    expect(await testbed.vsctl('list-br')).toBe('xapi0\nxenbr1\n');
  });

  it('replaces the database by an empty one, and configures it anew', async () => {
    await testbed.replaceDatabase();
    expect(await testbed.vsctl('list-br')).toBe('');
    await testbed.configure();
    expect((await testbed.traffic('vm2', { seconds: 1 })).bitsPerSecond).toBeLessThan(11e6);
    expect(await classOf(testbed, '1:367d')).toMatch(/Sent [1-9]/);
  });

  it('unplugs a VIF and plugs it again, under another ofport', async () => {
    const before = await ofportOf(testbed, 'vif2.1');
    await testbed.unplugVif('vif2.1');
    await expect(testbed.inside('hv', ['ip', 'link', 'show', 'vif2.1'])).rejects.toThrow(/does not exist/);
    await testbed.plugVif('vif2.1');
    const after = await ofportOf(testbed, 'vif2.1');
    expect(after).not.toBe(before);
    const flows = await testbed.ofctl('dump-flows', `unix:${testbed.rundir}/xapi0.mgmt`);
    expect(flows).toContain(`arp,in_port=${after},arp_spa=10.0.0.37 `);
    expect(flows).not.toContain(`arp,in_port=${before},`);
    const { bitsPerSecond } = await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 30_000_000 });
    expect(bitsPerSecond).toBeGreaterThan(20e6);
  });

  it('stands beside others, and takes everything with it when it closes', async () => {
    const [one, two] = await Promise.all([startTestbed(), startTestbed()]);
    const inodes = inodesOf(Object.values(one.namespaces));
    try {
      expect(new Set([testbed.rundir, one.rundir, two.rundir]).size).toBe(3);
      expect(inodes.size).toBe(4);
      const traffic = await one.startTraffic('vm2');
      one.nodeInside(['-e', 'setInterval(() => {}, 1000)']);
      // The daemons, both ends of the traffic, and node.
      await eventually(() => (processesIn(inodes).length >= 5 ? true : undefined), 'the processes');
      await one.close();
      await expect(traffic.result).rejects.toThrow();
      // A second time is no fault.
      await one.close();
      expect(processesIn(inodes)).toEqual([]);
      expect(Object.values(one.namespaces).filter((name) => existsSync(`${NETNS}/${name}`))).toEqual([]);
      expect(existsSync(one.rundir)).toBe(false);
      expect((await two.traffic('vm2', { seconds: 1 })).bitsPerSecond).toBeLessThan(11e6);
    } finally {
      await Promise.all([one.close(), two.close()]);
    }
  });

  it('stops traffic without an end', async () => {
    const traffic = await testbed.startTraffic('vm1', { bitsPerSecond: 1_000_000 });
    const inodes = inodesOf([testbed.namespaces.vm1, testbed.namespaces.ext]);
    expect(processesIn(inodes)).toHaveLength(2);
    await traffic.stop();
    expect(processesIn(inodes)).toEqual([]);
    await expect(traffic.result).rejects.toThrow('iperf3 was ended by SIGKILL');
  });
});

describe.skipIf(reason !== undefined)('a testbed whose owner is killed', () => {
  const owners = new Set<ChildProcess>();
  afterEach(() => {
    for (const owner of owners) owner.kill('SIGKILL');
    owners.clear();
  });

  /** A process that starts a testbed with traffic, prints where it is, and waits. */
  function owner(): { child: ChildProcess; started: Promise<Pick<Testbed, 'rundir' | 'namespaces'>> } {
    const script = `
      const { startTestbed } = await import(${JSON.stringify(new URL('../support/testbed.ts', import.meta.url).href)});
      const testbed = await startTestbed();
      await testbed.startTraffic('vm1');
      console.log(JSON.stringify({ rundir: testbed.rundir, namespaces: testbed.namespaces }));
      setInterval(() => {}, 1000);
    `;
    const child: ChildProcess = spawn(process.execPath, [...endWithParent, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    owners.add(child);
    if (child.stdout === null) throw new Error('an owner without an output');
    const started = once(createInterface({ input: child.stdout }), 'line').then(([line]) => JSON.parse(line));
    started.catch(() => {});
    return { child, started };
  }
  const gone = (pid: number | undefined): Promise<true> =>
    eventually(() => (namespacesOf(`et${pid}-`).length === 0 ? true : undefined), 'the end of the namespaces');

  it('is gone soon after it', async () => {
    const { child, started } = owner();
    const { rundir, namespaces } = await started;
    const inodes = inodesOf(Object.values(namespaces));
    expect(processesIn(inodes)).toHaveLength(4);
    child.kill('SIGKILL');
    await gone(child.pid);
    await eventually(() => (existsSync(rundir) ? undefined : true), 'the end of the directory');
    expect(processesIn(inodes)).toEqual([]);
  });

  it('is gone also when that happens while it starts', async () => {
    const { child } = owner();
    // The third namespace is there, the fourth may be on its way.
    const names = await eventually(() => {
      const found = namespacesOf(`et${child.pid}-`);
      return found.length >= 3 ? found : undefined;
    }, 'its namespaces');
    const inodes = inodesOf(names);
    child.kill('SIGKILL');
    await gone(child.pid);
    expect(processesIn(inodes)).toEqual([]);
  });
});

describe.skipIf(reason !== undefined)('the keeper of the namespaces', () => {
  const keeper = new URL('../support/testbed-keeper.sh', import.meta.url).pathname;
  const [ours, others] = [`et${process.pid}-ours`, `et${process.pid}-others`];
  afterEach(() => {
    for (const name of [ours, others]) spawnSync('ip', ['netns', 'delete', name]);
  });

  it('leaves a namespace alone that was there before', () => {
    spawnSync('ip', ['netns', 'add', others]);
    const { status, stderr } = spawnSync('/bin/sh', [keeper, ours, others], { encoding: 'utf8', input: '' });
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/File exists/);
    expect(namespacesOf(`et${process.pid}-o`)).toEqual([others]);
  });

  it('is not ended by the signals of a terminal', async () => {
    const child = spawn('/bin/sh', [keeper, ours], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    try {
      const [directory] = await once(createInterface({ input: child.stdout }), 'line');
      const ignored = Number.parseInt(
        /^SigIgn:\s*(\w+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? '',
        16,
      );
      for (const signal of [1, 2, 15]) expect(ignored & (1 << (signal - 1))).not.toBe(0);
      expect(existsSync(String(directory))).toBe(true);
      child.stdin.end();
      expect((await ended)[0]).toBe(0);
      expect(existsSync(String(directory))).toBe(false);
      expect(namespacesOf(ours)).toEqual([]);
    } finally {
      child.stdin.end();
      await ended;
    }
  });
});
