/** A hypervisor measured through SSH: the same as what is measured on it, whatever happens to it. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Hop } from '../../src/collector.ts';
import { type Cli, cliOn } from '../support/htb-cli.ts';
import { bothConfig, onceOf, silence, sshdOn, type Told, targetOn, withoutIpv6 } from '../support/ssh-testbed.ts';
import { canRunSshd, type Sshd } from '../support/sshd.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason, VIFS } from '../support/testbed.ts';

const reason = testbedReason() ?? (canRunSshd() ? undefined : 'no sshd that can run');

/** Gauges that the reading itself moves: memory and files of the switch, connections of the machine. */
const MOVED =
  /resident_bytes|threads|open_files|memory_objects|^tcp\.curr_estab$|duration_seconds|reply_seconds|\.samples$/;
/** What exists only while, or since, somebody asks. */
const PASSING = /\.memory_objects$|\.coverage_events$/;
/** Each with a series of its own. What is called `boo` would be run by a shell that takes a name for a command. */
const HOSTILE = [
  ...['a;boo', '$(boo)', '`boo`1', '|boo', '&boo&', 'c>boo', 'x\'y"z', '-f', '--help'],
  ...['*', '?2', '[a]', '{a,b}', '$HOME', '~3', '\\4', '#5', "'6"],
];

