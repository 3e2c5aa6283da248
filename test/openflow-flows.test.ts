import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Failure } from '../src/errors.ts';
import { exactIp, exactMac } from '../src/ovs/address.ts';
import { allowance, finish } from '../src/ovs/allowance.ts';
import { addressHints, type Flow, mayTellUsers, parseFlows, queueUses, readFlows } from '../src/ovs/flows.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'testdata/openflow', name), 'utf8');
const flowsOf = (text: string): readonly Flow[] => parseFlows(text).flows;
const theFlow = (line: string): Flow => {
  const [flow, ...more] = flowsOf(`${line}\n`);
  if (flow === undefined || more.length > 0) throw new Error(`not one flow: ${line}`);
  return flow;
};
const sum = (flows: readonly Flow[], key: 'packets' | 'bytes'): number =>
  flows.reduce((total, flow) => total + Number(flow[key] ?? 0), 0);

describe('captured by Open vSwitch 3.1', () => {
  test.each(['default', 'of13', 'F-openflow10'])('%s: every flow, its counters, and table 0 alone', (name) => {
    const flows = flowsOf(read(`ovs3.1-flows-${name}.txt`));
    expect(flows).toHaveLength(19);
    expect([sum(flows, 'packets'), sum(flows, 'bytes')]).toEqual([141, 48896]);
    const first = flows.filter(({ table }) => table === 0);
    expect([first.length, sum(first, 'packets'), sum(first, 'bytes')]).toEqual([13, 91, 26796]);
    expect(flows.map(({ table }) => table)).toEqual([...Array.from({ length: 13 }, () => 0), 1, 2, 3, 7, 8, 9]);
    expect(flows[0]).toMatchObject({ priority: 100, cookie: '0xa1', packets: 50, bytes: 22100 });
    expect([...(flows[0]?.match ?? [])]).toEqual([...Object.entries({ ip: '', nw_src: '10.0.0.1' })]);
    expect(flows[0]?.actions).toBe('set_queue:1,resubmit(,1)');
  });

  test('what learn() makes is not the flow’s own', () => {
    const learning = flowsOf(read('ovs3.1-flows-default.txt'))[4];
    expect(learning).toMatchObject({ table: 0, priority: 80, packets: 4, queues: [] });
    expect(learning?.actions).toMatch(/^learn\(table=2,idle_timeout=60.*\),NORMAL$/);
  });

  test.each([
    ['default', ['100:1', '100:10', '90:10', '3:1@10']],
    ['of13', ['100:1', '100:10', '90:10', '3:1@10']],
  ])('%s: queues, with the port that is left by', (name, expected) => {
    const uses = queueUses(flowsOf(read(`ovs3.1-flows-${name}.txt`)));
    const shown = uses.map(
      ({ flow, queue, port }) => `${flow.priority}:${queue}${port === undefined ? '' : `@${port}`}`,
    );
    expect(shown).toEqual(expected);
    expect(uses.map(({ ipSources }) => ipSources)).toEqual([['10.0.0.1'], [], [], ['10.1.1.1']]);
    expect(uses.map(({ table }) => table)).toEqual([0, 0, 0, 8]);
  });

  test('without statistics they are unknown', () => {
    const flows = flowsOf(read('ovs3.1-flows-no-stats.txt'));
    expect(flows).toHaveLength(19);
    expect(flows.filter(({ packets, bytes }) => packets !== undefined || bytes !== undefined)).toEqual([]);
    expect(flows.map(({ table }) => table).at(-1)).toBe(9);
  });

  test('of ovs-appctl bridge/dump-flows: hidden flows too', () => {
    const flows = flowsOf(read('ovs3.1-flows-appctl-bridge-dump-flows.txt'));
    expect(flows).toHaveLength(23);
    expect(flows.filter(({ table }) => table === 254)).toHaveLength(4);
    expect([flows[0]?.actions, flows[0]?.packets]).toEqual(['set_queue:1,resubmit(,1)', 50]);
  });

  test('an empty table has no flows', () => {
    expect(parseFlows(read('ovs3.1-flows-empty.txt'))).toEqual({ flows: [], truncated: false });
    for (const file of ['nosuchbridge-stderr', 'version-negotiation-failed-stderr'])
      expect(flowsOf(read(`ovs3.1-${file}.txt`))).toEqual([]);
  });

  test('cut off anywhere, there are fewer flows and no other ones', () => {
    const text = read('ovs3.1-flows-of13.txt');
    const whole = new Set(flowsOf(text).map((flow) => JSON.stringify([flow.table, flow.actions, flow.packets])));
    for (let at = 0; at < text.length; at += 3) {
      const { flows, truncated } = parseFlows(text.slice(0, at));
      expect(truncated).toBe(at > 0 && text[at - 1] !== '\n');
      for (const flow of flows) expect(whole).toContain(JSON.stringify([flow.table, flow.actions, flow.packets]));
    }
  });
});

