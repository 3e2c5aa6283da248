import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Host, Reading } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { covers } from '../../src/scope.ts';
import { type RecordedTarget, readSession, recordedTarget } from '../../test/support/recorded-target.ts';
import { htb } from './index.ts';

const targets = new Set<RecordedTarget>();
afterEach(async () => {
  for (const target of targets) await target.close();
  targets.clear();
});

type Change = (host: Host) => Partial<Host>;

/** A recorded machine, of which `change` makes another: all its readings, one after the other. */
async function readings(recording: string, more: object = {}, change: Change = () => ({})): Promise<Reading[]> {
  const session = readSession(join(import.meta.dirname, 'testdata', recording));
  const target = recordedTarget('hv01', session);
  targets.add(target);
  const options = htb.options.parse({ ...session.options, ...more });
  const all: Reading[] = [];
  for (const [index] of session.readings.entries()) {
    const host = target.open(new AbortController().signal);
    all.push(
      await htb.collect({
        host: { ...host, ...change(host) },
        options,
        ...{ atMs: index * 10_000, readAtMs: index * 10_000, elapsedMs: () => 0 },
      }),
    );
  }
  return all;
}

const told = ({ problems = [] }: Reading): string[] => problems.map(({ code, message }) => `${code} ${message}`);
const values = ({ samples }: Reading, name: string): Record<string, number | bigint> =>
  Object.fromEntries(
    samples
      .filter(({ metric }) => metric.name === name)
      .map(({ labels, value }) => [labels.name ?? labels.device, value]),
  );
const names = (reading: Reading): string[] => Object.keys(values(reading, 'sent_bytes')).toSorted();

const GONE = readFileSync(join(import.meta.dirname, 'testdata/tc6.1-ovs-tree-gone/qdisc'), 'utf8');
const QDISC_WORDS = 'tc -s -d qdisc show';
const CLASS_WORDS = 'tc -j -s -d class show dev eth1';
const instead =
  (words: string, answer: string | Failure): Change =>
  (host) => ({
    async run(argv) {
      if (argv.join(' ') !== words) return host.run(argv);
      if (answer instanceof Failure) throw answer;
      return answer;
    },
  });

it.each(['auto', 'netlink'])('by %s, netlink and tc read the same tree alike', async (source) => {
  // Both were read in the same second, with a ping's packets in between; rates and names are those of one tree.
  const [byNetlink] = await readings('kernel6.18-ovs-netlink', { source });
  const [byTc] = await readings('tc6.1-ovs');
  if (byNetlink === undefined || byTc === undefined) throw new Error('no reading');
  for (const metric of ['rate_bits_per_second', 'ceil_bits_per_second', 'drift', 'default_class', 'unused_classes']) {
    expect(values(byNetlink, metric), metric).toEqual(values(byTc, metric));
  }
  expect([...told(byNetlink), ...told(byTc)]).toEqual([]);
});

describe('names', () => {
  it.each([
    ['vif', ['default_1:1', 'inner_1:fffe', 'vif2.1', 'vif3.1']],
    ['ip', ['10.0.0.37', '10.0.0.38', 'default_1:1', 'inner_1:fffe']],
    ['class', ['1:367c', '1:367d', 'default_1:1', 'inner_1:fffe']],
  ])('by %s', async (name, expected) => {
    const [reading] = await readings('tc6.1-ovs', { name });
    expect(reading && names(reading)).toEqual(expected);
  });

  it('stay when the database is lost, which is told, and drift is not', async () => {
    const [before, after] = await readings('tc6.1-ovs-database-lost');
    if (before === undefined || after === undefined) throw new Error('no reading');
    expect(names(after)).toEqual(names(before));
    expect(told(after)).toEqual([
      'E_CONNECT nothing listens on "/var/run/openvswitch/db.sock"; classes keep the names that they had',
    ]);
    expect([values(before, 'drifted_queues'), values(after, 'drifted_queues')]).toEqual([{ eth1: 0 }, {}]);
  });

  it('are ids where the database may not be read, which is told', async () => {
    const [reading] = await readings('tc6.1-ovs-denied');
    expect(reading && names(reading)).toEqual(['1:367c', '1:367d', 'default_1:1', 'inner_1:fffe']);
    expect(reading && told(reading)).toEqual(['E_DENIED "/var/run/openvswitch/db.sock" may not be used by this user']);
  });

  it('follow a flow that is moved, while the class is counted as itself', async () => {
    const [before, after] = await readings('tc6.1-ovs-renamed');
    const origins = (reading: Reading | undefined) =>
      Object.fromEntries(
        (reading?.samples ?? [])
          .filter(({ metric }) => metric.name === 'sent_bytes')
          .map(({ origin, labels }) => [origin, labels.name]),
      );
    expect([origins(before)['eth1 1:367c'], origins(after)['eth1 1:367c']]).toEqual(['vif2.1', 'vif3.1_1:367c']);
  });
});

