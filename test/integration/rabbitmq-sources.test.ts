/** The sources of the rabbitmq collector beside each other, names of any kind, few series of many queues, links. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, brokerReason, startBroker } from '../support/rabbitmq-broker.ts';
import { type RabbitmqRun, type RabbitmqRuns, rabbitmqRuns } from '../support/rabbitmq-runs.ts';
import { connect, type Traffic } from '../support/rabbitmq-traffic.ts';

const reason = brokerReason();
const SOURCES = ['management', 'prometheus', 'rabbitmqctl'] as const;
const PLUGINS = ['rabbitmq_prometheus', 'rabbitmq_shovel_management', 'rabbitmq_federation_management'];
/** What RabbitMQ takes for a name. (Of line breaks it makes nothing: they cannot be in one.) */
const HOSTILE = [
  ...['tab\there', 'a/b', 'a|b|g', 'a:1|c', 'größe-日本-🐇', 'percent%2Fslash', 'two..dots', '..', '"q"\\'],
  ...['x'.repeat(200), ' ', '{a="b"} 7', '$(touch nowhere)'],
];
const clean = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_');

describe.skipIf(reason !== undefined)(`rabbitmq’s sources${reason === undefined ? '' : ` (${reason})`}`, () => {
  let broker: Broker;
  const opened: RabbitmqRuns[] = [];
  const traffic = new Map<string, Traffic>();
  const connectTo = async (vhost: string): Promise<Traffic> => {
    const id = encodeURIComponent(vhost);
    await broker.api('PUT', `/api/vhosts/${id}`, {});
    await broker.api('PUT', `/api/permissions/${id}/guest`, { configure: '.*', write: '.*', read: '.*' });
    const connection = await connect(broker.amqpUrl, { vhost });
    traffic.set(vhost, connection);
    return connection;
  };
  beforeAll(async () => {
    broker = await startBroker({ plugins: PLUGINS });
  });
  afterEach(async () => {
    for (const runs of opened.splice(0)) await runs.close();
  });
  afterAll(async () => {
    for (const connection of traffic.values()) await connection.close();
    await broker?.close();
  });

  const runsOf = (options: Record<string, unknown> = {}): RabbitmqRuns => {
    const runs = rabbitmqRuns(broker, options);
    opened.push(runs);
    return runs;
  };
  const endsWith = (run: RabbitmqRun, text: string): string[] =>
    [...run.values.keys()].filter((one) => one.endsWith(text));

  it('agree on the depth of the same queues, of any type and name, and no line is malformed', async () => {
    const [one, two] = [await connectTo('one'), await connectTo('two: a|b')];
    await one.declare('plain');
    await one.publish('plain', 9);
    await one.declare('quorum', { type: 'quorum' });
    await one.publish('quorum', 12);
    await one.consume('quorum', { ack: 'never', prefetch: 5 });
    await two.declare('plain');
    await two.publish('plain', 4);
    for (const [index, name] of HOSTILE.entries()) {
      await one.declare(name);
      await one.publish(name, index + 1);
    }
    const [base, other] = ['queue.one', 'queue.two__a_b'];
    const depth = (path: string, ready: number, unacked = 0, consumers = 0): [string, number][] => [
      [`${path}.messages`, ready + unacked],
      [`${path}.ready`, ready],
      [`${path}.unacked`, unacked],
      [`${path}.consumers`, consumers],
    ];
    const wanted = new Map([
      ...depth(`${base}.plain`, 9),
      ...depth(`${base}.quorum`, 7, 5, 1),
      ...depth(`${other}.plain`, 4),
      ...HOSTILE.flatMap((name, index) => depth(`${base}.${clean(name)}`, index + 1)),
    ]);
    const seriesOf = (names: readonly string[]): Set<string> =>
      new Set(names.flatMap((name) => depth(`${base}.${clean(name)}`, 0).map(([series]) => series)));
    /** What a source cannot tell: no URL carries `..`, and Prometheus' text of 3.10 leaves quotes as they are. */
    const untold = {
      management: seriesOf(['..']),
      prometheus: seriesOf(HOSTILE.filter((name) => name.includes('"'))),
      rabbitmqctl: new Set<string>(),
    };
    for (const source of SOURCES) {
      const runs = runsOf({ source, vhosts: ['one', 'two: a|b'] });
      const differing = (run: RabbitmqRun): Record<string, number | undefined> =>
        Object.fromEntries(
          [...wanted.keys()].flatMap((series) => {
            const seen = run.at(series);
            const isRight = seen === wanted.get(series) || (seen === undefined && untold[source].has(series));
            return isRight ? [] : [[series, seen]];
          }),
        );
      const agrees = (run: RabbitmqRun): boolean => Object.keys(differing(run)).length === 0;
      const run = await runs.until(agrees, `the depths by ${source}`).catch(() => runs.read());
      expect(differing(run), source).toEqual({});
      // What is left out is said.
      if (source === 'prometheus') expect(run.told).toContainEqual(expect.stringMatching(/^E_PARSE /));
      if (source === 'rabbitmqctl') expect(run.told).toEqual([]);
      // Of 3.10, Prometheus' text has neither type nor state.
      const known = source === 'prometheus' ? undefined : 1;
      expect(run.at(`${base}.quorum.quorum.type`), source).toBe(known);
      expect(run.at(`${base}.quorum.running.state`), source).toBe(known);
      const queues = endsWith(run, '.ready').filter((series) => series.startsWith('queue.'));
      expect(
        queues.filter((series) => !wanted.has(series)),
        source,
      ).toEqual([]);
    }
  });

  it('own asks for the queues of that host alone, and says when there is none', async () => {
    const [root, nova, one] = [await connectTo('/'), await connectTo('nova'), await connectTo('own')];
    for (const [connection, name] of [
      [root, 'compute.hv7'],
      [nova, 'compute.hv7'],
      [nova, 'compute.hv70'],
      [one, 'compute.hv7'],
    ] as const) {
      await connection.declare(name);
      await connection.publish(name, 3);
    }
    const runs = runsOf({ host: 'own', hostName: 'hv7' });
    const run = await runs.until(
      ({ at }) => at('queue._.compute_hv7.messages') === 3 && at('queue.nova.compute_hv7.messages') === 3,
      'its queues',
    );
    expect(endsWith(run, '.messages').toSorted()).toEqual([
      'queue._.compute_hv7.messages',
      'queue.nova.compute_hv7.messages',
    ]);
    expect(run.told).toEqual([]);
    const later = await runs.read();
    // The alarm, and one for each queue.
    expect(later.at('broker.requests')).toBe(3);
    const none = await runsOf({ host: 'own', hostName: 'hv8' }).read();
    expect(none.failure).toBeUndefined();
    expect(none.told).toEqual([
      expect.stringMatching(/^E_NOT_FOUND no queue "compute\.hv8" in the vhosts "\/", "nova"/),
    ]);
    for (const source of ['prometheus', 'rabbitmqctl']) {
      const by = await runsOf({ source, host: 'own', hostName: 'hv7' }).read();
      const queues = endsWith(by, '.messages').filter((series) => series.startsWith('queue.'));
      expect(queues.toSorted(), source).toEqual(['queue._.compute_hv7.messages', 'queue.nova.compute_hv7.messages']);
      expect(by.at('queue.nova.compute_hv7.messages'), source).toBe(3);
    }
  });

  it('sends 300 short-lived queues as a few series, and no more queues by name than it may', async () => {
    const many = await connectTo('many');
    const ids = Array.from({ length: 150 }, (_, index) => index.toString(16).padStart(32, '0'));
    await Promise.all(ids.flatMap((id) => [many.declare(`reply_${id}`), many.declare(`scheduler_fanout_${id}`)]));
    for (const id of ids.slice(0, 10)) await many.publish(`reply_${id}`, 2);
    for (let index = 1; index <= 8; index++) {
      await many.declare(`named${index}`);
      await many.publish(`named${index}`, index);
    }
    const runs = runsOf({ vhosts: ['many'], maxQueues: 5 });
    const run = await runs.until(
      ({ at }) => at('group.many.reply.messages') === 20 && at('queue.many.named8.messages') === 8,
      'the groups',
    );
    expect(run.at('group.many.reply.queues')).toBe(150);
    expect(run.at('group.many.fanout.queues')).toBe(150);
    expect(run.at('group.many.fanout.messages')).toBe(0);
    expect(run.at('vhost.many.queues')).toBe(308);
    expect(run.at('broker.queues_left_out')).toBe(3);
    const named = endsWith(run, '.messages').filter((series) => series.startsWith('queue.'));
    expect(named.toSorted()).toEqual([4, 5, 6, 7, 8].map((index) => `queue.many.named${index}.messages`));
    expect([...run.values.keys()].filter((series) => series.startsWith('group.')).length).toBeLessThan(16);
    expect(run.lines.filter((line) => /reply_|_fanout_/.test(line))).toEqual([]);
  });

  it('tells whether shovels and federation links run', async () => {
    const links = await connectTo('links');
    await links.declare('from');
    await links.declare('to');
    const shovel = (name: string, to: string): Promise<unknown> =>
      broker.api('PUT', `/api/parameters/shovel/links/${name}`, {
        value: { 'src-uri': `${broker.amqpUrl}/links`, 'src-queue': 'from', 'dest-uri': to, 'dest-queue': 'to' },
      });
    await shovel('good', `${broker.amqpUrl}/links`);
    await shovel('bad', 'amqp://127.0.0.1:1');
    const upstream = (name: string, uri: string): Promise<unknown> =>
      broker.api('PUT', `/api/parameters/federation-upstream/links/${name}`, { value: { uri } });
    await upstream('near', `${broker.amqpUrl}/%2F`);
    await upstream('far', 'amqp://127.0.0.1:1');
    await broker.api('PUT', '/api/policies/links/federate', {
      ...{ pattern: '^amq.fanout$', 'apply-to': 'exchanges' },
      definition: { 'federation-upstream-set': 'all' },
    });
    const link = (run: RabbitmqRun, name: string): number | undefined => run.at(`${name}.link_running`);
    const runs = runsOf();
    const run = await runs.until(
      (one) => link(one, 'shovel.links.good') === 1 && link(one, 'federation.links.near_amq_fanout') === 1,
      'the links',
    );
    expect(link(run, 'shovel.links.bad')).toBe(0);
    expect(link(run, 'federation.links.far_amq_fanout')).toBe(0);
    await broker.api('DELETE', '/api/parameters/shovel/links/good');
    const gone = await runs.until((one) => (link(one, 'shovel.links.good') ?? 0) === 0, 'the end of the shovel');
    expect(link(gone, 'federation.links.near_amq_fanout')).toBe(1);
  });
});
