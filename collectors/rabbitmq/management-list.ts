/** The list of all queues by the management plugin, without their statistics. */
import { asFailure, Failure } from '../../src/errors.ts';
import { matcher, quoted } from '../../src/text.ts';
import { missingVhost } from './asked-source.ts';
import { type Client, roomOf, spanOf } from './management-client.ts';
import { isBroken, isMissing, isOurs } from './management-failures.ts';
import { lacking } from './management-permission.ts';
import { cannotBeAsked, queuesPath, readRows } from './management-rows.ts';
import type { RabbitmqOptions } from './options.ts';
import { queueOf } from './parse.ts';
import type { Listing, QueueRecord, Status } from './record.ts';
import { NOTHING, scoped } from './scoped.ts';

/** Without their statistics (3.8 and later; an older server gives them anyway). */
const ALL =
  'disable_stats=true&enable_queue_totals=true&columns=name,vhost,messages,messages_ready,messages_unacknowledged,state,type,node,leader';
const PROBE = 'page=1&page_size=1&columns=name&disable_stats=true';

/** What outlives a run of the lists and details. */
export interface Sight {
  /** The vhosts in which queues were seen. */
  vhostsSeen: ReadonlySet<string>;
  /** How many queues there were. */
  listed: number;
  /** Whose turn it is, where not all queues can be asked for in one run. */
  turn: number;
}

/** What one list asks with. */
interface Asker {
  readonly client: Client;
  /** What the list may still take. */
  readonly leftMs: () => number;
  /** Vhosts that may be asked one by one; the rest of the budget is that of the details. */
  readonly most: number;
  /** The broker's vhosts; undefined: they could not be read. */
  readonly vhosts: readonly string[] | undefined;
}

/** Every queue that this user may see, at one request, or one for each vhost that is asked for. */
export async function listQueues(
  client: Client,
  options: RabbitmqOptions,
  sight: Sight,
  status: Status | undefined,
  timeoutMs: number,
): Promise<Listing> {
  const globs = options.vhosts ?? ['*'];
  const most = Math.floor(roomOf(client, options) / 2);
  const asker = { client, leftMs: spanOf(client, timeoutMs), most, vhosts: vhostsOf(status) };
  const listing = globs.includes('*')
    ? await wholeList(asker, sight, status?.broker?.queues ?? 0)
    : await listOfVhosts(asker, sight, globs);
  sight.listed = listing.queues.length;
  return listing;
}

async function wholeList(asker: Asker, sight: Sight, there: number): Promise<Listing> {
  const queues = await readList(asker, queuesPath());
  const problems = await hiddenVhosts(asker, queues, sight);
  if (queues.length === 0 && there > 0 && problems.length === 0) problems.push(seesNone(there));
  return { queues, problems };
}

async function listOfVhosts(asker: Asker, sight: Sight, globs: readonly string[]): Promise<Listing> {
  const { vhosts, most } = asker;
  const plain = globs.filter((glob) => !/[*?[]/.test(glob));
  const problems = plain.filter((name) => vhosts?.includes(name) === false).map(missingVhost);
  const isWanted = matcher(globs);
  const wanted = vhosts?.filter(isWanted) ?? plain;
  if (wanted.length > Math.max(most, 1)) {
    const queues = (await readList(asker, queuesPath())).filter(({ vhost }) => isWanted(vhost));
    return { queues, problems: [...problems, ...(await hiddenVhosts(asker, queues, sight))] };
  }
  const queues: QueueRecord[] = [];
  for (const vhost of wanted) {
    if (cannotBeAsked(vhost)) {
      problems.push(noUrl(vhost));
      continue;
    }
    try {
      for (const queue of await readList(asker, queuesPath(vhost))) queues.push(queue);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (isOurs(failure)) throw failure;
      problems.push(scoped(lacking(vhost, failure), { vhost }));
    }
  }
  return { queues, problems };
}

function readList({ client, leftMs }: Asker, path: string): Promise<QueueRecord[]> {
  return readRows(client, `${path}?${ALL}`, queueOf, { timeoutMs: leftMs() });
}

function vhostsOf(status: Status | undefined): readonly string[] | undefined {
  const failed = status?.problems.some(({ evidence }) => evidence.labels?.scope === 'vhost') ?? true;
  return failed ? undefined : status?.vhosts.map(({ vhost }) => vhost);
}

/** Queues of a vhost in which this user lost its permission are left out of the list without a word. */
async function hiddenVhosts(asker: Asker, queues: readonly QueueRecord[], sight: Sight): Promise<Failure[]> {
  const seen = new Set(queues.map(({ vhost }) => vhost));
  const lost = [...sight.vhostsSeen].filter((one) => !seen.has(one));
  const problems: Failure[] = [];
  const hidden: string[] = [];
  let asked = 0;
  let over: Failure | undefined;
  for (const [index, vhost] of lost.entries()) {
    if (asked >= asker.most || over !== undefined) {
      const rest = lost.slice(index);
      problems.push(...notLookedAt(rest, over));
      // Those come first the next time.
      hidden.unshift(...rest);
      break;
    }
    if (!cannotBeAsked(vhost)) asked += 1;
    const failure = await hiding(asker, vhost);
    if (failure === undefined) continue;
    problems.push(scoped(lacking(vhost, failure), { vhost }));
    hidden.push(vhost);
    if (isBroken(failure)) over = failure;
  }
  sight.vhostsSeen = new Set([...seen, ...hidden]);
  return problems;
}

/** Why nobody knows what is in that vhost; undefined: nothing is, or it is gone. */
async function hiding({ client, leftMs, vhosts }: Asker, vhost: string): Promise<Failure | undefined> {
  if (cannotBeAsked(vhost)) return vhosts?.includes(vhost) === false ? undefined : noUrl(vhost);
  try {
    await client.get(`${queuesPath(vhost)}?${PROBE}`, { timeoutMs: leftMs() });
    return undefined;
  } catch (thrown) {
    const failure = asFailure(thrown);
    if (isOurs(failure)) throw failure;
    return isMissing(failure) ? undefined : failure;
  }
}

/** Two problems cover what is in vhosts without number. */
function notLookedAt(vhosts: readonly string[], over: Failure | undefined): Failure[] {
  const text = `${vhosts.length} vhosts had queues and have none in the list; whether they are hidden is looked at later, since one run makes at most maxRequests requests`;
  const failure = over ?? new Failure('E_DENIED', text);
  return [scoped(failure, { scope: 'queue' }), scoped(failure, { scope: 'group' })];
}

function seesNone(there: number): Failure {
  const text = `the broker has ${there} queues, and this user can see none of them: it has no permission in their vhosts (rabbitmqctl set_permissions -p VHOST USER '^$' '^$' '^$')`;
  return new Failure('E_DENIED', text, { labels: NOTHING });
}

function noUrl(vhost: string): Failure {
  const text = `no URL can carry the name of the vhost ${quoted(vhost)}, so it cannot be asked for alone: leave out the option vhosts`;
  return new Failure('E_CONFIG', text, { labels: { vhost } });
}