describe('a database that is not there', () => {
  it('is no problem where nothing looks like Open vSwitch', async () => {
    const [reading] = await readings('tc6.1-plain');
    expect(reading && told(reading)).toEqual([]);
  });

  it('is one where the tree does', async () => {
    const [reading] = await readings('tc2.6.39-no-database');
    expect(reading && told(reading)).toEqual(['E_NOT_FOUND "/var/run/openvswitch/db.sock" does not exist']);
  });
});

describe('a tree that is gone', () => {
  it('is drift on the device that Open vSwitch shapes, and on no other', async () => {
    const [reading] = await readings('tc6.1-ovs-tree-gone');
    expect(reading && values(reading, 'drift')).toEqual({ 'inner_1:fffe': 1, 'vif2.1': 1, 'vif3.1': 1 });
    expect(reading && values(reading, 'classes')).toEqual({ eth1: 0 });
  });

  it('is so by netlink too', async () => {
    // Without its HTB qdisc: links are known, and no tree is there.
    const [reading] = await readings('kernel6.18-ovs-drift', {}, (host) => ({
      netlink: async (request) => (request.type === 38 ? [] : host.netlink(request)),
    }));
    expect(reading && values(reading, 'classes')).toEqual({ eth1: 0 });
    expect(reading && values(reading, 'queues_without_class')).toEqual({ eth1: 2 });
  });

  it('is nobody’s business where the device is not asked for, or cannot be read', async () => {
    const [excluded] = await readings('tc6.1-ovs-tree-gone', { exclude: ['eth*'] });
    expect(excluded?.samples).toEqual([]);
    const denied = new Failure('E_DENIED', 'not you');
    const [unread] = await readings('tc6.1-ovs', {}, instead(CLASS_WORDS, denied));
    expect(unread?.samples).toEqual([]);
    expect(unread?.problems).toMatchObject([{ code: 'E_DENIED', evidence: { labels: { device: 'eth1' } } }]);
    const text = `${GONE}qdisc htb nonsense\n`;
    const [odd] = await readings('tc6.1-ovs-tree-gone', {}, instead(QDISC_WORDS, text));
    expect(odd?.samples).toEqual([]);
    expect(odd?.problems).toMatchObject([{ code: 'E_PARSE' }]);
  });

  it('is not asked for by netlink either', async () => {
    const change: Change = (host) => ({
      netlink: async (request) => (request.type === 38 ? [] : host.netlink(request)),
    });
    const [excluded] = await readings('kernel6.18-ovs-drift', { exclude: ['eth*'] }, change);
    expect(excluded?.samples).toEqual([]);
  });

  it('is not known while the rows are old', async () => {
    const [live, stale] = await readings('tc6.1-ovs-database-lost', {}, instead(QDISC_WORDS, GONE));
    expect(live && values(live, 'classes')).toEqual({ eth1: 0 });
    expect(stale?.samples).toEqual([]);
  });
});

it('a device that went away between two questions is no problem', async () => {
  const stderr = 'Cannot find device "eth1"';
  const gone = new Failure('E_EXIT', `tc ended with status 1: ${stderr}`, { stderr });
  const [reading] = await readings('tc6.1-ovs', {}, instead(CLASS_WORDS, gone));
  expect(reading).toMatchObject({ samples: [], problems: [] });
});

