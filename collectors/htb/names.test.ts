import { describe, expect, it } from 'vitest';
import type { Sample } from '../../src/metric.ts';
import { basePath, createNaming } from '../../src/naming.ts';
import type { OvsInterface, OvsQueue, ShapedDevice } from '../../src/ovs/topology.ts';
import { statsdLine } from '../../src/sinks/lines.ts';
import { createTotals } from '../../src/totals.ts';
import { createClaims, vet } from '../../src/vet.ts';
import { measureClasses, measureDevice } from './measure.ts';
import { type DeviceTree, type NamedBy, type NamedClass, nameAll, pathForm } from './names.ts';
import { parseClasses } from './parse.ts';
import { reviewDevice } from './review.ts';
import type { User, Users } from './users.ts';

const uplink: OvsInterface = {
  ...{ uuid: 'i', name: 'eth1', type: '', bridge: 'br-ex', port: 'eth1', ofport: 1, mac: undefined, mtu: 1500 },
  ...{ portId: undefined, vm: undefined, vifId: undefined, network: undefined, peer: undefined },
  linkBitsPerSecond: undefined,
};
const queue = (id: number): OvsQueue => {
  return {
    id,
    uuid: `q${id}`,
    minBitsPerSecond: undefined,
    maxBitsPerSecond: undefined,
    owner: undefined,
    ownerType: undefined,
  };
};
const shapedBy = (...ids: readonly number[]): ShapedDevice => ({
  ...{ device: 'eth1', interface: uplink, qos: 'qos', type: 'linux-htb', maxBitsPerSecond: 1e9 },
  queues: new Map(ids.map((id) => [id, queue(id)])),
});

/** `1:fffe root`, `1:2 parent 1:fffe`: as tc says it. */
function tree(
  classes: readonly string[],
  { shaped, main = 1 }: { shaped?: ShapedDevice; main?: number } = {},
): DeviceTree {
  const text = classes.map(
    (head) => `class htb ${head} rate 12Kbit ceil 1Gbit\n Sent 5 bytes 1 pkt (dropped 0, overlimits 0 requeues 0)\n\n`,
  );
  const { records, problems } = parseClasses(text.join(''));
  if (problems.length > 0 || records.length !== classes.length) throw new Error(String(problems[0]));
  return { device: 'eth1', classes: records, defaults: new Map([[1, main]]), shaped };
}

const OVS = ['1:fffe root', '1:1 parent 1:fffe', '1:2 parent 1:fffe', '1:3 parent 1:fffe'];
const nobody: User = { vif: undefined, ip: undefined, port: undefined, mac: undefined, vm: undefined };
/** Queue id → who uses it. */
function usersOf(all: Readonly<Record<number, readonly Partial<User>[]>>): Users {
  const of = (id: number): readonly User[] => (all[id] ?? []).map((user) => ({ ...nobody, ...user }));
  return { of: (_, { id }) => of(id), ofQueue: (_, id) => of(id) };
}
const named = (
  all: Parameters<typeof usersOf>[0],
  by: NamedBy = 'vif',
  { classes = OVS, shaped = shapedBy(1, 2) }: { classes?: readonly string[]; shaped?: ShapedDevice } = {},
): NamedClass[] => nameAll(tree(classes, { shaped }), usersOf(all), by).classes;
const names = (...args: Parameters<typeof named>): string[] => named(...args).map(({ labels }) => labels.name);

const everything = { vif: 'tap1', ip: '10.0.0.1', port: 'port-1', mac: 'fa:16:3e:00:00:01', vm: 'vm-1' };

