import { describe, expect, it, vi } from 'vitest';
import { addressHints, parseFlows } from '../../src/ovs/flows.ts';
import { type Topology, topologyOf } from '../../src/ovs/topology.ts';
import { usesIn } from './flow-map.ts';
import { type BridgeFlows, queueUsers, shared, type User } from './users.ts';

interface Port {
  readonly ofport?: number;
  readonly mac?: string;
  readonly id?: string;
  readonly vm?: string;
  readonly peer?: string;
  /** Queue ids of its QoS, and Neutron's owners of them. */
  readonly queues?: Readonly<Record<number, string | undefined>>;
}

/** Bridge → interface → what it is. */
function topology(bridges: Readonly<Record<string, Readonly<Record<string, Port>>>>): Topology {
  const all = Object.entries(bridges).flatMap(([bridge, ports]) =>
    Object.entries(ports).map(([name, port]) => ({ bridge, name, ...port })),
  );
  const rows = <Part>(parts: readonly Part[], row: (part: Part) => [string, Record<string, never> | object]) =>
    new Map(parts.map(row)) as never;
  const queues = all.flatMap(({ queues: own = {} }) => Object.entries(own));
  return topologyOf(
    new Map([
      [
        'Bridge',
        rows(Object.keys(bridges), (name) => [
          name,
          { name, ports: all.filter(({ bridge }) => bridge === name).map(({ name: port }) => port) },
        ]),
      ],
      [
        'Port',
        rows(all, ({ name, queues: own }) => [
          name,
          { name, interfaces: [name], qos: own === undefined ? [] : [name] },
        ]),
      ],
      [
        'Interface',
        rows(all, ({ name, ofport = [], mac, id, vm, peer }) => [
          name,
          {
            ...{ name, ofport, type: peer === undefined ? '' : 'patch', mtu: 1500 },
            options: new Map(peer === undefined ? [] : [['peer', peer]]),
            external_ids: new Map(
              Object.entries({ 'attached-mac': mac, 'iface-id': id, 'vm-uuid': vm }).filter(([, value]) => value),
            ),
          },
        ]),
      ],
      [
        'QoS',
        rows(all, ({ name, queues: own = {} }) => [
          name,
          { type: 'linux-htb', queues: new Map(Object.keys(own).map((queue) => [queue, `q${queue}`])) },
        ]),
      ],
      [
        'Queue',
        rows(queues, ([queue, owner]) => [
          `q${queue}`,
          { external_ids: new Map(owner === undefined ? [] : [['port', owner]]) },
        ]),
      ],
    ]),
  );
}

const flows = (bridge: string, ...texts: readonly string[]): BridgeFlows => {
  const { flows: all } = parseFlows(texts.map((text) => ` cookie=0x0, table=0, ${text}\n`).join(''));
  return { bridge, uses: usesIn(all), hints: addressHints(all) };
};

const MAC = 'fa:16:3e:00:00:01';
const node = topology({
  'br-int': {
    tap1: { ofport: 3, mac: MAC, id: 'port-1', vm: 'vm-1' },
    tap2: { ofport: 4, mac: 'fa:16:3e:00:00:02', id: 'port-2' },
    'int-ex': { ofport: 1, peer: 'ex-int' },
  },
  'br-ex': {
    eth1: { ofport: 1, queues: { 5: undefined, 6: 'port-2', 7: 'tap1', 8: 'gone' } },
    'ex-int': { ofport: 2, peer: 'int-ex' },
  },
});

/** Who uses a queue of a device: `vif ip port`, `-` for what is unknown. */
function of(where: Topology, device: string, queue: number, ...all: readonly BridgeFlows[]): string[] {
  const shaped = where.shaped.get(device);
  if (shaped === undefined) throw new Error(`no ${device}`);
  const users = queueUsers(where, all);
  const row = shaped.queues.get(queue);
  const found = row === undefined ? users.ofQueue(shaped, queue) : users.of(shaped, row);
  return found.map(({ vif = '-', ip = '-', port = '-' }) => `${vif} ${ip} ${port}`);
}

