/** Queues by the management plugin: all of them without statistics, and few of them with. */
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher, quoted } from '../../src/text.ts';
import { isFolder } from './kept.ts';
import type { Client } from './management-client.ts';
import { readPages, readRows, SAMPLED } from './management-rows.ts';
import type { RabbitmqOptions } from './options.ts';
import { inParallel } from './parallel.ts';
import { queueOf } from './parse.ts';
import { nameFilter } from './patterns.ts';
import type { Listing, QueueName, QueueRecord, Status } from './record.ts';
import { noRefusals, type Refusals } from './refusals.ts';
import { NOTHING, scoped } from './scoped.ts';

/** Requests for single queues at once; more would only queue up in the broker. */
const AT_ONCE = 4;

const DEPTH = 'name,vhost,messages,messages_ready,messages_unacknowledged,state,type,node,leader';
const DETAILS = `${SAMPLED}&columns=${DEPTH},messages_details,messages_ready_details,messages_unacknowledged_details,consumers,consumer_utilisation,memory,message_stats`;
/** Without their statistics (3.8 and later; an older server gives them anyway). */
const ALL = `disable_stats=true&enable_queue_totals=true&columns=${DEPTH}`;
const PROBE = 'page=1&page_size=1&columns=name&disable_stats=true';

/** What the last list showed. */
export interface Sight {
  /** The vhosts in which queues were seen. */
  vhostsSeen: ReadonlySet<string>;
  /** How many queues there were. */
  listed: number;
}

/**
 * A request for one queue costs the broker 0.8 ms; for a page it looks at the names of all queues (0.02 ms each), and
 * then spends some 0.2 ms on each in it. So one by one is cheaper up to a thirtieth of all.
 */
const ONE_BY_ONE_SHARE = 1 / 30;
const ONE_BY_ONE_ANYWAY = 20;

/** Every queue that this user may see, at one request, or one for each vhost that is asked for. */
export async function listQueues(
  client: Client,
  options: RabbitmqOptions,
  sight: Sight,
  status: Status | undefined,
  timeoutMs: number,
): Promise<Listing> {
  const { queues, problems } = await listed(client, options, sight, status, timeoutMs);
  sight.listed = queues.length;
  return { queues, problems };
}

async function listed(
  client: Client,
  options: RabbitmqOptions,
  sight: Sight,
  status: Status | undefined,
  timeoutMs: number,
): Promise<Listing> {
  const globs = options.vhosts ?? ['*'];
  const read = (path: string): Promise<QueueRecord[]> => readRows(client, `${path}?${ALL}`, queueOf, { timeoutMs });
  if (globs.includes('*')) {
    const queues = await read('/api/queues');
    const problems = await hiddenVhosts(client, queues, sight);
    const there = status?.broker?.queues ?? 0;
    if (queues.length === 0 && there > 0 && problems.length === 0) problems.push(seesNone(there));
    return { queues, problems };
  }
  const vhosts = vhostsOf(status);
  const plain = globs.filter((glob) => !/[*?[]/.test(glob));
  const problems = plain.filter((name) => vhosts?.includes(name) === false).map(noVhost);
  const queues: QueueRecord[] = [];
  for (const vhost of vhosts?.filter(matcher(globs)) ?? plain) {
    try {
      for (const queue of await read(`/api/queues/${encodeURIComponent(vhost)}`)) queues.push(queue);
    } catch (thrown) {
      problems.push(scoped(lacking(vhost, asFailure(thrown)), { vhost }));
    }
  }
  return { queues, problems };
}

/** Undefined: they could not be read. */
function vhostsOf(status: Status | undefined): readonly string[] | undefined {
  const failed = status?.problems.some(({ evidence }) => evidence.labels?.scope === 'vhost') ?? true;
  return failed ? undefined : status?.vhosts.map(({ vhost }) => vhost);
}

/** Queues of a vhost in which this user lost its permission are left out of the list without a word. */
async function hiddenVhosts(client: Client, queues: readonly QueueRecord[], sight: Sight): Promise<Failure[]> {
  const seen = new Set(queues.map(({ vhost }) => vhost));
  const problems: Failure[] = [];
  for (const vhost of [...sight.vhostsSeen].filter((one) => !seen.has(one))) {
    try {
      await client.get(`/api/queues/${encodeURIComponent(vhost)}?${PROBE}`);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.code === 'E_NOT_FOUND') continue;
      problems.push(scoped(lacking(vhost, failure), { vhost }));
      seen.add(vhost);
    }
  }
  sight.vhostsSeen = seen;
  return problems;
}

