import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classesRequest, linksRequest, qdiscsRequest } from './netlink.ts';
import { decodeClasses } from './netlink-class.ts';
import { decodeLinks } from './netlink-link.ts';
import { decodeQdiscs } from './netlink-qdisc.ts';
import { parseClasses, parseQdiscs } from './parse.ts';
import type { ClassRecord, Parsed } from './record.ts';

const folder = join(import.meta.dirname, 'captures/kernel6.18-tc6.1');
const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
const datagrams = (name: string): Uint8Array[] =>
  text(name)
    .split('\n\n')
    .map((one) => new Uint8Array(Buffer.from(one, 'base64')));
const messages = ({ problems }: Parsed<unknown>): string[] => problems.map(({ message }) => message);

type Part = readonly [type: number, payload: Uint8Array | readonly Part[]];
/** Writes what the kernel writes, in either byte order. */
function kernel(little: boolean) {
  const number = (bytes: 1 | 2 | 4 | 8, value: number | bigint): Uint8Array => {
    const view = new DataView(new ArrayBuffer(bytes));
    if (bytes === 8) view.setBigUint64(0, BigInt(value), little);
    else if (bytes === 4) view.setUint32(0, Number(value), little);
    else if (bytes === 2) view.setUint16(0, Number(value), little);
    else view.setUint8(0, Number(value));
    return new Uint8Array(view.buffer);
  };
  const words = (...values: number[]): Uint8Array => new Uint8Array(Buffer.concat(values.map((one) => number(4, one))));
  const attributes = (parts: readonly Part[]): Uint8Array =>
    new Uint8Array(
      Buffer.concat(
        parts.flatMap(([type, what]) => {
          const payload = what instanceof Uint8Array ? what : attributes(what as readonly Part[]);
          const padding = new Uint8Array((4 - (payload.length % 4)) % 4);
          return [number(2, payload.length + 4), number(2, type), payload, padding];
        }),
      ),
    );
  const message = (type: number, header: Uint8Array, parts: readonly Part[]): Uint8Array => {
    const body = Buffer.concat([header, attributes(parts)]);
    return new Uint8Array(
      Buffer.concat([number(4, body.length + 16), number(2, type), number(2, 2), number(4, 1), number(4, 2), body]),
    );
  };
  const tcm = (ifindex: number, handle: number, parent: number, info: number): Uint8Array =>
    words(0, ifindex, handle, parent, info);
  return { number, words, message, tcm, join: (...all: Uint8Array[]) => new Uint8Array(Buffer.concat(all)) };
}

const name = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

/** One HTB class with every number distinct. */
function htbClass(little: boolean, change: { pkt64?: bigint; rate64?: bigint; handle?: number } = {}): Uint8Array {
  const { number, words, message, tcm, join: glued } = kernel(little);
  const parms = words(0, 0, 1000, 0, 0, 2000, 5, 6, 300, 0, 4);
  const basic = glued(number(8, 2n ** 53n + 1n), words(70, 0));
  return message(40, tcm(7, change.handle ?? 0x1_367c, 0x1_fffe, 0x3ea_0000), [
    [1, name('htb')],
    [2, [[1, parms], ...(change.rate64 === undefined ? [] : [[6, number(8, change.rate64)] as const])]],
    [
      7,
      [
        [1, basic],
        ...(change.pkt64 === undefined ? [] : [[8, number(8, change.pkt64)] as const]),
        [3, words(11, 12, 13, 14, 15)],
        [4, words(21, 22, 23, -24 >>> 0, 25)],
      ],
    ],
  ]);
}
const HTB_CLASS = {
  ...{ kind: 'htb', handle: '1:367c', major: 1, minor: 0x367c, parent: '1:fffe', leaf: '3ea:', level: 0, prio: 4 },
  ...{ quantum: 300, sentBytes: 9007199254740993n, sentPackets: 70, packetsBits: 32, dropped: 13, overlimits: 15 },
  ...{
    requeues: 14,
    backlogBytes: 12,
    backlogPackets: 11,
    lended: 21,
    borrowed: 22,
    giants: 23,
    tokens: -24,
    ctokens: 25,
  },
  rate: { bitsPerSecond: 8000, exact: true },
  ceil: { bitsPerSecond: 16000, exact: true },
};

