import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCoverage, parseDatapaths, parseMemory, parseUpcalls, parseVersion } from './parse.ts';
import { parseBonds, parseLacp } from './parse-bonds.ts';
import { machineUptime, parseStat, residentBytes } from './parse-proc.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');

describe('dpctl/show', () => {
  test('captured, userspace datapath: no masks', () => {
    const [one, ...more] = parseDatapaths(read('ovs3.1/dpctl-show.txt'));
    expect([one?.name, more]).toEqual(['netdev@ovs-netdev', []]);
    expect([...(one?.counts.keys() ?? [])]).toEqual(['hit', 'missed', 'lost', 'flows']);
  });

  test.each(['\t', '  '])('the kernel’s datapath, indented by %j', (indent) => {
    const text = [
      'system@ovs-system:',
      `${indent}lookups: hit:18446744073709551615 missed:17 lost:1`,
      `${indent}flows: 11`,
      `${indent}masks: hit:200 total:3 hit/pkt:0.50`,
      `${indent}cache: hit:100 hit-rate:50.00%`,
      `${indent}caches:`,
      `${indent}  masks-cache: size:256`,
      `${indent}port 0: ovs-system (internal)`,
      'system@xenbr0:',
      `${indent}lookups: frags:5, hit:6, missed:7, lost:8`,
      '',
    ].join('\r\n');
    const [one, two] = parseDatapaths(text);
    expect(Object.fromEntries(one?.counts ?? [])).toEqual({
      ...{ hit: 18446744073709551615n, missed: 17, lost: 1, flows: 11, masks: 3, mask_hit: 200, cache_hit: 100 },
    });
    expect(Object.fromEntries(two?.counts ?? [])).toEqual({ hit: 6, missed: 7, lost: 8 });
  });

  test('a port whose name looks like a reply changes no number', () => {
    const text = [
      'netdev@ovs-netdev:',
      '  lookups: hit:1 missed:2 lost:3',
      '  port 1: x',
      '  flows: 99',
      'netdev@ovs-netdev:',
      '  lookups: hit:91 missed:92 lost:93',
      '',
    ].join('\n');
    const found = parseDatapaths(text);
    expect(found.map(({ counts }) => Object.fromEntries(counts))).toEqual([{ hit: 1, missed: 2, lost: 3 }]);
  });
});

test('upcall/show', () => {
  const [captured] = parseUpcalls(read('ovs3.1/upcall-show.txt'));
  expect([...(captured?.counts.keys() ?? [])]).toEqual(['current', 'avg', 'max', 'limit', 'dump_milliseconds']);
  const text = [
    'system@ovs-system:',
    '  flows         : (current 7) (avg 6) (max 24) (limit 23000)',
    '  offloaded flows : 5',
    '  dump duration : 12ms',
    '',
    '  10: (keys 7)',
    '',
  ].join('\n');
  expect(parseUpcalls(text)).toEqual([
    {
      datapath: 'system@ovs-system',
      counts: new Map(
        Object.entries({ current: 7, avg: 6, max: 24, limit: 23000, offloaded: 5, dump_milliseconds: 12 }),
      ),
    },
  ]);
});

test('memory/show: keys may hold blanks', () => {
  const text = 'handlers:1 idl-cells-Open_vSwitch:287 ports:4 revalidators:1 rules:23 udpif keys:11\n';
  expect(Object.fromEntries(parseMemory(text))).toEqual({
    ...{ handlers: 1, 'idl-cells-Open_vSwitch': 287, ports: 4, revalidators: 1, rules: 23, 'udpif keys': 11 },
  });
  expect(parseMemory('rules:x y:-1 z:').size).toBe(0);
});

test('coverage/show: totals; another reply is none, and not "nothing happened"', () => {
  const events = parseCoverage(read('ovs3.1-flow-groups/coverage-show.txt'));
  expect(events?.size).toBeGreaterThan(30);
  expect(events?.get('xlate_actions')).toBeGreaterThan(0);
  expect(parseCoverage('5 events never hit\n')?.size).toBe(0);
  expect(parseCoverage('')).toBeUndefined();
  expect(parseCoverage('"coverage/show" is not a valid command\n')).toBeUndefined();
});

test('version', () => {
  expect(parseVersion(read('ovs3.1/version.txt'))).toBe('3.1.0');
  expect(parseVersion('ovs-ofctl (Open vSwitch) 2.17.9-1~bpo\nOpenFlow versions 0x1:0x6\n')).toBe('2.17.9-1~bpo');
  expect(parseVersion('x 1.0')).toBeUndefined();
});