describe('a flow that says who sends', () => {
  it('by its port', () => {
    expect(of(node, 'eth1', 5, flows('br-int', 'in_port=3 actions=set_queue:5,NORMAL'))).toEqual(['tap1 - port-1']);
    expect(of(node, 'eth1', 5, flows('br-int', 'in_port=tap1 actions=set_queue:5,NORMAL'))).toEqual(['tap1 - port-1']);
    // A number is one bridge's own: port 1 of br-ex is eth1, port 3 is nothing.
    expect(of(node, 'eth1', 5, flows('br-ex', 'in_port=3 actions=set_queue:5,NORMAL'))).toEqual(['- - -']);
    expect(of(node, 'eth1', 5, flows('br-ex', 'in_port=tap1 actions=set_queue:5,NORMAL'))).toEqual(['- - -']);
  });

  it('by its MAC address, known or not', () => {
    expect(of(node, 'eth1', 5, flows('br-int', `dl_src=${MAC} actions=set_queue:5`))).toEqual(['tap1 - port-1']);
    expect(of(node, 'eth1', 5, flows('br-int', 'dl_src=00:00:00:00:00:09 actions=set_queue:5'))).toEqual(['- - -']);
  });

  it('by its IP addresses', () => {
    const [v4, v6] = ['ip,nw_src=10.0.0.1 actions=set_queue:5', 'ipv6,ipv6_src=FE80::1 actions=set_queue:5'];
    expect(of(node, 'eth1', 5, flows('br-int', v4))).toEqual(['- 10.0.0.1 -']);
    expect(of(node, 'eth1', 5, flows('br-int', v4, v6))).toEqual(['- 10.0.0.1 -', '- fe80::1 -']);
  });

  it('by an address of which another flow says whose it is', () => {
    const use = 'ip,nw_src=10.0.0.1 actions=set_queue:5';
    const spoofing = 'arp,in_port=3,arp_spa=10.0.0.1 actions=NORMAL';
    expect(of(node, 'eth1', 5, flows('br-int', use, spoofing))).toEqual(['tap1 10.0.0.1 port-1']);
    expect(of(node, 'eth1', 5, flows('br-int', spoofing), flows('br-ex', use))).toEqual(['tap1 10.0.0.1 port-1']);
    const byMac = `dl_src=${MAC},arp,arp_spa=10.0.0.1 actions=NORMAL`;
    expect(of(node, 'eth1', 5, flows('br-int', use, byMac))).toEqual(['tap1 10.0.0.1 port-1']);
    const neighbour = 'icmp6,in_port=3,icmp_type=136,nd_target=fe80::1 actions=NORMAL';
    const use6 = 'ipv6,ipv6_src=fe80::1 actions=set_queue:5';
    expect(of(node, 'eth1', 5, flows('br-int', use6, neighbour))).toEqual(['tap1 fe80::1 port-1']);
  });

  it('in an earlier table than that of the queue', () => {
    const { flows: all } = parseFlows(
      ' table=0, in_port=3 actions=set_field:0x5->reg6,resubmit(,1)\n table=1, reg6=0x5 actions=set_queue:5,NORMAL\n',
    );
    expect(of(node, 'eth1', 5, { bridge: 'br-int', uses: usesIn(all), hints: [] })).toEqual(['tap1 - port-1']);
  });

  it('each of several, once', () => {
    const texts = [
      'in_port=3 actions=set_queue:5',
      'in_port=3,ip actions=set_queue:5',
      'in_port=4 actions=set_queue:5',
    ];
    expect(of(node, 'eth1', 5, flows('br-int', ...texts))).toEqual(['tap1 - port-1', 'tap2 - port-2']);
  });
});

describe('a flow that does not', () => {
  it('has an unknown user, so that the queue is not taken for unused', () => {
    expect(of(node, 'eth1', 5, flows('br-int', 'ip,nw_src=10.0.0.0/24 actions=set_queue:5'))).toEqual(['- - -']);
    expect(of(node, 'eth1', 5, flows('br-int', 'dl_vlan=7 actions=set_queue:5'))).toEqual(['- - -']);
    expect(of(node, 'eth1', 5)).toEqual([]);
    expect(of(node, 'eth1', 5, flows('br-int', 'in_port=3 actions=set_queue:50'))).toEqual([]);
  });

  it('as one that comes by a patch port or the uplink: those packets are somebody else’s', () => {
    expect(of(node, 'eth1', 5, flows('br-ex', 'in_port=2 actions=set_queue:5'))).toEqual(['- - -']);
    expect(of(node, 'eth1', 5, flows('br-ex', 'in_port=1 actions=set_queue:5'))).toEqual(['- - -']);
    const hint = flows(
      'br-ex',
      'arp,in_port=2,arp_spa=10.0.0.1 actions=NORMAL',
      'ip,nw_src=10.0.0.1 actions=set_queue:5',
    );
    expect(of(node, 'eth1', 5, hint)).toEqual(['- 10.0.0.1 -']);
  });
});

