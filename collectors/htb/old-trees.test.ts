/** What the totals make of trees that are seen for the first time: of new ones the first interval, of old ones where to begin. */
import { describe, expect, it } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { keeper } from '../../src/hosts/target.ts';
import { createNaming } from '../../src/naming.ts';
import { createTotals } from '../../src/totals.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { htb } from './index.ts';
import { oldTrees } from './old-trees.ts';
import { parseQdiscs } from './parse.ts';
import type { QdiscRecord } from './record.ts';
import type { Tree } from './tree.ts';
import type { Trees } from './trees.ts';

/** Device → bytes that its tree has sent, or why its classes cannot be read. */
type Devices = Readonly<Record<string, number | Failure>>;

const qdisc = (device: string, bytes: number): string =>
  `qdisc htb 1: dev ${device} root refcnt 2 r2q 10 default 0x1 direct_packets_stat 0\n Sent ${bytes} bytes 0 pkt (dropped 0, overlimits 0 requeues 0)\n backlog 0b 0p requeues 0\n`;
const sent = (bytes: number | Failure): number => (bytes instanceof Failure ? 0 : bytes);

/** A job on a machine of which `run` says how it is. Gives increments by series; null: none yet. */
function job(options: object = {}) {
  let devices: Devices = {};
  let isLate = false;
  const host: Host = {
    ...absentHost,
    keep: keeper({ connect: () => Promise.reject(new Error('no sockets')) }).keep,
    async readFile() {
      if (isLate) throw new Failure('E_TIMEOUT', 'the deadline passed');
      return '000003e8 00000040 000f4240 3b9aca00\n';
    },
    async run(argv) {
      if (argv.includes('qdisc')) {
        return Object.entries(devices)
          .map(([device, bytes]) => qdisc(device, sent(bytes)))
          .join('');
      }
      const bytes = devices[argv.at(-1) ?? ''];
      if (bytes instanceof Failure) throw bytes;
      return `class htb 1:1 root prio 0 rate 8bit ceil 8bit burst 1b cburst 1b\n Sent ${bytes} bytes 0 pkt (dropped 0, overlimits 0 requeues 0)\n backlog 0b 0p requeues 0\n`;
    },
  };
  const naming = createNaming('htb');
  const totals = createTotals(naming);
  let atMs = 0;
  const read = async () => {
    atMs += 10_000;
    return htb.collect({
      host,
      options: htb.options.parse({ source: 'tc', ...options }),
      atMs,
      readAtMs: atMs,
      elapsedMs: () => 0,
    });
  };
  return {
    async run(now: Devices): Promise<Record<string, number | null>> {
      devices = now;
      const { samples, problems = [] } = await read();
      const named = samples.map((sample) => ({ path: naming.path(sample.metric, sample.labels), sample }));
      const points = totals.apply({ named, problems, ratios: [], readAtMs: atMs });
      const bytes = points.filter(({ metric }) => metric.name.endsWith('sent_bytes'));
      return Object.fromEntries(bytes.map(({ path, value }) => [path.replace(/^htb\.|_bytes$/g, ''), value ?? null]));
    },
    async late(now: Devices): Promise<void> {
      devices = now;
      isLate = true;
      await expect(read()).rejects.toMatchObject({ code: 'E_TIMEOUT' });
      isLate = false;
    },
  };
}
const both = (device: string, value: number | null) => ({
  [`${device}.default_1_1.sent`]: value,
  [`${device}.qdisc_sent`]: value,
});

describe('by tc, that knows names alone', () => {
  it('a tree that comes while the daemon runs has its first interval', async () => {
    const { run } = job();
    expect(await run({ eth1: 9e12 })).toEqual(both('eth1', null));
    expect(await run({ eth1: 9e12 + 1, tap1: 50 })).toEqual({ ...both('eth1', 1), ...both('tap1', 50) });
    // One that goes in the same interval, and had sent more, is another.
    expect(await run({ eth1: 9e12 + 1, tap2: 40 })).toEqual({ ...both('eth1', 0), ...both('tap2', 40) });
  });

  it('a tree under a new name begins at its first total, and never at zero', async () => {
    const { run } = job();
    await run({ eth1: 9e12 });
    expect(await run({ eth9: 9e12 + 100 })).toEqual(both('eth9', null));
    expect(await run({ eth9: 9e12 + 200 })).toEqual(both('eth9', 100));
  });

  it('so does one whose old name another tree has at once', async () => {
    const { run } = job();
    await run({ eth0: 9e12 });
    expect(await run({ eth0: 50, peth0: 9e12 + 100 })).toEqual({ ...both('eth0', null), ...both('peth0', null) });
    expect(await run({ eth0: 60, peth0: 9e12 + 300 })).toEqual({ ...both('eth0', 10), ...both('peth0', 200) });
  });

  it('neither does one that was there before and was not asked for', async () => {
    const { run } = job({ devices: ['tap*'] });
    await run({ eth1: 9e12, tap1: 5 });
    expect(await run({ tap9: 9e12, tap1: 6 })).toEqual({ ...both('tap1', 1), ...both('tap9', null) });
    expect(await run({ tap9: 9e12 + 7, tap1: 6 })).toEqual({ ...both('tap1', 0), ...both('tap9', 7) });
  });

  it('one that could not be read goes on where it was', async () => {
    const { run } = job();
    await run({ eth1: 9e12 });
    expect(await run({ eth1: new Failure('E_EXIT', 'no answer') })).toEqual({});
    expect(await run({ eth1: 9e12 + 100 })).toEqual(both('eth1', 100));
  });

  it('a run that is too late has seen nothing', async () => {
    const { run, late } = job();
    await run({ eth1: 9e12 });
    await late({ eth9: 9e12 });
    await late({ eth9: 9e12 });
    expect(await run({ eth9: 9e12 + 100 })).toEqual(both('eth9', null));
    expect(await run({ eth9: 9e12 + 200 })).toEqual(both('eth9', 100));
  });
});

