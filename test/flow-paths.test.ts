import { expect, it } from 'vitest';
import { finish } from '../src/ovs/allowance.ts';
import { findPaths } from '../src/ovs/flow-paths.ts';
import { type Flow, parseFlows, saysWhoSends } from '../src/ovs/flows.ts';

const flowsOf = (...lines: string[]): Flow[] => [
  ...parseFlows(`${lines.map((line) => ` ${line}`).join('\n')}\n`).flows,
];

/** Which senders come to the flow that sets the queue; undefined: it is not known. */
function senders(...lines: string[]): string[] | undefined {
  const flows = flowsOf(...lines);
  const last = flows.find(({ queues }) => queues.length > 0);
  if (last === undefined) throw new Error('no flow sets a queue');
  return finish(findPaths(flows, saysWhoSends))
    .sourcesOf(last)
    ?.map(({ match }) => match.get('nw_src') ?? match.get('in_port') ?? '?');
}

it('finds who sends in the table before', () => {
  expect(
    senders('table=0, priority=9,ip,nw_src=10.0.0.37 actions=resubmit(,10)', 'table=10, ip actions=set_queue:7,NORMAL'),
  ).toEqual(['10.0.0.37']);
  expect(
    senders(
      'table=0, ip,nw_src=10.0.0.37 actions=goto_table:3',
      'table=3, actions=goto_table:4',
      'table=4, actions=set_queue:7',
    ),
  ).toEqual(['10.0.0.37']);
});

it('tells senders apart by the register that stands for them', () => {
  const pipeline = [
    'table=0, in_port=3 actions=load:0x5->NXM_NX_REG6[],resubmit(,1)',
    'table=0, in_port=4 actions=set_field:0x6->reg6,resubmit(,1)',
    'table=0, in_port=5 actions=write_metadata:0x5,goto_table:1',
    'table=1, actions=resubmit(,2)',
  ];
  expect(senders(...pipeline, 'table=2, reg6=5 actions=set_queue:1')).toEqual(['3']);
  expect(senders(...pipeline, 'table=2, reg6=0x6 actions=set_queue:1')).toEqual(['4']);
  expect(senders(...pipeline, 'table=2, metadata=0x5 actions=set_queue:1')).toEqual(['5']);
});

it('does not guess: what nothing on the way has set may be anybody’s', () => {
  const from = 'table=0, in_port=3 actions=resubmit(,1)';
  expect(senders(from, 'table=1, dl_vlan=9 actions=set_queue:1')).toEqual([]);
  expect(senders(from, 'table=1, reg0=0x1 actions=set_queue:1')).toEqual([]);
  expect(
    senders('table=0, in_port=3,dl_vlan=9 actions=resubmit(,1)', 'table=1, dl_vlan=9 actions=set_queue:1'),
  ).toEqual(['3']);
  expect(
    senders('table=0, in_port=3,dl_vlan=8 actions=resubmit(,1)', 'table=1, dl_vlan=9 actions=set_queue:1'),
  ).toEqual([]);
});

it('ends in a pipeline that goes round', () => {
  const round = Array.from(
    { length: 40 },
    (_, table) => `table=${table}, actions=resubmit(,${(table + 1) % 40}),resubmit(,${(table + 7) % 40})`,
  );
  expect(senders(...round, 'table=39, priority=3 actions=set_queue:1')).toEqual([]);
});

it('of more than a few dozen senders names none', () => {
  const many = Array.from({ length: 100 }, (_, port) => `table=0, in_port=${port} actions=resubmit(,1)`);
  expect(senders(...many, 'table=1, actions=set_queue:1')).toEqual([]);
});

