import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Row, Tables, Value } from '../src/ovs/database.ts';
import { createRows, schemaOf, wantedOf } from '../src/ovs/ovsdb-rows.ts';
import { topologyOf } from '../src/ovs/topology.ts';

const testdata = resolve(import.meta.dirname, '../collectors/htb/testdata');
const json = (name: string): unknown => JSON.parse(readFileSync(resolve(testdata, name), 'utf8'));

/** What the live replica makes of a server's schema and its reply to `monitor`. */
function recorded(schema: string, database: string): Tables {
  const rows = createRows(wantedOf(schemaOf(json(schema))).columns);
  rows.apply(json(database));
  return rows.tables();
}

const tables = (all: Readonly<Record<string, Readonly<Record<string, Row>>>>): Tables =>
  new Map(Object.entries(all).map(([table, rows]) => [table, new Map(Object.entries(rows))]));
const map = (pairs: Readonly<Record<string, string | number>>): Value => new Map(Object.entries(pairs));

describe('what Open vSwitch 3.1 says', () => {
  const topology = topologyOf(recorded('ovs3.1-schema.json', 'tc6.1-ovs/database.json'));

  it('bridges that patch ports join belong together', () => {
    const [one, other] = ['xapi0', 'xenbr1'].map((name) => topology.bridges.get(name));
    expect([one?.name, other?.name, one?.protocols]).toEqual(['xapi0', 'xenbr1', []]);
    expect(one?.group).toBe(other?.group);
  });

  it('an interface has its port, its bridge, and what OpenStack and XenServer call it', () => {
    expect(topology.interfaces.get('vif3.1')).toMatchObject({
      ...{ bridge: 'xapi0', port: 'vif3.1', ofport: 3, mac: 'fa:16:3e:00:00:38', mtu: 1500, type: '', peer: undefined },
      ...{ portId: 'e1d2c3b4-a5f6-4718-92a3-b4c5d6e7f838', vm: 'b7a1d2c4-5e6f-4a0b-8c1d-2e3f4a5b6c38' },
      ...{ vifId: 'e1d2c3b4-a5f6-4718-92a3-b4c5d6e7f838', network: '5d1c8e0a-3b1f-4a57-9a3c-0a8f5e6b7c01' },
    });
    expect(topology.interfaces.get('up')).toMatchObject({ type: 'patch', peer: 'down', mtu: undefined });
    expect([...topology.interfaces.keys()].toSorted()).toEqual([
      ...['down', 'eth1', 'up', 'vif2.1', 'vif3.1', 'xapi0', 'xenbr1'],
    ]);
  });

  it('a port with a QoS has its queues by id', () => {
    const [[device, shaped] = [], ...others] = topology.shaped;
    expect([device, others]).toEqual(['eth1', []]);
    expect(shaped).toMatchObject({ type: 'linux-htb', maxBitsPerSecond: 10_000_000_000 });
    expect([...(shaped?.queues.values() ?? [])].toSorted((a, b) => a.id - b.id)).toMatchObject([
      { id: 13947, minBitsPerSecond: undefined, maxBitsPerSecond: 614_400_000, owner: undefined },
      {
        ...{ id: 13948, minBitsPerSecond: 1_000_000, maxBitsPerSecond: 10_000_000 },
        ...{ owner: 'e1d2c3b4-a5f6-4718-92a3-b4c5d6e7f838', ownerType: 'minimum_bandwidth' },
      },
    ]);
  });

  it('Neutron’s bandwidth limit calls the queue’s owner by the tap’s name', () => {
    const { shaped } = topologyOf(recorded('ovs3.1-schema.json', 'tc6.1-neutron-tap/database.json'));
    const queue = shaped.get('tap3c9f8f53-6d')?.queues.get(0);
    expect(queue).toMatchObject({ owner: 'tap3c9f8f53-6d', ownerType: 'bandwidth_limit', maxBitsPerSecond: 3_000_000 });
  });

  it('a server whose schema lacks columns leaves their fields unknown', () => {
    const few = topologyOf(recorded('tc6.8-ovs/schema.json', 'tc6.8-ovs/database.json'));
    expect(few.version).toBeUndefined();
    expect(few.interfaces.get('p1')).toMatchObject({
      ofport: 1,
      mtu: 1500,
      mac: undefined,
      linkBitsPerSecond: undefined,
    });
    expect([...few.shaped.keys()].toSorted()).toEqual(['p1', 'p2']);
    expect(few.shaped.get('p1')?.queues.get(10)).toMatchObject({ maxBitsPerSecond: 1_234_567 });
    // Without a max-rate of its own.
    expect(few.shaped.get('p2')?.maxBitsPerSecond).toBeUndefined();
  });
});