describe('by netlink, that knows who a device is', () => {
  const forest = (source: Trees['source'], devices: Readonly<Record<number, string>>, wanted = /./): Trees => {
    const shaped: QdiscRecord[] = Object.entries(devices).flatMap(([ifindex, device]) =>
      parseQdiscs(qdisc(device, 1000)).records.map((one) => ({ ...one, ifindex: Number(ifindex) })),
    );
    const trees: Tree[] = shaped.flatMap((one) =>
      one.device !== undefined && wanted.test(one.device) ? [{ device: one.device, qdiscs: [one], classes: [] }] : [],
    );
    return { source, trees, shaped, bare: [], problems: [] };
  };
  const old = (keep: Host['keep'], trees: Trees): string[] => {
    const isOld = oldTrees({ keep } as Host, {}, trees);
    return trees.trees.filter(isOld).map(({ device }) => device);
  };
  const kept = () => keeper({ connect: () => Promise.reject(new Error('no sockets')) }).keep;

  it('one under a new name is itself, and one of a new index is new', () => {
    const keep = kept();
    expect(old(keep, forest('netlink', { 1: 'a', 2: 'b' }))).toEqual([]);
    expect(old(keep, forest('netlink', { 1: 'b', 3: 'c' }))).toEqual([]);
  });

  it('one is old that was there and not asked for, and so is all that another source told before', () => {
    const keep = kept();
    expect(old(keep, forest('netlink', { 1: 'eth1', 2: 'tap2' }, /tap/))).toEqual([]);
    expect(old(keep, forest('netlink', { 1: 'tap1', 2: 'tap2', 3: 'tap3' }, /tap/))).toEqual(['tap1']);
    expect(old(keep, forest('netlink', { 1: 'tap1', 2: 'tap2', 3: 'tap3' }, /tap/))).toEqual([]);
    expect(old(keep, forest('tc', { 1: 'tap1' }))).toEqual(['tap1']);
  });

  it('one that was merely unread is as known as before, whether or not the problem says whose it is', () => {
    const keep = kept();
    const unread = (problem: Failure): Trees => ({
      ...forest('netlink', { 1: 'tap1', 2: 'eth2' }, /none/),
      problems: [problem],
    });
    const wide = new Failure('E_PARSE', 'the dump broke off');
    const narrow = new Failure('E_PARSE', 'no classes', { labels: { device: 'tap1' } });
    const other = new Failure('E_PARSE', 'no classes', { labels: { device: 'tap7' } });
    old(keep, forest('netlink', { 1: 'tap1', 2: 'eth2' }, /tap/));
    for (const problem of [wide, narrow]) {
      old(keep, unread(problem));
      expect(old(keep, forest('netlink', { 1: 'tap1', 2: 'eth2' }, /tap/))).toEqual([]);
    }
    // What was not told before is not by a problem.
    old(keep, unread(wide));
    expect(old(keep, forest('netlink', { 1: 'tap1', 2: 'eth2' }))).toEqual(['eth2']);
    // Nor does the problem of another device excuse one.
    old(keep, unread(other));
    expect(old(keep, forest('netlink', { 1: 'tap1', 2: 'eth2' }))).toEqual(['tap1', 'eth2']);
  });

  it('one that went out of sight under another name is old when it is back', () => {
    const keep = kept();
    expect(old(keep, forest('netlink', { 1: 'tap1' }, /tap/))).toEqual([]);
    expect(old(keep, forest('netlink', { 1: 'eth1' }, /tap/))).toEqual([]);
    expect(old(keep, forest('netlink', { 1: 'tap1' }, /tap/))).toEqual(['tap1']);
  });
});