describe('other versions', () => {
  test('Open vSwitch 1.4: no blank behind timeouts, enqueue with q, arp with nw_src', () => {
    const flow = theFlow(
      ' cookie=0x0, duration=3.84s, table=0, n_packets=7, n_bytes=420, idle_timeout=5,priority=100,arp,in_port=65534,nw_src=10.0.0.9 actions=enqueue:3q17',
    );
    expect(flow).toMatchObject({ packets: 7, bytes: 420, priority: 100, queues: [{ queue: 17, port: '3' }] });
    expect(addressHints([flow])).toEqual([{ inPort: '65534', ip: '10.0.0.9' }]);
  });

  test.each([
    [' cookie=0x0, duration=1s, table=0, n_packets=?, n_bytes=? priority=1 actions=drop'],
    [
      ' cookie=0x0, duration=1s, table=0, n_packets=18446744073709551615, n_bytes=18446744073709551615, priority=1 actions=drop',
    ],
  ])('unknown counters: %s', (line) => {
    expect(theFlow(line)).toMatchObject({ packets: undefined, bytes: undefined, priority: 1 });
  });

  test('an empty match, and one without a priority', () => {
    expect(theFlow(' cookie=0x0, duration=0s, table=7, n_packets=1, n_bytes=2, actions=drop')).toMatchObject({
      ...{ table: 7, priority: 32768, packets: 1, actions: 'drop' },
    });
    expect([...theFlow(' n_packets=1, n_bytes=2, ip,nw_src=1.2.3.4 actions=NORMAL').match.keys()]).toEqual([
      'ip',
      'nw_src',
    ]);
    expect(theFlow(' actions=NORMAL')).toMatchObject({ table: 0, actions: 'NORMAL' });
  });

  test('exact 64-bit counters, and CRLF', () => {
    const flow = theFlow(' table=0, n_packets=18446744073709551614, n_bytes=9007199254740993, actions=set_queue:5\r');
    expect(flow).toMatchObject({ packets: 18446744073709551614n, bytes: 9007199254740993n, queues: [{ queue: 5 }] });
  });

  test('names that hold what a parser looks for', () => {
    const name = String.raw`"a actions=b, \" table=9,n_packets=8"`;
    const flow = theFlow(
      ` table=1, n_packets=2, n_bytes=3, priority=4,in_port=${name},ip actions=output:"set_queue:6,(",set_queue:7`,
    );
    expect(flow).toMatchObject({ table: 1, packets: 2, priority: 4, queues: [{ queue: 7 }] });
    expect(flow.match.get('in_port')).toBe('a actions=b, " table=9,n_packets=8');
  });

  test('log lines in between are no flows', () => {
    const text = [
      '2026-11-21T01:35:34Z|00001|ofp|WARN|bad flow table=1, n_packets=3 actions=drop',
      'ovs-ofctl: n_packets=4 actions=drop',
      ' table=0, n_packets=5, n_bytes=6, actions=drop',
      ' table=0, n_packets=5, n_by2026-11-21T01:35:34Z|00001|x|WARN|y, priority=3 actions=drop',
      '',
    ].join('\n');
    expect(flowsOf(text).map(({ packets }) => packets)).toEqual([5]);
  });
});

