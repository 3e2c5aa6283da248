import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  flagsOf,
  halfDuplexOf,
  naturalOf,
  operstateOf,
  parseNetDev,
  parseUevent,
  parseVlans,
  speedOf,
} from './parse.ts';
import { parseBonding } from './parse-bonding.ts';

const recorded = (path: string): string => readFileSync(join(import.meta.dirname, 'testdata', path), 'utf8');
const HEAD = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
`;
const of = (rows: string) => {
  const { interfaces, problems } = parseNetDev(`${HEAD}${rows}`, '/proc/net/dev');
  return { names: [...interfaces.keys()], interfaces, problems: problems.map(({ message }) => message) };
};

describe('/proc/net/dev', () => {
  test('every column has its own number', () => {
    const { interfaces } = of(
      '  eth0:       1       2    3    4    5     6          7         8        9      10   11   12   13    14      15         16\n',
    );
    expect(Object.fromEntries(interfaces.get('eth0') ?? [])).toEqual({
      ...{ 'rx bytes': 1, 'rx packets': 2, 'rx errs': 3, 'rx drop': 4, 'rx fifo': 5, 'rx frame': 6 },
      ...{ 'rx compressed': 7, 'rx multicast': 8, 'tx bytes': 9, 'tx packets': 10, 'tx errs': 11, 'tx drop': 12 },
      ...{ 'tx fifo': 13, 'tx colls': 14, 'tx carrier': 15, 'tx compressed': 16 },
    });
  });

  test('no blank behind the colon, a name of fifteen characters, and one with a colon', () => {
    const zeros = ' 0'.repeat(15);
    const { interfaces, problems } = of(`  eth0:4167514917${zeros}\nfifteen-letters: 5${zeros}\n  a:b:7${zeros}\n`);
    expect(problems).toEqual([]);
    expect([...interfaces].map(([name, counters]) => [name, counters.get('rx bytes')])).toEqual([
      ['eth0', 4167514917],
      ['fifteen-letters', 5],
      ['a:b', 7],
    ]);
  });

  test('of what is not wanted the name alone is read', () => {
    const rows = `  tap0: 1 2\n  eth0: 1${' 0'.repeat(15)}\n`;
    const { names, interfaces, problems } = parseNetDev(`${HEAD}${rows}`, 'dev', (name) => name === 'eth0');
    expect([[...names], [...interfaces.keys()], problems]).toEqual([['tap0', 'eth0'], ['eth0'], []]);
  });

  test('64 bits are kept whole', () => {
    const { interfaces } = of(`  eth0: 18446744073709551615${' 0'.repeat(15)}\n`);
    expect(interfaces.get('eth0')?.get('rx bytes')).toBe(18446744073709551615n);
  });

  test('columns are found by the names of the header', () => {
    const text = 'Inter-| Receive | Transmit\n face |packets bytes new|bytes packets\n eth0: 1 2 3 4 5\n';
    const counters = parseNetDev(text, 'dev').interfaces.get('eth0');
    expect(counters?.get('rx bytes')).toBe(2);
    expect(counters?.get('tx packets')).toBe(5);
  });

  test('a row that is not what it should be is named, and the others are read', () => {
    const { names, problems } = of(
      `  bad0: 1 2 3\n  eth0: 1${' 0'.repeat(15)}\nno colon\n  neg0: -1${' 0'.repeat(15)}\n`,
    );
    expect(names).toEqual(['eth0']);
    expect(problems).toEqual([
      '/proc/net/dev, line 3: expected a name, a colon and 16 numbers, found "  bad0: 1 2 3"',
      '/proc/net/dev, line 5: expected a name, a colon and 16 numbers, found "no colon"',
      `/proc/net/dev, line 6: expected a name, a colon and 16 numbers, found "  neg0: -1${' 0'.repeat(15)}"`,
    ]);
  });

  test('another file is none', () => {
    for (const text of ['', 'Tcp: RtoAlgorithm\nTcp: 1\n', '<html>|bytes|</html>']) {
      const { interfaces, problems } = parseNetDev(text, '/proc/net/dev');
      expect(interfaces.size).toBe(0);
      expect(problems.map(({ code }) => code)).toEqual(['E_PARSE']);
    }
  });

  test('two rows of one name are nobody’s', () => {
    expect(of(`  \ufffd: 1${' 0'.repeat(15)}\n  \ufffd: 2${' 0'.repeat(15)}\n`).names).toEqual([]);
  });

  test('cut off anywhere, it gives no other number than the whole one', () => {
    const text = recorded('kernel6.18-two-readings/proc/dev');
    const whole = parseNetDev(text, 'dev').interfaces;
    for (let end = 0; end < text.length; end++)
      for (const [name, counters] of parseNetDev(text.slice(0, end), 'dev').interfaces)
        expect([...counters], `${end}`).toEqual([...(whole.get(name) ?? [])]);
  });

  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 15 })
    .filter((one) => !/[\s/\0\r\n]/u.test(one) && one !== '.' && one !== '..');
  test('whatever a name is, its numbers are its own', () => {
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 6 }), fc.boolean(), (names, glued) => {
        const rows = names.map((one, index) => `${one.padStart(6)}:${glued ? '' : ' '}${index}${' 0'.repeat(15)}\n`);
        const { interfaces, problems } = of(rows.join(''));
        expect(problems).toEqual([]);
        expect([...interfaces].map(([one, counters]) => [one, counters.get('rx bytes')])).toEqual(
          names.map((one, index) => [one, index]),
        );
      }),
    );
  });

  test('no text throws', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void of(text)));
  });
});

describe('attributes', () => {
  test('a speed that nobody knows is none', () => {
    for (const text of ['-1', '4294967295', '65535', '2147483647', '0', '', 'full'])
      expect(speedOf(`${text}\n`)).toBeUndefined();
    expect(speedOf('1000\n')).toBe(1_000_000_000);
    expect(speedOf('800000\n')).toBe(800_000_000_000);
  });

  test('states by the numbers of if.h', () => {
    const states = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'];
    expect(states.map((state) => operstateOf(`${state}\n`))).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(operstateOf('sideways\n')).toBeUndefined();
  });

  test('what is empty or something else is unknown, and no zero', () => {
    expect(['full\n', 'half\n', 'unknown\n', ''].map(halfDuplexOf)).toEqual([0, 1, undefined, undefined]);
    expect(['0x1003\n', '4099\n', ''].map(flagsOf)).toEqual([0x1003, undefined, undefined]);
    expect(['7\n', '-7\n', ''].map(naturalOf)).toEqual([7, undefined, undefined]);
  });

  test('a uevent is its lines, whatever stands in them', () => {
    expect({ ...parseUevent('DEVTYPE=vlan\nINTERFACE=a=b\nIFINDEX=7\nnothing\n=x\n') }).toEqual({
      ...{ DEVTYPE: 'vlan', INTERFACE: 'a=b', IFINDEX: '7' },
    });
    expect(parseUevent('').constructor).toBeUndefined();
  });

  test('VLANs by their interfaces; headers are none', () => {
    expect([...parseVlans(recorded('kernel6.8-lacp-lost/proc/vlan/config'))]).toEqual([['bond0.100', 100]]);
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseVlans(text)));
  });
});

describe('bonds', () => {
  const lost = recorded('kernel6.8-lacp-lost/again/proc/bonding/bond0');

  test('a slave keeps what is its own: the details of LACP repeat words of the bond', () => {
    const bond = parseBonding('bond0', lost);
    expect(bond).toMatchObject({
      mode: 4,
      mii: 'up',
      active: undefined,
      aggregator: 1,
      ports: 1,
      partner: '00:1c:73:aa:bb:cc',
    });
    expect(bond?.slaves).toEqual([
      {
        ...{ name: 'eth0', mii: 'up', failures: 2, aggregator: 1, churn: 'none', partnerChurn: 'none' },
        ...{ state: 63, partnerState: 61, partner: '00:1c:73:aa:bb:cc' },
      },
      {
        ...{ name: 'eth1', mii: 'up', failures: 2, aggregator: 2, churn: 'churned', partnerChurn: 'churned' },
        ...{ state: 0x47, partnerState: 1, partner: '00:00:00:00:00:00' },
      },
    ]);
  });

  test('no active aggregator, and a slave in none', () => {
    const text = lost
      .replace(/Active Aggregator Info:[\s\S]*?(?=\n\nSlave)/, 'bond bond0 has no active aggregator')
      .replaceAll(/^Aggregator ID: .*$/gm, 'Aggregator ID: N/A');
    const bond = parseBonding('bond0', text);
    expect(bond).toMatchObject({ aggregator: undefined, ports: 0, partner: undefined });
    expect(bond?.slaves.map(({ aggregator }) => aggregator)).toEqual([null, null]);
  });

  test('every mode by its number, with what may stand behind it', () => {
    const modes = [
      ...['load balancing (round-robin)', 'fault-tolerance (active-backup) (fail_over_mac follow)'],
      ...['load balancing (xor)', 'fault-tolerance (broadcast)', 'IEEE 802.3ad Dynamic link aggregation'],
      ...['transmit load balancing', 'adaptive load balancing'],
    ];
    expect(modes.map((mode) => parseBonding('b', `Bonding Mode: ${mode}\n`)?.mode)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(parseBonding('b', 'Bonding Mode: quantum\n')).toBeUndefined();
  });

  test('what is cut off is no bond: a slave may be missing', () => {
    for (let end = 0; end < lost.length; end++)
      if (!lost.slice(0, end).endsWith('\n')) expect(parseBonding('bond0', lost.slice(0, end))).toBeUndefined();
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseBonding('b', text)));
  });
});