it('a class of another device is none of the one that was asked for', async () => {
  const [reading] = await readings('kernel6.18-ovs-netlink', {}, (host) => ({
    async netlink(request) {
      const all = await host.netlink(request);
      if (request.type !== 42) return all;
      // The first message once more: its device and its handle are words 5 and 6.
      const stray = Buffer.from(all[0] ?? []);
      stray.writeInt32LE(stray.readInt32LE(20) + 1, 20);
      stray.writeUInt32LE(0x1_7777, 24);
      return [...all, stray.subarray(0, stray.readUInt32LE(0))];
    },
  }));
  expect(reading && names(reading)).toEqual(['default_1:1', 'inner_1:fffe', 'vif2.1', 'vif3.1']);
});

it('a device that netlink merely says has no classes is no problem either where it is gone', async () => {
  const without =
    (isGone: boolean): Change =>
    (host) => {
      let asked = 0;
      return {
        async netlink(request) {
          if (request.type === 42) return [];
          return request.type === 18 && asked++ > 0 && isGone ? [] : host.netlink(request);
        },
      };
    };
  const [gone] = await readings('kernel6.18-ovs-netlink', {}, without(true));
  expect(gone).toMatchObject({ samples: [], problems: [] });
  const [emptied] = await readings('kernel6.18-ovs-netlink', {}, without(false));
  expect(emptied && values(emptied, 'queues_without_class')).toEqual({ eth1: 2 });
});

it('a run without any source fails', async () => {
  const gone = new Failure('E_NOT_FOUND', 'program "tc" was not found');
  await expect(readings('tc6.1-ovs', { source: 'auto' }, instead(QDISC_WORDS, gone))).rejects.toBe(gone);
  const denied = new Failure('E_DENIED', 'no sockets');
  const refuse: Change = () => ({ netlink: () => Promise.reject(denied) });
  await expect(readings('tc6.1-ovs', { source: 'auto' }, refuse)).rejects.toBe(denied);
});

it('a machine without the scheduler’s clock has all but tokens', async () => {
  for (const readFile of [
    () => Promise.reject(new Failure('E_NOT_FOUND', 'no psched')),
    async () => 'nonsense',
  ] satisfies Host['readFile'][]) {
    const [reading] = await readings('tc6.1-ovs', {}, () => ({ readFile }));
    expect(reading && values(reading, 'tokens_seconds')).toEqual({});
    expect(reading && names(reading)).toHaveLength(4);
    expect(reading?.problems).toHaveLength(1);
    const covered = reading?.samples.filter(({ labels }) =>
      reading.problems?.some((problem) => covers(problem, labels)),
    );
    expect(covered).toEqual([]);
  }
});

it('what a tick is holds when it cannot be read again', async () => {
  let reads = 0;
  const failure = new Failure('E_DENIED', 'no psched');
  const [before, after] = await readings('kernel6.18-ovs-netlink', {}, (host) => ({
    readFile: (path) => (reads++ === 0 ? host.readFile(path) : Promise.reject(failure)),
  }));
  const tokens = (reading: Reading | undefined) => Object.keys((reading && values(reading, 'tokens_seconds')) ?? {});
  expect(tokens(before)).toHaveLength(4);
  expect(tokens(after)).toEqual(tokens(before));
  expect(after && told(after)).toEqual(['E_DENIED no psched']);
});

it('devices are chosen by globs', async () => {
  for (const options of [{ devices: ['tap*'] }, { exclude: ['eth?'] }, { devices: ['e*'], exclude: ['*1'] }]) {
    const [reading] = await readings('tc6.1-ovs', options);
    expect(reading?.samples).toEqual([]);
  }
});

it.each([
  { source: 'ss' },
  { name: 'mac' },
  { rundir: 'run/openvswitch' },
  { database: '' },
  { flowsEvery: 5 },
  { flowsEvery: '5' },
  { maxFlows: -1 },
  { maxFlows: 1e9 },
  { devices: [''] },
  { device: ['eth1'] },
])('the options %j are refused', (options) => {
  expect(htb.options.safeParse(options).success).toBe(false);
});
