import { describe, expect, it } from 'vitest';
import type { OvsInterface, OvsQueue, ShapedDevice } from '../../src/ovs/topology.ts';
import { driftOfQueue, driftOfRoot, isComparable, isStray } from './drift.ts';
import { driftReasons } from './metrics.ts';
import { parseClasses } from './parse.ts';
import { rateOf, rateOfBytes } from './rates.ts';
import type { ClassRecord, Rate } from './record.ts';

const uplink: OvsInterface = {
  ...{ uuid: 'i', name: 'eth1', type: '', bridge: 'xenbr1', port: 'eth1', ofport: 1, mac: undefined, mtu: 1500 },
  ...{ portId: undefined, vm: undefined, vifId: undefined, network: undefined, peer: undefined },
  linkBitsPerSecond: undefined,
};
const [template] = parseClasses('class htb 1:1 root rate 1Kbit ceil 1Kbit\n').records;

function device(
  maxBitsPerSecond: number | undefined,
  mtu: number | undefined = 1500,
  type = 'linux-htb',
): ShapedDevice {
  return { device: 'eth1', interface: { ...uplink, mtu }, qos: 'q', type, maxBitsPerSecond, queues: new Map() };
}

const withoutMtu = (one: ShapedDevice): ShapedDevice => ({ ...one, interface: { ...uplink, mtu: undefined } });

function queue(minBitsPerSecond?: number, maxBitsPerSecond?: number): OvsQueue {
  return { id: 1, uuid: 'u', minBitsPerSecond, maxBitsPerSecond, owner: undefined, ownerType: undefined };
}

/** A class by netlink: exact rates, given here in bits per second. */
const exact = (rate: number, ceil: number): ClassRecord => of(rateOfBytes(rate / 8, true), rateOfBytes(ceil / 8, true));
/** By tc's text. */
const told = (rate: string, ceil: string): ClassRecord => of(rateOf(rate), rateOf(ceil));
function of(rate: Rate | undefined, ceil: Rate | undefined): ClassRecord {
  if (template === undefined || rate === undefined || ceil === undefined) throw new Error('no rate');
  return { ...template, rate, ceil };
}

const gigabit = device(1e9);
const root = exact(1e9, 1e9);
const drift = (
  one: OvsQueue,
  record: ClassRecord | undefined,
  where = gigabit,
  top: ClassRecord | undefined = root,
) => {
  const { reason, drifted } = driftOfQueue(one, record, where, top);
  return drifted ? `! ${reason}` : reason;
};

describe('what is as configured', () => {
  it('is so to the byte by netlink', () => {
    expect(drift(queue(1e6, 10e6), exact(1e6, 10e6))).toBe('none');
    expect(drift(queue(1e6, 10e6), exact(1e6, 10e6 + 8))).toBe('! ceil_differs');
    expect(drift(queue(1e6, 10e6), exact(1e6 - 8, 10e6))).toBe('! rate_differs');
  });

  it('loses what is not a whole byte', () => {
    expect(drift(queue(1_000_001, 1_234_567), exact(1_000_000, 1_234_560))).toBe('none');
  });

  it('is within what tc leaves out, and no more', () => {
    // 1234560 bit/s: rounded until 3.12, truncated from 3.14 on.
    expect(drift(queue(undefined, 1_234_567), told('12000bit', '1235Kbit'))).toBe('none');
    expect(drift(queue(undefined, 1_234_567), told('12Kbit', '1234Kbit'))).toBe('none');
    expect(drift(queue(undefined, 1_234_567), told('12Kbit', '1233Kbit'))).toBe('! ceil_differs');
    expect(drift(queue(undefined, 1_234_567), told('12Kbit', '1236Kbit'))).toBe('! ceil_differs');
    // What tc rounds up is above what is configured.
    expect(drift(queue(undefined, 999_999_999), told('12000bit', '1000000Kbit'), device(10e9))).toBe('none');
    expect(drift(queue(undefined, 614_400_000), told('12Kbit', '614400Kbit'))).toBe('none');
  });

  it('has the QoS row’s max-rate where a queue has none', () => {
    expect(drift(queue(), exact(12_000, 1e9))).toBe('none');
    expect(drift(queue(), exact(12_000, 1e9 - 8))).toBe('! ceil_differs');
  });

  it('has what the kernel shows where the link’s speed stands for the QoS’s max-rate', () => {
    for (const where of [device(undefined), device(0), device(7)]) {
      expect(drift(queue(), exact(12_000, 2_496e6), where, exact(2_496e6, 2_496e6))).toBe('none');
      expect(drift(queue(), exact(12_000, 2_000e6), where, exact(2_496e6, 2_496e6))).toBe('! ceil_differs');
      expect(drift(queue(undefined, 5e9), exact(12_000, 2_496e6), where, exact(2_496e6, 2_496e6))).toBe(
        'clipped_to_qos_max',
      );
      // Nothing is known to compare with.
      expect(driftOfQueue(queue(undefined, 5e9), exact(12_000, 1e6), where, undefined).reason).toBe('none');
    }
    expect(drift(queue(), told('12Kbit', '1234Mbit'), device(undefined), told('1234Mbit', '1234Mbit'))).toBe('none');
  });
});

