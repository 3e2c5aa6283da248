import { expect, it } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { topologyOf } from '../../src/ovs/topology.ts';
import { readFlows } from './trace-flows.ts';

const topology = (bridges: readonly string[]) =>
  topologyOf(new Map([['Bridge', new Map(bridges.map((name) => [name, { name, ports: [] }]))]]));
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `br${index}`);

/** Bridges whose answers are given one by one. */
function machine() {
  const waiting = new Map<string, PromiseWithResolvers<string>>();
  const asked: string[] = [];
  const host = {
    keep: (_: string, make: () => unknown) => make(),
    run: (argv: readonly string[]) => {
      const [, name = ''] = /\/([^/]+)\.mgmt$/.exec(argv.at(-1) ?? '') ?? [];
      asked.push(name);
      const answer = Promise.withResolvers<string>();
      waiting.set(name, answer);
      return answer.promise;
    },
  } as unknown as Host;
  return {
    host,
    asked,
    async settle(name: string, answer: string | Failure) {
      const one = waiting.get(name);
      if (one === undefined) throw new Error(`${name} was not asked`);
      if (answer instanceof Failure) one.reject(answer);
      else one.resolve(answer);
      // All that follows from it without another answer.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

it('asks four bridges at once, and tells of each what it says', async () => {
  const { host, asked, settle } = machine();
  const result = readFlows(host, topology(names(6)), '/run/ovs');
  expect(asked).toEqual(names(4));
  await settle('br1', ' table=0, in_port=3 actions=set_queue:5,NORMAL\n');
  expect(asked).toEqual(names(5));
  for (const name of ['br0', 'br2', 'br3', 'br4', 'br5']) await settle(name, '');
  const { known, links, unread, problems } = await result;
  expect(known.map(({ bridge, uses }) => [bridge, uses.length])).toEqual(
    names(6).map((one, at) => [one, at === 1 ? 1 : 0]),
  );
  expect(
    [...links].map(([queue, all]) => [queue, all.map(({ bridge, flow }) => [bridge, flow.match.get('in_port')])]),
  ).toEqual([[5, [['br1', '3']]]]);
  expect([unread.size, problems]).toEqual([0, []]);
});

it('asks no more of a switch that hangs, and says so once', async () => {
  const { host, asked, settle } = machine();
  const result = readFlows(host, topology(names(20)), '/run/ovs');
  const late = new Failure('E_TIMEOUT', 'no answer within 5 s');
  for (const name of names(4)) await settle(name, late);
  const { unread, problems } = await result;
  expect(asked).toEqual(names(4));
  expect([...unread.keys()].toSorted()).toEqual(names(20).toSorted());
  expect(problems.map(({ code, message }) => [code, message])).toEqual([
    [
      'E_TIMEOUT',
      expect.stringMatching(/^the flows of ("br\d", ){7}"br7" and 12 more are not known: no answer within 5 s$/),
    ],
  ]);
});

it('goes on after another failure, and tells each', async () => {
  const { host, asked, settle } = machine();
  const result = readFlows(host, topology(names(5)), '/run/ovs');
  for (const name of names(5)) await settle(name, name === 'br4' ? '' : new Failure('E_DENIED', `not you, ${name}`));
  const { unread, problems } = await result;
  expect(asked).toEqual(names(5));
  expect(problems.map(({ message }) => message)).toEqual(names(4).map((name) => `not you, ${name}`));
  expect([...unread.keys()]).toEqual(names(4));
});

it('keeps of a text that is cut off what is there, and says that it is not all', async () => {
  const { host, settle } = machine();
  const result = readFlows(host, topology(['br0']), '/run/ovs');
  await settle('br0', ' table=0, in_port=3 actions=set_queue:5\n table=0, in_po');
  const { links, unread, problems } = await result;
  expect([links.get(5)?.length, [...unread.keys()]]).toEqual([1, ['br0']]);
  expect(problems.map(({ code }) => code)).toEqual(['E_OUTPUT_SIZE']);
});

it('says of each sender by which flow its packets come into the queue, also where an earlier table knows it', async () => {
  const { host, settle } = machine();
  const result = readFlows(host, topology(['br0']), '/run/ovs');
  await settle(
    'br0',
    [
      ' table=0, in_port=3 actions=set_field:0x5->reg6,resubmit(,1)',
      ' table=0, in_port=4 actions=set_field:0x6->reg6,resubmit(,1)',
      ' table=1, reg6=0x5 actions=set_queue:5,output:1,set_queue:7,output:2',
      ' table=1, reg6=0x6 actions=set_queue:5,NORMAL',
      '',
    ].join('\n'),
  );
  const { links } = await result;
  const told = (queue: number) =>
    (links.get(queue) ?? []).map(({ flow, use }) => `${use.inPort} ${use.queue} ${flow.match.get('reg6')}`);
  expect([told(5), told(7)]).toEqual([['3 5 0x5', '4 5 0x6'], ['3 7 0x5']]);
});