/** Few are asked for one by one; many by their names' common pattern, in pages. */
export async function readDetails(
  client: Client,
  options: RabbitmqOptions,
  wanted: readonly QueueName[],
  total: number,
  timeoutMs: number,
  refusals: Refusals,
): Promise<Listing> {
  const few = Math.max(ONE_BY_ONE_ANYWAY, ONE_BY_ONE_SHARE * total);
  if (wanted.length <= Math.min(few, options.maxRequests - client.requests)) return oneByOne(client, wanted, refusals);
  const filter = nameFilter(options);
  const named = filter === undefined ? '' : `name=${encodeURIComponent(filter)}&use_regex=true&`;
  const queues = await readPages(client, `/api/queues?${DETAILS}&${named}`, queueOf, timeoutMs);
  const seen = new Set(queues.map(({ vhost }) => vhost));
  // What the pages lack may be out of sight.
  const hidden = [...new Set(wanted.map(({ vhost }) => vhost))].filter((vhost) => !seen.has(vhost));
  const { problems } = await oneByOne(
    client,
    hidden.flatMap((vhost) => wanted.find((queue) => queue.vhost === vhost) ?? []),
    refusals,
  );
  return { queues, problems };
}

/** Few queues are asked for one by one: that costs the broker less than any list. */
export async function oneByOne(
  client: Client,
  wanted: readonly QueueName[],
  refusals: Refusals = noRefusals,
): Promise<Listing> {
  const queues: QueueRecord[] = [];
  const problems: Failure[] = [];
  const refused = new Set(wanted.map(({ vhost }) => vhost).filter(refusals.isStanding));
  for (const vhost of refused) problems.push(scoped(noPermission(vhost), { scope: 'queue', vhost }));
  let over: Failure | undefined;
  await inParallel(wanted, AT_ONCE, async ({ vhost, name }) => {
    if (over !== undefined || refused.has(vhost) || isFolder(vhost) || isFolder(name)) return;
    try {
      const path = `/api/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}?${DETAILS}`;
      const queue = queueOf(await client.get(path));
      refusals.remove(vhost);
      if (queue !== undefined) queues.push(queue);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.code === 'E_NOT_FOUND') return;
      if (failure.code === 'E_CONNECT' || failure.code === 'E_TIMEOUT') over = failure;
      else if (failure.code !== 'E_AUTH') problems.push(scoped(failure, { scope: 'queue', vhost, queue: name }));
      else if (!refused.has(vhost)) {
        refused.add(vhost);
        refusals.add(vhost);
        problems.push(scoped(lacking(vhost, failure), { scope: 'queue', vhost }));
      }
    }
  });
  if (over === undefined) return { queues, problems };
  return { queues, problems: [...problems, scoped(over, { scope: 'queue' })] };
}

/** A user that is known, and has no permission there, gets a 401 as one with a wrong password does. */
function lacking(vhost: string, failure: Failure): Failure {
  return failure.code === 'E_AUTH' ? noPermission(vhost) : failure;
}

function noPermission(vhost: string): Failure {
  const text = `this user has no permission in vhost ${quoted(vhost)}, so its queues cannot be seen: rabbitmqctl set_permissions -p VHOST USER '^$' '^$' '.*'`;
  return new Failure('E_DENIED', text);
}

function seesNone(there: number): Failure {
  const text = `the broker has ${there} queues, and this user can see none of them: it has no permission in their vhosts (rabbitmqctl set_permissions -p VHOST USER '^$' '^$' '.*')`;
  return new Failure('E_DENIED', text, { labels: NOTHING });
}

function noVhost(vhost: string): Failure {
  return new Failure('E_NOT_FOUND', `there is no vhost ${quoted(vhost)} in the broker`, { labels: { vhost } });
}
