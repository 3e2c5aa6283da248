/** Details of the queues that are sent by name: few are asked for one by one, many in pages. */
import { asFailure, Failure } from '../../src/errors.ts';
import { type Client, LEAST_MS, roomOf } from './management-client.ts';
import { isBroken, isMissing, isOurs, isRefused, isSame } from './management-failures.ts';
import type { Sight } from './management-list.ts';
import { readInPages } from './management-pages.ts';
import { refusedOf } from './management-permission.ts';
import { cannotBeAsked, queuesPath, SAMPLED } from './management-rows.ts';
import type { RabbitmqOptions } from './options.ts';
import { inParallel } from './parallel.ts';
import { queueOf } from './parse.ts';
import type { Listing, QueueName, QueueRecord } from './record.ts';
import { noRefusals, type Refusals } from './refusals.ts';
import { scoped } from './scoped.ts';

/** Requests for single queues at once; more would only queue up in the broker. */
const AT_ONCE = 4;

const DETAILS = `${SAMPLED}&columns=name,vhost,messages,messages_ready,messages_unacknowledged,state,type,node,leader,messages_details,messages_ready_details,messages_unacknowledged_details,consumers,consumer_utilisation,memory,message_stats`;

/**
 * A request for one queue costs the broker 0.8 ms; for a page it looks at the names of all queues (0.02 ms each), and
 * then spends some 0.2 ms on each in it. So one by one is cheaper up to a thirtieth of all.
 */
const ONE_BY_ONE_SHARE = 1 / 30;
const ONE_BY_ONE_ANYWAY = 20;

/** So many single queues that fail alike, and no fewer than answer, are no fault of theirs. */
const ALIKE = 5;

export async function readDetails(
  client: Client,
  options: RabbitmqOptions,
  wanted: readonly QueueName[],
  sight: Sight,
  timeoutMs: number,
  refusals: Refusals,
): Promise<Listing> {
  const few = Math.max(ONE_BY_ONE_ANYWAY, ONE_BY_ONE_SHARE * sight.listed);
  if (wanted.length <= Math.min(few, roomOf(client, options))) return inTurns(client, options, wanted, sight, refusals);
  const refused = refusedOf(wanted, refusals);
  const open = wanted.filter(({ vhost, name }) => ![vhost, name].some(cannotBeAsked) && !refused.has(vhost));
  const { queues, problems, unasked, left, hidden } = await readInPages(
    { client, options, sight, details: DETAILS, timeoutMs, refused },
    open,
  );
  // A vhost of which the pages have nothing may be out of sight, which a request for one of its queues tells.
  const probes = await oneByOne(client, hidden, refusals, roomOf(client, options));
  const unprobed = new Set(probes.unasked?.map(({ vhost }) => vhost));
  const single = await inTurns(client, options, left, sight, refusals);
  return listing(
    [...queues, ...probes.queues, ...single.queues],
    [...refused.problems, ...problems, ...probes.problems, ...single.problems],
    [...unasked, ...open.filter(({ vhost }) => unprobed.has(vhost)), ...(single.unasked ?? [])],
  );
}

/** Those that have no place in this run are the first of the next. */
async function inTurns(
  client: Client,
  options: RabbitmqOptions,
  wanted: readonly QueueName[],
  sight: Sight,
  refusals: Refusals,
): Promise<Listing> {
  const order = [...wanted].sort((a, b) => compared(a.vhost, b.vhost) || compared(a.name, b.name));
  const first = sight.turn % Math.max(order.length, 1);
  const rotated = [...order.slice(first), ...order.slice(0, first)];
  const found = await oneByOne(client, rotated, refusals, roomOf(client, options));
  const [next] = found.unasked ?? [];
  if (next !== undefined) sight.turn = order.indexOf(next);
  return found;
}

const compared = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/**
 * One request a queue, at most `most` in all, for as long as the run has time: what was asked for in vain is a problem,
 * and what was not asked for is told.
 */
export async function oneByOne(
  client: Client,
  wanted: readonly QueueName[],
  refusals: Refusals = noRefusals,
  most = Number.POSITIVE_INFINITY,
): Promise<Listing> {
  const queues: QueueRecord[] = [];
  const failures: FailedQueue[] = [];
  const unasked: QueueName[] = [];
  const refused = refusedOf(wanted, refusals);
  let asked = 0;
  let answered = 0;
  let over: Failure | undefined;

  const failed = (failure: Failure, queue: QueueName): void => {
    if (isMissing(failure)) answered += 1;
    else if (isRefused(failure)) refused.add(queue.vhost);
    else {
      failures.push({ failure, queue });
      const alike = failures.filter((one) => isSame(one.failure, failure)).length;
      const isSystematic = alike >= ALIKE && alike >= answered;
      if (isBroken(failure) || isOurs(failure) || isSystematic) over ??= failure;
    }
  };
  await inParallel(wanted, AT_ONCE, async (queue) => {
    const { vhost, name } = queue;
    if (refused.has(vhost) || cannotBeAsked(vhost) || cannotBeAsked(name)) return;
    if (over !== undefined || asked >= most) {
      unasked.push(queue);
      return;
    }
    const timeoutMs = client.leftMs();
    if (timeoutMs <= LEAST_MS) {
      over = new Failure('E_TIMEOUT', 'the time of this run was over before all queues were asked for');
      unasked.push(queue);
      return;
    }
    asked += 1;
    try {
      const found = queueOf(await client.get(`${queuesPath(vhost, name)}?${DETAILS}`, { timeoutMs }));
      answered += 1;
      refusals.remove(vhost);
      if (found !== undefined) queues.push(found);
    } catch (thrown) {
      failed(asFailure(thrown), queue);
    }
  });
  if (over !== undefined && isOurs(over)) throw over;
  return listing(queues, [...refused.problems, ...problemsOf(failures, over)], unasked);
}

interface FailedQueue {
  readonly failure: Failure;
  readonly queue: QueueName;
}

/** One for each queue, and one for all where it is over; what ended it is told once. */
function problemsOf(failures: readonly FailedQueue[], over: Failure | undefined): Failure[] {
  const problems = failures
    .filter(({ failure }) => over === undefined || !isSame(failure, over))
    .map(({ failure, queue: { vhost, name } }) => scoped(failure, { scope: 'queue', vhost, queue: name }));
  return over === undefined ? problems : [...problems, scoped(over, { scope: 'queue' })];
}

function listing(queues: readonly QueueRecord[], problems: readonly Failure[], unasked: readonly QueueName[]): Listing {
  return { queues, problems, ...(unasked.length === 0 ? {} : { unasked }) };
}
