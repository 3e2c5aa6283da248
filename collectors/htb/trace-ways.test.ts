import { expect, it } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { type Topology, topologyOf } from '../../src/ovs/topology.ts';
import { readFlows } from './trace-flows.ts';
import type { Subject } from './trace-subject.ts';
import { waysOf } from './trace-ways.ts';
import { queueUsers } from './users.ts';

interface Port {
  readonly ofport: number;
  readonly id?: string;
  /** Queue id → its owner; an empty text: nobody. */
  readonly queues?: Readonly<Record<number, string>>;
}

/** Bridges that nothing joins. */
function topology(bridges: Readonly<Record<string, Readonly<Record<string, Port>>>>): Topology {
  const ports = Object.values(bridges).flatMap((all) => Object.entries(all));
  const shaped = ports.flatMap(([name, { queues }]) => (queues === undefined ? [] : [{ name, queues }]));
  const ids = (key: string, value: string | undefined) =>
    new Map(value === undefined || value === '' ? [] : [[key, value]]);
  return topologyOf(
    new Map<string, unknown>([
      ['Bridge', new Map(Object.entries(bridges).map(([name, all]) => [name, { name, ports: Object.keys(all) }]))],
      [
        'Port',
        new Map(
          ports.map(([name, { queues }]) => [
            name,
            { name, interfaces: [name], qos: queues === undefined ? [] : [name] },
          ]),
        ),
      ],
      [
        'Interface',
        new Map(
          ports.map(([name, { ofport, id }]) => [name, { name, ofport, type: '', external_ids: ids('iface-id', id) }]),
        ),
      ],
      [
        'QoS',
        new Map(
          shaped.map(({ name, queues }) => [
            name,
            { type: 'linux-htb', queues: new Map(Object.keys(queues).map((id) => [id, `${name} ${id}`])) },
          ]),
        ),
      ],
      [
        'Queue',
        new Map(
          shaped.flatMap(({ name, queues }) =>
            Object.entries(queues).map(
              ([id, owner]) => [`${name} ${id}`, { external_ids: ids('port', owner) }] as const,
            ),
          ),
        ),
      ],
    ]) as never,
  );
}

/** `device queue: who, by the flow of which cookie on which bridge`. */
async function ways(
  where: Topology,
  flows: Readonly<Record<string, readonly string[]>>,
  subject: Subject,
): Promise<string[]> {
  const host = {
    keep: (_: string, make: () => unknown) => make(),
    run: async (argv: readonly string[]) => {
      const [, name = ''] = /\/([^/]+)\.mgmt$/.exec(argv.at(-1) ?? '') ?? [];
      return (flows[name] ?? []).map((text) => ` ${text}\n`).join('');
    },
  } as unknown as Host;
  const read = await readFlows(host, where, '/run/ovs');
  const senders = queueUsers(where, read.known);
  const vifs = subject.kind === 'ip' ? senders.at(subject.value) : [];
  return waysOf(subject, vifs, { topology: where, flows: read, senders, trees: [] }).map(
    ({ user, link, place: { device, queue } }) =>
      `${device.device} ${queue}: ${user?.vif ?? user?.ip ?? '-'} by ${link === undefined ? 'none' : `${link.flow.cookie} on ${link.bridge}`}`,
  );
}

const vif = (value: string): Subject => ({ kind: 'vif', value });
const queue = (id: number): Subject => ({ kind: 'queue', value: String(id) });