describe('requests', () => {
  test('have the sizes of the structures that the kernel checks', () => {
    expect([linksRequest(), qdiscsRequest(), classesRequest(7)].map(({ type, body }) => [type, body.length])).toEqual([
      [18, 24],
      [38, 20],
      [42, 20],
    ]);
    expect(new Int32Array(classesRequest(7).body.buffer)).toEqual(Int32Array.of(0, 7, 0, 0, 0));
  });
});

describe('what a kernel sent', () => {
  test('classes are what tc prints of them, with exact rates', () => {
    const parsed = decodeClasses(datagrams('classes.base64'));
    const printed = parseClasses(text('class.txt'));
    expect([parsed.problems, printed.problems]).toEqual([[], []]);
    const withoutRates = ({ rate: _, ceil: __, ...rest }: ClassRecord) => rest;
    expect(parsed.records.map(withoutRates)).toEqual(printed.records.map(withoutRates));
    const rates = parsed.records.map(({ handle, rate, ceil }) => [handle, rate?.bitsPerSecond, ceil?.bitsPerSecond]);
    expect(rates).toEqual([
      ['1:fffe', 10_000_000_000, 40_000_000_000],
      ['1:10', 1_234_560, 999_999_992],
      ['1:2', 8, 8],
      ['1:1f', 34_359_738_360, 34_359_738_368],
    ]);
    expect(parsed.records.map(({ rate, ceil }) => [rate?.exact, ceil?.exact])).toEqual([
      [true, true],
      [true, true],
      [true, true],
      // 32 full bits: a kernel without 64-bit rates says so of any larger rate too.
      [false, true],
    ]);
  });

  test('qdiscs are what tc prints of them', () => {
    const links = decodeLinks(datagrams('links.base64'));
    expect(links.problems).toEqual([]);
    expect(links.records.map(({ name, kind, mtu, operState, up }) => [name, kind, mtu, operState, up])).toEqual([
      ['lo', undefined, 65536, 'unknown', true],
      ['eth1p', 'veth', 1500, 'up', true],
      ['eth1', 'veth', 1500, 'up', true],
    ]);
    const names = new Map(links.records.map(({ ifindex, name }) => [ifindex, name]));
    const parsed = decodeQdiscs(datagrams('qdiscs.base64'), names);
    const printed = parseQdiscs(text('qdisc.txt'));
    expect([parsed.problems, printed.problems]).toEqual([[], []]);
    expect(parsed.records.map((record) => ({ ...record, ifindex: undefined }))).toEqual(printed.records);
    expect(parsed.records[2]).toMatchObject({ directPackets: 1, defaultMinor: 0x10 });
    expect(decodeQdiscs(datagrams('qdiscs.base64')).records[2]?.device).toBeUndefined();
  });

  test.each<[string, (all: readonly Uint8Array[]) => Parsed<object>]>([
    ['classes', decodeClasses],
    ['qdiscs', decodeQdiscs],
    ['links', decodeLinks],
  ])('%s, cut off at every byte: a problem, and no wrong number', (what, decodeAll) => {
    const decode = (bytes: Uint8Array): Parsed<object> => decodeAll([bytes]);
    const bytes = new Uint8Array(Buffer.concat(datagrams(`${what}.base64`)));
    const whole = decode(bytes).records.map((record) => JSON.stringify(record));
    const ends = new Set([0]);
    for (let at = 0; at < bytes.length; ends.add(at)) at += new DataView(bytes.buffer).getUint32(at, true);
    for (let length = 0; length <= bytes.length; length++) {
      const { records, problems } = decode(bytes.slice(0, length));
      expect(records.map((record) => JSON.stringify(record))).toEqual(whole.slice(0, records.length));
      expect(problems.length, `cut at ${length}`).toBe(ends.has(length) ? 0 : 1);
    }
  });
});