describe('what stands for a class', () => {
  it.each([
    ['vif', ['tap1', '10.0.0.1', 'port-1']],
    ['port', ['port-1', 'tap1', '10.0.0.1']],
    ['ip', ['10.0.0.1', 'tap1', 'port-1']],
    ['class', ['1:2', '1:2', '1:2']],
  ] as const)('by %s, and what it falls back to', (by, expected) => {
    // Each time without the best of what was known.
    const order = { vif: ['vif', 'ip'], port: ['port', 'vif'], ip: ['ip', 'vif'], class: [] }[by];
    const known: Partial<User> = { ...everything };
    const found = expected.map((_, step) => {
      if (step > 0) delete (known as Record<string, unknown>)[order[step - 1] ?? ''];
      return names({ 1: [known] }, by)[2];
    });
    expect(found).toEqual(expected);
    expect(names({}, by)[2]).toBe('1:2');
    // Neither an address of the link nor a machine, which may have several, stands for a class.
    expect(names({ 1: [{ mac: 'fa:16:3e:00:00:01', vm: 'vm-1' }] }, by)[2]).toBe('1:2');
  });

  it('is what all users share', () => {
    const two = [everything, { ...everything, ip: '10.0.0.2' }];
    expect(names({ 1: two })[2]).toBe('tap1');
    expect(names({ 1: two }, 'ip')[2]).toBe('tap1');
    expect(names({ 1: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] })[2]).toBe('1:2');
    expect(names({ 1: [everything, {}] })[2]).toBe('1:2');
  });

  it('the inner class and the default one are marked', () => {
    expect(names({})).toEqual(['inner_1:fffe', 'default_1:1', '1:2', '1:3']);
    expect(named({}).map(({ role }) => role)).toEqual(['inner', 'default', 'leaf', 'leaf']);
    // The limit of a tap is the default class of the tap's own tree.
    expect(names({ 0: [everything] }, 'vif', { shaped: shapedBy(0) })[1]).toBe('tap1');
  });

  it('inner is what has children, with or without a level in the text', () => {
    const classes = ['1:1 root', '1:10 parent 1:1', '1:20 parent 1:10', '1:30 parent 1:1'];
    const roles = nameAll(tree(classes, { main: 0x30 }), undefined, 'vif').classes.map(({ role }) => role);
    expect(roles).toEqual(['inner', 'inner', 'leaf', 'default']);
    expect(nameAll(tree(classes, { main: 0 }), undefined, 'vif').classes.map(({ role }) => role)[3]).toBe('leaf');
    expect(nameAll(tree(classes, { main: 1 }), undefined, 'vif').classes.map(({ role }) => role)[0]).toBe('inner');
  });

  it('no queue stands for an inner class, nor for any where Open vSwitch does not shape the device', () => {
    expect(named({}).map((one) => one.queue)).toEqual([undefined, 0, 1, 2]);
    expect(
      nameAll(tree(OVS), usersOf({ 1: [everything] }), 'vif').classes.map((one) => [one.queue, one.users.length]),
    ).toEqual(OVS.map(() => [undefined, 0]));
    // Open vSwitch has major number 1 alone.
    expect(named({ 1: [everything] }, 'vif', { classes: ['2:2 root'] })[0]).toMatchObject({
      queue: undefined,
      users: [],
    });
  });

  it('a class whose queue the database lacks is named by the flows alone', () => {
    expect(names({ 2: [everything] }, 'vif', { shaped: shapedBy() })[3]).toBe('tap1');
  });

  it('what is known stands in tags', () => {
    expect(named({ 1: [everything] }).map(({ labels }) => labels)[2]).toEqual({
      ...{ device: 'eth1', name: 'tap1', class: '1:2', role: 'leaf', bridge: 'br-ex', queue: '1' },
      ...everything,
    });
  });
});

describe('two classes of one name', () => {
  it('are told apart by their ids', () => {
    expect(names({ 1: [everything], 2: [everything] }).slice(2)).toEqual(['tap1_1:2', 'tap1_1:3']);
  });

  it('also where the names meet only in the series', () => {
    expect(names({ 1: [{ vif: 'a.b' }], 2: [{ vif: 'a_b' }] }).slice(2)).toEqual(['a.b_1:2', 'a_b_1:3']);
    expect(names({ 1: [{ vif: 'default_1_1' }] })).toEqual([
      'inner_1:fffe',
      'default_1:1_1:1',
      'default_1_1_1:2',
      '1:3',
    ]);
  });

  it('also where a third is called as one of them would be', () => {
    const classes = [...OVS, '1:4 parent 1:fffe'];
    const all = { 1: [{ vif: 'a.b' }], 2: [{ vif: 'a_b' }], 3: [{ vif: 'a_b_1_2' }] };
    const found = names(all, 'vif', { classes, shaped: shapedBy(1, 2, 3) });
    expect(found.slice(2)).toEqual(['a.b_1:2_1:2', 'a_b_1:3', 'a_b_1_2']);
    expect(new Set(found.map(pathForm)).size).toBe(found.length);
  });
});

