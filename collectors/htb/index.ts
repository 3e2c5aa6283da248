/** HTB classes of this machine's devices, each named after who uses it, and what Open vSwitch wanted them to be. */
import { z } from 'zod';
import { type Context, defineCollector, duration, type Host, type Kept, type Reading } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import { checkHtb } from './check.ts';
import { measureClasses, measureDevice, measureQdisc } from './measure.ts';
import { metrics } from './metrics.ts';
import { namings } from './names.ts';
import { oldTrees } from './old-trees.ts';
import { looksLikeOvs, missingTrees, nameTree, viewOvs } from './ovs.ts';
import { tickSeconds } from './psched.ts';
import { reviewDevice } from './review.ts';
import { tables } from './tables.ts';
import { traceHtb } from './trace.ts';
import { identityOfTree } from './tree.ts';
import { readTrees, sources } from './trees.ts';

const globs = z.array(z.string().min(1));

const options = z.strictObject({
  source: z
    .enum(sources)
    .default('auto')
    .describe('netlink (this machine: exact and cheap), tc (anywhere), or auto: netlink where it works.'),
  devices: globs.default(['*']).describe('Globs of the devices to read; those without HTB have nothing to tell.'),
  exclude: globs.default([]).describe('Globs of devices not to read, whatever includes them.'),
  name: z
    .enum(namings)
    .default('vif')
    .describe('What stands for a class in the series: vif, port (Neutron), ip or class; else the next best.'),
  rundir: z.string().startsWith('/').default('/var/run/openvswitch').describe('Where Open vSwitch has its sockets.'),
  database: z.string().min(1).default('db.sock').describe('The socket of OVSDB: a path, or its name in rundir.'),
  flowsEvery: duration(0)
    .prefault('5m')
    .describe('How often flows are dumped to learn who uses a queue that has no other name; 0s: never.'),
  maxFlows: z
    .int()
    .min(0)
    .max(200_000)
    .default(20_000)
    .describe('A bridge with more flows is not dumped: its queues are named without them.'),
});

export type HtbOptions = z.infer<typeof options>;

export const htb = defineCollector<HtbOptions>({
  name: 'htb',
  options,
  metrics,
  tables,
  async collect({ host, options: asked, atMs, intervalMs }: Context<HtbOptions>): Promise<Reading> {
    const forest = await readTrees(host, asked);
    const { trees, bare, problems } = forest;
    const absent = ({ code }: Failure): boolean => code === 'E_NOT_FOUND' && !looksLikeOvs(trees);
    const view = await viewOvs(host, asked, atMs, absent, intervalMs);
    const tick = await readTick(host);
    // From here on nothing is waited for: a run that is too late has ended, and remembers nothing.
    const isOld = oldTrees(host, asked, forest);
    const samples: Sample[] = [];
    const unread = new Set(problems.map(({ evidence }) => evidence.labels?.device));
    for (const one of [...trees, ...missingTrees(view, bare)]) {
      const { device, qdiscs } = one;
      const { classes, missing, shaped } = nameTree(one, view, asked.name);
      const own: Sample[] = isOld(one) ? [] : samples;
      measureClasses(identityOfTree(one), classes, tick.seconds, own);
      for (const qdisc of qdiscs) if (qdisc.kind === 'htb') measureQdisc(device, qdisc, own);
      if (own !== samples) for (const each of own) samples.push({ ...each, old: true });
      const { live, flowsKnown, flowsRead } = view;
      // Of a device that was not read whole nobody knows what it lacks.
      if (unread.has(device)) continue;
      measureDevice(device, reviewDevice({ classes, missing, shaped, live, flowsKnown, flowsRead }), samples);
    }
    return { samples, problems: [...problems, ...tick.problems, ...view.problems] };
  },
  check: checkHtb,
  trace: traceHtb,
});

const PSCHED = '/proc/net/psched';

interface Tick extends Kept {
  seconds: number | undefined;
}

/** Without it tokens have no unit, and are not sent. A kernel does not change it, so what was read once holds. */
async function readTick(host: Host): Promise<{ seconds: number | undefined; problems: readonly Failure[] }> {
  const known = host.keep<Tick>('htb tick', () => ({ seconds: undefined, close() {} }));
  try {
    const seconds = tickSeconds(await host.readFile(PSCHED));
    if (seconds === undefined) throw new Failure('E_PARSE', `${PSCHED} does not say what a tick is`, { path: PSCHED });
    known.seconds = seconds;
    return { seconds, problems: [] };
  } catch (thrown) {
    const { code, message, evidence } = asFailure(thrown);
    if (code === 'E_TIMEOUT' || code === 'E_ABORTED') throw thrown;
    // No sample has this label: nothing else is unknown by it.
    const problem = new Failure(code, message, { ...evidence, labels: { about: 'psched' } });
    return { seconds: known.seconds, problems: [problem] };
  }
}
