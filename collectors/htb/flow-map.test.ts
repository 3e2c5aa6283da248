import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { keeper } from '../../src/hosts/target.ts';
import type { Row } from '../../src/ovs/database.ts';
import { parseFlows } from '../../src/ovs/flows.ts';
import { type Topology, topologyOf } from '../../src/ovs/topology.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { bridgesToRead, type FlowMapOptions, flowMapOf, usesIn } from './flow-map.ts';
import { readBridges, type Turns, timeToRead } from './flow-read.ts';

interface Rows {
  readonly owner?: string;
  readonly type?: string;
  readonly queue?: number;
  readonly ofport?: number;
  /** A third bridge that nothing joins to the two others. */
  readonly apart?: boolean;
}

/** br-int and br-ex, joined; eth1 on br-ex has a QoS with one queue. */
function node({ owner, type = 'linux-htb', queue = 5, ofport = 3, apart = true }: Rows = {}): Topology {
  const rows = (all: Readonly<Record<string, Row>>) => new Map(Object.entries(all));
  const port = (name: string, qos: string[] = []): Row => ({ name, interfaces: [name], qos });
  const patch = (name: string, peer: string): Row => ({
    name,
    type: 'patch',
    ofport: 9,
    options: new Map([['peer', peer]]),
  });
  return topologyOf(
    new Map([
      [
        'Bridge',
        rows({
          a: { name: 'br-int', ports: ['tap1', 'x'] },
          b: { name: 'br-ex', ports: ['eth1', 'y'] },
          ...(apart ? { c: { name: 'br-apart', ports: [] } } : {}),
        }),
      ],
      ['Port', rows({ tap1: port('tap1'), eth1: port('eth1', ['q']), x: port('x'), y: port('y') })],
      [
        'Interface',
        rows({
          ...{ tap1: { name: 'tap1', type: '', ofport }, eth1: { name: 'eth1', type: '', ofport: 1 } },
          ...{ x: patch('x', 'y'), y: patch('y', 'x') },
        }),
      ],
      ['QoS', rows({ q: { type, queues: new Map([[String(queue), 'u']]) } })],
      ['Queue', rows({ u: { external_ids: new Map(owner === undefined ? [] : [['port', owner]]) } })],
    ]),
  );
}

const aggregate = (flows: number): string =>
  `NXST_AGGREGATE reply (xid=0x4): packet_count=1 byte_count=2 flow_count=${flows}\n`;
const dump = (...flows: readonly string[]): string =>
  `NXST_FLOW reply (xid=0x4):\n${flows.map((one) => ` ${one}\n`).join('')}`;

/** `programs`: what ovs-ofctl answers, by command and bridge. `asked`: what it was asked, `dump-flows br-int`. */
function machine(programs: (command: string, bridge: string) => string | Promise<string>) {
  const asked: string[] = [];
  const gone = () => Promise.reject(new Failure('E_NOT_FOUND', 'nothing there'));
  const kept = keeper({ connect: gone });
  const host: Host = {
    ...absentHost,
    keep: kept.keep,
    async run(argv) {
      const [command = '', socket = ''] = argv.slice(argv.indexOf('--') + 1);
      const bridge = /^unix:\/run\/ovs\/(.+)\.mgmt$/.exec(socket)?.[1] ?? socket;
      asked.push(`${command} ${bridge}`);
      return programs(command, bridge);
    },
  };
  const take = (): string[] => asked.splice(0).toSorted();
  return { host, take };
}

const quiet = (command: string): string =>
  command === 'dump-aggregate' ? aggregate(1) : dump('in_port=3 actions=set_queue:5');
const both = ['dump-aggregate br-ex', 'dump-aggregate br-int', 'dump-flows br-ex', 'dump-flows br-int'];
const options: FlowMapOptions = { rundir: '/run/ovs', database: '/run/db.sock', everyMs: 300_000, maxFlows: 100 };