describe('what is explained is no drift', () => {
  it('clipped to the max-rate of the QoS, the guarantee too', () => {
    expect(drift(queue(undefined, 4e9), exact(12_000, 1e9))).toBe('clipped_to_qos_max');
    expect(drift(queue(2e9, 4e9), exact(1e9, 1e9))).toBe('clipped_to_qos_max');
    expect(drift(queue(2e9), exact(1e9, 1e9))).toBe('clipped_to_qos_max');
    expect(drift(queue(undefined, 4e9), exact(12_000, 4e9))).toBe('! ceil_differs');
  });

  it('raised to one packet each second: 12 kbit/s, or 72 with jumbo frames', () => {
    expect(drift(queue(100, 10e6), exact(12_000, 10e6))).toBe('raised_to_mtu');
    expect(drift(queue(100, 10e6), exact(72_000, 10e6), device(1e9, 9000))).toBe('raised_to_mtu');
    expect(drift(queue(100, 10e6), exact(12_000, 10e6), device(1e9, 9000))).toBe('! rate_differs');
    expect(drift(queue(12_000, 10e6), exact(12_000, 10e6))).toBe('none');
    // Nobody asked for less, so nothing was raised.
    expect(drift(queue(undefined, 10e6), exact(12_000, 10e6))).toBe('none');
    expect(drift(queue(undefined, 10e6), exact(72_000, 10e6), device(1e9, 9000))).toBe('none');
  });

  it('raises the ceiling as well', () => {
    expect(drift(queue(undefined, 8000), exact(12_000, 12_000))).toBe('raised_to_mtu');
    expect(drift(queue(undefined, 7), exact(12_000, 12_000))).toBe('raised_to_mtu');
    expect(drift(queue(11_000, 8000), exact(12_000, 12_000))).toBe('raised_to_mtu');
    // A QoS below one packet: nothing is raised above it.
    expect(drift(queue(undefined, 800), exact(8000, 8000), device(8000), exact(8000, 8000))).toBe('raised_to_mtu');
    expect(drift(queue(), exact(8000, 8000), device(8000), exact(8000, 8000))).toBe('none');
  });

  it('takes a small rate for the MTU where that is not known', () => {
    const where = withoutMtu(gigabit);
    expect(drift(queue(undefined, 10e6), exact(12_000, 10e6), where)).toBe('none');
    expect(drift(queue(undefined, 8000), exact(72_000, 72_000), where)).toBe('raised_to_mtu');
    expect(drift(queue(undefined, 10e6), exact(600_000, 10e6), where)).toBe('! rate_differs');
  });
});