describe.each([
  ['little', true],
  ['big', false],
])('a kernel of %s endian', (_, little) => {
  const { number, words, message, tcm } = kernel(little);

  test('every number is where it belongs', () => {
    expect(decodeClasses([htbClass(little)])).toMatchObject({ records: [HTB_CLASS], problems: [] });
  });

  test('64-bit packets and rates, where the kernel gives them', () => {
    const { records, problems } = decodeClasses([htbClass(little, { pkt64: 2n ** 32n + 5n, rate64: 5_000_000_000n })]);
    expect(problems).toEqual([]);
    expect(records).toMatchObject([
      {
        ...{ ...HTB_CLASS, sentPackets: 4294967301, packetsBits: 64 },
        rate: { bitsPerSecond: 40_000_000_000, exact: true },
        ceil: { bitsPerSecond: 16000 },
      },
    ]);
  });

  test('the numbers of kernels that have only TCA_STATS and TCA_XSTATS', () => {
    const stats = new Uint8Array(Buffer.concat([number(8, 100), words(2, 3, 4, 0, 0, 5, 6)]));
    const bytes = message(40, tcm(7, 0x1_0002, 0xffff_ffff, 0), [
      [1, name('htb')],
      [2, [[1, words(0, 0, 1, 0, 0, 2, 0, 0, 9, 7, 1)]]],
      [3, stats],
      [4, words(1, 2, 3, 4, 5)],
    ]);
    expect(decodeClasses([bytes])).toMatchObject({
      problems: [],
      records: [
        {
          ...{ handle: '1:2', parent: undefined, leaf: undefined, level: 7, prio: undefined, quantum: undefined },
          ...{ sentBytes: 100, sentPackets: 2, dropped: 3, overlimits: 4, requeues: undefined, backlogPackets: 5 },
          ...{ backlogBytes: 6, lended: 1, tokens: 4, ctokens: 5 },
        },
      ],
    });
  });

  test('HFSC: curves, level and default class', () => {
    const curve = (m2: number) => words(1, 2, m2);
    const bytes = message(40, tcm(7, 0x1_0002, 0x1_fffe, 0), [
      [1, name('hfsc')],
      [
        2,
        [
          [1, curve(1500)],
          [2, curve(99)],
          [3, curve(312_500)],
        ],
      ],
      [
        7,
        [
          [1, new Uint8Array(Buffer.concat([number(8, 10), words(1, 0)]))],
          [4, words(0, 0, 0, 0, 3, 2)],
        ],
      ],
    ]);
    expect(decodeClasses([bytes])).toMatchObject({
      problems: [],
      records: [
        {
          kind: 'hfsc',
          level: 2,
          rate: { bitsPerSecond: 12_000 },
          ceil: { bitsPerSecond: 2_500_000 },
          lended: undefined,
        },
      ],
    });
    const qdisc = message(36, tcm(7, 0x1_0000, 0xffff_ffff, 2), [
      [1, name('hfsc')],
      [2, number(2, 0x12)],
    ]);
    expect(decodeQdiscs([qdisc])).toMatchObject({
      problems: [],
      records: [{ kind: 'hfsc', parent: 'root', defaultMinor: 0x12 }],
    });
  });

  test('other classes and messages are passed over; the later of two is the newer', () => {
    const other = message(40, tcm(7, 0xa_0019, 0xa_0000, 0), [
      [1, name('fq_codel')],
      [7, [[3, words(1, 2, 3, 4, 5)]]],
    ]);
    const mq = message(40, tcm(7, 1, 0xffff_ffff, 0), [[1, name('mq')]]);
    const noise = message(16, words(0, 0, 0, 0), []);
    const again = htbClass(little, { pkt64: 2n ** 40n });
    const { records, problems } = decodeClasses([other, htbClass(little), mq, noise, new Uint8Array(0), again]);
    expect(problems).toEqual([]);
    expect(records).toMatchObject([{ ...HTB_CLASS, sentPackets: 2 ** 40, packetsBits: 64 }]);
  });

  test('classes of another device than the one that was asked for are passed over', () => {
    expect(decodeClasses([htbClass(little)], 7).records).toMatchObject([HTB_CLASS]);
    expect(decodeClasses([htbClass(little)], 8)).toEqual({ records: [], problems: [] });
  });
});