describe('queues', () => {
  const queues = (actions: string) => theFlow(` priority=1 actions=${actions}`).queues;

  test.each([
    ['set_queue:1,output:2', [{ queue: 1 }]],
    ['set_queue:1,output:10,pop_queue', [{ queue: 1, port: '10' }]],
    ['set_queue:1,output:2,set_queue:3,output:4', [{ queue: 1 }, { queue: 3 }]],
    ['set_queue:1,set_queue:2,NORMAL', [{ queue: 2 }]],
    ['set_queue:1,pop_queue,NORMAL', []],
    ['enqueue:10:1', [{ queue: 1, port: '10' }]],
    ['enqueue:"s1:eth1":3', [{ queue: 3, port: 's1:eth1' }]],
    ['enqueue:LOCAL:3', [{ queue: 3, port: 'LOCAL' }]],
    ['clone(set_queue:4,clone(set_queue:5,output:1)),drop', [{ queue: 4 }, { queue: 5 }]],
    ['write_actions(set_queue:6,output:1),goto_table:2', [{ queue: 6 }]],
    ['learn(table=1,load:1->NXM_NX_REG0[],set_queue:7),resubmit(,set_queue:8)', []],
    ['note:set_queue:9,output:set_queue', []],
    ['set_queue:-1,set_queue:x,set_queue:99999999999', []],
  ])('%s', (actions, expected) => {
    expect(queues(actions)).toEqual(expected);
  });

  test('nested without end, they are given up and not followed', () => {
    const deep = 100_000;
    expect(queues(`${'clone('.repeat(deep)}set_queue:1${')'.repeat(deep)}`)).toEqual([]);
    expect(queues(`${')'.repeat(deep)},set_queue:2`)).toEqual([{ queue: 2 }]);
  });

  test('who uses them: port, MAC and exact addresses only', () => {
    const [use] = queueUses(
      flowsOf(
        ' priority=1,ip,in_port=LOCAL,dl_src=FA:16:3E:00:00:01,nw_src=10.0.0.7/32,ct_nw_src=1.2.3.4,tun_src=5.6.7.8 actions=set_queue:3,NORMAL\n',
      ),
    );
    expect(use).toMatchObject({ inPort: '65534', macSource: 'fa:16:3e:00:00:01', ipSources: ['10.0.0.7'] });
    const [net] = queueUses(
      flowsOf(' ip,dl_src=01:00:00:00:00:00/01:00:00:00:00:00,nw_src=10.0.0.0/24 actions=set_queue:3\n'),
    );
    expect(net?.ipSources).toEqual([]);
    expect(net).not.toHaveProperty('macSource');
  });
});

test('hints: which port or MAC has which address', () => {
  const text = [
    ' table=24, priority=2,arp,in_port=10,arp_spa=10.0.0.1 actions=resubmit(,25)',
    ' table=24, priority=2,icmp6,in_port=10,icmp_type=136,nd_target=FE80:0::1 actions=resubmit(,60)',
    ' table=24, priority=2,icmp6,in_port=10,icmp_type=135,nd_target=fe80::2 actions=resubmit(,60)',
    ' table=25, priority=2,in_port=10,dl_src=fa:16:3e:00:00:01 actions=resubmit(,60)',
    ' table=71, ip,in_port=11,dl_src=fa:16:3e:00:00:02,nw_src=10.0.0.2 actions=NORMAL',
    ' table=71, ip,in_port=11,dl_src=fa:16:3e:00:00:02,nw_src=10.0.0.2 actions=drop',
    ' table=71, ip,in_port=12,nw_src=10.0.0.0/25 actions=drop',
    ' table=71, ip,nw_src=10.0.0.3 actions=drop',
    '',
  ].join('\n');
  expect(addressHints(flowsOf(text))).toEqual([
    { inPort: '10', ip: '10.0.0.1' },
    { inPort: '10', ip: 'fe80::1' },
    { inPort: '10', mac: 'fa:16:3e:00:00:01' },
    { inPort: '11', mac: 'fa:16:3e:00:00:02', ip: '10.0.0.2' },
  ]);
});

describe('limits', () => {
  const line = ' table=0, n_packets=5, n_bytes=6, priority=1 actions=drop\n';

  test('of rows and of bytes', () => {
    expect(parseFlows(line.repeat(10), { maxRows: 10 })).toMatchObject({ truncated: false });
    const rows = parseFlows(line.repeat(11), { maxRows: 10 });
    expect([rows.flows.length, rows.truncated]).toEqual([10, true]);
    const bytes = parseFlows(line.repeat(10), { maxBytes: line.length * 3 + 5 });
    expect([bytes.flows.length, bytes.truncated]).toEqual([3, true]);
  });

  test('hostile text takes no long time', () => {
    const long = 2_000_000;
    for (const text of [
      `${'actions='.repeat(long / 8)}\n`,
      `"${' actions='.repeat(long / 9)}\n`,
      ` ip,x=${'('.repeat(long)} actions=drop\n`,
      ` actions=${'set_queue:1,'.repeat(long / 12)}\n`,
      ` actions=queue${'clone('.repeat(long / 6)}\n`,
      `${'\\"'.repeat(long / 2)} actions=\n`,
      ` x="${'\\'.repeat(long)}" actions=drop\n`,
    ])
      parseFlows(text);
  }, 10_000);
});