it('a min-rate above the max-rate lifts the ceiling, and that is told', () => {
  expect(drift(queue(10e6, 5e6), exact(10e6, 10e6))).toBe('! ceil_differs');
  expect(drift(queue(80_000, 8000), exact(80_000, 80_000))).toBe('! ceil_differs');
});

it('the worse of two reasons is told', () => {
  expect(drift(queue(100, 10e6), exact(12_000, 20e6))).toBe('! ceil_differs');
  expect(drift(queue(2e6, 4e9), exact(1e6, 1e9))).toBe('! rate_differs');
  expect(drift(queue(100, 4e9), exact(12_000, 1e9))).toBe('clipped_to_qos_max');
});

describe('32 bits of bytes per second, as before Open vSwitch 3.2', () => {
  const [forty, hundred] = [device(40e9), device(100e9)];

  it('40 Gbit/s become 5640 Mbit/s, of the QoS and of every queue below it', () => {
    const top = exact(5_640_261_632, 5_640_261_632);
    expect(driftOfRoot(forty, top)).toEqual({ reason: 'truncated_to_32_bits', drifted: true });
    expect(driftOfRoot(forty, told('5640Mbit', '5640Mbit')).reason).toBe('truncated_to_32_bits');
    const within = (one: OvsQueue, record: ClassRecord) => drift(one, record, forty, top);
    expect(within(queue(), exact(12_000, 5_640_261_632))).toBe('! truncated_to_32_bits');
    expect(within(queue(undefined, 40e9), told('12Kbit', '5640Mbit'))).toBe('! truncated_to_32_bits');
    expect(within(queue(undefined, 39e9), exact(12_000, 4_640_261_632))).toBe('! truncated_to_32_bits');
    // 10 Gbit/s would fit, but not into what is left of 40.
    expect(within(queue(undefined, 10e9), exact(12_000, 5_640_261_632))).toBe('! truncated_to_32_bits');
    expect(within(queue(8e9, 10e9), exact(5_640_261_632, 5_640_261_632))).toBe('! truncated_to_32_bits');
    expect(within(queue(undefined, 1e9), exact(12_000, 1e9))).toBe('none');
    expect(within(queue(undefined, 10e9), exact(12_000, 9e9))).toBe('! ceil_differs');
  });

  it('of a queue in a larger QoS', () => {
    const top = exact(31_280_523_264, 31_280_523_264);
    expect(drift(queue(undefined, 50e9), exact(12_000, 15_640_261_632), hundred, top)).toBe('! truncated_to_32_bits');
  });

  it('is no drift from 3.2 on, nor where tc shows all that 32 bits hold', () => {
    expect(drift(queue(undefined, 40e9), exact(12_000, 40e9), hundred)).toBe('none');
    expect(driftOfRoot(forty, exact(40e9, 40e9))).toEqual({ reason: 'none', drifted: false });
    expect(drift(queue(undefined, 40e9), told('12000bit', '34360Mbit'), hundred)).toBe('none');
    // Without TCA_HTB_CEIL64 the kernel says the same.
    expect(drift(queue(undefined, 40e9), of(rateOfBytes(1500, false), rateOfBytes(2 ** 32 - 1, false)), hundred)).toBe(
      'none',
    );
    expect(drift(queue(undefined, 10e9), told('12000bit', '34360Mbit'), hundred)).toBe('! ceil_differs');
  });
});

describe('the inner class', () => {
  it('has the max-rate of the QoS', () => {
    expect(driftOfRoot(gigabit, root)).toEqual({ reason: 'none', drifted: false });
    expect(driftOfRoot(gigabit, exact(9e8, 9e8))).toEqual({ reason: 'ceil_differs', drifted: true });
    expect(driftOfRoot(gigabit, undefined)).toEqual({ reason: 'missing_class', drifted: true });
  });

  it('has the link’s speed where the QoS says nothing, or nothing that makes a byte', () => {
    for (const max of [undefined, 0, 7]) expect(driftOfRoot(device(max), exact(1e8, 1e8)).reason).toBe('none');
  });
});