describe('a queue without a class', () => {
  const missing = (
    all: Parameters<typeof usersOf>[0],
    ids: readonly number[],
    {
      by = 'vif',
      classes = OVS,
      defaults,
    }: Partial<Pick<DeviceTree, 'defaults'>> & {
      by?: NamedBy;
      classes?: readonly string[];
    } = {},
  ) => {
    const of = tree(classes, { shaped: shapedBy(...ids) });
    return nameAll({ ...of, defaults: defaults ?? of.defaults }, usersOf(all), by).missing;
  };
  const namesOf = (...args: Parameters<typeof missing>): string[] => missing(...args).map(({ labels }) => labels.name);

  it('has the name and all labels that its class would have', () => {
    const users = { 7: [everything] };
    const without = missing(users, [1, 2, 7]);
    const whole = named(users, 'vif', { classes: [...OVS, '1:8 parent 1:fffe'], shaped: shapedBy(1, 2, 7) });
    expect(without.map(({ queue }) => queue)).toEqual([7]);
    expect(without[0]?.labels).toEqual(whole[4]?.labels);
    expect(namesOf(users, [7], { by: 'ip' })).toEqual(['10.0.0.1']);
    expect(namesOf(users, [7], { by: 'class' })).toEqual(['1:8']);
    expect(namesOf({}, [7])).toEqual(['1:8']);
  });

  it('is none where the class is there, or Open vSwitch does not shape the device', () => {
    expect(missing({}, [0, 1, 2])).toEqual([]);
    expect(nameAll(tree(OVS), usersOf({}), 'vif').missing).toEqual([]);
    // Another qdisc's class is not the queue's.
    expect(namesOf({}, [7], { classes: [...OVS, '2:8 parent 1:1'] })).toEqual(['1:8']);
  });

  it('is the default one of Open vSwitch, also where the qdisc is gone', () => {
    const gone = { classes: [], defaults: new Map<number, number>() };
    expect(namesOf({}, [0, 1], gone)).toEqual(['default_1:1', '1:2']);
    expect(namesOf({ 0: [everything] }, [0], gone)).toEqual(['tap1']);
    expect(namesOf({}, [0, 1], { classes: [], defaults: new Map([[1, 2]]) })).toEqual(['1:1', 'default_1:2']);
  });

  it('shares no name with a class, whether that is there or not', () => {
    const users = { 1: [everything], 7: [everything] };
    expect(namesOf(users, [1, 7])).toEqual(['tap1_1:8']);
    expect(names(users, 'vif', { shaped: shapedBy(1, 7) })[2]).toBe('tap1_1:2');
    expect(namesOf(users, [1, 7], { classes: [] })).toEqual(['tap1_1:2', 'tap1_1:8']);
  });

  it('is called by its id where there can be no class of that id', () => {
    const [first, ...others] = missing({ 61441: [everything] }, [61_440, 61_441, 65_533, 4_294_967_295]);
    expect(first?.labels).toMatchObject({ name: 'queue_61440', class: undefined, queue: '61440' });
    expect(others.map(({ labels }) => labels.name)).toEqual(['tap1', 'queue_65533', 'queue_4294967295']);
    // The last id that has one; a class above stands for no queue.
    expect(namesOf({}, [61_439])).toEqual(['1:f000']);
    const [above] = named({ 61440: [everything] }, 'vif', { classes: ['1:f001 root'], shaped: shapedBy(61_440) });
    expect([above?.queue, above?.labels.name]).toEqual([undefined, '1:f001']);
  });
});

describe('hostile names', () => {
  const hostile = [
    'a b',
    'v"|$(x)é',
    "it's",
    'x:1|c',
    'x\nedge.fake:1|g',
    'x\r\nedge.fake 1',
    'x;tag=1,#b|@0.1',
    '../../etc',
    '',
    ' ',
    '\u0000\u2028\u202e',
    '名前',
    'x'.repeat(64),
    '{{a}}%s\\',
    '-1|g',
    '__proto__',
  ];

  /** What StatsD gets of a class with this name, as the daemon makes it. */
  function linesOf(name: string, style: 'none' | 'graphite' | 'dogstatsd'): string[] {
    const shaped: ShapedDevice = { ...shapedBy(1, 2, 7), device: name, interface: { ...uplink, bridge: name } };
    const user = { vif: name, ip: name, port: name, mac: name, vm: name };
    const of = tree(OVS, { shaped });
    const { classes, missing } = nameAll({ ...of, device: name }, usersOf({ 1: [user], 7: [user] }), 'vif');
    const samples: Sample[] = [];
    measureClasses(name, classes, 1e-6, samples);
    measureDevice(
      name,
      reviewDevice({ classes, missing, shaped, live: true, flowsKnown: true, flowsRead: true }),
      samples,
    );
    const naming = createNaming(basePath('edge', 'hv01', 'htb'));
    const vetted = vet(samples, naming, createClaims(), 'htb');
    expect(vetted.problems).toEqual([]);
    const reading = { named: vetted.named, problems: [], ratios: [], readAtMs: 0 };
    const points = createTotals(naming, { startsFromZero: true }).apply(reading);
    return points.flatMap((point) => statsdLine(point, style) ?? []);
  }

  it.each(hostile)('%j makes one line of each number, and none of its own', (name) => {
    for (const style of ['none', 'graphite', 'dogstatsd'] as const) {
      const lines = linesOf(name, style);
      expect(lines.length).toBeGreaterThan(30);
      for (const line of lines) {
        expect(line).toMatch(
          /^edge\.hv01\.htb(?:\.[A-Za-z0-9_-]+)+(?:;[a-z]+=[A-Za-z0-9_-]+)*:[0-9.]+\|[cg](?:\|#[a-z]+:[A-Za-z0-9_-]+(?:,[a-z]+:[A-Za-z0-9_-]+)*)?$/,
        );
      }
    }
  });
});
