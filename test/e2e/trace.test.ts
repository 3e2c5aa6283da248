/** `edgestatd trace` as an operator runs it on a hypervisor. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Hop } from '../../src/collector.ts';
import { type Cli, cliOn, type Ended, htbConfig } from '../support/htb-cli.ts';
import { addFilters, withStopped } from '../support/htb-scenes.ts';
import { startTestbed, type Testbed, testbedReason, VIFS } from '../support/testbed.ts';

const reason = testbedReason();
const vif = VIFS['vif3.1'];

interface Told {
  readonly target: string;
  readonly collector: string;
  readonly subject?: string;
  readonly chains: readonly (readonly Hop[])[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

/** How much of its ceiling the class used, in percent. */
function shareIn(stdout: string): number {
  const [, share] = /now: .* over \d\.\d\d s, ([\d.]+) % of the ceiling, \d+ dropped, \d+ borrowed/.exec(stdout) ?? [];
  return Number(share ?? Number.NaN);
}

describe.skipIf(reason !== undefined)(`trace${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  let cli: Cli;
  let file: string;
  beforeAll(async () => {
    testbed = await startTestbed();
    cli = cliOn(testbed);
    file = cli.file(htbConfig(testbed, { options: `database: ${testbed.database}` }));
  });
  afterAll(async () => {
    cli?.close();
    await testbed?.close();
  });

  const trace = (...words: string[]): Promise<Ended> => cli.run(['trace', '--config', file, ...words]);
  const traceJson = async (what: string): Promise<Told & { code: number | null }> => {
    const { stdout, stderr, code } = await trace('--json', what);
    expect(stderr).toBe('');
    const [told, ...others] = JSON.parse(stdout) as Told[];
    expect(others).toEqual([]);
    if (told === undefined) throw new Error('no target was asked');
    return { ...told, code };
  };
  const kinds = (chain: readonly Hop[] | undefined): string[] => (chain ?? []).map(({ kind }) => kind);
  const WHOLE = ['interface', 'bridge', 'flow', 'queue', 'qos', 'device', 'class'];

  it('shows the whole chain of an address, and how near its ceiling it is now', async () => {
    const traffic = await testbed.startTraffic('vm2');
    try {
      let told = await trace(vif.address);
      // What a class does within one second, the other one of a busy machine may take from it.
      for (let tries = 0; tries < 5 && !(Math.abs(shareIn(told.stdout) - 100) < 10); tries++)
        told = await trace(vif.address);
      const { stdout, stderr, code } = told;
      expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
      const heads = [...stdout.matchAll(/^ {2}(\w+) +(.+)$/gm)].map(([, kind, identity]) => [kind, identity]);
      const row = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
      expect(heads).toEqual([
        ['interface', 'vif3.1'],
        ['bridge', 'xapi0 → xenbr1'],
        ['flow', 'xapi0 table 0, priority 100'],
        ['queue', '13948'],
        ['qos', row],
        ['device', 'eth1'],
        ['class', 'eth1 1:367d'],
      ]);
      for (const fact of [
        `mac: ${vif.mac}`,
        `ip: ${vif.address}`,
        `neutron port: ${vif.port}`,
        `vm: ${vif.vm}`,
        'patch ports: up → down',
        'match: ip,nw_src=10.0.0.38',
        'max rate: 10000000 bit/s (10 Mbit/s)',
        'rate: 1000000 bit/s (1 Mbit/s)',
        'ceiling: 10000000 bit/s (10 Mbit/s)',
        'drift: none',
        'series: htb.eth1.vif3_1',
      ])
        expect(stdout).toContain(`${fact}\n`);
      expect(shareIn(stdout)).toBeGreaterThan(90);
      expect(shareIn(stdout)).toBeLessThan(110);
      expect(stdout).not.toContain('BROKEN');
      // Each command that it names does show what it says.
      const commands = [...stdout.matchAll(/^ +\$ (.+)$/gm)].map(([, command = '']) => command);
      expect(commands).toHaveLength(heads.length);
      for (const command of commands) {
        const shown = await testbed.inside(
          'hv',
          ['sh', '-c', command.replace(/ (xapi0|xenbr1) /, ` unix:${testbed.rundir}/$1.mgmt `)],
          {
            env: { OVS_RUNDIR: testbed.rundir },
          },
        );
        expect(shown.length, command).toBeGreaterThan(20);
      }
    } finally {
      await traffic.stop();
    }
  });

  it('knows it by whatever an operator has in hand', async () => {
    const ownRow = (await testbed.vsctl('get', 'Interface', 'vif3.1', '_uuid')).trim();
    const words: [what: string, subject: string][] = [
      ['vif3.1', 'vif vif3.1'],
      [vif.mac.toUpperCase(), `mac ${vif.mac}`],
      [vif.vm, `vm ${vif.vm}`],
      [vif.port, 'vif vif3.1'],
      [ownRow, 'vif vif3.1'],
      ['13948', 'queue 13948'],
      ['1:367D', 'class 1:367d'],
      ['eth1/1:367d', 'class 1:367d'],
    ];
    await Promise.all(
      words.map(async ([what, subject]) => {
        const { code, chains, problems, ...told } = await traceJson(what);
        expect({ what, code, problems, subject: told.subject }).toEqual({ what, code: 0, problems: [], subject });
        expect(told).toMatchObject({ target: 'hv01', collector: 'htb' });
        expect(chains.map(kinds), what).toEqual([WHOLE]);
        expect(chains[0]?.at(0)?.identity).toBe('vif3.1');
        expect(chains[0]?.at(-1)?.identity).toBe('eth1 1:367d');
      }),
    );
  });

  it('shows a device’s classes, the busiest first', async () => {
    const traffic = await testbed.startTraffic('vm1', { bitsPerSecond: 30_000_000 });
    try {
      const { code, chains, subject } = await traceJson('eth1');
      expect({ code, subject }).toEqual({ code: 0, subject: 'device eth1' });
      expect(kinds(chains[0])).toEqual(['qos', 'device', 'class', 'class', 'class', 'class']);
      const classes = chains[0]?.slice(2).map(({ identity }) => identity);
      // What the inner class sends is what the VIF sends, and a little more.
      expect(classes?.slice(0, 2).sort()).toEqual(['eth1 1:367c', 'eth1 1:fffe']);
    } finally {
      await traffic.stop();
    }
  });

  it('says that it knows nothing of what nobody knows', async () => {
    const [address, words, target, none] = await Promise.all([
      trace('10.0.0.99'),
      trace('no such thing'),
      trace('--target', 'hv02', '10.0.0.38'),
      cli.run(['trace', '--config', file]),
    ]);
    expect(address).toMatchObject({ code: 1, stdout: 'hv01 (htb): ip 10.0.0.99: nothing is known of it here\n' });
    expect(words.code).toBe(1);
    expect(words.stdout).toMatch(/^"no such thing": no target knows it; expected an IP, MAC, VIF, device, class/);
    expect(target).toMatchObject({ code: 2, stdout: '' });
    expect(target.stderr).toMatch(/--target hv02: no target has this name; expected one of local/);
    expect(none.code).toBe(2);
  });

  it('says where a chain is broken: no flow, no queue, no class', async () => {
    const mgmt = `unix:${testbed.rundir}/xapi0.mgmt`;
    const broken = ({ chains }: Told): (readonly [kind: string, broken: string | undefined])[] =>
      chains.flatMap((chain) =>
        chain.flatMap((hop) => (hop.broken === undefined ? [] : [[hop.kind, hop.broken] as const])),
      );
    const qos = (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).trim();

    // The rule against spoofing still says which VIF it is.
    await testbed.ofctl('del-flows', mgmt, 'ip,nw_src=10.0.0.37');
    const byVif = await traceJson('vif2.1');
    expect(byVif.code).toBe(1);
    expect(broken(byVif)).toEqual([
      ['flow', 'no flow puts its packets into a queue: on eth1 they go to queue 0, class 1:1'],
    ]);
    const { stdout } = await trace('vif2.1');
    expect(stdout).toContain('BROKEN HERE: no flow puts its packets into a queue');
    const byQueue = await traceJson('13947');
    expect(byQueue.code).toBe(1);
    expect(broken(byQueue)).toEqual([
      ['flow', 'no flow puts packets into queue 13947: nothing uses it, or only a flow on another switch'],
    ]);
    expect(byQueue.chains[0]?.at(-1)?.identity).toBe('eth1 1:367c');
    await testbed.addFlows();

    await testbed.tc('filter', 'del', 'dev', 'eth1', 'parent', '1:');
    const rows = await testbed.vsctl('get', 'QoS', qos, 'queues');
    const row = /13947=([0-9a-f-]+)/.exec(rows)?.[1] ?? '';
    await testbed.vsctl('remove', 'QoS', qos, 'queues', '13947');
    const noQueue = await traceJson('10.0.0.37');
    expect(noQueue.code).toBe(1);
    expect(broken(noQueue)).toEqual([
      ['queue', 'the QoS of eth1 has no queue 13947: its packets go to queue 0'],
      ['class', 'the kernel has no class 1:367c on eth1'],
    ]);
    await testbed.vsctl('set', 'QoS', qos, `queues:13947=${row}`);

    await testbed.tc('qdisc', 'del', 'dev', 'eth1', 'root');
    const noClass = await traceJson('10.0.0.38');
    expect(noClass.code).toBe(1);
    expect(broken(noClass)).toEqual([['class', 'eth1 has no HTB tree']]);
    // Open vSwitch makes the tree when it is told to anew.
    await testbed.vsctl('clear', 'Port', 'eth1', 'qos');
    await testbed.vsctl('set', 'Port', 'eth1', `qos=${qos}`);
    await addFilters(testbed);
    expect((await traceJson('10.0.0.37')).code).toBe(0);
  });

  it('says what it could not ask, and shows what it could', async () => {
    await testbed.stopOvsdb();
    try {
      const [address, id] = await Promise.all([trace('10.0.0.38'), traceJson('1:367d')]);
      expect(address.code).toBe(1);
      expect(address.stdout).toMatch(/E_NOT_FOUND: socket ".*db\.sock" does not exist/);
      expect(id.chains.map(kinds)).toEqual([['class']]);
      expect(id.problems.map(({ code }) => code)).toEqual(['E_NOT_FOUND']);
    } finally {
      await testbed.startOvsdb();
    }
  });

  it('explains a device that the job leaves out', async () => {
    const only = cli.file(htbConfig(testbed, { options: `database: ${testbed.database}, devices: [eth9]` }));
    const { stdout, code } = await cli.run(['trace', '--config', only, vif.address]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}class +eth1 1:367d$/m);
    expect(stdout).not.toContain('series:');
  });

  it('knows a machine by its IPv4 and by its IPv6 address', async () => {
    const mgmt = `unix:${testbed.rundir}/xapi0.mgmt`;
    const local = 'fe80::f816:3eff:fe00:38';
    const port = (await testbed.vsctl('get', 'Interface', 'vif3.1', 'ofport')).trim();
    await testbed.ofctl('del-flows', mgmt, 'ip,nw_src=10.0.0.38');
    const spoofing = `priority=90,icmp6,in_port=${port},icmp_type=136,nd_target=${local},actions=normal`;
    try {
      await testbed.ofctl('add-flow', mgmt, spoofing);
      await testbed.ofctl('add-flow', mgmt, `priority=100,in_port=${port},actions=set_queue:13948,normal`);
      for (const what of [vif.address, local]) {
        const { code, chains } = await traceJson(what);
        expect({ what, code, chains: chains.map(kinds) }).toEqual({ what, code: 0, chains: [WHOLE] });
        expect(chains[0]?.at(-1)?.identity).toBe('eth1 1:367d');
      }
    } finally {
      await testbed.ofctl('del-flows', mgmt);
      await testbed.addFlows();
    }
  });

  it('shows both of a VIF that has a tree of its own: where its packets go, and its classes', async () => {
    await testbed.tc('qdisc', 'add', 'dev', 'vif3.1', 'root', 'handle', '1:', 'htb', 'default', '1');
    try {
      await testbed.tc('class', 'add', 'dev', 'vif3.1', 'parent', '1:', 'classid', '1:1', 'htb', 'rate', '100mbit');
      const { code, chains } = await traceJson('vif3.1');
      expect({ code, chains: chains.map(kinds) }).toEqual({ code: 0, chains: [WHOLE, ['class']] });
      expect(chains.map((chain) => chain.at(-1)?.identity)).toEqual(['eth1 1:367d', 'vif3.1 1:1']);
    } finally {
      await testbed.tc('qdisc', 'del', 'dev', 'vif3.1', 'root');
    }
  });

  it('shows what it knows while vswitchd hangs', async () => {
    const [id, address] = await withStopped(testbed, 'ovs-vswitchd', () =>
      Promise.all([traceJson('13948'), traceJson('vif2.1')]),
    );
    // Its row names its port.
    expect(id.chains.map(kinds)).toEqual([['interface', 'bridge', 'queue', 'qos', 'device', 'class']]);
    const notRead = expect.stringMatching(/^not read: .*no answer within/);
    expect(address.chains).toMatchObject([[{ identity: 'vif2.1' }, { kind: 'flow', broken: notRead }]]);
    for (const { problems } of [id, address])
      expect(problems).toEqual([
        { code: 'E_TIMEOUT', message: expect.stringMatching(/^the flows of "\w+", "\w+" are not known: /) },
      ]);
  });

  it('prints nothing that drives a terminal, whatever the database holds', async () => {
    const evil = 'a\u001b[31m\nhv01 (htb): forged\u202e';
    await testbed.vsctl('set', 'Interface', 'vif2.1', `external_ids:xs-network-uuid=${JSON.stringify(evil)}`);
    const { stdout } = await trace('vif2.1');
    expect(stdout).toMatch(/network: a/);
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f\u202e]/);
    expect(stdout.split('\n').filter((line) => line.startsWith('hv01 (htb): forged'))).toEqual([]);
  });
});
