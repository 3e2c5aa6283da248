import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { type RecordedTarget, readSession, recordedTarget } from '../../test/support/recorded-target.ts';
import { htb } from './index.ts';

const targets = new Set<RecordedTarget>();
afterEach(async () => {
  for (const target of targets) await target.close();
  targets.clear();
});

const aggregate = (flows: number): string =>
  `NXST_AGGREGATE reply (xid=0x4): packet_count=1 byte_count=2 flow_count=${flows}\n`;

/** A recorded machine; `programs` answers first: what runs `edgestatd check` alone. */
function machine(recording: string, programs: Readonly<Record<string, string | Failure>> = {}): Host {
  const target = recordedTarget('hv01', readSession(join(import.meta.dirname, 'testdata', recording)));
  targets.add(target);
  const host = target.open(new AbortController().signal);
  return {
    ...host,
    async run(argv) {
      const answer = programs[argv.join(' ')] ?? programs[argv.slice(0, 2).join(' ')];
      if (answer instanceof Failure) throw answer;
      return answer ?? host.run(argv);
    },
  };
}

async function check(host: Host, options: object = { source: 'tc' }): Promise<string[]> {
  const verdicts = await htb.check?.({
    host,
    options: htb.options.parse(options),
    atMs: 0,
    readAtMs: 0,
    elapsedMs: () => 0,
  });
  return (verdicts ?? []).map(({ level, text }) => `${level} ${text}`);
}

const tc = { 'tc -V': 'tc utility, iproute2-6.1.0, libbpf 1.1.2\n' };
const ofctl = { 'ovs-ofctl --timeout=2': aggregate(5) };

it('tells what there is, and that all may be read', async () => {
  expect(await check(machine('tc6.1-ovs', { ...tc, ...ofctl }))).toEqual([
    'ok tc utility, iproute2-6.1.0, libbpf 1.1.2: 4 classes on 1 device',
    'ok database /var/run/openvswitch/db.sock: Open vSwitch of unknown version, it shapes "eth1"',
    'ok bridge "xapi0": 5 flows',
    'ok bridge "xenbr1": 5 flows',
  ]);
});

it('tells which source it is, and what takes its place', async () => {
  const byNetlink = machine('kernel6.18-ovs-drift', ofctl);
  expect((await check(byNetlink, {}))[0]).toBe('ok netlink: 4 classes on 1 device');
  const without = await check(machine('tc6.1-ovs', { ...tc, ...ofctl }), {});
  expect(without[0]).toMatch(/^warn netlink: E_NOT_FOUND: .*; tc is used instead$/);
  expect(without[1]).toMatch(/^ok tc utility/);
  const only = await check(machine('tc6.1-ovs', { ...tc, ...ofctl }), { source: 'netlink' });
  expect(only[0]).toMatch(/^fail netlink: E_NOT_FOUND/);
  expect(only[1]).toMatch(/^ok database/);
});

it('does not promise tc where a run would fail', async () => {
  const host = machine('tc6.1-ovs', { ...tc, ...ofctl });
  const denied = { ...host, netlink: () => Promise.reject(new Failure('E_DENIED', 'no sockets for you')) };
  const verdicts = await check(denied, {});
  expect(verdicts[0]).toBe('fail netlink: E_DENIED: no sockets for you');
  expect(verdicts[1]).toMatch(/^ok database/);
});

it('tells that tc is missing, and goes on', async () => {
  const host = machine('tc6.1-ovs', { ...ofctl, 'tc -V': new Failure('E_NOT_FOUND', 'program "tc" was not found') });
  const verdicts = await check(host);
  expect(verdicts[0]).toBe('fail tc: E_NOT_FOUND: program "tc" was not found; install iproute2');
  expect(verdicts[1]).toMatch(/^ok database/);
});

it('tells which device cannot be read', async () => {
  const words = 'tc -j -s -d class show dev eth1';
  const host = machine('tc6.1-ovs', { ...tc, ...ofctl, [words]: new Failure('E_DENIED', 'not this one') });
  expect((await check(host)).slice(0, 2)).toEqual([
    'ok tc utility, iproute2-6.1.0, libbpf 1.1.2: 0 classes on 0 devices',
    'fail tc utility, iproute2-6.1.0, libbpf 1.1.2: E_DENIED: device "eth1": not this one',
  ]);
});

