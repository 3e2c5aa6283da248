/** What is cheap to ask of the management plugin: alarms, overview, vhosts, nodes, exchanges, links. */
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher } from '../../src/text.ts';
import { fieldsOf, textIn } from './json.ts';
import { type Client, spanOf } from './management-client.ts';
import { isMissing, isOurs, isRefused } from './management-failures.ts';
import { namedQuery, readPages, readRows, SAMPLED } from './management-rows.ts';
import type { RabbitmqOptions } from './options.ts';
import { exchangeOf, federationOf, nodeOf, overviewOf, shovelOf, vhostOf } from './parse.ts';
import { exchangeFilter, exchangeName } from './patterns.ts';
import type { Status } from './record.ts';
import { scoped } from './scoped.ts';

export interface StatusMemory {
  /** Which plugins the broker does not have, and when that was found. */
  readonly absentSinceMs: Map<string, number>;
}

export interface Times {
  readonly readAtMs: number;
  readonly intervalMs: number | undefined;
  /** How long one request for many queues may take, in milliseconds. */
  readonly patienceMs: number;
}

/** What exchanges may take of the requests of a run, and pages of 500 of them at most. */
const EXCHANGES_SHARE = 1 / 4;
const MAX_PAGES = 40;

/** A plugin may be enabled while edgestatd runs. */
const ASK_AGAIN_MS = 600_000;

const NODE = [
  ...['name', 'running', 'mem_alarm', 'disk_free_alarm', 'partitions', 'fd_used', 'fd_total', 'sockets_used'],
  ...['sockets_total', 'proc_used', 'proc_total', 'mem_used', 'mem_limit', 'disk_free', 'disk_free_limit', 'run_queue'],
  ...['uptime', 'mnesia_ram_tx_count', 'mnesia_disk_tx_count', 'being_drained', 'cluster_links'],
].join(',');

export async function readStatus(
  client: Client,
  options: RabbitmqOptions,
  memory: StatusMemory,
  times: Times,
): Promise<Status> {
  // Asked first and alone: it costs nothing, and finds the endpoint that answers.
  const probed = await probe(client);
  const alarm = probed instanceof Failure ? undefined : probed;
  const plugin = <Value>(path: string, recordOf: (value: unknown) => Value | undefined) =>
    readPlugin(client, memory.absentSinceMs, times.readAtMs, path, recordOf);
  const [broker, vhosts, nodes, exchanges, federations, shovels] = await Promise.all([
    part('broker', async () => overviewOf(await client.get(`/api/overview?${SAMPLED}`), alarm)),
    part('vhost', () => readRows(client, `/api/vhosts?${SAMPLED}`, vhostOf)),
    part('node', () => readRows(client, `/api/nodes?columns=${NODE}`, nodeOf)),
    part('exchange', () => readExchanges(client, options)),
    part('federation', () => plugin('/api/federation-links', federationOf)),
    part('shovel', () => plugin('/api/shovels', shovelOf)),
  ]);
  // With none of them there is nothing to tell.
  if (broker instanceof Failure && vhosts instanceof Failure && nodes instanceof Failure) throw broker;
  const parts = [probed, broker, vhosts, nodes, exchanges, federations, shovels];
  const list = <Value>(one: readonly Value[] | Failure): readonly Value[] => (one instanceof Failure ? [] : one);
  return {
    broker: broker instanceof Failure ? undefined : { ...broker, alarm: alarm ?? alarmOf(list(nodes)) },
    vhosts: list(vhosts),
    nodes: list(nodes),
    exchanges: list(exchanges),
    links: [...list(federations), ...list(shovels)],
    problems: parts.filter((one) => one instanceof Failure),
  };
}

/** One part: that it fails, or takes too long, leaves its scope unknown, and no more. */
async function part<Value>(scope: string, read: () => Promise<Value>): Promise<Value | Failure> {
  try {
    return await read();
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (isOurs(failure)) throw failure;
    // The password was accepted just before.
    if (!isRefused(failure)) return scoped(failure, { scope });
    const text = `this user may not ask for the ${scope}: it lacks the tag monitoring (rabbitmqctl set_user_tags USER monitoring)`;
    return scoped(new Failure('E_DENIED', text, failure.evidence), { scope });
  }
}

/** The alarm, or that it took too long: a check of all nodes may hang at one of them, while all else is told. */
async function probe(client: Client): Promise<boolean | undefined | Failure> {
  try {
    return await readAlarm(client);
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (failure.code === 'E_TIMEOUT') return scoped(failure, { scope: 'broker' });
    throw failure;
  }
}

/** `/api/health/checks/alarms` (3.8 and later): 503 while an alarm is in force anywhere. */
export async function readAlarm(client: Client): Promise<boolean | undefined> {
  try {
    const isAnswer = (answer: unknown): boolean => textIn(fieldsOf(answer), 'status') !== undefined;
    const answer = await client.get('/api/health/checks/alarms', { statuses: [503], isAnswer });
    const status = textIn(fieldsOf(answer), 'status');
    return status === undefined ? undefined : status !== 'ok';
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (isMissing(failure) || failure.evidence.status === 403) return undefined;
    throw failure;
  }
}

function alarmOf(nodes: Status['nodes']): boolean | undefined {
  const flags = nodes.flatMap(({ memoryAlarm, diskAlarm }) => [memoryAlarm, diskAlarm]);
  if (flags.includes(true)) return true;
  return flags.includes(false) ? false : undefined;
}

/** Without the plugin its path is that of a file: 404, or 406, as no file is JSON. */
function isAbsent(failure: Failure): boolean {
  return isMissing(failure) || failure.evidence.status === 406;
}

/** A plugin that is not there is not asked again for a while. */
async function readPlugin<Value>(
  client: Client,
  absentSince: StatusMemory['absentSinceMs'],
  readAtMs: number,
  path: string,
  recordOf: (value: unknown) => Value | undefined,
): Promise<Value[]> {
  const since = absentSince.get(path);
  if (since !== undefined && readAtMs - since < ASK_AGAIN_MS) return [];
  try {
    const found = await readRows(client, path, recordOf);
    absentSince.delete(path);
    return found;
  } catch (thrown) {
    if (!isAbsent(asFailure(thrown))) throw thrown;
    absentSince.set(path, readAtMs);
    return [];
  }
}

async function readExchanges(client: Client, { exchanges, maxRequests }: RabbitmqOptions) {
  if (exchanges.length === 0) return [];
  const wanted = matcher(exchanges);
  const query = `/api/exchanges?columns=name,vhost,message_stats&${namedQuery(exchangeFilter(exchanges))}`;
  // All pages together take no more than any other part.
  const leftMs = spanOf(client, client.leftMs() / 2);
  const most = Math.min(MAX_PAGES, Math.floor(EXCHANGES_SHARE * maxRequests));
  const all = await readPages(client, query, exchangeOf, { leftMs, most, option: 'exchanges' });
  return all.filter(({ exchange }) => wanted(exchangeName(exchange)));
}