describe('HFSC', () => {
  const hfsc = (maxBitsPerSecond?: number) => device(maxBitsPerSecond, 1500, 'linux-hfsc');
  const of8 = (ceil: number) => exact(8, ceil);

  it('needs one byte a second, whatever the MTU', () => {
    expect(drift(queue(undefined, 10e6), of8(10e6), hfsc(1e9))).toBe('none');
    expect(drift(queue(1, 10e6), of8(10e6), hfsc(1e9))).toBe('raised_to_mtu');
    expect(drift(queue(undefined, 10e6), exact(12_000, 10e6), hfsc(1e9))).toBe('! rate_differs');
  });

  it('takes a max-rate of less than a byte for the least, in every version', () => {
    const where = { ...hfsc(1e9), version: '3.1.0' };
    for (const max of [0, 7]) {
      expect(drift(queue(undefined, max), of8(8), where)).toBe('raised_to_mtu');
      expect(drift(queue(undefined, max), of8(1e9), where)).toBe('! ceil_differs');
    }
    expect(drift(queue(2e6, 0), exact(2e6, 2e6), where)).toBe('none');
  });

  it('holds 32 bits of the QoS’s bits per second where a queue has no max-rate: 10 Gbit/s become 1.41', () => {
    const top = exact(10e9, 10e9);
    expect(drift(queue(), of8(1_410_065_408), hfsc(10e9), top)).toBe('! truncated_to_32_bits');
    expect(drift(queue(2e6), exact(2e6, 1_410_065_408), hfsc(10e9), top)).toBe('! truncated_to_32_bits');
    // The link's speed is no other.
    expect(drift(queue(), of8(1_410_065_408), hfsc(), top)).toBe('! truncated_to_32_bits');
    // The min-rate has lifted it.
    expect(drift(queue(2e9), exact(2e9, 2e9), hfsc(10e9), top)).toBe('! truncated_to_32_bits');
    expect(drift(queue(), of8(8), hfsc(2 ** 32), exact(2 ** 32, 2 ** 32))).toBe('! truncated_to_32_bits');
    expect(drift(queue(), of8(1_410_065_400), hfsc(10e9), top)).toBe('! ceil_differs');
    // Before 2.6 it was not so; and a max-rate of its own is not multiplied.
    expect(drift(queue(), of8(10e9), hfsc(10e9), top)).toBe('none');
    expect(drift(queue(undefined, 9e9), of8(9e9), hfsc(10e9), top)).toBe('none');
    expect(drift(queue(undefined, 9e9), of8(1_410_065_408), hfsc(10e9), top)).toBe('! ceil_differs');
    expect(drift(queue(), of8(4e9), hfsc(4e9), exact(4e9, 4e9))).toBe('none');
  });

  it('keeps 32 bits of bytes too, of whichever version', () => {
    const where = { ...hfsc(40e9), version: '3.3.0' };
    const top = exact(5_640_261_632, 5_640_261_632);
    expect(driftOfRoot(where, top).reason).toBe('truncated_to_32_bits');
    // Both at once; before 2.6 the one alone.
    expect(drift(queue(), of8(1_345_294_336), where, top)).toBe('! truncated_to_32_bits');
    expect(drift(queue(), of8(5_640_261_632), where, top)).toBe('! truncated_to_32_bits');
  });

  it('HTB has no such limit', () => {
    expect(drift(queue(), exact(12_000, 1_410_065_408), device(10e9), exact(10e9, 10e9))).toBe('! ceil_differs');
  });
});