describe('flows are dumped', () => {
  it('of bridges from which a queue without owner can be reached, and of no other', async () => {
    const { host, take } = machine(quiet);
    const map = await flowMapOf(host, node(), options, 0, true);
    expect(take()).toEqual(both);
    expect(map).toMatchObject({ known: true, problems: [] });
    expect(map.flows.map(({ bridge, uses }) => [bridge, uses])).toEqual([
      ['br-int', [{ queue: 5, inPort: '3', ipSources: [], table: 0 }]],
      ['br-ex', [{ queue: 5, inPort: '3', ipSources: [], table: 0 }]],
    ]);
  });

  it.each([
    ['every queue says whose it is', node({ owner: 'port-1' }), options, true],
    ['the QoS makes no classes', node({ type: 'linux-codel' }), options, true],
    ['they are never to be', node(), { ...options, everyMs: 0 }, false],
  ])('not where %s', async (_, topology, asked, known) => {
    const { host, take } = machine(quiet);
    expect(await flowMapOf(host, topology, asked, 0, true)).toEqual({ flows: [], known, problems: [] });
    expect(take()).toEqual([]);
  });

  it('at their own pace', async () => {
    const { host, take } = machine(quiet);
    const topology = node();
    const first = await flowMapOf(host, topology, options, 1_000_000, true);
    take();
    expect(await flowMapOf(host, topology, options, 1_299_999, true)).toBe(first);
    expect(take()).toEqual([]);
    await flowMapOf(host, topology, options, 1_300_000, true);
    expect(take()).toEqual(both);
    // A wall clock that was set back.
    await flowMapOf(host, topology, options, 500_000, true);
    expect(take()).toEqual(both);
  });

  it('earlier when the database has changed in what they depend on, but not within ten seconds', async () => {
    const { host, take } = machine(quiet);
    await flowMapOf(host, node(), options, 0, true);
    take();
    await flowMapOf(host, node(), options, 20_000, true);
    expect(take(), 'the same rows anew').toEqual([]);
    await flowMapOf(host, node({ ofport: 4 }), options, 9_999, true);
    expect(take()).toEqual([]);
    await flowMapOf(host, node({ ofport: 4 }), options, 10_000, true);
    expect(take()).toEqual(both);
    await flowMapOf(host, node({ ofport: 4, queue: 6 }), options, 20_000, true);
    expect(take()).toEqual(both);
    await flowMapOf(host, node({ ofport: 4, queue: 6, apart: false }), options, 30_000, true);
    expect(take(), 'a bridge that is not read').toEqual([]);
  });

  it('never of a bridge with more than maxFlows, which is told', async () => {
    const { host, take } = machine((command, bridge) =>
      command === 'dump-aggregate' ? aggregate(bridge === 'br-int' ? 101 : 100) : dump('actions=set_queue:5'),
    );
    const { known, problems, flows } = await flowMapOf(host, node(), options, 0, true);
    expect(take()).toEqual(both.filter((one) => one !== 'dump-flows br-int'));
    expect([known, flows.map(({ bridge }) => bridge)]).toEqual([false, ['br-ex']]);
    expect(problems.map(({ code, message }) => [code, message])).toEqual([
      [
        'E_OUTPUT_SIZE',
        'who uses the queues behind bridge "br-int": it has 101 flows, more than maxFlows (100), so they are not read; raise maxFlows, or name by class',
      ],
    ]);
  });

  it('nor believed when there were more of them than the bridge had just said', async () => {
    const many = dump(...Array.from({ length: 101 }, (_, queue) => `in_port=3 actions=set_queue:${queue}`));
    const { host } = machine((command) => (command === 'dump-aggregate' ? aggregate(1) : many));
    const { known, flows, problems } = await flowMapOf(host, node(), options, 0, true);
    expect([known, flows, problems.map(({ code }) => code)]).toEqual([false, [], ['E_OUTPUT_SIZE', 'E_OUTPUT_SIZE']]);
  });
});

