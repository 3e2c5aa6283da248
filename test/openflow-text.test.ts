import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAggregate, parsePorts, parseQueues, parseTables } from '../src/ovs/openflow-text.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata/openflow', name), 'utf8');
const cuts = (text: string): string[] => Array.from({ length: text.length }, (_, at) => text.slice(0, at));

describe('dump-aggregate', () => {
  test('captured replies', () => {
    expect(parseAggregate(read('ovs3.1-aggregate.txt'))).toEqual({ packets: 141, bytes: 48896, flows: 19 });
    const table0 = parseAggregate(read('ovs3.1-aggregate-of13-table0.txt'));
    expect(table0).toEqual({ packets: 91, bytes: 26796, flows: 13 });
  });

  test('what is unknown to the switch is not 0, and large numbers are exact', () => {
    const old = 'NXST_AGGREGATE reply (xid=0x4): packet_count=18446744073709551615 byte_count=? flow_count=2\n';
    expect(parseAggregate(old)).toEqual({ packets: undefined, bytes: undefined, flows: 2 });
    const large = 'NXST_AGGREGATE reply (xid=0x4): packet_count=18446744073709551614 byte_count=9007199254740993\n';
    expect(parseAggregate(large)).toEqual({
      packets: 18446744073709551614n,
      bytes: 9007199254740993n,
      flows: undefined,
    });
  });

  test('a reply that was cut off, or none, is none', () => {
    const text = read('ovs3.1-aggregate.txt');
    for (const cut of cuts(text)) expect(parseAggregate(cut)).toBeUndefined();
    expect(parseAggregate(`2026-11-21T01:35:34Z|00001|vconn|WARN|x packet_count=7\r\n${text}`)?.packets).toBe(141);
  });
});