describe.skipIf(reason !== undefined)(`a hypervisor over SSH${reason === undefined ? '' : ` (${reason})`}`, () => {
  let testbed: Testbed;
  let sshd: Sshd;
  let directory: string;
  let cli: Cli;

  beforeAll(async () => {
    testbed = await startTestbed();
    directory = join(testbed.rundir, 'far');
    mkdirSync(directory);
    writeFileSync(join(directory, 'sudoers'), 'Defaults env_reset\n', { mode: 0o440 });
    writeFileSync(join(directory, 'boo'), `#!/bin/sh\necho "$0" "$@" >>${directory}/canary\n`, { mode: 0o755 });
    await withoutIpv6(testbed);
    sshd = await sshdOn(testbed, [
      `mount --bind ${directory}/sudoers /etc/sudoers`,
      `mount -t tmpfs tmpfs /usr/local/bin && cp ${directory}/boo /usr/local/bin/boo || exit 1`,
    ]);
  });
  afterAll(async () => {
    await sshd?.stop();
    await testbed?.close();
  });
  beforeEach(() => {
    cli = cliOn(testbed);
  });
  afterEach(() => cli?.close());

  const htb = (options = '', targets = 'local, hv02'): string =>
    `{ collector: htb, every: 10s, targets: [${targets}], options: { rundir: ${testbed.rundir}, source: tc, flowsEvery: 1ms${options} } }`;
  const ovs = (options = '', targets = 'local, hv02'): string =>
    `{ collector: ovs, every: 10s, targets: [${targets}], options: { rundir: ${testbed.rundir}${options} } }`;
  const config = (jobs: readonly string[], target = targetOn(sshd)): string => cli.file(bothConfig(target, jobs));

  it('tells how near its ceiling a VIF is', async () => {
    const file = config([htb()]);
    const traffic = await testbed.startTraffic('vm2');
    try {
      // Who waits for a processor for a tenth of a second between two readings is wrong by 5 % of 2 s.
      const [near, far] = await eventually(
        async () => {
          const told = await onceOf(cli, file, '--interval', '2s');
          const at = (target: string): number =>
            told(target).get('htb.eth1.vif3_1.utilisation_ratio')?.value ?? Number.NaN;
          const agree = Math.abs(at('hv01') - at('hv02')) < 0.05 && at('hv01') > 0.8;
          return agree ? [at('hv01'), at('hv02')] : undefined;
        },
        'two machines that are one to agree',
        45_000,
      );
      for (const ratio of [near, far]) {
        expect(ratio).toBeGreaterThan(0.8);
        expect(ratio).toBeLessThan(1.1);
      }
    } finally {
      await traffic.stop();
    }
  }, 60_000);

  it('sends the same series with the same numbers', async () => {
    const processes = ['ovs-vswitchd', 'ovsdb-server'].map(
      (name) => `{ name: ${name}, pidFile: ${testbed.rundir}/${name}.pid }`,
    );
    const jobs = (target: string): string[] => [
      htb('', target),
      ovs(
        ', coverage: [all], ports: true, tables: true, flows: [{ name: limited, match: "ip,nw_src=10.0.0.38" }]',
        target,
      ),
      `{ collector: tcp, every: 10s, targets: [${target}], options: { all: true, snmp6: true, namespaces: [${testbed.namespaces.vm2}] } }`,
      `{ collector: link, every: 10s, targets: [${target}], options: { exclude: [] } }`,
      `{ collector: process, every: 10s, targets: [${target}], options: { processes: [${processes}] } }`,
    ];
    await silence(testbed);
    const here = config(jobs('local'));
    const before = (await onceOf(cli, here))('hv01');
    const far = (await onceOf(cli, config(jobs('hv02'))))('hv02');
    const after = (await onceOf(cli, here))('hv01');

    const lasting = (all: Map<string, Told>): [string, string][] =>
      [...all]
        .filter(([series]) => !PASSING.test(series))
        .map(([series, { kind, what }]) => [series, `${kind} ${what}`]);
    expect(lasting(far)).toEqual(lasting(after));
    expect(lasting(far)).toEqual(lasting(before));
    const wrong: unknown[] = [];
    for (const [series, { kind, value }] of far) {
      const [low, high] = [before.get(series)?.value ?? 0, after.get(series)?.value ?? 0];
      const isSound =
        kind === 'counter' ? low <= value && value <= high : MOVED.test(series) || (value - low) * (high - value) >= 0;
      if (!isSound) wrong.push({ series, kind, low, value, high });
    }
    expect(wrong).toEqual([]);
    // Most did not move: these were compared exactly.
    const still = [...far].filter(([series]) => before.get(series)?.value === after.get(series)?.value);
    const exact = new Set(still.map(([series]) => series));
    for (const series of [
      'htb.eth1.vif3_1.sent_bytes',
      'htb.eth1.vif3_1.overlimits',
      'htb.eth1.vif2_1.tokens_seconds',
      'htb.eth1.vif2_1.ceil_bits_per_second',
      'ovs.xapi0.vif3_1.rx_bytes',
      'ovs.xapi0.vif3_1.openflow_rx_bytes',
      'ovs.xapi0.limited.matched_bytes',
      'ovs.xapi0.0.table_matched',
      'link.eth1.tx_bytes',
      'link.vif3_1.link_up',
      `tcp.${testbed.namespaces.vm2}.out_segs`,
      'process.ovs-vswitchd.running',
    ])
      expect(exact).toContain(series);
    expect(exact.size).toBeGreaterThan(0.7 * far.size);
    for (const series of ['htb.eth1.vif3_1.sent_bytes', 'ovs.xapi0.limited.matched_bytes', 'link.vif3_1.rx_bytes'])
      expect(far.get(series)?.value, series).toBeGreaterThan(1_000_000);
  });

  it('names classes the same by Neutron’s port and by IP', async () => {
    const vif = VIFS['vif3.1'];
    const names = { port: vif.port, ip: '10_0_0_38' };
    const ofHtb = (all: Map<string, Told>): [string, Told][] =>
      [...all].filter(([series]) => series.startsWith('htb.'));
    await Promise.all(
      Object.entries(names).map(async ([name, called]) => {
        const told = await onceOf(cli, config([htb(`, name: ${name}`)]));
        expect(told('hv02').get(`htb.eth1.${called}.ceil_bits_per_second`)?.value).toBe(10_000_000);
        expect(ofHtb(told('hv02'))).toEqual(ofHtb(told('hv01')));
      }),
    );
  });

  it('explains an address with the same chain and facts', async () => {
    const file = config([htb()]);
    const trace = async (target: string): Promise<{ collector: string; subject: string; chains: Hop[][] }> => {
      const { stdout, stderr, code } = await cli.run([
        'trace',
        '--json',
        '10.0.0.38',
        '--target',
        target,
        '--config',
        file,
      ]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const [{ target: asked, ...told } = {}, ...others] = JSON.parse(stdout, (key, value) =>
        key === 'now' ? 'now' : value,
      );
      expect([asked, others]).toEqual([target === 'local' ? 'hv01' : 'hv02', []]);
      return told;
    };
    const [near, far] = await Promise.all([trace('local'), trace('hv02')]);
    expect(far).toEqual(near);
    expect(far.chains.map((chain) => chain.map(({ identity }) => identity))).toEqual([
      ['vif3.1', 'xapi0 → xenbr1', 'xapi0 table 0, priority 100', '13948', expect.anything(), 'eth1', 'eth1 1:367d'],
    ]);
    const refused = config([htb()], targetOn({ ...sshd, port: 1 }));
    const nobody = await cli.run(['trace', '10.0.0.38', '--target', 'hv02', '--config', refused]);
    expect(nobody.code).toBe(1);
    expect(nobody.stdout).toMatch(
      /^hv02 \(htb\): E_CONNECT: ssh root@127.0.0.1:1 refuses the connection; is sshd running there/m,
    );
  });

  it('tells a user without rights what each collector misses, and is content when he has it', async () => {
    const file = config([htb('', 'hv02'), ovs('', 'hv02')], targetOn(sshd, 'edge', ', sudo: [ovs-ofctl]'));
    const check = () => cli.run(['check', '--config', file]);
    const classes = async (): Promise<string[]> => {
      const { stdout, code } = await cli.run(['once', '--job', 'htb', '--config', file]);
      expect(code).toBe(0);
      return [...stdout.matchAll(/^edge\.hv02\.htb\.(\S+)\.ceil_bits_per_second [1-9]/gm)].map(([, name = '']) => name);
    };
    // The directory is open, as /run/openvswitch is; the sockets are root's.
    chmodSync(testbed.rundir, 0o755);
    const [before, byId] = await Promise.all([check(), classes()]);
    expect(before.code).toBe(1);
    expect(byId).toEqual(['eth1.1_367c', 'eth1.1_367d', 'eth1.default_1_1', 'eth1.inner_1_fffe']);
    const [, line = ''] =
      /^fail target hv02: sudo does not run ovs-ofctl; add this line to \S+ there: (.*)$/m.exec(before.stdout) ?? [];
    expect(line).toBe('edge ALL=(root) NOPASSWD: /usr/bin/ovs-ofctl');
    const denied = (path: string): string =>
      `E_DENIED: socket "${path}" may not be used by this user: it is srwxr-x--- of "root" and group "root"; let its group write to it, and add edge to that group`;
    const sockets = readdirSync(testbed.rundir)
      .filter((name) => /^(?:db\.sock|ovs.*\.ctl)$/.test(name))
      .map((name) => join(testbed.rundir, name));
    expect(sockets).toHaveLength(3);
    const said = before.stdout.split('\n');
    const starts = (start: string): boolean => said.some((one) => one.startsWith(start));
    expect(starts(`fail job htb@hv02: database: ${denied(testbed.database)}`)).toBe(true);
    for (const path of sockets)
      expect(starts(`${path.includes('ovsdb-server') ? 'warn' : 'fail'} job ovs@hv02: ${denied(path)}`), path).toBe(
        true,
      );
    expect(
      said.find((one) => one.startsWith('warn job ovs@hv02: E_DENIED: sudo does not let edge run "ovs-ofctl"')),
    ).toContain(line);

    // Done as told.
    const group = statSync(sshd.home('edge')).gid;
    for (const path of sockets) {
      chownSync(path, 0, group);
      chmodSync(path, 0o770);
    }
    writeFileSync(join(directory, 'sudoers'), `Defaults env_reset\n${line}\n`);
    const [after, byName] = await Promise.all([check(), classes()]);
    expect(after.stdout.split('\n').filter((one) => /^(?:fail|warn)/.test(one))).toEqual([]);
    expect(after.code).toBe(0);
    expect(byName).toEqual(['eth1.default_1_1', 'eth1.inner_1_fffe', 'eth1.vif2_1', 'eth1.vif3_1']);
  });

  it('reads devices and bridges with names that are commands, and runs none of them', async () => {
    const { inside, tc, vsctl, namespaces } = testbed;
    const login = ['-i', sshd.keyFile, '-p', String(sshd.port), '-o', `UserKnownHostsFile=${sshd.knownHostsFile}`];
    const canary = join(directory, 'canary');
    await inside('hv', ['ssh', '-F', 'none', '-o', 'BatchMode=yes', ...login, 'root@127.0.0.1', 'echo x;boo']);
    expect(existsSync(canary)).toBe(true);
    rmSync(canary);

    const bridges = ['b;boo', '$(boo)b'];
    for (const [index, name] of HOSTILE.entries()) {
      await inside('hv', [
        'ip',
        'link',
        'add',
        'dev',
        name,
        'type',
        'veth',
        'peer',
        'name',
        `far${index}`,
        'netns',
        namespaces.ext,
      ]);
      await tc('qdisc', 'add', 'dev', name, 'root', 'handle', '1:', 'htb', 'default', '10');
      await tc('class', 'add', 'dev', name, 'parent', '1:', 'classid', '1:10', 'htb', 'rate', `${index + 1}mbit`);
    }
    for (const name of bridges)
      await vsctl('--may-exist', 'add-br', name, '--', 'set', 'Bridge', name, 'datapath_type=netdev');
    const told = await onceOf(
      cli,
      config([
        htb(),
        ovs(', ports: true'),
        '{ collector: link, every: 10s, targets: [local, hv02], options: { exclude: [] } }',
      ]),
    );
    const series = (target: string): Told[] =>
      [...told(target)]
        .filter(([name]) => /^(?:htb|link|ovs)\..*(?:ceil_bits_per_second|\.link_up|\.mtu_bytes|\.flows)$/.test(name))
        .map(([, one]) => one);
    expect(series('hv02')).toEqual(series('hv01'));
    for (const [index, name] of HOSTILE.entries()) {
      const ceil = series('hv02').find(
        ({ what }) => what.includes('"ceil_bits_per_second"') && what.includes(`"device":${JSON.stringify(name)}`),
      );
      expect(ceil?.value, name).toBe((index + 1) * 1_000_000);
    }
    for (const name of bridges)
      expect(
        series('hv02').some(
          ({ what }) => what.includes(`"flows"`) && what.includes(`"bridge":${JSON.stringify(name)}`),
        ),
        name,
      ).toBe(true);
    expect(existsSync(canary)).toBe(false);
  });
});
