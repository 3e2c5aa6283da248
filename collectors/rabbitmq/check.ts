/** For `edgestatd check`: what the job asks for, and which rights this user lacks. */
import type { Context, Verdict } from '../../src/collector.ts';
import { asFailure } from '../../src/errors.ts';
import { printable, quoted } from '../../src/text.ts';
import { amount, type Fields, fieldsOf, listOf, textIn } from './json.ts';
import { type Client, createClient } from './management-client.ts';
import { cannotBeAsked } from './management-rows.ts';
import type { RabbitmqOptions } from './options.ts';
import { isGlob } from './options-together.ts';
import { decide, hostNameOf, ownQueues } from './own.ts';
import { overviewOf, vhostOf } from './parse.ts';

export async function check({
  host,
  options,
  elapsedMs,
  timeoutMs = Number.POSITIVE_INFINITY,
}: Context<RabbitmqOptions>): Promise<readonly Verdict[]> {
  const { own, why } = await decide(host, options);
  const whole = `watches the whole broker, since ${why}`;
  const mode = own ? `watches the queues of ${quoted(await hostNameOf(host, options))} alone, since ${why}` : whole;
  const verdicts: Verdict[] = [{ level: 'ok', text: mode }];
  if (options.source !== 'management') return verdicts;
  if (own) verdicts.push(...literalVhosts(options));
  if (options.user === undefined && options.certFile === undefined)
    verdicts.push({ level: 'warn', text: 'no user is given; the management plugin answers to users alone' });
  const client = createClient(host, options, { current: 0 }, () => Math.max(timeoutMs - elapsedMs(), 0));
  try {
    verdicts.push(...(await rightsOf(client)));
    if (own) verdicts.push(...(await ownFound(client, ownQueues(await hostNameOf(host, options), options))));
    else verdicts.push(...(await queuesSeen(client, options)));
  } catch (thrown) {
    const { code, message } = asFailure(thrown);
    verdicts.push({ level: 'fail', text: `${code}: ${message}` });
  }
  for (const { code, message } of client.problems) verdicts.push({ level: 'warn', text: `${code}: ${message}` });
  return verdicts;
}

/** `/api/whoami`: tags are a list, before 3.9 a text with commas. */
async function rightsOf(client: Client): Promise<Verdict[]> {
  const who = fieldsOf(await client.get('/api/whoami'));
  const tags = tagsOf(who);
  const named = `user ${quoted(textIn(who, 'name') ?? '')} has the tags ${tags.map(printable).join(', ') || 'none'}`;
  if (tags.includes('monitoring') || tags.includes('administrator')) return [{ level: 'ok', text: named }];
  const advice = 'without monitoring, nodes and alarms are unknown: rabbitmqctl set_user_tags USER monitoring';
  return [{ level: 'warn', text: `${named}; ${advice}` }];
}

function tagsOf({ tags }: Fields): string[] {
  if (typeof tags === 'string') return tags.split(',').filter((tag) => tag !== '');
  return listOf(tags).filter((tag) => typeof tag === 'string');
}

/** With `host: own` the options refuse globs; `auto` is decided only here. */
function literalVhosts({ vhosts = [] }: RabbitmqOptions): Verdict[] {
  const advice = 'give names in vhosts, or set host: all to watch the whole broker';
  return vhosts.filter(isGlob).map((vhost) => ({
    level: 'warn',
    text: `vhosts: ${quoted(vhost)} is asked for literally, as a name and no glob, since queues are asked for one by one: ${advice}`,
  }));
}

async function ownFound(client: Client, queues: ReturnType<typeof ownQueues>): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const { vhost, name } of queues) {
    if (cannotBeAsked(vhost) || cannotBeAsked(name)) continue;
    const where = `queue ${quoted(name)} in vhost ${quoted(vhost)}`;
    try {
      await client.get(`/api/queues/${encodeURIComponent(vhost)}/${encodeURIComponent(name)}?columns=name`);
      verdicts.push({ level: 'ok', text: `${where} is there` });
    } catch (thrown) {
      const { code, message } = asFailure(thrown);
      if (code === 'E_NOT_FOUND') verdicts.push({ level: 'ok', text: `${where} is not there` });
      else if (code === 'E_AUTH') verdicts.push({ level: 'warn', text: `${where}: ${noRight(vhost)}` });
      else verdicts.push({ level: 'warn', text: `${where}: ${code}: ${message}` });
    }
  }
  if (verdicts.some(({ text }) => text.endsWith('is there'))) return verdicts;
  const advice = 'set hostName to what nova calls this machine, or vhosts; or host: all to watch the whole broker';
  return [...verdicts, { level: 'warn', text: `none of the queues of this machine is there: ${advice}` }];
}

/** Without permission in a vhost its queues are not there, and nothing says so. */
async function queuesSeen(client: Client, options: RabbitmqOptions): Promise<Verdict[]> {
  const broker = overviewOf(await client.get('/api/overview'), undefined);
  const verdicts: Verdict[] = [{ level: 'ok', text: `RabbitMQ ${printable(broker.version ?? '(version unknown)')}` }];
  if (broker.countsMessages === false) {
    const text = 'the broker does not count messages by queue (rates_mode none, or statistics disabled): no rates';
    verdicts.push({ level: 'warn', text });
  }
  const vhosts = listOf(await client.get('/api/vhosts')).flatMap((one) => vhostOf(one) ?? []);
  let seen = 0;
  for (const { vhost } of vhosts) {
    if (cannotBeAsked(vhost)) continue;
    try {
      const query = 'page=1&page_size=1&columns=name&disable_stats=true';
      const page = fieldsOf(await client.get(`/api/queues/${encodeURIComponent(vhost)}?${query}`));
      seen += amount(page, 'total_count') ?? 0;
    } catch (thrown) {
      const { code, message } = asFailure(thrown);
      const text = code === 'E_AUTH' ? noRight(vhost) : `${code}: ${message}`;
      verdicts.push({ level: 'warn', text: `vhost ${quoted(vhost)}: ${text}` });
    }
  }
  verdicts.push(seenVerdict(seen, broker.queues, options));
  return verdicts;
}

function seenVerdict(seen: number, all: number | undefined, { user = 'USER' }: RabbitmqOptions): Verdict {
  if (seen > 0 && (all === undefined || seen >= all)) return { level: 'ok', text: `${seen} queues can be seen` };
  const right = `rabbitmqctl set_permissions -p VHOST ${printable(user)} '^$' '^$' '^$'`;
  if (seen === 0) {
    const text = `no queue can be seen: there is none, or this user has no permission in their vhosts (${right})`;
    return { level: all === 0 ? 'ok' : 'warn', text };
  }
  return {
    level: 'warn',
    text: `${seen} of ${all} queues can be seen: give this user permission elsewhere (${right})`,
  };
}

function noRight(vhost: string): string {
  return `this user has no permission there: rabbitmqctl set_permissions -p ${quoted(vhost)} USER '^$' '^$' '^$'`;
}