describe('who uses a queue', () => {
  test('is in the same flows when those that cannot tell are not parsed', () => {
    for (const name of ['default', 'of13', 'no-stats', 'appctl-bridge-dump-flows', 'F-openflow10']) {
      const text = read(`ovs3.1-flows-${name}.txt`);
      const { flows, truncated } = finish(readFlows(text, {}, mayTellUsers));
      const all = flowsOf(text);
      expect(flows.length).toBeLessThan(all.length);
      expect([queueUses(flows), addressHints(flows), truncated]).toEqual([queueUses(all), addressHints(all), false]);
    }
  });

  test.each([
    ['enqueue:3q17', ' ip actions=enqueue:3q17'],
    ['an address', ' arp,in_port=1,arp_spa=10.0.0.1 actions=drop'],
    ['an address', ' in_port=1,arp_sha=fa:16:3e:00:00:01 actions=drop'],
    ['an address', ' in_port=1,nd_target=fe80::1 actions=drop'],
    ['an address', ' in_port=1,eth_src=fa:16:3e:00:00:01 actions=drop'],
    ['a later table', ' in_port=1 actions=resubmit(,1)'],
    ['a later table', ' in_port=1 actions=goto_table:1'],
  ])('may stand in %s: %s', (_, line) => {
    expect(mayTellUsers(line)).toBe(true);
  });

  test('rows that cannot tell count against the limit', () => {
    const text = ' table=1 actions=drop\nNXST_FLOW reply:\n'.repeat(10);
    expect(finish(readFlows(text, { maxRows: 10 }, () => false))).toEqual({ flows: [], truncated: false });
    expect(finish(readFlows(text, { maxRows: 9 }, () => false))).toEqual({ flows: [], truncated: true });
  });

  test('holds nothing of the text', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const heldMiB = (): number => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return (heapUsed + external) / 2 ** 20;
    };
    const line =
      ' in_port=a-port-with-a-name,dl_src=fa:16:3e:00:00:01,nw_src=10.0.0.1,nd_target=fe80::1 actions=set_queue:1\n';
    const before = heldMiB();
    const kept = Array.from({ length: 30 }, (_, at) => {
      // Not a constant, and flat.
      const text = Buffer.from(line + ` table=${at} actions=drop\n`.repeat(50_000)).toString();
      const flows = finish(readFlows(text, {}, mayTellUsers));
      return [queueUses(flows.flows).map(({ flow: _, ...use }) => use), addressHints(flows.flows)];
    });
    expect(heldMiB() - before).toBeLessThan(10);
    expect(kept.flat(2)).toHaveLength(90);
  });
});

describe('very many flows', () => {
  const text = ' table=0, n_packets=5, n_bytes=6, priority=1,ip,in_port=1 actions=resubmit(,1)\n'.repeat(40_000);

  test('leave the event loop its turns', async () => {
    const time = allowance(600_000, () => new Failure('E_TIMEOUT', 'late'));
    let turns = 0;
    let done = false;
    const turn = (): void => {
      turns++;
      if (!done) setImmediate(turn);
    };
    setImmediate(turn);
    const { flows } = await time.inSlices(readFlows(text));
    done = true;
    time.end();
    expect(flows).toHaveLength(40_000);
    expect(turns).toBeGreaterThan(2);
  });

  test('are given up when the time is', async () => {
    const late = new Failure('E_TIMEOUT', 'late');
    const time = allowance(1, () => late);
    const never = new Promise<never>(() => {});
    await expect(time.within(never)).rejects.toBe(late);
    await expect(time.inSlices(readFlows(text))).rejects.toBe(late);
    await expect(time.within(Promise.resolve(1))).rejects.toBe(late);
  });
});

test.each([
  ['10.0.0.1', '10.0.0.1'],
  ['10.0.0.1/32', '10.0.0.1'],
  ['10.0.0.1/255.255.255.255', '10.0.0.1'],
  ['10.0.0.0/24', undefined],
  ['10.0.0.1/255.255.0.255', undefined],
  ['10.0.0.256', undefined],
  ['10.0.0.01', undefined],
  ['10.0.0', undefined],
  ['10.0.0.1/128', undefined],
  ['FE80:0:0::0:1', 'fe80::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['::', '::'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ['fe80::1/128', 'fe80::1'],
  ['fe80::1/32', undefined],
  ['fe80::/10', undefined],
  ['fe80::1::2', undefined],
  ['1:2:3:4:5:6:7:8:9', undefined],
  ['1:2:3:4:5:6:7::8', undefined],
  ['1:2:3:4:5:6:7', undefined],
  [':1:2:3:4:5:6:7:8', undefined],
  ['fe80::g', undefined],
  ['', undefined],
  [undefined, undefined],
])('the address %s is %s', (text, expected) => {
  expect(exactIp(text)).toBe(expected);
});

test('a MAC is exact, or none', () => {
  expect(exactMac('FA:16:3E:00:00:01')).toBe('fa:16:3e:00:00:01');
  expect(exactMac('fa:16:3e:00:00:01/ff:ff:ff:ff:ff:ff')).toBe('fa:16:3e:00:00:01');
  expect(exactMac('01:00:00:00:00:00/01:00:00:00:00:00')).toBeUndefined();
  expect(exactMac('fa:16:3e:00:00')).toBeUndefined();
});