/** A bridge with one port and one interface, of which columns can be others. */
function small(
  of: { port?: Row; interface?: Row; qos?: Row; queue?: Row; bridge?: Row } = {},
  more: Parameters<typeof tables>[0] = {},
) {
  return topologyOf(
    tables({
      Bridge: { b: { name: 'br0', ports: ['p'], ...of.bridge } },
      Port: { p: { name: 'eth0', interfaces: ['i'], qos: ['q'], ...of.port } },
      Interface: { i: { name: 'eth0', type: '', ofport: 1, ...of.interface } },
      QoS: { q: { type: 'linux-htb', queues: map({ 7: 'u' }), other_config: map({ 'max-rate': '1000' }), ...of.qos } },
      Queue: { u: { other_config: map({ 'max-rate': '500' }), external_ids: map({}), ...of.queue } },
      ...more,
    }),
  );
}

describe('hostile and half-written rows', () => {
  it('nothing at all is an empty topology', () => {
    const empty = topologyOf(new Map());
    expect([empty.bridges.size, empty.interfaces.size, empty.shaped.size, empty.version]).toEqual([0, 0, 0, undefined]);
  });

  it('references to rows that are not there are passed over', () => {
    expect(small({ bridge: { ports: ['gone', 'p'] } }).interfaces.size).toBe(1);
    expect(small({ port: { interfaces: ['gone'] } }).interfaces.size).toBe(0);
    expect(small({ port: { qos: ['gone'] } }).shaped.size).toBe(0);
    expect(small({ port: { qos: [] } }).shaped.size).toBe(0);
    expect(small({ qos: { queues: map({ 7: 'gone' }) } }).shaped.get('eth0')?.queues.size).toBe(0);
  });

  it('a column of another form than the schema’s is unknown', () => {
    const odd = small({
      interface: { ofport: 'many', external_ids: 'none', mtu: [1500, 9000], mac_in_use: [], options: [] },
      qos: { type: [], queues: [], other_config: 'max-rate=1' },
    });
    expect(odd.interfaces.get('eth0')).toMatchObject({ ofport: undefined, mtu: undefined, mac: undefined });
    expect(odd.shaped.get('eth0')).toMatchObject({ type: '', maxBitsPerSecond: undefined });
    expect(odd.shaped.get('eth0')?.queues.size).toBe(0);
  });

  const rateOf = (text: string) => {
    const { shaped } = small({
      queue: { other_config: map({ 'max-rate': text, 'min-rate': text }) },
      qos: { other_config: map({ 'max-rate': text }) },
    });
    const { maxBitsPerSecond, queues } = shaped.get('eth0') ?? {};
    const queue = queues?.get(7);
    expect([queue?.minBitsPerSecond, maxBitsPerSecond]).toEqual([queue?.maxBitsPerSecond, queue?.maxBitsPerSecond]);
    return maxBitsPerSecond;
  };

  it.each([
    ...['', ' ', '-', '+', '+-5', '- 5', '1.5', '1e3', '1e6', '10M', '0x10', '1_000', '1000000bit', '5000000 ', '5\n'],
    ...['18446744073709551616', '-18446744073709551616', '99999999999999999999', '\u00a05', '\u0665'],
  ])('a rate %j is none', (text) => {
    expect(rateOf(text)).toBeUndefined();
  });

  it('a rate of a megabyte is none, and soon so', () => {
    const megabyte = 1_000_000;
    for (const text of [`${' '.repeat(megabyte)}5`, '0'.repeat(megabyte), `${'0'.repeat(megabyte)}x`]) {
      expect(rateOf(text)).toBeUndefined();
    }
  });

  it.each([
    ['0', 0],
    ['-0', 0],
    ['7', 7],
    ['614400000', 614_400_000],
    [' 5000000', 5_000_000],
    ['\t\n\v\f\r +20000', 20_000],
    ['007000000', 7_000_000],
    ['00000000000000000000000000000005000000', 5_000_000],
    ['18446744073709551615', 2 ** 64],
    ['-5', 2 ** 64],
    ['-18446744073709551000', 616],
  ])('a rate %j is what strtoull(3) makes of it', (text, bitsPerSecond) => {
    expect(rateOf(text)).toBe(bitsPerSecond);
  });

  it.each(['', '-1', '1.5', ' 7', '0x7', 'NaN'])('a queue id %j is none', (key) => {
    expect(small({ qos: { queues: map({ [key]: 'u' }) } }).shaped.get('eth0')?.queues.size).toBe(0);
  });

  it('an interface that could not be opened has no port number', () => {
    expect(small({ interface: { ofport: -1 } }).interfaces.get('eth0')?.ofport).toBeUndefined();
    expect(small({ interface: { ofport: 0 } }).interfaces.get('eth0')?.ofport).toBe(0);
  });

  it('addresses are in lower case; the machine’s own goes before the device’s', () => {
    const ids = { 'attached-mac': 'FA:16:3E:00:00:01', 'vm-uuid': '', 'xs-vm-uuid': 'xs', 'iface-id': '' };
    const one = small({ interface: { external_ids: map(ids), mac_in_use: 'AA:00:00:00:00:01' } }).interfaces.get(
      'eth0',
    );
    expect(one).toMatchObject({ mac: 'fa:16:3e:00:00:01', vm: 'xs', portId: undefined });
    expect(small({ interface: { mac_in_use: 'AA:00:00:00:00:01' } }).interfaces.get('eth0')?.mac).toBe(
      'aa:00:00:00:00:01',
    );
  });

  it('an owner is Neutron’s alone: an id without its kind of queue is anybody’s', () => {
    const owner = (ids: Record<string, string>) =>
      small({ queue: { external_ids: map(ids) } })
        .shaped.get('eth0')
        ?.queues.get(7)?.owner;
    expect(owner({ port: 'uuid', type: 'minimum_bandwidth', id: 'x' })).toBe('uuid');
    expect(owner({ id: 'tap1', queue_type: '0' })).toBe('tap1');
    expect(owner({ id: 'my queue' })).toBeUndefined();
  });

  it('the version is what the init script wrote, if it did', () => {
    const told = small({}, { Open_vSwitch: { o: { ovs_version: '3.1.0' } } });
    expect([told.version, told.shaped.get('eth0')?.version]).toEqual(['3.1.0', '3.1.0']);
    const silent = small({}, { Open_vSwitch: { o: { ovs_version: [] } } });
    expect([silent.version, silent.shaped.get('eth0')?.version]).toEqual([undefined, undefined]);
  });

  it('any text is a name', () => {
    const name = `a b"'\n|:é${'x'.repeat(64)}`;
    const { interfaces, shaped } = small({ interface: { name } });
    expect([[...interfaces.keys()], [...shaped.keys()]]).toEqual([[name], [name]]);
  });

  it('every interface of a bond has the port’s QoS', () => {
    const { shaped } = small(
      { port: { name: 'bond0', interfaces: ['i', 'j'] } },
      { Interface: { i: { name: 'eth0', type: '', ofport: 1 }, j: { name: 'eth1', type: '', ofport: 2 } } },
    );
    expect([...shaped.values()].map(({ device, interface: { port } }) => [device, port])).toEqual([
      ['eth0', 'bond0'],
      ['eth1', 'bond0'],
    ]);
  });
});

