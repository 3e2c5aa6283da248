/** The link collector on a real kernel, run by run as the daemon does it: what was done to links is what is told. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { link } from '../../collectors/link/index.ts';
import { systemClock } from '../../src/clock.ts';
import type { JobConfig } from '../../src/config.ts';
import type { Failure } from '../../src/errors.ts';
import { localTarget } from '../../src/hosts/local.ts';
import { deliveryOf, freshMemory, planOf } from '../../src/job.ts';
import { run } from '../../src/run.ts';
import { createClaims } from '../../src/vet.ts';
import { type LinkNamespace, startLinkNamespace } from '../support/link-namespace.ts';
import { eventually } from '../support/statsd.ts';
import { systemEnv } from '../support/testbed-keeper.ts';

const isRoot = process.getuid?.() === 0;
const frames = new URL('../support/link-frames.py', import.meta.url).pathname;

/** Whether this kernel has a type of device: modules are not loaded for it. */
function has(...type: readonly string[]): boolean {
  if (!isRoot) return false;
  const words = ['--net', 'ip', 'link', 'add', 'probe0', ...type];
  return spawnSync('unshare', words, { env: systemEnv() }).status === 0;
}

interface Run {
  /** `interface.metric` → value; a counter's is its increment. */
  readonly values: ReadonlyMap<string, number>;
  readonly totals: ReadonlyMap<string, number>;
  readonly problems: readonly Failure[];
  readonly kinds: Readonly<Record<string, string | undefined>>;
  readonly masters: Readonly<Record<string, string | undefined>>;
}

function pipelineOf(options: Record<string, unknown>): () => Promise<Run> {
  const target = localTarget('hv01');
  const job: JobConfig = {
    ...{ id: 'link@hv01', name: 'link', collector: link, target: 'hv01', options: link.options.parse(options) },
    ...{ when: { everyMs: 10_000 }, intervalMs: 10_000, splayMs: 0, timeoutMs: 8000, fingerprint: '' },
  };
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(job, around);
  const base = 'edge.hv01.link.';
  return async () => {
    const { delivery, problems, failure } = deliveryOf(
      await run(planOf(job, target), systemClock),
      job,
      around,
      memory,
    );
    expect(failure).toBeUndefined();
    const points = delivery.points.filter(({ path }) => path.startsWith(base));
    const pairs = (of: (point: (typeof points)[number]) => number | bigint | undefined): Map<string, number> =>
      new Map(
        points.flatMap((point) => {
          const value = of(point);
          return value === undefined ? [] : [[point.path.slice(base.length), Number(value)] as const];
        }),
      );
    const labels = points.filter(({ ends }) => ends !== true).map((point) => point.labels);
    const tag = (name: string) => Object.fromEntries(labels.map((one) => [one.interface, one[name]]));
    return {
      ...{ values: pairs(({ value }) => value), totals: pairs(({ total }) => total), problems },
      ...{ kinds: tag('kind'), masters: tag('master') },
    };
  };
}