describe('a max-rate of less than a byte per second', () => {
  const by = (version: string | undefined) => ({ ...gigabit, version });
  const [unlimited, least] = [exact(12_000, 1e9), exact(12_000, 12_000)];

  it('is none when 0, and else the least, from Open vSwitch 2.9 on', () => {
    for (const version of ['2.9.0', '2.17.7', '3.1.0', '3.1.0-xenserver', '10.0']) {
      expect(drift(queue(undefined, 0), unlimited, by(version))).toBe('none');
      expect(drift(queue(undefined, 0), least, by(version))).toBe('! ceil_differs');
      expect(drift(queue(undefined, 7), least, by(version))).toBe('raised_to_mtu');
      expect(drift(queue(undefined, 7), unlimited, by(version))).toBe('! ceil_differs');
      expect(drift(queue(2e6, 0), exact(2e6, 2e6), by(version))).toBe('! ceil_differs');
    }
  });

  it('is either before, and where the version is not known', () => {
    for (const version of [undefined, '', 'unknown', '1.4', '2.5.3', '2.8.11']) {
      for (const max of [0, 7]) {
        expect(drift(queue(undefined, max), unlimited, by(version))).toBe('none');
        expect(drift(queue(undefined, max), least, by(version))).toBe('raised_to_mtu');
        expect(drift(queue(undefined, max), exact(12_000, 20_000), by(version))).toBe('! ceil_differs');
      }
      // 0 is no max-rate of its own, so that the min-rate may be it.
      expect(drift(queue(2e6, 0), exact(2e6, 2e6), by(version))).toBe('none');
      expect(drift(queue(2e6, 0), exact(2e6, 3e6), by(version))).toBe('! ceil_differs');
      // 7 is one, though not much, and below the min-rate.
      expect(drift(queue(2e6, 7), exact(2e6, 2e6), by(version))).toBe('! ceil_differs');
      // And 8 is a max-rate like any other.
      expect(drift(queue(undefined, 8), unlimited, by(version))).toBe('! ceil_differs');
    }
  });
});

it('a max-rate below zero is more than any other, as Open vSwitch counts', () => {
  expect(drift(queue(undefined, 2 ** 64), exact(12_000, 1e9))).toBe('clipped_to_qos_max');
  expect(drift(queue(2 ** 64), exact(1e9, 1e9))).toBe('clipped_to_qos_max');
});

it('a queue without class, and one whose id no class can have', () => {
  expect(drift(queue(undefined, 1e6), undefined)).toBe('! missing_class');
  expect(drift({ ...queue(undefined, 1e6), id: 70_000 }, undefined)).toBe('! missing_class');
});

it('a class without rates has none to differ', () => {
  if (template === undefined) throw new Error('no class');
  expect(drift(queue(1e6, 1e7), { ...template, rate: undefined, ceil: undefined })).toBe('none');
});

it('a class without queue is a stray, but for those that Open vSwitch makes by itself', () => {
  const stray = (major: number, minor: number): boolean =>
    isStray({ ...exact(8, 8), major, minor }, { ...gigabit, queues: new Map([[10, queue()]]) });
  expect([stray(1, 1), stray(1, 0xfffe), stray(1, 11)]).toEqual([false, false, false]);
  expect([stray(1, 10), stray(1, 12), stray(2, 12)]).toEqual([true, true, false]);
});

it('a class above those of all queues is a stray, though a queue has its id', () => {
  const stray = (minor: number): boolean =>
    isStray({ ...exact(8, 8), major: 1, minor }, { ...gigabit, queues: new Map([[minor - 1, queue()]]) });
  expect([stray(0xf000), stray(0xf001), stray(0xffff), stray(0xfffe)]).toEqual([false, true, true, false]);
});

it('only HTB and HFSC have classes to compare', () => {
  for (const type of ['linux-htb', 'linux-hfsc']) expect(isComparable(device(1, 1500, type))).toBe(true);
  for (const type of ['linux-noop', 'linux-codel', 'egress-policer', '']) {
    expect(isComparable(device(1, 1500, type))).toBe(false);
  }
});

it('every reason is one of the catalogue’s, and told as a segment as it is', () => {
  for (const reason of driftReasons) expect(reason).toMatch(/^[a-z0-9_]+$/);
});