describe('once more a minute after a change', () => {
  const idle = (command: string): string => (command === 'dump-aggregate' ? aggregate(1) : dump('actions=drop'));

  it('while a queue has no user: its flows may come late', async () => {
    let late = true;
    const { host, take } = machine((command) => (late ? idle(command) : quiet(command)));
    const at = async (ms: number) => {
      const { flows } = await flowMapOf(host, node(), options, ms, true);
      return [flows.flatMap(({ uses }) => uses).length, take()];
    };
    expect(await at(0)).toEqual([0, both]);
    expect(await at(59_999)).toEqual([0, []]);
    late = false;
    expect(await at(60_000)).toEqual([2, both]);
    expect(await at(120_000), 'nothing has changed since').toEqual([2, []]);
  });

  it('and only once', async () => {
    const { host, take } = machine(idle);
    const asked: number[] = [];
    for (let ms = 0; ms < 300_000; ms += 20_000) {
      await flowMapOf(host, node(ms < 100_000 ? {} : { ofport: 4 }), options, ms, true);
      if (take().length > 0) asked.push(ms);
    }
    expect(asked).toEqual([0, 60_000, 100_000, 160_000]);
  });

  it.each([
    ['each queue has a user', node(), quiet],
    ['it is queue 0, which needs none', node({ queue: 0 }), idle],
  ])('not where %s', async (_, topology, answer) => {
    const { host, take } = machine(answer);
    await flowMapOf(host, topology, options, 0, true);
    take();
    await flowMapOf(host, topology, options, 60_000, true);
    expect(take()).toEqual([]);
  });
});

describe('two jobs of one target', () => {
  it('ask once, and both get the answer', async () => {
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const { host, take } = machine(async (command) => {
      await answered;
      return quiet(command);
    });
    const first = flowMapOf(host, node(), options, 0, true);
    const second = flowMapOf(host, node(), options, 1, true);
    answer();
    expect(await second).toBe(await first);
    expect((await second).known).toBe(true);
    expect(take()).toEqual(both);
  });

  it('do not wait for each other when one of them was ended', async () => {
    let ends = true;
    const { host, take } = machine((command) => {
      if (ends) throw new Failure('E_ABORTED', 'reload');
      return quiet(command);
    });
    await flowMapOf(host, node(), options, 0, true);
    ends = false;
    take();
    expect((await flowMapOf(host, node(), options, 1, true)).known).toBe(true);
    expect(take()).toEqual(both);
  });

  it('each have their own map where the databases or the limits are different', async () => {
    const { host, take } = machine(quiet);
    for (const own of [{}, { database: '/a.sock' }, { database: '/b.sock' }, { maxFlows: 101 }]) {
      await flowMapOf(host, node(), { ...options, ...own }, 0, true);
      expect(take()).toEqual(both);
    }
  });
});

describe('the time of a run', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is not used up by a switch that does not answer: the map gives up, and keeps what it had', async () => {
    let hangs = false;
    const { host } = machine((command) => (hangs ? new Promise<never>(() => {}) : quiet(command)));
    const topology = node();
    const first = await flowMapOf(host, topology, options, 0, true);
    hangs = true;
    const waiting = flowMapOf(host, topology, options, 300_000, true);
    await vi.advanceTimersByTimeAsync(2500);
    const { flows, known, problems } = await waiting;
    expect([flows, known]).toEqual([first.flows, false]);
    expect(problems.map(({ code, message }) => [code, message])).toEqual(
      ['br-int', 'br-ex'].map((name) => [
        'E_TIMEOUT',
        `who uses the queues behind bridge "${name}": flows were not read within 2.5 s; it is tried again in a minute`,
      ]),
    );
    hangs = false;
    expect(await flowMapOf(host, topology, options, 360_000, true)).toMatchObject({ known: true, problems: [] });
    expect(vi.getTimerCount(), 'timers that are left').toBe(0);
  });
});