describe.skipIf(!isRoot && process.env.CI === undefined)('link', () => {
  let here: LinkNamespace;
  let there: LinkNamespace;
  /** Other numbers than those of the far ends: the kernel takes equal ones for something that stands on nothing. */
  let number = 100;
  beforeEach(async () => {
    [here, there] = await Promise.all([startLinkNamespace(), startLinkNamespace()]);
  });
  afterEach(async () => {
    await Promise.all([here?.close(), there?.close()]);
  });

  const pipeline = (options: Record<string, unknown> = {}) =>
    pipelineOf({ ...here.options, exclude: ['lo'], ...options });
  /** A cable: one end in each namespace. */
  const cable = async (name: string, far: string): Promise<void> => {
    await here.ip(`link add ${name} index ${number++} type veth peer name ${far} netns ${there.pid}`);
    // Nothing but the test sends.
    for (const [place, device] of [
      [here, name],
      [there, far],
    ] as const) {
      await place.run('sh', '-c', `echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`).catch(() => '');
      await place.ip(`link set ${device} up`);
    }
    await carrier(name, '1');
  };
  const carrier = (name: string, wanted: string): Promise<true> =>
    eventually(async () => {
      const text = await here.ip(`-o link show dev ${name}`);
      return (wanted === '1' ? /state UP/ : /state (?:LOWERLAYER)?DOWN/).test(text) ? true : undefined;
    }, `carrier ${wanted} of ${name}`);
  const send = (place: LinkNamespace, ...words: string[]) => place.run('python3', frames, ...words);
  /** What was sent is counted a moment later: waits until the kernel has counted so much. */
  const counted = (name: string, attribute: string, count: number): Promise<true> =>
    eventually(async () => {
      const text = await readFile(`${here.options.sys}/${name}/statistics/${attribute}`, 'utf8');
      return Number(text) >= count ? true : undefined;
    }, `${count} ${attribute} of ${name}`);

  it('tells that a link was pulled, comes back, and is switched off', async () => {
    await cable('eth0', 'far0');
    const read = pipeline();
    const before = await read();
    expect(before.problems).toEqual([]);
    expect(before.values.get('eth0.carrier_downs')).toBeUndefined();
    for (const [metric, value] of Object.entries({ link_up: 1, admin_up: 1, operstate: 6, mtu_bytes: 1500 }))
      expect(before.values.get(`eth0.${metric}`), metric).toBe(value);
    await there.ip('link set far0 down');
    await carrier('eth0', '0');
    const pulled = await read();
    for (const [metric, value] of Object.entries({
      link_up: 0,
      admin_up: 1,
      carrier_downs: 1,
      carrier_ups: 0,
    }))
      expect(pulled.values.get(`eth0.${metric}`), metric).toBe(value);
    // Kernels differ in whether it is down or its lower layer is, where the peer is in another namespace.
    expect([2, 3]).toContain(pulled.values.get('eth0.operstate'));
    await there.ip('link set far0 up');
    await carrier('eth0', '1');
    const back = await read();
    for (const [metric, value] of Object.entries({ link_up: 1, operstate: 6, carrier_downs: 0, carrier_ups: 1 }))
      expect(back.values.get(`eth0.${metric}`), metric).toBe(value);
    expect(back.values.get('eth0.carrier_changes')).toBe(1);
    await here.ip('link set eth0 down');
    const off = await read();
    for (const [metric, value] of Object.entries({ link_up: 0, admin_up: 0, operstate: 2 }))
      expect(off.values.get(`eth0.${metric}`), metric).toBe(value);
    expect(off.problems).toEqual([]);
  });

  it('counts what comes, and what nobody here understands', async () => {
    await cable('eth0', 'far0');
    const read = pipeline();
    await read();
    await send(there, 'unknown', 'far0', '25');
    await counted('eth0', 'rx_dropped', 25);
    const { values } = await read();
    expect(values.get('eth0.rx_packets')).toBe(25);
    expect(values.get('eth0.rx_bytes')).toBe(25 * 64);
    expect(values.get('eth0.rx_dropped')).toBe(25);
    expect(values.get('eth0.rx_error_ratio')).toBe(0);
    expect(values.get('eth0.tx_packets')).toBe(0);
  });

  it.skipIf(!has('type', 'vxlan', 'id', '7', 'dstport', '4789'))(
    'counts errors, in and out, and their share',
    async () => {
      await cable('eth0', 'far0');
      await here.ip('addr add 10.0.0.1/24 dev eth0');
      await there.ip('addr add 10.0.0.2/24 dev far0');
      await here.ip('link add vx0 type vxlan id 7 dstport 4789 remote 192.0.2.1');
      await here.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/vx0/disable_ipv6').catch(() => '');
      await here.ip('link set vx0 up');
      const read = pipeline();
      expect((await read()).kinds).toEqual({ eth0: 'veth', vx0: 'tunnel' });
      await send(there, 'clash', '10.0.0.1', '8');
      // There is no way to 192.0.2.1.
      await send(here, 'unknown', 'vx0', '5');
      await counted('vx0', 'rx_errors', 8);
      await counted('vx0', 'tx_errors', 5);
      const { values } = await read();
      expect(values.get('vx0.rx_errors')).toBe(8);
      expect(values.get('vx0.rx_frame_errors')).toBe(8);
      expect(values.get('vx0.rx_error_ratio')).toBe(1);
      expect(values.get('vx0.tx_errors')).toBe(5);
      expect(values.get('vx0.tx_carrier_errors')).toBe(5);
      expect(values.get('vx0.tx_error_ratio')).toBe(1);
    },
  );

  it('goes on counting under a new name, begins anew with another thing of the old one, and invents nothing', async () => {
    await cable('eth0', 'far0');
    const read = pipeline();
    await send(there, 'unknown', 'far0', '100');
    await counted('eth0', 'rx_dropped', 100);
    await read();
    await here.ip('link set dev eth0 down');
    await here.ip('link set dev eth0 name up0');
    await here.ip('link set dev up0 up');
    await carrier('up0', '1');
    await send(there, 'unknown', 'far0', '7');
    await counted('up0', 'rx_dropped', 107);
    // Another one takes the name, and has counted more than the one before it.
    await here.ip(`link add tmp0 index ${number++} type veth peer name far1 netns ${there.pid}`);
    await here.ip('link set tmp0 up');
    await there.ip('link set far1 up');
    await carrier('tmp0', '1');
    await send(there, 'unknown', 'far1', '300');
    await counted('tmp0', 'rx_dropped', 300);
    await here.ip('link set dev tmp0 down');
    await here.ip('link set dev tmp0 name eth0');
    await here.ip('link set dev eth0 up');
    await carrier('eth0', '1');
    const renamed = await read();
    expect(renamed.problems).toEqual([]);
    expect(renamed.values.get('up0.rx_dropped')).toBe(7);
    expect(renamed.totals.get('up0.rx_dropped')).toBe(107);
    expect(renamed.totals.get('eth0.rx_dropped')).toBeGreaterThanOrEqual(300);
    expect(renamed.values.get('eth0.rx_dropped')).toBeUndefined();
    await send(there, 'unknown', 'far1', '3');
    await counted('eth0', 'rx_dropped', 303);
    expect((await read()).values.get('eth0.rx_dropped')).toBe(3);
    await here.ip('link del eth0');
    const gone = await read();
    expect(gone.problems).toEqual([]);
    expect(gone.values.get('eth0.link_up')).toBe(0);
    expect(gone.kinds).toEqual({ up0: 'veth' });
    expect((await read()).values.has('eth0.link_up')).toBe(false);
  });

  it('takes names that are hostile, and tells bridges, their ports and other things apart', async () => {
    const name = `q"'$;\\x*`;
    await here.run('ip', 'link', 'add', name, 'type', 'bridge');
    await here.ip('link add br0 type bridge');
    await cable('eth0', 'far0');
    await here.ip('link set eth0 master br0');
    await here.ip('tuntap add tap0 mode tap');
    await here
      .run('ip', 'link', 'property', 'add', 'dev', 'br0', 'altname', 'a-name-that-is-far-longer')
      .catch(() => '');
    const read = pipeline();
    const { problems, kinds, masters, values } = await read();
    expect(problems).toEqual([]);
    expect(kinds).toEqual({ [name]: 'bridge', br0: 'bridge', eth0: 'veth', tap0: 'tap' });
    expect(masters).toEqual({ [name]: undefined, br0: undefined, eth0: 'br0', tap0: undefined });
    expect(values.get('tap0.link_bits_per_second')).toBeUndefined();
    expect(values.get('q_____x_.admin_up')).toBe(0);
  });

  it('knows a veth whose peer has the same number in another namespace', async () => {
    await here.ip(`link add eth0 index 50 type veth peer name far0 index 50 netns ${there.pid}`);
    await here.ip('link set eth0 up');
    expect((await pipeline()()).kinds).toEqual({ eth0: 'veth' });
  });

  it.skipIf(!has('type', 'vlan', 'id', '9') && !has('link', 'lo', 'type', 'vlan', 'id', '9'))(
    'knows VLANs',
    async () => {
      await cable('eth0', 'far0');
      await here.ip('link add link eth0 name eth0.9 type vlan id 9');
      await here.ip('link set eth0.9 up');
      const { kinds, values } = await pipeline()();
      expect(kinds['eth0.9']).toBe('vlan');
      expect(values.get('eth0_9.vlan_id')).toBe(9);
    },
  );

  it.skipIf(!has('type', 'bond'))('tells that slaves of a bond are pulled', async () => {
    await here.ip('link add bond0 type bond mode active-backup miimon 50');
    for (const index of [0, 1]) {
      await here.ip(`link add eth${index} type veth peer name far${index} netns ${there.pid}`);
      await there.ip(`link set far${index} up`);
      await here.ip(`link set eth${index} master bond0`);
    }
    await here.ip('link set bond0 up');
    const read = pipeline();
    const until = (what: string, holds: (run: Run) => boolean): Promise<Run> =>
      eventually(async () => {
        const run = await read();
        return holds(run) ? run : undefined;
      }, what);
    const whole = await until('both slaves', ({ values }) => values.get('bond0.bond_slaves_up') === 2);
    expect(whole.kinds).toMatchObject({ bond0: 'bond' });
    expect(whole.masters).toMatchObject({ eth0: 'bond0', eth1: 'bond0' });
    expect(whole.values.get('bond0.bond_degraded')).toBe(0);
    expect(whole.values.get('bond0.eth0.slave_active')).toBe(1);
    await there.ip('link set far0 down');
    const pulled = await until('the other slave', ({ values }) => values.get('bond0.eth1.slave_active') === 1);
    expect(pulled.values.get('bond0.eth0.slave_up')).toBe(0);
    expect(pulled.values.get('bond0.eth0.slave_link_failures')).toBe(1);
    expect(pulled.values.get('bond0.bond_degraded')).toBe(1);
    await there.ip('link set far1 down');
    const dead = await until('no slave', ({ values }) => values.get('bond0.bond_has_active_slave') === 0);
    expect(dead.values.get('bond0.bond_up')).toBe(0);
  });

  it('says so when /sys and /proc/net are of two namespaces, and puts nothing together', async () => {
    await cable('eth0', 'eth0');
    await here.ip('link add only0 type veth peer name only1');
    // What nsenter --net does: /sys stays as it was.
    const { values, problems } = await pipeline({ sys: there.options.sys })();
    expect(problems.map(({ code }) => code)).toEqual(['E_CONFIG']);
    expect(problems[0]?.message).toMatch(/different network namespaces: only \/proc\/\d+\/net\/dev has "only/);
    expect(values.has('eth0.link_up')).toBe(false);
    await here.ip('link del only0');
    // The same names, in both: what they count, or their numbers, still give them away.
    await here.ip('addr add 10.0.0.1/24 dev eth0');
    await send(there, 'unknown', 'eth0', '50');
    const alike = await pipeline({ sys: there.options.sys })();
    expect(alike.problems.map(({ code }) => code)).toEqual(['E_CONFIG']);
    expect(alike.problems[0]?.message).toMatch(
      /different network namespaces: "(?:eth0|lo)" (?:has received|is number)/,
    );
    expect((await pipeline()()).problems).toEqual([]);
  });
});