it.each([
  ['its group', '770 openvswitch ovs\n', 'it is "openvswitch"’s with the mode 770: add this user to the group "ovs"'],
  ['its owner', '750 root root\n', 'it is "root"’s with the mode 750: run as that user, or as root'],
  ['nobody that is known', '', 'run as its owner, or as root'],
  ['nobody that is told in such words', '750\n', 'run as its owner, or as root'],
])('names who may use the database: %s', async (_, stat, advice) => {
  const host = machine('tc6.1-ovs-denied', {
    ...tc,
    'stat -L': stat === '' ? new Failure('E_NOT_FOUND', 'no stat') : stat,
  });
  expect((await check(host))[1]).toBe(
    `fail database: E_DENIED: "/var/run/openvswitch/db.sock" may not be used by this user; ${advice}`,
  );
});

describe('capabilities', () => {
  const status = (text: string | Failure): Host => ({
    ...machine('tc6.1-plain', tc),
    readFile: async (path) => {
      if (path !== '/proc/self/status' || text instanceof Failure) throw new Failure('E_NOT_FOUND', path);
      return text;
    },
  });
  const effective = (set: string): string =>
    `Name:\tcat\nCapInh:\tffffffffffffffff\nCapPrm:\t0000000000000000\nCapEff:\t${set}\nCapBnd:\tffffffffffffffff\n`;
  const line = 'ok no CAP_NET_ADMIN: to read classes and qdiscs takes no capability';

  it.each(['0000000000000000', '00000000ffffefff', 'ffffffffffffefff'])('%s is enough, and told so', async (set) => {
    const [source, rights, ...rest] = await check(status(effective(set)));
    expect([source?.slice(0, 5), rights, rest.length]).toEqual(['ok tc', line, 1]);
  });

  it.each(['0000000000001000', '000001ffffffffff', 'ffffffffffffffff'])('%s is not talked about', async (set) => {
    expect(await check(status(effective(set)))).toHaveLength(2);
  });

  it.each(['', 'CapEff:\n', 'CapEff:\tnone\n', 'CapEff:\t00000000000000000\n', new Failure('E_DENIED', 'no')])(
    'nothing is said of what is not known: %j',
    async (text) => {
      expect(await check(status(text))).toHaveLength(2);
    },
  );
});

it('takes a machine without Open vSwitch as it is', async () => {
  const verdicts = await check(machine('tc6.1-plain', tc));
  expect(verdicts).toEqual([
    'ok tc utility, iproute2-6.1.0, libbpf 1.1.2: 3 classes on 1 device',
    expect.stringMatching(/^warn database: E_NOT_FOUND: .*right where there is no Open vSwitch$/),
  ]);
});

it('tells of bridges with too many flows, and of those that cannot be asked', async () => {
  const host = machine('tc6.1-ovs', {
    ...tc,
    'ovs-ofctl --timeout=2 -- dump-aggregate unix:/var/run/openvswitch/xapi0.mgmt': aggregate(20_001),
    'ovs-ofctl --timeout=2 -- dump-aggregate unix:/var/run/openvswitch/xenbr1.mgmt': new Failure('E_DENIED', 'not you'),
    'stat -L -c %a %U %G /var/run/openvswitch/xenbr1.mgmt': '750 root root\n',
  });
  expect((await check(host)).slice(2)).toEqual([
    'warn bridge "xapi0": 20001 flows, more than maxFlows (20000): queues are named without them',
    'fail bridge "xenbr1": E_DENIED: not you; it is "root"’s with the mode 750: run as that user, or as root',
  ]);
});

it('asks no bridge where no flow is needed', async () => {
  const never = await check(machine('tc6.1-ovs', tc), { source: 'tc', flowsEvery: '0s' });
  expect(never.slice(2)).toEqual(['ok flows are not needed to name the queues']);
  const neutron = await check(machine('tc6.1-neutron-tap', tc), { source: 'tc', devices: ['tap*'] });
  expect(neutron.slice(2)).toEqual(['ok flows are not needed to name the queues']);
});
