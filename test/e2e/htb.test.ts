/** The htb collector by the daemon as a process on a hypervisor: over netlink, as another user, without tc. */
import { chmodSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asUser, type Cli, cliOn, htbConfig, withEmpty } from '../support/htb-cli.ts';
import { kernelClasses } from '../support/htb-kernel.ts';
import { addFilters, plainDevice } from '../support/htb-scenes.ts';
import { eventually } from '../support/statsd.ts';
import { startTestbed, type Testbed, testbedReason } from '../support/testbed.ts';

const reason = testbedReason();
const NOBODY = 65_534;

interface Sent {
  readonly series: string;
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

let testbed: Testbed;
let cli: Cli;

const once = async (options: string): Promise<Sent[]> => {
  const { stdout, stderr, code } = await cli.run([
    'once',
    '--format',
    'json',
    '--config',
    cli.file(htbConfig(testbed, { options })),
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return (JSON.parse(stdout) as Sent[]).filter(({ series }) => series.startsWith('edge.hv01.htb.'));
};

describe.skipIf(reason !== undefined)(`htb by the daemon${reason === undefined ? '' : ` (${reason})`}`, () => {
  beforeAll(async () => {
    testbed = await startTestbed();
  });
  afterAll(() => testbed?.close());
  beforeEach(() => {
    cli = cliOn(testbed);
  });
  afterEach(() => cli?.close());

  it('reads the same over netlink as by tc, and exactly what tc counts', async () => {
    // Rates that tc rounds, a minimum that is not reached, a device without Open vSwitch.
    const qos = (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).trim();
    await testbed.vsctl(
      ...['set', 'QoS', qos, 'queues:1=@a', 'queues:2=@b', '--', '--id=@a', 'create', 'Queue'],
      ...['other-config:max-rate=1234567890', 'other-config:min-rate=7654321', '--', '--id=@b', 'create', 'Queue'],
      ...['other-config:max-rate=999999999', 'other-config:min-rate=1'],
    );
    await plainDevice(testbed, 'plain0');
    await testbed.traffic('vm1', { seconds: 1, bitsPerSecond: 30_000_000 });
    try {
      const { netlink, tc, kernel } = await eventually(async () => {
        const kernel = await kernelClasses(testbed);
        const [netlink, tc] = await Promise.all([once('source: netlink'), once('source: tc')]);
        return JSON.stringify([...kernel]) === JSON.stringify([...(await kernelClasses(testbed))])
          ? { netlink, tc, kernel }
          : undefined;
      }, 'a moment of silence');
      const rounded = /^(?:rate|ceil)_bits_per_second$/;
      const exact = (all: readonly Sent[]) => all.filter(({ metric }) => !rounded.test(metric));
      expect(exact(netlink)).toEqual(exact(tc));
      expect(netlink.map(({ series }) => series)).toEqual(tc.map(({ series }) => series));
      for (const [index, { series, metric, value }] of netlink.entries()) {
        if (!rounded.test(metric)) continue;
        const said = tc[index]?.value ?? Number.NaN;
        expect(said, series).toBeLessThanOrEqual(value);
        expect(said, series).toBeGreaterThan(value * 0.999);
      }
      const at = (series: string): number | undefined =>
        netlink.find((one) => one.series === `edge.hv01.htb.${series}`)?.value;
      expect(at('eth1.1_2.ceil_bits_per_second')).toBe(Math.floor(1_234_567_890 / 8) * 8);
      expect(at('eth1.1_2.rate_bits_per_second')).toBe(Math.floor(7_654_321 / 8) * 8);
      expect(at('eth1.1_3.raised_to_mtu.drift')).toBe(0);
      expect(at('eth1.drifted_queues')).toBe(0);
      expect(at('eth1.vif2_1.sent_bytes')).toBeGreaterThan(3_000_000);
      expect(at('plain0.classes')).toBe(3);
      for (const { labels, metric, value } of netlink) {
        const count = kernel.get(`${labels.device} ${labels.class}`)?.[metric];
        if (count !== undefined) expect(value, `${metric} of ${labels.name}`).toBe(count);
      }
      expect(kernel.size).toBe(9);
    } finally {
      await testbed.inside('hv', ['ip', 'link', 'delete', 'plain0']);
      await testbed.vsctl('remove', 'QoS', qos, 'queues', '1', '2');
    }
  });

  it('sends what was sent, from netlink to datagrams: no spike, no loss, no gauge for ever', async () => {
    const udp = await cli.listen();
    const sink = `{ type: statsd, port: ${udp.port}, maxBytes: 512 }`;
    const options = 'source: netlink, flowsEvery: 1s';
    const { child, lines } = cli.start(cli.file(htbConfig(testbed, { sink, options })));
    const sent = (series: string): number[] =>
      udp.datagrams
        .flatMap((datagram) => datagram.split('\n'))
        .filter((line) => line.startsWith(`edge.hv01.htb.${series}:`))
        .map((line) => Number(line.slice(line.indexOf(':') + 1, line.indexOf('|'))));
    const until = (holds: () => boolean, what: string): Promise<true> =>
      eventually(() => (holds() ? true : undefined), `${what}; the daemon said ${lines.join('\n')}`);
    const runs = (): number => sent('eth1.classes').length;
    const later = async (count: number): Promise<void> => {
      const from = runs();
      await until(() => runs() >= from + count, `${count} runs more`);
    };
    const sum = (series: string): number => sent(series).reduce((all, value) => all + value, 0);
    const total = async (): Promise<number> =>
      (await kernelClasses(testbed)).get('eth1 1:367d')?.sent_bytes ?? Number.NaN;
    await until(() => runs() >= 1, 'the first run');
    await plainDevice(testbed, 'plain0');
    const before = await total();
    const traffic = await testbed.startTraffic('vm2');
    try {
      await later(4);
      // On a busy machine the sender, or the switch, may have had no turn for a part of that time.
      for (let more = 8; more > 0 && Math.max(...sent('eth1.vif3_1.utilisation_ratio')) <= 0.9; more--) await later(1);
    } finally {
      await traffic.stop();
    }
    const utilisation = sent('eth1.vif3_1.utilisation_ratio');
    expect(Math.max(...utilisation)).toBeGreaterThan(0.9);
    expect(Math.max(...utilisation)).toBeLessThan(1.1);
    // What waited when it was stopped is still sent.
    const after = await eventually(async () => {
      const now = await total();
      await later(1);
      return now === (await total()) ? now : undefined;
    }, 'the end of the traffic');
    await later(1);
    expect(sum('eth1.vif3_1.sent_bytes')).toBe(after - before);

    // The tree is made anew, and a device goes.
    const qos = (await testbed.vsctl('get', 'Port', 'eth1', 'qos')).trim();
    await testbed.vsctl('clear', 'Port', 'eth1', 'qos');
    await testbed.vsctl('set', 'Port', 'eth1', `qos=${qos}`);
    await addFilters(testbed);
    await testbed.inside('hv', ['ip', 'link', 'delete', 'plain0']);
    await later(2);
    expect(sum('eth1.vif3_1.sent_bytes')).toBeLessThan(after - before + 10_000);
    expect(sent('plain0.classes').at(-1)).toBe(0);
    expect(sent('plain0.classes').filter((value) => value === 0)).toHaveLength(1);
    child.kill('SIGTERM');
    const code = await eventually(() => child.exitCode ?? undefined, 'the end of the daemon');
    expect(code).toBe(0);
    expect(lines.filter((line) => /"level":"(?:warn|error|fatal)"/.test(line))).toEqual([]);
    for (const datagram of udp.datagrams) {
      expect(Buffer.byteLength(datagram)).toBeLessThanOrEqual(512);
      for (const line of datagram.split('\n'))
        expect(line).toMatch(/^edge\.hv01\.[A-Za-z0-9_.-]+:-?[0-9.]+(?:e-\d+)?\|(?:g|c|ms)$/);
    }
  });

  it('tells of a database that it may not use, and reads the classes all the same', async () => {
    const file = cli.file(htbConfig(testbed));
    // The directory is open, as /run/openvswitch is; the socket is for its group alone.
    chmodSync(testbed.rundir, 0o755);
    const [run, check] = await Promise.all([
      cli.run(['once', '--config', file], { through: asUser(NOBODY) }),
      cli.run(['check', '--config', file], { through: asUser(NOBODY) }),
    ]);
    expect(run.code).toBe(0);
    expect(run.stderr).toMatch(/^htb@local: E_DENIED: .*db\.sock" may not be used by this user/);
    expect(run.stdout).toContain('edge.hv01.htb.eth1.1_367d.ceil_bits_per_second 10000000 gauge bits per second\n');
    expect(run.stdout).not.toMatch(/drift|unused_classes/);
    expect(check.code).toBe(1);
    const denied = /^fail job htb@local: database: E_DENIED: socket ".*db\.sock" may not be used by this user; (.*)$/m;
    expect(denied.exec(check.stdout)?.[1]).toMatch(/"root".* mode 7[0-5]0: run as that user, or as root$/);
    expect(check.stdout).toMatch(/^ok {3}job htb@local: netlink: 4 classes on 1 device$/m);
    // Now the group may.
    chmodSync(testbed.database, 0o770);
    const asMember = cli.run(['check', '--config', file], { through: asUser(NOBODY) });
    expect(denied.exec((await asMember).stdout)?.[1]).toMatch(/: add this user to the group "root"$/);
    // The bridges' own sockets are others: what they would say of the queues is missing, and no more.
    chmodSync(testbed.database, 0o777);
    const partly = await cli.run(['once', '--config', file], { through: asUser(NOBODY) });
    expect(partly.code).toBe(0);
    const told = partly.stderr.trimEnd().split('\n').sort();
    const closed = (bridge: string): RegExp =>
      new RegExp(
        `^htb@local: E_DENIED: who uses the queues behind bridge "${bridge}": .* may not be used by this user$`,
      );
    expect(told).toEqual([expect.stringMatching(closed('xapi0')), expect.stringMatching(closed('xenbr1'))]);
    expect(partly.stdout).toContain('edge.hv01.htb.eth1.vif3_1.none.drift 0 gauge boolean\n');
    expect(partly.stdout).toContain('edge.hv01.htb.eth1.1_367c.none.drift 0 gauge boolean\n');
    expect(partly.stdout).not.toContain('unused_classes');
    chmodSync(testbed.rundir, 0o700);
    const shut = await cli.run(['once', '--config', file], { through: asUser(NOBODY) });
    expect(shut.code).toBe(0);
    expect(shut.stderr).toMatch(/^htb@local: E_DENIED: /);
  });

  it('fails by the source tc where there is none, with what to do, and does not need it over netlink', async () => {
    const tc = (await testbed.inside('hv', ['sh', '-c', 'realpath $(command -v tc)'])).trim();
    const through = withEmpty(dirname(tc));
    const [byTc, check, auto] = await Promise.all([
      cli.run(['once', '--config', cli.file(htbConfig(testbed, { options: 'source: tc' }))], { through }),
      cli.run(['check', '--config', cli.file(htbConfig(testbed, { options: 'source: tc' }))], { through }),
      cli.run(['once', '--config', cli.file(htbConfig(testbed))], { through }),
    ]);
    expect(byTc.code).toBe(1);
    expect(byTc.stderr).toMatch(/^htb@local: E_NOT_FOUND: program "tc" was not found in PATH/);
    expect(byTc.stdout).toContain('edge.hv01.edgestatd.htb.up 0 gauge boolean\n');
    expect(check.code).toBe(1);
    expect(check.stdout).toMatch(/^fail job htb@local: tc: E_NOT_FOUND: .*install iproute2$/m);
    expect(auto).toMatchObject({ code: 0, stderr: '' });
    expect(auto.stdout).toContain('edge.hv01.htb.eth1.vif3_1.ceil_bits_per_second 10000000 gauge');
  });

  it('takes tc where koffi does not load, and says so when netlink is asked for', async () => {
    const hook = join(dirname(cli.file('')), 'without-koffi.mjs');
    const source = `import { registerHooks } from 'node:module';
      registerHooks({ resolve(name, context, next) { if (name === 'koffi') throw new Error('no koffi here'); return next(name, context); } });`;
    writeFileSync(hook, source, { mode: 0o644 });
    const env = { NODE_OPTIONS: `--import=${hook}` };
    const [auto, netlink, check] = await Promise.all([
      cli.run(['once', '--config', cli.file(htbConfig(testbed))], { env }),
      cli.run(['once', '--config', cli.file(htbConfig(testbed, { options: 'source: netlink' }))], { env }),
      cli.run(['check', '--config', cli.file(htbConfig(testbed))], { env }),
    ]);
    expect(auto).toMatchObject({ code: 0, stderr: '' });
    expect(auto.stdout).toContain('edge.hv01.htb.eth1.vif3_1.ceil_bits_per_second 10000000 gauge');
    expect(netlink.code).toBe(1);
    expect(netlink.stderr).toMatch(/^htb@local: E_NOT_FOUND: .*koffi/);
    expect(check.code).toBe(0);
    expect(check.stdout).toMatch(/^warn job htb@local: netlink: E_NOT_FOUND: .*koffi.*; tc is used instead$/m);
    expect(check.stdout).toMatch(/^ok {3}job htb@local: tc utility, iproute2-.*: 4 classes on 1 device$/m);
  });

  it('checks the database, its version and the flows, and says what to do where one is not there', async () => {
    const check = () => cli.run(['check', '--config', cli.file(htbConfig(testbed, { every: '10s' }))]);
    const [, version] = /\(Open vSwitch\) (\S+)/.exec(await testbed.appctl('version')) ?? [];
    const well = await check();
    expect(well.code).toBe(0);
    expect(well.stdout).toContain(
      `ok   job htb@local: database ${testbed.database}: Open vSwitch ${version}, it shapes "eth1"\n`,
    );
    expect(well.stdout).toContain('ok   job htb@local: bridge "xapi0": 5 flows\n');

    await testbed.stopVswitchd();
    const without = await check();
    expect(without.code).toBe(1);
    expect(without.stdout).toMatch(/^fail job htb@local: bridge "xapi0": E_NOT_FOUND: /m);
    expect(without.stdout).toMatch(/^ok {3}job htb@local: 7\d samples in \d+ ms$/m);
    await testbed.stopOvsdb();
    const nothing = await check();
    // A machine without Open vSwitch is none the worse for it.
    expect(nothing.code).toBe(0);
    expect(nothing.stdout).toMatch(
      /^warn job htb@local: database: E_NOT_FOUND: .*classes are named by their ids; right where there is no Open vSwitch$/m,
    );
    await testbed.startOvsdb();
    await testbed.startVswitchd();
    await testbed.addFlows();
    expect((await check()).code).toBe(0);
  });
});