describe('two jobs with different intervals', () => {
  const late = (): never => {
    throw new Failure('E_TIMEOUT', 'too late');
  };

  it('have a part of their own interval, and never more than 2.5 s', () => {
    expect([1000, 5000, 7000, 60_000, undefined].map(timeToRead)).toEqual([300, 1500, 2100, 2500, 2500]);
  });

  it('the longer one need not wait for what the shorter one had no time for; it tries once', async () => {
    const { host, take } = machine(late);
    const asks = async (atMs: number, everyMs: number): Promise<boolean> => {
      await flowMapOf(host, node(), options, atMs, true, everyMs);
      return take().length > 0;
    };
    expect(await asks(0, 1000)).toBe(true);
    expect([await asks(1000, 1000), await asks(1001, 500)]).toEqual([false, false]);
    expect(await asks(1002, 60_000)).toBe(true);
    expect([await asks(1003, 60_000), await asks(2000, 1000)]).toEqual([false, false]);
  });

  it('the longer one is due at its own pace where the map is whole, or fails for another reason', async () => {
    const denied = (): never => {
      throw new Failure('E_DENIED', 'not you');
    };
    for (const answer of [quiet, denied]) {
      const { host, take } = machine(answer);
      await flowMapOf(host, node(), options, 0, true, 1000);
      take();
      await flowMapOf(host, node(), options, 1, true, 60_000);
      expect(take()).toEqual([]);
    }
  });

  it('the shorter one gives up in its own time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { host } = machine(() => new Promise<never>(() => {}));
    const waiting = flowMapOf(host, node(), options, 0, true, 1000);
    await vi.advanceTimersByTimeAsync(300);
    expect((await waiting).problems.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('flows were not read within 0.3 s'),
    );
  });
});

describe('many bridges', () => {
  /** b0 to b9, all joined to br-ex; of b1 nothing is answered in time. */
  const bridges = Array.from({ length: 10 }, (_, at) => ({ uuid: `u${at}`, name: `b${at}`, protocols: [], group: 0 }));
  const bounds = { rundir: '/run/ovs', maxFlows: 100 };

  it('are not asked any more once one does not answer; they are first the next time', async () => {
    let hangs = 'b1';
    const { host, take } = machine((command, bridge) => {
      if (bridge === hangs) throw new Failure('E_TIMEOUT', 'no answer within 2 s');
      return quiet(command);
    });
    const turns: Turns = new Map();
    const first = await readBridges(host, bridges, bounds, [], turns);
    const asked = new Set(take().map((one) => one.split(' ')[1]));
    expect([asked.size < 10, first.known]).toEqual([true, false]);
    const skipped = bridges.filter(({ name }) => !asked.has(name)).map(({ name }) => name);
    expect(first.problems.map(({ message }) => message)).toEqual([
      'who uses the queues behind bridge "b1": no answer within 2 s',
      expect.stringMatching(
        /^who uses the queues behind bridges "b4", .* and 3 more: not asked, since bridge "b1" did not answer in time$/,
      ),
    ]);
    expect([...turns]).toEqual([['b1', 'last'], ...skipped.map((name) => [name, 'first'])]);
    const second = await readBridges(host, bridges, bounds, first.flows, turns);
    expect(second.flows.map(({ bridge }) => bridge)).toEqual(
      bridges.map(({ name }) => name).filter((name) => name !== 'b1'),
    );
    hangs = '';
    expect(await readBridges(host, bridges, bounds, second.flows, turns)).toMatchObject({ known: true, problems: [] });
    expect(turns.size).toBe(0);
  });
});

it('a pipeline with more ways than are searched is told, and names nobody', async () => {
  const tables = Array.from({ length: 255 }, (_, table) => table);
  const all = tables.map((table) => `resubmit(,${table})`).join(',');
  const maze = dump(...tables.map((table) => `table=${table}, actions=${all}`), 'table=9, actions=set_queue:5');
  const { host } = machine((command) => (command === 'dump-aggregate' ? aggregate(1) : maze));
  const { flows, known, problems } = await flowMapOf(host, node(), { ...options, maxFlows: 1000 }, 0, true);
  expect([flows[0]?.uses, known]).toEqual([[{ queue: 5, ipSources: [], table: 9 }], true]);
  // Two bridges are read at once, so either may be the first that is told.
  expect(problems.find(({ evidence }) => evidence.labels?.flows === 'br-int')).toMatchObject({
    code: 'E_OUTPUT_SIZE',
    message:
      'who uses the queues behind bridge "br-int": flows with a queue (1) are reached in more ways than are searched, so nothing says who sends; match the sender in these flows themselves',
    evidence: { labels: { flows: 'br-int' } },
  });
});