describe('dump-tables', () => {
  test('ditto is the table before; the tables of a range are like it', () => {
    const tables = parseTables(read('ovs3.1-dump-tables-head.txt'));
    expect(tables.map(({ table }) => table)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(tables[0]).toEqual({ table: 0, active: 13, lookups: 97, matched: 97 });
    expect(tables.map(({ active }) => active)).toEqual([13, 1, 1, 1, 0, 0, 0, 1, 1, 1, undefined]);
    expect(tables.map(({ lookups }) => lookups)).toEqual([97, 50, 0, 0, 0, 0, 0, 0, 0, 0, undefined]);
  });

  test('the forms of older versions, with and without a name', () => {
    const old = [
      'OFPST_TABLE reply (xid=0x2): 255 tables',
      '  0: classifier: wild=0x3fffff, max=1000000, active=2',
      '               lookup=74614106, matched=74614105',
      '  1: table1  : wild=0x3fffff, max=1000000, active=0',
      '               lookup=0, matched=0',
      '  table 9 ("nine: (9)"):',
      '    active=3, lookup=?, matched=18446744073709551615',
      '',
    ].join('\r\n');
    expect(parseTables(old)).toEqual([
      { table: 0, active: 2, lookups: 74614106, matched: 74614105 },
      { table: 1, active: 0, lookups: 0, matched: 0 },
      { table: 9, active: 3, lookups: undefined, matched: undefined },
    ]);
  });

  test('no table number makes more records than there are tables, and a cut changes no number', () => {
    expect(parseTables('  tables 0...999: ditto\n')).toHaveLength(256);
    expect(parseTables('  table 1000: ditto\n  table 300:\n    active=1\n')).toEqual([]);
    const text = read('ovs3.1-dump-tables-head.txt');
    const whole = new Map(parseTables(text).map((one) => [one.table, one]));
    for (const cut of cuts(text))
      for (const { table, active, lookups } of parseTables(cut)) {
        expect([undefined, whole.get(table)?.active]).toContain(active);
        expect([undefined, whole.get(table)?.lookups]).toContain(lookups);
      }
  });
});

describe('dump-ports', () => {
  test.each(['ovs3.1-dump-ports-of10.txt', 'ovs3.1-dump-ports-of13.txt'])('%s', (file) => {
    const ports = parsePorts(read(file));
    expect(ports.map(({ port }) => port)).toEqual(['1', 'LOCAL', '10', '2']);
    const [first, local] = ports;
    expect(Object.fromEntries(first?.rx ?? [])).toEqual({
      ...{ pkts: 85, bytes: 26382, drop: 0, errs: 0, frame: 0, over: 0, crc: 0 },
    });
    expect(Object.fromEntries(local?.tx ?? [])).toEqual({ pkts: 0, bytes: 0, drop: 18, errs: 0, coll: 0 });
  });

  test('? is unknown; the lines of RFC 2819 and of the port itself are passed over; names may hold anything', () => {
    const text = [
      'OFPST_PORT reply (OF1.4) (xid=0x2): 3 ports',
      '  port  3: rx pkts=5, bytes=6, drop=?, errs=?, frame=?, over=?, crc=?',
      '           tx pkts=18446744073709551615, bytes=9007199254740993, drop=?, errs=?, coll=?',
      '           duration=12.5s',
      '           rx rfc2819 broadcast_packets=7, multicast_packets=8',
      '           tx rfc2819 broadcast_packets=7, multicast_packets=8',
      '           CUSTOM Statistics',
      '                      ovs_tx_failure_drops=9, rx pkts=4',
      String.raw`  port  "a: rx\" pkts=1, b": rx pkts=2, bytes=3, drop=0, errs=0, frame=0, over=0, crc=0`,
      '           tx pkts=4, bytes=5, drop=0, errs=0, coll=0',
      '  port  s1-eth1: rx pkts=1, bytes=1, drop=0, errs=0, frame=0, over=0, crc=0',
      '',
    ].join('\n');
    const [first, second, third, ...more] = parsePorts(text);
    expect([...(first?.rx ?? [])]).toEqual([...Object.entries({ pkts: 5, bytes: 6 })]);
    expect([...(first?.tx ?? [])]).toEqual([['bytes', 9007199254740993n]]);
    expect(second?.port).toBe('a: rx" pkts=1, b');
    expect([second?.rx.get('pkts'), second?.tx.get('pkts')]).toEqual([2, 4]);
    expect([third?.port, third?.tx.size]).toEqual(['s1-eth1', 0]);
    expect(more).toEqual([]);
  });
});

describe('queue-stats', () => {
  test.each(['ovs3.1-queue-stats-of10.txt', 'ovs3.1-queue-stats-of14.txt'])('%s', (file) => {
    const queues = parseQueues(read(file));
    expect(queues).toHaveLength(5);
    expect(queues[2]).toEqual({ port: '10', queue: 0, bytes: 26434, packets: 89, errors: 0 });
    expect(queues.map(({ port, queue }) => `${port}:${queue}`)).toEqual(['1:0', '1:5', '10:0', '10:1', '10:10']);
  });

  test('a quoted port, an unknown counter', () => {
    const text = '  port "a queue 9: b" queue 4294967295: bytes=1, pkts=?, errors=2, duration=3739002558.3984967296s\n';
    expect(parseQueues(text)).toEqual([
      { port: 'a queue 9: b', queue: 4294967295, bytes: 1, packets: undefined, errors: 2 },
    ]);
  });
});

test('hostile text is no counter, and takes no long time', () => {
  const hostile = [
    '',
    '\n',
    '\0\n',
    'port port port\n',
    `  port ${'"'.repeat(100_000)}\n`,
    `${'='.repeat(1_000_000)}\n`,
  ];
  for (const text of [...hostile, `${'a'.repeat(10_000_000)}\n`, `  port  1: rx ${'('.repeat(1_000_000)}\n`]) {
    expect(parseAggregate(text)).toBeUndefined();
    expect(parseTables(text)).toEqual([]);
    expect(parseQueues(text)).toEqual([]);
    expect(parsePorts(text).filter(({ rx, tx }) => rx.size + tx.size > 0)).toEqual([]);
  }
});
