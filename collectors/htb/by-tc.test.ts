/** What tc may have missed is asked for again; which of its languages it speaks is remembered. */
import { expect, it } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { keeper } from '../../src/hosts/target.ts';
import { readByTc } from './by-tc.ts';

const qdisc = (kind: string) => `qdisc ${kind} 1: dev eth1 root refcnt 2 r2q 10 default 0x1 direct_packets_stat 0\n`;
const dump = (...minors: string[]): string =>
  minors.map((minor) => `class htb 1:${minor} root prio 0 rate 8bit ceil 8bit burst 1b cburst 1b\n`).join('');

/** A machine whose successive class dumps are these, and its qdisc dumps those; the last is repeated. */
function machine(dumps: readonly (string | Failure)[], kind = 'htb', qdiscs: readonly string[] = [qdisc(kind)]) {
  const asked: string[] = [];
  let next = 0;
  let nextQdisc = 0;
  const kept = keeper({ connect: () => Promise.reject(new Error('no sockets')) });
  const host = {
    name: 'hv01',
    keep: kept.keep,
    async run(argv: readonly string[]) {
      if (argv.includes('qdisc')) return qdiscs[Math.min(nextQdisc++, qdiscs.length - 1)] ?? '';
      asked.push(argv.includes('-j') ? 'json' : 'text');
      const answer = dumps[Math.min(next++, dumps.length - 1)] ?? '';
      if (answer instanceof Failure) throw answer;
      return answer;
    },
  } as unknown as Host;
  const read = async (asker = '') =>
    (await readByTc(host, () => true, asker)).trees[0]?.classes.map(({ handle }) => handle);
  return { host, read, asked };
}

it('a dump that lacks a class of the run before is made again', async () => {
  const { read, asked } = machine([dump('1', '2', '3'), dump('1', '3'), dump('1', '2', '3')]);
  expect(await read()).toEqual(['1:1', '1:2', '1:3']);
  expect(await read()).toEqual(['1:1', '1:2', '1:3']);
  expect(asked).toHaveLength(3);
  expect(await read()).toEqual(['1:1', '1:2', '1:3']);
  expect(asked).toHaveLength(4);
});

it('a class that is really gone is believed after a second look', async () => {
  const { read, asked } = machine([dump('1', '2'), dump('1')]);
  await read();
  expect(await read()).toEqual(['1:1']);
  expect(asked).toHaveLength(3);
  expect(await read()).toEqual(['1:1']);
  expect(asked).toHaveLength(4);
});

it('never looks more than three times', async () => {
  const { read, asked } = machine([dump('1', '2', '3', '4'), dump('1', '2', '3'), dump('1', '2'), dump('1')]);
  await read();
  // What one of them had is there, though the last one lacks it.
  expect(await read()).toEqual(['1:2', '1:3', '1:1']);
  expect(asked).toHaveLength(4);
});

it('dumps that lack different classes are one that lacks none', async () => {
  const { read, asked } = machine([dump('1', '2', '3'), dump('1', '3'), dump('1', '2'), dump('1', '2', '3')]);
  await read();
  expect((await read())?.sort()).toEqual(['1:1', '1:2', '1:3']);
  expect(asked).toHaveLength(3);
  expect(await read()).toEqual(['1:1', '1:2', '1:3']);
  expect(asked).toHaveLength(4);
});

it('as many that are missing are believed when they are the same', async () => {
  const all = dump('1', '2', '3', '4');
  const { read, asked } = machine([all, dump('1', '2'), dump('1', '3'), all]);
  await read();
  expect((await read())?.sort()).toEqual(['1:1', '1:2', '1:3', '1:4']);
  expect(asked).toHaveLength(4);
});

it('a class of which this run alone knows is taken from its last dump alone', async () => {
  const { read } = machine([dump('1', '2'), dump('1', '3'), dump('1', '2')]);
  await read();
  expect(await read()).toEqual(['1:1', '1:2']);
});

it('an old tc is not asked for JSON twice, and HFSC not at all', async () => {
  const unknown = new Failure('E_EXIT', 'tc ended with status 255: "Option \\"-j\\" is unknown, try \\"tc -help\\"."');
  const old = machine([unknown, dump('1')]);
  expect(await old.read()).toEqual(['1:1']);
  await old.read();
  expect(old.asked).toEqual(['json', 'text', 'text']);
  const hfsc = machine([''], 'hfsc');
  await hfsc.read();
  expect(hfsc.asked).toEqual(['text']);
});

/** As iproute2 6.2 to 6.4 print a class of SFQ below one of HTB: text, in the middle of an array. */
const BROKEN = `[{"class":"htb","handle":"1:1","root":true,"rate":1,"ceil":1,"stats":{"bytes":1}},{"class":"sfq","handle":"3ea:1","parent":"3ea:","stats":{"bytes":0} allot 1514 
}]`;

it('a device whose JSON is none is asked for text, at once and from then on', async () => {
  const { read, asked } = machine([BROKEN, dump('1', '2')]);
  expect(await read()).toEqual(['1:1', '1:2']);
  expect(await read()).toEqual(['1:1', '1:2']);
  expect(asked).toEqual(['json', 'text', 'text']);
});

it('JSON that is whole and has a fault in it is believed', async () => {
  const odd = '[{"class":"htb","handle":"1:1","root":true},{"class":"htb","handle":"?"}]';
  const { read, asked } = machine([odd]);
  expect(await read()).toEqual(['1:1']);
  await read();
  expect(asked).toEqual(['json', 'json']);
});

it('what is remembered of a device ends with its tree', async () => {
  const { read, asked } = machine([BROKEN, dump('1')], 'htb', [qdisc('htb'), '', '', qdisc('htb')]);
  await read();
  expect(await read()).toBeUndefined();
  expect(await read()).toEqual(['1:1']);
  expect(asked).toEqual(['json', 'text', 'json']);
});

it('a dump that lacks a tree of the run before is made again', async () => {
  const { read } = machine([dump('1')], 'htb', [qdisc('htb'), '', qdisc('htb')]);
  expect(await read()).toEqual(['1:1']);
  expect(await read()).toEqual(['1:1']);
});

it('dumps that lack different trees are one that lacks none', async () => {
  const first = qdisc('htb');
  const second = first.replace('1:', '2:').replace('root', 'parent 1:1');
  const { host } = machine([dump('1')], 'htb', [first + second, first, second, first]);
  const handles = async () =>
    (await readByTc(host, () => true, '')).trees[0]?.qdiscs.map(({ handle }) => handle).sort();
  expect(await handles()).toEqual(['1:', '2:']);
  expect(await handles()).toEqual(['1:', '2:']);
  // One that is missing from every dump of a run is gone at once.
  expect(await handles()).toEqual(['1:']);
});

it('what one asker saw says nothing of what another lacks', async () => {
  const { read, asked } = machine([dump('1', '2'), dump('1')]);
  expect(await read('a')).toEqual(['1:1', '1:2']);
  expect(await read('b')).toEqual(['1:1']);
  expect(asked).toHaveLength(2);
});