describe('a bridge that cannot be read', () => {
  it('keeps what was known of it, covers no sample, and is tried again', async () => {
    let fails = false;
    const { host, take } = machine((command, bridge) => {
      if (fails && bridge === 'br-int') throw new Failure('E_DENIED', 'not you');
      return quiet(command);
    });
    const topology = node();
    const first = await flowMapOf(host, topology, options, 0, true);
    fails = true;
    const second = await flowMapOf(host, topology, options, 300_000, true);
    expect(second.flows).toEqual(first.flows);
    expect(second.known).toBe(false);
    expect(second.problems).toMatchObject([{ code: 'E_DENIED', evidence: { labels: { flows: 'br-int' } } }]);
    // Told in every run, though it is tried once a minute alone.
    take();
    expect((await flowMapOf(host, topology, options, 359_999, true)).problems).toBe(second.problems);
    expect(take()).toEqual([]);
    fails = false;
    expect(await flowMapOf(host, topology, options, 360_000, true)).toEqual(first);
  });

  it('is left alone for its whole pace when it has too many flows', async () => {
    const { host, take } = machine((command) => (command === 'dump-aggregate' ? aggregate(101) : dump()));
    const topology = node();
    await flowMapOf(host, topology, options, 0, true);
    take();
    await flowMapOf(host, topology, options, 299_999, true);
    expect(take()).toEqual([]);
    await flowMapOf(host, topology, options, 300_000, true);
    expect(take()).toEqual(['dump-aggregate br-ex', 'dump-aggregate br-int']);
  });

  it('is not asked while the rows are old: vswitchd without its database answers nobody', async () => {
    const { host, take } = machine(quiet);
    const first = await flowMapOf(host, node(), options, 0, true);
    take();
    expect(await flowMapOf(host, node({ ofport: 4 }), options, 900_000, false)).toBe(first);
    expect(take()).toEqual([]);
  });

  it('is not begun again by each run while it takes longer than a run has', async () => {
    const hangs = machine(quiet);
    const never = { ...hangs.host, run: () => Promise.reject(new Failure('E_TIMEOUT', 'the deadline passed')) };
    const topology = node();
    await flowMapOf(never, topology, options, 0, true);
    await flowMapOf(hangs.host, topology, options, 10_000, true);
    expect(hangs.take()).toEqual([]);
  });

  it('leaves the others readable when nothing was known of it', async () => {
    const { host } = machine((command, bridge) => {
      if (bridge === 'br-int') throw new Failure('E_TIMEOUT', 'too late');
      return quiet(command);
    });
    const { flows, known } = await flowMapOf(host, node(), options, 0, true);
    expect([flows.map(({ bridge }) => bridge), known]).toEqual([['br-ex'], false]);
  });
});

it('which bridges are read depends on the queues of their group', () => {
  expect(bridgesToRead(node()).map(({ name }) => name)).toEqual(['br-int', 'br-ex']);
  expect(bridgesToRead(node({ owner: 'x' }))).toEqual([]);
});

describe('who sends, told in an earlier table', () => {
  const uses = (...flows: readonly string[]) =>
    usesIn(parseFlows(dump(...flows)).flows).map(
      ({ queue, inPort, ipSources }) => `${queue} ${inPort ?? ''} ${ipSources}`,
    );

  it('is followed to the flow that sets the queue', () => {
    expect(
      uses(
        'table=0, ip,nw_src=10.0.0.37 actions=resubmit(,1)',
        'table=0, in_port=4 actions=goto_table:1',
        'table=1, actions=set_queue:7,NORMAL',
      ),
    ).toEqual(['7  10.0.0.37', '7 4 ']);
  });

  it('is not asked where the flow says it itself, nor guessed where nobody does', () => {
    expect(uses('table=0, in_port=4 actions=resubmit(,1)', 'table=1, in_port=5 actions=set_queue:7')).toEqual(['7 5 ']);
    expect(uses('table=1, dl_vlan=5 actions=set_queue:7')).toEqual(['7  ']);
  });

  it('one flow with several queues has each', () => {
    expect(uses('table=0, in_port=4 actions=set_queue:1,output:2,set_queue:3,output:4').toSorted()).toEqual([
      '1 4 ',
      '3 4 ',
    ]);
    expect(
      uses(
        'table=0, in_port=4 actions=resubmit(,1)',
        'table=1, actions=set_queue:1,output:2,set_queue:3,output:4',
      ).toSorted(),
    ).toEqual(['1 4 ', '3 4 ']);
  });
});