describe('groups of bridges', () => {
  /** Patch ports as `bridge:name>peer`. */
  const groups = (bridges: readonly string[], ...patches: readonly string[]): Record<string, number> => {
    const parts = patches.map((patch) => patch.split(/[:>]/) as [string, string, string]);
    const topology = topologyOf(
      tables({
        Bridge: Object.fromEntries(
          bridges.map((name) => [name, { name, ports: parts.filter(([of]) => of === name).map(([, own]) => own) }]),
        ),
        Port: Object.fromEntries(parts.map(([, own]) => [own, { name: own, interfaces: [own], qos: [] }])),
        Interface: Object.fromEntries(
          parts.map(([, own, peer]) => [own, { name: own, type: 'patch', ofport: 1, options: map({ peer }) }]),
        ),
      }),
    );
    return Object.fromEntries([...topology.bridges.values()].map(({ name, group }) => [name, group]));
  };

  it('are joined over several bridges, in whatever order their ports come', () => {
    const of = groups(['c', 'a', 'd', 'b'], 'd:dc>cd', 'a:ab>ba', 'b:ba>ab', 'c:cd>dc', 'b:bc>cb', 'c:cb>bc');
    expect(new Set(Object.values(of)).size).toBe(1);
  });

  it('are not joined by a peer that is not there, by itself, or by nothing', () => {
    const of = groups(['a', 'b', 'c'], 'a:ab>gone', 'b:bb>bb');
    expect(new Set(Object.values(of)).size).toBe(3);
  });
});
