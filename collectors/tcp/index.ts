/** TCP, IP and UDP statistics of this machine's kernel and of its network namespaces. */
import { z } from 'zod';
import { type Context, defineCollector, type Host, type Reading } from '../../src/collector.ts';
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher, nearest, quoted } from '../../src/text.ts';
import { metrics, watched } from './metrics.ts';
import { namespacesIn } from './namespaces.ts';
import { expecting, type Group, type Parsed, parsePairs, parseSnmp6 } from './parse.ts';
import { createSelection, measure } from './select.ts';
import { tables } from './tables.ts';

/** So many wrong names are compared with the catalogue; nobody reads more. */
const MAX_COMPARED = 20;

/** A name that no metric has would select nothing in silence; a glob may be meant for a kernel to come. */
const metricGlobs = z.array(z.string().min(1)).superRefine((globs, context) => {
  let compared = 0;
  for (const [index, glob] of globs.entries()) {
    if (glob === '' || /[*?[]/.test(glob) || Object.hasOwn(metrics, glob)) continue;
    const near = compared++ < MAX_COMPARED ? nearest(glob, Object.keys(metrics)) : undefined;
    const meant = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
    const newer = `a column newer than this catalogue is matched by a glob: ${JSON.stringify(`${glob}*`)}`;
    const message = `unknown metric ${JSON.stringify(glob)}${meant} (${newer})`;
    context.addIssue({ code: 'custom', path: [index], message });
  }
});

const options = z.strictObject({
  include: metricGlobs.default([...watched]).describe('Globs of metric names to send.'),
  exclude: metricGlobs.default([]).describe('Globs of metric names not to send, whatever includes them.'),
  all: z.boolean().default(false).describe('Every column of Tcp, TcpExt, Ip, IpExt and Udp, instead of include.'),
  mptcp: z.boolean().default(false).describe('Every column of MPTcpExt too.'),
  snmp6: z.boolean().default(false).describe('Every column of Ip6 and Udp6 too. (TCP over IPv6 is in Tcp and TcpExt.)'),
  proc: z
    .string()
    .startsWith('/')
    .default('/proc/net')
    .describe('The directory with snmp and netstat; in a container /host/proc/1/net.'),
  namespaces: z
    .array(z.string().min(1))
    .default([])
    .describe('Globs of network namespaces to read too, for example qrouter-*. Needs root or CAP_SYS_ADMIN.'),
});

export type TcpOptions = z.infer<typeof options>;

export const tcp = defineCollector<TcpOptions>({
  name: 'tcp',
  options,
  metrics,
  tables,
  async collect({ host, options }: Context<TcpOptions>): Promise<Reading> {
    const selection = createSelection(options);
    const own = await readProc(host, options);
    const others = options.namespaces.length === 0 ? [] : await readNamespaces(host, options);
    const readings = [{ namespace: undefined, ...own }, ...others];
    return {
      samples: readings.flatMap(({ fields, namespace }) => measure(fields, namespace, selection)),
      problems: readings.flatMap(({ problems }) => problems),
      ratios: selection.ratios,
    };
  },
});

/** One text, where it comes from, and the groups that every kernel prints in it. */
interface Source {
  readonly path: string;
  readonly groups: readonly Group[];
  readonly parse: (text: string, file: string) => Parsed;
  readonly read: () => Promise<string>;
}

/** One that cannot be read is a problem while the others can. */
async function readSources(sources: readonly Source[]): Promise<Parsed> {
  const parsed = await Promise.all(
    sources.map(async ({ path, groups, parse, read }): Promise<Parsed> => {
      try {
        return expecting(groups, path, parse(await read(), path));
      } catch (thrown) {
        return { fields: [], problems: [asFailure(thrown)] };
      }
    }),
  );
  return { fields: parsed.flatMap(({ fields }) => fields), problems: parsed.flatMap(({ problems }) => problems) };
}

/** This namespace's files. Without any of them there is nothing to tell, so the run ends. */
async function readProc(host: Host, { proc, snmp6 }: TcpOptions): Promise<Parsed> {
  const source = (name: string, groups: readonly Group[], parse: Source['parse']): Source => {
    const path = `${proc}/${name}`;
    return { path, groups, parse, read: () => host.readFile(path) };
  };
  const sources = [source('snmp', ['Tcp'], parsePairs), source('netstat', ['TcpExt'], parsePairs)];
  if (snmp6) sources.push(source('snmp6', ['Ip6'], parseSnmp6));
  const own = await readSources(sources);
  const [first] = own.problems;
  if (own.fields.length === 0 && first !== undefined) throw first;
  return { fields: own.fields, problems: own.problems.map((problem) => scoped(problem, undefined)) };
}

/** One program for each namespace, and this many at once. */
const AT_ONCE = 8;

interface Scoped extends Parsed {
  /** undefined: the one that edgestatd itself is in. */
  readonly namespace: string | undefined;
}

const listNamespaces = async (host: Host): Promise<string[]> => namespacesIn(await host.run(['ip', 'netns', 'list']));

async function readNamespaces(host: Host, options: TcpOptions): Promise<Scoped[]> {
  let names: string[];
  try {
    names = (await listNamespaces(host)).filter(matcher(options.namespaces));
  } catch (thrown) {
    // What was read of this namespace remains true.
    return [{ namespace: undefined, fields: [], problems: [asFailure(thrown)] }];
  }
  const readings: Scoped[] = [];
  const queue = [...names];
  const work = async (): Promise<void> => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift())
      readings.push(await readNamespace(host, options, name));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, work));
  if (readings.every(({ fields }) => fields.length > 0)) return readings;
  // One that was deleted meanwhile is no problem: it is gone. Where that cannot be told, it is one.
  const still = new Set(await listNamespaces(host).catch(() => names));
  return readings.filter(({ namespace, fields }) => fields.length > 0 || still.has(namespace ?? ''));
}

/** nsenter(1) runs cat in the namespace: no shell, and unlike ip-netns(8) no mount of /sys for each reading. */
async function readNamespace(host: Host, { snmp6 }: TcpOptions, namespace: string): Promise<Scoped> {
  const cat = (...files: string[]): Promise<string> =>
    host.run(['nsenter', `--net=/run/netns/${namespace}`, '--', 'cat', ...files]);
  const source = (files: readonly string[], groups: readonly Group[], parse: Source['parse']): Source => {
    return { path: files.join(' '), groups, parse, read: () => cat(...files) };
  };
  const sources = [source(['/proc/net/snmp', '/proc/net/netstat'], ['Tcp', 'TcpExt'], parsePairs)];
  if (snmp6) sources.push(source(['/proc/net/snmp6'], ['Ip6'], parseSnmp6));
  const { fields, problems } = await readSources(sources);
  return { namespace, fields, problems: problems.map((problem) => scoped(problem, namespace)) };
}

/** A problem of one namespace (undefined: our own) leaves nothing unknown about the others. */
function scoped(problem: Failure, namespace: string | undefined): Failure {
  const { code, message, evidence } = problem;
  const where = namespace === undefined ? '' : `namespace ${quoted(namespace)}: `;
  return new Failure(code, `${where}${message}`, { ...evidence, labels: { namespace }, cause: problem });
}