it('the queues of an uplink are looked at once, however many flows name it', () => {
  const where = topology({ 'br-ex': { eth1: { ofport: 1, queues: { 5: undefined } } } });
  const queues = where.shaped.get('eth1')?.queues ?? new Map();
  const looked = vi.spyOn(queues, 'values');
  const hints = Array.from({ length: 100 }, (_, at) => `arp,in_port=1,arp_spa=10.0.0.${at} actions=NORMAL`);
  queueUsers(where, [flows('br-ex', ...hints)]);
  expect(looked).toHaveBeenCalledTimes(1);
});

it('a VIF that has a limit of its own is no uplink', () => {
  const limited = topology({
    br: {
      tap1: { ofport: 3, id: 'port-1', queues: { 0: undefined } },
      tap2: { ofport: 4, queues: { 0: 'tap2' } },
      eth1: { ofport: 1, queues: { 5: undefined } },
    },
  });
  expect(of(limited, 'eth1', 5, flows('br', 'in_port=3 actions=set_queue:5'))).toEqual(['tap1 - port-1']);
  expect(of(limited, 'eth1', 5, flows('br', 'in_port=4 actions=set_queue:5'))).toEqual(['tap2 - -']);
});

describe('Neutron’s own word', () => {
  it('goes before the flows: a port’s UUID, or a tap', () => {
    const other = flows('br-int', 'in_port=3 actions=set_queue:6', 'in_port=4 actions=set_queue:7');
    expect(of(node, 'eth1', 6, other)).toEqual(['tap2 - port-2']);
    expect(of(node, 'eth1', 7, other)).toEqual(['tap1 - port-1']);
  });

  it('stands for a port that is not on this machine any more', () => {
    expect(of(node, 'eth1', 8)).toEqual(['- - gone']);
  });

  it('gets the address from the flows where it is one', () => {
    const arp = 'arp,in_port=4,arp_spa=10.0.0.2 actions=NORMAL';
    expect(of(node, 'eth1', 6, flows('br-int', arp))).toEqual(['tap2 10.0.0.2 port-2']);
    const second = 'arp,in_port=4,arp_spa=10.0.0.3 actions=NORMAL';
    expect(of(node, 'eth1', 6, flows('br-int', arp, second))).toEqual(['tap2 - port-2']);
  });
});

describe('a machine with several addresses', () => {
  const arp = (ip: string, port = 4) => `arp,in_port=${port},arp_spa=${ip} actions=NORMAL`;
  const advertised = (ip: string, port = 4) => `icmp6,in_port=${port},icmp_type=136,nd_target=${ip} actions=NORMAL`;
  const main = (...texts: string[]) => of(node, 'eth1', 6, flows('br-int', ...texts))[0]?.split(' ')[1];

  it('is called by the one IPv4, or else by the one IPv6 that is not of its link alone', () => {
    const [own, global, other] = ['fe80::f816:3eff:fe00:2', '2001:db8::2', '2001:db8::3'].map((ip) => advertised(ip));
    expect(main(arp('10.0.0.2'), own ?? '')).toBe('10.0.0.2');
    expect(main(global ?? '', own ?? '', arp('10.0.0.2'))).toBe('10.0.0.2');
    expect(main(own ?? '', global ?? '')).toBe('2001:db8::2');
    expect(main(arp('10.0.0.2'), arp('10.0.0.3'), global ?? '')).toBe('2001:db8::2');
    expect(main(global ?? '', other ?? '')).toBe('-');
    expect([main(own ?? ''), main(advertised('febf::1')), main(advertised('fec0::1'))]).toEqual(['-', '-', 'fec0::1']);
  });

  it('is found behind its interface by each of them', () => {
    const local = 'fe80::f816:3eff:fe00:2';
    const found = queueUsers(node, [flows('br-int', arp('10.0.0.2'), advertised(local), arp('10.0.0.9', 3))]);
    const at = (ip: string): string[] => found.at(ip).map(({ name }) => name);
    expect([at('10.0.0.2'), at(local), at('10.0.0.9'), at('10.0.0.3')]).toEqual([['tap2'], ['tap2'], ['tap1'], []]);
  });

  it('has not the address of one that has none yet', () => {
    const found = queueUsers(node, [flows('br-int', arp('0.0.0.0'), 'ipv6,in_port=4,ipv6_src=:: actions=NORMAL')]);
    expect([found.at('0.0.0.0'), found.at('::')]).toEqual([[], []]);
    expect(main(arp('10.0.0.2'), arp('0.0.0.0'))).toBe('10.0.0.2');
  });

  it('is not told from another that has the same one, such as in another network', () => {
    const both = flows('br-int', arp('10.0.0.2'), arp('10.0.0.2', 3), 'ip,nw_src=10.0.0.2 actions=set_queue:5');
    expect(of(node, 'eth1', 5, both)).toEqual(['- 10.0.0.2 -']);
    const found = queueUsers(node, [both]).at('10.0.0.2');
    expect(found.map(({ name }) => name)).toEqual(['tap2', 'tap1']);
    // Each of them has it all the same.
    expect(of(node, 'eth1', 6, both)).toEqual(['tap2 10.0.0.2 port-2']);
  });
});