it('finds each of thousands, also through flows that are as many', () => {
  const vifs = 5000;
  const all = Array.from({ length: vifs }, (_, at) => at + 1);
  const flows = flowsOf(
    ...all.map((vif) => `table=0, in_port=${vif} actions=load:0x${vif.toString(16)}->NXM_NX_REG0[],resubmit(,5)`),
    ...all.map((vif) => `table=5, dl_dst=00:00:00:00:${vif >> 8}:${vif & 255} actions=resubmit(,10)`),
    ...all.map((vif) => `table=10, reg0=0x${vif.toString(16)},dl_vlan=7 actions=set_queue:${vif}`),
    ...all.map((vif) => `table=11, reg0=0x${vif.toString(16)} actions=set_queue:${vif}`),
    'table=10, actions=resubmit(,11)',
  );
  const paths = finish(findPaths(flows, saysWhoSends));
  const named = flows.filter((flow) => {
    const [source, ...more] = (flow.table === 11 && paths.sourcesOf(flow)) || [];
    return source?.match.get('in_port') === String(flow.queues[0]?.queue) && more.length === 0;
  });
  expect(named).toHaveLength(vifs);
  // Nothing on the way says which VLAN: that is nobody, and not too much to look for.
  expect(flows.filter((flow) => flow.table === 10 && flow.queues.length > 0).map(paths.sourcesOf)).toEqual(
    all.map(() => []),
  );
});

it('says so where there are more ways than are searched', () => {
  const tables = Array.from({ length: 255 }, (_, table) => table);
  const all = tables.map((table) => `resubmit(,${table})`).join(',');
  expect(senders(...tables.map((table) => `table=${table}, actions=${all}`), 'table=9, actions=set_queue:1')).toBe(
    undefined,
  );
});

it('takes a register as it is when the packet goes on', () => {
  const pipeline = [
    'table=0, in_port=3 actions=load:0x1->NXM_NX_REG0[],resubmit(,1),load:0x2->NXM_NX_REG0[],resubmit(,2)',
    'table=0, in_port=4 actions=clone(load:0x2->NXM_NX_REG0[],resubmit(,1)),resubmit(,2)',
    'table=0, in_port=5,reg0=0x1 actions=learn(table=9,load:0x7->NXM_NX_REG0[]),resubmit(,1)',
  ];
  expect(senders(...pipeline, 'table=1, reg0=0x1 actions=set_queue:1')).toEqual(['3', '5']);
  expect(senders(...pipeline, 'table=2, reg0=0x1 actions=set_queue:1')).toEqual([]);
  expect(senders(...pipeline, 'table=2, reg0=0x2 actions=set_queue:1')).toEqual(['3']);
  expect(senders(...pipeline, 'table=1, reg0=0x2 actions=set_queue:1')).toEqual(['4']);
});

it.each([
  ['load:0x1->NXM_NX_REG1[0..15]', 'reg1=0x1'],
  ['move:NXM_OF_IN_PORT[]->NXM_NX_REG1[0..15]', 'reg1=0x1'],
  ['set_field:0x1/0xff->reg1', 'reg1=0x1'],
  ['set_field:0x1->xreg0', 'reg1=0x1'],
  ['load:0x1->NXM_NX_XXREG0[]', 'reg1=0x1'],
  ['pop:NXM_NX_REG1[]', 'reg1=0x1'],
  ['multipath(symmetric_l4,1024,modulo_n,4,0,NXM_NX_REG1[])', 'reg1=0x1'],
  ['write_metadata:0x1/0xff', 'metadata=0x1'],
  ['strip_vlan', 'dl_vlan=1'],
  ['push_vlan:0x8100', 'dl_vlan=1'],
])('what %s makes of a match is not known', (action, match) => {
  const last = `table=1, ${match} actions=set_queue:1`;
  expect(senders(`table=0, in_port=3,${match} actions=resubmit(,1)`, last)).toEqual(['3']);
  expect(senders(`table=0, in_port=3,${match} actions=${action},resubmit(,1)`, last)).toEqual([]);
});

it.each([
  ['mod_vlan_vid:9', 'dl_vlan=9'],
  ['set_tunnel:0x9', 'tun_id=0x9'],
  ['load:0x9->NXM_NX_TUN_ID[]', 'tun_id=0x9'],
  ['load:0x9->OXM_OF_METADATA[]', 'metadata=0x9'],
  ['set_field:0x9->metadata', 'metadata=9'],
])('%s is followed', (action, match) => {
  const last = `table=1, ${match} actions=set_queue:1`;
  expect(senders(`table=0, in_port=3 actions=${action},resubmit(,1)`, last)).toEqual(['3']);
});
