import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/ovs/database.ts';
import { type Topology, topologyOf } from '../../src/ovs/topology.ts';
import type { NamedTree } from './ovs.ts';
import { interfacesOf, isUser, subjectOf } from './trace-subject.ts';

const PORT = '3c9f8f53-6d55-4f0e-8d6b-0f3d2b9c1a37';
const VM = '8f0c6f0e-2d0b-4d6c-9a51-6f2f1f6b3a37';
const VIF = '0d3f6c1e-1111-4222-8333-444455556666';
const MAC = 'fa:16:3e:00:00:37';

/** Names of interfaces → their external ids. */
function topology(all: Readonly<Record<string, Readonly<Record<string, string>>>>): Topology {
  const rows = (row: (name: string) => Row) => new Map(Object.keys(all).map((name) => [name, row(name)]));
  return topologyOf(
    new Map([
      ['Bridge', new Map([['b', { name: 'br0', ports: Object.keys(all) }]])],
      ['Port', rows((name) => ({ name, interfaces: [name], qos: [] }))],
      [
        'Interface',
        rows((name) => ({ name, type: '', ofport: 1, external_ids: new Map(Object.entries(all[name] ?? {})) })),
      ],
    ]),
  );
}
const node = topology({
  'vif2.1': { 'iface-id': PORT, 'attached-mac': MAC, 'vm-uuid': VM, 'xs-vif-uuid': VIF },
  eth1: {},
  '13947': {},
  '1:a': {},
  '10.0.0.1': {},
});
const trees = ['eth1', '1:b'].map((device): NamedTree => {
  return { tree: { device, qdiscs: [], classes: [] }, classes: [], missing: [], shaped: undefined };
});
const subject = (what: string, of: Topology | undefined = node): string | undefined => {
  const found = subjectOf(what, trees, of);
  if (found === undefined) return undefined;
  const device = found.kind === 'class' && found.device !== undefined ? ` on ${found.device}` : '';
  return `${found.kind} ${found.value}${device}`;
};

it.each([
  ['10.0.0.37', 'ip 10.0.0.37'],
  ['10.0.0.37/32', 'ip 10.0.0.37'],
  ['FE80:0:0::1', 'ip fe80::1'],
  ['FA:16:3E:00:00:37', `mac ${MAC}`],
  ['vif2.1', 'vif vif2.1'],
  ['eth1', 'device eth1'],
  [PORT, `port ${PORT}`],
  [VM.toUpperCase(), `vm ${VM}`],
  [VIF, 'vif vif2.1'],
  ['1:367C', 'class 1:367c'],
  ['01:0a', 'class 1:a'],
  ['eth1/1:367c', 'class 1:367c on eth1'],
  ['eth1 1:367c', 'class 1:367c on eth1'],
  ['a/b/1:1', 'class 1:1 on a/b'],
  ['13948', 'queue 13948'],
  ['007', 'queue 7'],
])('%s is %s', (what, expected) => {
  expect(subject(what)).toBe(expected);
});

it('a name that exists goes before what it looks like, but an address is an address', () => {
  expect([subject('13947'), subject('1:a'), subject('1:b'), subject('10.0.0.1')]).toEqual([
    ...['vif 13947', 'vif 1:a', 'device 1:b', 'ip 10.0.0.1'],
  ]);
});

it('without the database there are addresses, ids and devices with classes', () => {
  expect(
    ['10.0.0.37', '1:a', '7', 'eth1', PORT, 'vif2.1'].map((what) => subjectOf(what, trees, undefined)?.kind),
  ).toEqual([...['ip', 'class', 'queue', 'device', 'port', undefined]]);
});

it.each([
  '',
  ' ',
  'web-1',
  '1:',
  ':1',
  '12345:1',
  '1:g',
  '123456',
  '-1',
  '10.0.0.0/8',
  '1.2.3',
  'fa:16:3e:00:00',
  '__proto__',
])('%j is nothing', (what) => {
  expect(subject(what)).toBeUndefined();
});

describe('whose it is', () => {
  const user = { vif: 'vif2.1', ip: '10.0.0.37', port: PORT.toUpperCase(), mac: MAC, vm: VM };

  it('a user is found by all that is known of it', () => {
    for (const [kind, value] of Object.entries({ vif: 'vif2.1', ip: '10.0.0.37', port: PORT, mac: MAC, vm: VM })) {
      expect(isUser({ kind: kind as 'vif', value }, user), kind).toBe(true);
      expect(isUser({ kind: kind as 'vif', value: `${value}0` }, user), kind).toBe(false);
      expect(isUser({ kind: kind as 'vif', value }, { ...user, [kind]: undefined }), kind).toBe(false);
    }
    expect(isUser({ kind: 'queue', value: '1' }, user)).toBe(false);
  });

  it('an interface, too', () => {
    const names = (kind: 'vif' | 'mac' | 'port' | 'vm' | 'ip', value: string) =>
      interfacesOf({ kind, value }, node).map(({ name }) => name);
    expect([names('vif', 'vif2.1'), names('mac', MAC), names('port', PORT), names('vm', VM)]).toEqual(
      Array.from({ length: 4 }, () => ['vif2.1']),
    );
    // No interface has its machine's address.
    expect([names('ip', '10.0.0.37'), names('vm', 'other')]).toEqual([[], []]);
    expect(interfacesOf({ kind: 'vif', value: 'vif2.1' }, undefined)).toEqual([]);
  });
});