it('the flow is one of a bridge that reaches the device, whatever numbers others have', async () => {
  const two = topology({
    brA: { eth1: { ofport: 1, queues: { 7: '' } }, vifA: { ofport: 5 } },
    brB: { eth2: { ofport: 1, queues: { 7: '' } }, vifB: { ofport: 5 } },
  });
  const flows = {
    brA: ['cookie=0xa, table=0, in_port=5 actions=set_queue:7,NORMAL'],
    brB: ['cookie=0xb, table=0, in_port=5 actions=set_queue:7,NORMAL'],
  };
  expect(await ways(two, flows, queue(7))).toEqual(['eth1 7: vifA by 0xa on brA', 'eth2 7: vifB by 0xb on brB']);
  expect(await ways(two, flows, vif('vifB'))).toEqual(['eth2 7: vifB by 0xb on brB']);
  expect(await ways(two, { brA: flows.brA }, queue(7))).toEqual(['eth1 7: vifA by 0xa on brA', 'eth2 7: - by none']);
});

const one = topology({
  br: {
    eth1: { ofport: 1, queues: { 7: '', 8: 'port-2', 9: 'port-gone' } },
    tap1: { ofport: 3, id: 'port-1', queues: { 0: 'tap1' } },
    tap2: { ofport: 4, id: 'port-2', queues: { 0: 'tap2' } },
  },
});

it('each sender has its own flow, and one that names nobody is nobody’s', async () => {
  const flows = {
    br: [
      'cookie=0x1, table=0, dl_vlan=3 actions=set_queue:7',
      'cookie=0x2, table=0, in_port=3 actions=set_queue:7',
      'cookie=0x3, table=0, ip,nw_src=10.0.0.4 actions=set_queue:7',
      'cookie=0x4, table=0, in_port=3,ip actions=set_queue:7',
    ],
  };
  expect(await ways(one, flows, queue(7))).toEqual([
    ...['eth1 7: - by 0x1 on br', 'eth1 7: tap1 by 0x2 on br', 'eth1 7: 10.0.0.4 by 0x3 on br'],
  ]);
  expect(await ways(one, flows, { kind: 'ip', value: '10.0.0.4' })).toEqual(['eth1 7: 10.0.0.4 by 0x3 on br']);
});

it('where the row says whose queue it is, the flow is that owner’s, or one that names nobody', async () => {
  const foreign = 'cookie=0x1, table=0, in_port=3 actions=set_queue:8';
  const plain = 'cookie=0x2, table=0, dl_vlan=3 actions=set_queue:8';
  const own = 'cookie=0x3, table=0, in_port=4 actions=set_queue:8';
  const found = async (...br: string[]) => (await ways(one, { br }, queue(8)))[0];
  expect(await found(foreign, plain, own)).toBe('eth1 8: tap2 by 0x3 on br');
  expect(await found(foreign, plain)).toBe('eth1 8: tap2 by 0x2 on br');
  expect(await found(foreign)).toBe('eth1 8: tap2 by none');
  expect((await ways(one, { br: [foreign] }, queue(9)))[0]).toBe('eth1 9: - by none');
});

it('of the owner’s flows that of the address is shown', async () => {
  const hint = 'table=0, arp,in_port=4,arp_spa=10.0.0.4 actions=NORMAL';
  const br = [
    hint,
    'cookie=0x1, table=0, ipv6,in_port=4,ipv6_src=2001:db8::4 actions=set_queue:8',
    'cookie=0x2, table=0, ip,in_port=4,nw_src=10.0.0.4 actions=set_queue:8',
  ];
  const ofUplink = async (value: string) =>
    (await ways(one, { br }, { kind: 'ip', value })).filter((way) => way.startsWith('eth1'));
  expect(await ofUplink('10.0.0.4')).toEqual(['eth1 8: tap2 by 0x2 on br']);
});

it('a VIF’s own limit has no queues of others, whatever flows say', async () => {
  const flows = {
    br: ['cookie=0x2, table=0, in_port=3 actions=set_queue:7', 'cookie=0x3, table=0, in_port=3 actions=set_queue:70'],
  };
  expect(await ways(one, flows, vif('tap1'))).toEqual([
    ...['eth1 7: tap1 by 0x2 on br', 'eth1 70: tap1 by 0x3 on br', 'tap1 0: tap1 by none'],
  ]);
});
