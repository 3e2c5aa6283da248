import { expect, it } from 'vitest';
import { flowPaths } from '../src/ovs/flow-paths.ts';
import { type Flow, parseFlows } from '../src/ovs/flows.ts';

const flowsOf = (...lines: string[]): Flow[] => [
  ...parseFlows(`${lines.map((line) => ` ${line}`).join('\n')}\n`).flows,
];
const isSource = (flow: Flow): boolean => flow.match.has('nw_src') || flow.match.has('in_port');

/** Which senders come to the flow that sets the queue. */
function senders(...lines: string[]): string[] {
  const flows = flowsOf(...lines);
  const last = flows.find(({ queues }) => queues.length > 0);
  if (last === undefined) throw new Error('no flow sets a queue');
  return flowPaths(flows)
    .sourcesOf(last, isSource)
    .map(({ match }) => match.get('nw_src') ?? match.get('in_port') ?? '?');
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