describe('one queue id at several places', () => {
  const two = topology({
    'br-a': {
      tap1: { ofport: 3, id: 'port-1' },
      eth1: { ofport: 1, queues: { 5: undefined } },
      eth2: { ofport: 2, queues: { 5: undefined } },
    },
    'br-b': { tap2: { ofport: 3, id: 'port-2' }, eth3: { ofport: 1, queues: { 5: undefined } } },
  });

  it('enqueue names the port that it is about, set_queue may leave by any', () => {
    const enqueue = flows('br-a', 'in_port=3 actions=enqueue:2:5');
    expect([of(two, 'eth1', 5, enqueue), of(two, 'eth2', 5, enqueue)]).toEqual([[], ['tap1 - port-1']]);
    const old = flows('br-a', 'in_port=3 actions=enqueue:1q5');
    expect([of(two, 'eth1', 5, old), of(two, 'eth2', 5, old)]).toEqual([['tap1 - port-1'], []]);
    const set = flows('br-a', 'in_port=3 actions=set_queue:5,NORMAL');
    expect([of(two, 'eth1', 5, set), of(two, 'eth2', 5, set)]).toEqual([['tap1 - port-1'], ['tap1 - port-1']]);
  });

  it('bridges that nothing joins do not mix', () => {
    const both = [flows('br-a', 'in_port=3 actions=set_queue:5'), flows('br-b', 'in_port=3 actions=set_queue:5')];
    expect(of(two, 'eth1', 5, ...both)).toEqual(['tap1 - port-1']);
    expect(of(two, 'eth3', 5, ...both)).toEqual(['tap2 - port-2']);
  });

  it('a queue that the database lacks has users all the same', () => {
    expect(of(two, 'eth1', 99, flows('br-a', 'in_port=3 actions=set_queue:99'))).toEqual(['tap1 - port-1']);
  });

  it('one flow alone says who it is about, and on which device', () => {
    const found = queueUsers(two, []);
    const by = (bridge: string, device: string, text: string): string[] => {
      const [shaped, [use]] = [two.shaped.get(device), flows(bridge, text).uses];
      if (shaped === undefined || use === undefined) throw new Error(`no ${device}, or no use`);
      return found.by(use, bridge, shaped).map(({ vif = '-' }) => vif);
    };
    const [set, enqueue] = ['in_port=3 actions=set_queue:5', 'in_port=3 actions=enqueue:2:5'];
    expect([by('br-a', 'eth1', set), by('br-a', 'eth3', set), by('br-b', 'eth3', set)]).toEqual([
      ['tap1'],
      [],
      ['tap2'],
    ]);
    expect([by('br-a', 'eth1', enqueue), by('br-a', 'eth2', enqueue)]).toEqual([[], ['tap1']]);
  });

  it('flows of a bridge that the database lacks are nobody’s', () => {
    expect(of(two, 'eth1', 5, flows('br-gone', 'in_port=3 actions=set_queue:5'))).toEqual([]);
  });
});

it('a name shared by all is theirs; one that differs, or is unknown of one, is nobody’s', () => {
  const nobody: User = { vif: undefined, ip: undefined, port: undefined, mac: undefined, vm: undefined };
  const [one, other] = [
    { ...nobody, vif: 'tap1', ip: '10.0.0.1' },
    { ...nobody, vif: 'tap1', ip: '10.0.0.2' },
  ];
  expect(shared([one, other], 'vif')).toBe('tap1');
  expect(shared([one, other], 'ip')).toBeUndefined();
  expect(shared([one, nobody], 'vif')).toBeUndefined();
  expect(shared([], 'vif')).toBeUndefined();
});