describe('hostile messages', () => {
  const { number, words, message, tcm } = kernel(true);
  const of = (...parts: Part[]) =>
    decodeClasses([message(40, tcm(7, 0x1_0002, 0xffff_ffff, 0), [[1, name('htb')], ...parts])]);

  test.each<[string, Part, keyof ClassRecord]>([
    ['TCA_HTB_PARMS', [2, [[1, words(0, 0, 1)]]], 'rate'],
    [
      'TCA_HTB_RATE64',
      [
        2,
        [
          [1, words(0, 0, 1, 0, 0, 2, 0, 0, 9, 0, 1)],
          [6, words(1)],
        ],
      ],
      'rate',
    ],
    [
      'TCA_HTB_CEIL64',
      [
        2,
        [
          [1, words(0, 0, 1, 0, 0, 2, 0, 0, 9, 0, 1)],
          [7, words(1)],
        ],
      ],
      'ceil',
    ],
    ['TCA_OPTIONS', [2, Uint8Array.of(1, 0, 1, 0)], 'rate'],
    ['TCA_STATS2', [7, Uint8Array.of(255, 0, 1, 0)], 'sentBytes'],
    ['TCA_STATS_BASIC', [7, [[1, words(1, 2)]]], 'sentBytes'],
    ['TCA_STATS_QUEUE', [7, [[3, words(1, 2)]]], 'dropped'],
    [
      'TCA_STATS_PKT64',
      [
        7,
        [
          [1, words(1, 2, 3)],
          [8, words(1)],
        ],
      ],
      'sentPackets',
    ],
    ['TCA_STATS', [3, words(1, 2, 3)], 'sentBytes'],
    ['struct tc_htb_xstats', [7, [[4, words(1, 2)]]], 'lended'],
  ])('a short %s is told, and its numbers are unknown', (what, part, key) => {
    const parsed = of(part);
    expect(messages(parsed)).toEqual([`netlink class: class 1:2: ${what} is too short`]);
    expect(parsed.records).toHaveLength(1);
    expect(parsed.records[0]?.[key]).toBeUndefined();
  });

  test('numbers of one class never become those of the next', () => {
    const bare = message(40, tcm(7, 0x1_0003, 0xffff_ffff, 0), [[1, name('htb')]]);
    const { records } = decodeClasses([htbClass(true), bare]);
    const { kind: _, handle: __, major, minor, packetsBits, ...unknown } = records[1] ?? ({} as ClassRecord);
    expect([major, minor, packetsBits]).toEqual([1, 3, 32]);
    expect(Object.values(unknown).filter((value) => value !== undefined)).toEqual([]);
  });

  test('names that are no text do no harm', () => {
    const link = message(16, words(0, 5, 1, 0), [
      [3, Uint8Array.of(0xff, 0xfe, 10, 0)],
      [16, number(1, 200)],
      [4, words(1)],
    ]);
    expect(decodeLinks([link])).toMatchObject({
      problems: [],
      records: [{ name: '\ufffd\ufffd\n', operState: undefined }],
    });
    expect(messages(decodeLinks([message(16, words(0, 5, 1, 0), [])]))).toEqual([
      'netlink link: interface 5: it has no name',
    ]);
  });

  test('whatever bytes there are: nothing is thrown, and problems are bounded', () => {
    const samples = ['classes', 'qdiscs', 'links'].map(
      (what) => new Uint8Array(Buffer.concat(datagrams(`${what}.base64`))),
    );
    const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.array(change, { maxLength: 20 }),
        fc.uint8Array({ maxLength: 64 }),
        (sample, changes, tail) => {
          const bytes = new Uint8Array(Buffer.concat([sample, tail]));
          for (const [where, value] of changes) bytes[Math.floor(where * bytes.length)] = value;
          for (const decode of [decodeClasses, decodeQdiscs, decodeLinks]) {
            // Not at the start of its buffer, as a pooled one is not.
            const moved = new Uint8Array(Buffer.concat([Uint8Array.of(1, 2, 3), bytes])).subarray(3);
            const { records, problems } = decode([bytes, tail, moved]);
            expect(problems.length).toBeLessThanOrEqual(11);
            expect(records.length).toBeLessThan(100);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

test('ten thousand classes are decoded in a blink', () => {
  const all = Array.from(
    { length: 100 },
    (_, piece) =>
      new Uint8Array(
        Buffer.concat(
          Array.from({ length: 100 }, (_, at) => htbClass(true, { handle: 0x1_0000 + piece * 100 + at + 1 })),
        ),
      ),
  );
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const began = process.cpuUsage();
    expect(decodeClasses(all).records).toHaveLength(10_000);
    const { user, system } = process.cpuUsage(began);
    best = Math.min(best, (user + system) / 1000);
  }
  // Some 6 ms; the rest is room for a busy neighbour.
  expect(best).toBeLessThan(60);
});