describe('bonds', () => {
  test('captured', () => {
    const bonds = new Map(parseBonds(read('ovs3.1/bond-show.txt')).map((bond) => [bond.port, bond.members]));
    expect([...bonds.keys()].sort()).toEqual(['bond0', 'bond1', 'bond2']);
    expect(bonds.get('bond2')).toEqual([
      { name: 'la4', enabled: true, active: expect.any(Boolean), mayEnable: true },
      { name: 'vx0', enabled: true, active: expect.any(Boolean), mayEnable: true },
    ]);
    for (const members of bonds.values()) expect(members.filter(({ active }) => active)).toHaveLength(1);
  });

  test('until 2.15 members were slaves', () => {
    const text =
      '---- bond0 ----\nbond_mode: x\n\nslave eth1: enabled\n\tactive slave\n\tmay_enable: true\n\nslave eth2: disabled\n\tmay_enable: false\n';
    expect(parseBonds(text)).toEqual([
      {
        port: 'bond0',
        members: [
          { name: 'eth1', enabled: true, active: true, mayEnable: true },
          { name: 'eth2', enabled: false, active: false, mayEnable: false },
        ],
      },
    ]);
  });

  test('LACP, captured: both ends', () => {
    const lacp = parseLacp(read('ovs3.1/lacp-show.txt'));
    expect(lacp.map(({ port, negotiated }) => `${port} ${negotiated}`).sort()).toEqual(['bond0 true', 'bond1 true']);
    for (const { members } of lacp) {
      expect(members).toHaveLength(2);
      for (const member of members) {
        expect(member).toMatchObject({ status: 'current', attached: true });
        expect([...(member.partner ?? [])]).toEqual(
          expect.arrayContaining(['synchronized', 'collecting', 'distributing']),
        );
        expect(member.partnerId).toMatch(/^[0-9a-f:]{17}$/);
      }
    }
  });

  test('LACP without a partner', () => {
    const text =
      '---- b ----\n  status: active\n\nslave: eth1: defaulted detached\n  partner sys_id: 00:00:00:00:00:00\n  actor state: activity defaulted\n';
    const [one] = parseLacp(text);
    expect(one).toMatchObject({ negotiated: false, members: [{ name: 'eth1', status: 'defaulted', attached: false }] });
    expect(one?.members[0]?.partner).toBeUndefined();
    expect([...(one?.members[0]?.actor ?? [])]).toEqual(['activity', 'defaulted']);
  });
});

describe('proc', () => {
  test('captured, and a command that holds parentheses and blanks', () => {
    const stat = parseStat(read('ovs3.1/proc-vswitchd-stat'));
    expect(stat).toMatchObject({ command: 'ovs-vswitchd', isZombie: false });
    expect(stat?.threads).toBeGreaterThan(1);
    const rest = `S ${Array.from({ length: 49 }, (_, at) => at + 4).join(' ')}\n`;
    expect(parseStat(`12 (a) b (c)) ${rest}`)).toEqual({
      ...{ command: 'a) b (c)', cpuSeconds: 0.29, threads: 20, startedSeconds: 0.22, isZombie: false },
    });
    for (const text of ['', '12', '12 (x', '12 (x) S 1 2', ')(']) expect(parseStat(text)).toBeUndefined();
  });

  test('memory and uptime', () => {
    expect(residentBytes(read('ovs3.1/proc-vswitchd-status'))).toBeGreaterThan(1e6);
    expect(residentBytes('Name:\tx\nVmRSS:\t  12 kB\n')).toBe(12288);
    expect(residentBytes('VmRSS: many kB\n')).toBeUndefined();
    expect([machineUptime('350735.47 234388.90\n'), machineUptime('-1 2'), machineUptime('')]).toEqual([
      ...[350735.47, undefined, undefined],
    ]);
  });
});

test('cut off anywhere, no parser throws or finds a datapath that is not there', () => {
  const text = read('ovs3.1/dpctl-show.txt');
  for (let at = 0; at < text.length; at++)
    expect(['netdev@ovs-netdev', undefined]).toContain(parseDatapaths(text.slice(0, at))[0]?.name);
  for (const long of [
    ' '.repeat(1_000_000),
    'a:1'.repeat(300_000),
    `${'('.repeat(500_000)}\n`,
    '----  ----\n'.repeat(9999),
  ])
    for (const parse of [parseDatapaths, parseUpcalls, parseMemory, parseCoverage, parseVersion, parseBonds, parseLacp])
      parse(long);
}, 10_000);
