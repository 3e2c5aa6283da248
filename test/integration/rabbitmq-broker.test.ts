/** The private broker proves itself: it counts, it survives what tests do to it, and nothing of it stays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:https';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Broker, type BrokerTls, brokerReason, startBroker } from '../support/rabbitmq-broker.ts';
import { partition, startCluster } from '../support/rabbitmq-cluster.ts';
import { freePorts } from '../support/rabbitmq-node.ts';
import { connect, type Traffic } from '../support/rabbitmq-traffic.ts';
import { endWithParent, eventually } from '../support/statsd.ts';

const reason = brokerReason();

/** Programs whose environment names the directory: the virtual machine, its helpers and the port mapper. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        if (!readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`EDGESTATD_TEST_BROKER=${directory}\0`)) return [];
        return [readFileSync(`/proc/${pid}/comm`, 'utf8').trim()];
      } catch {
        // It ended.
        return [];
      }
    });
}
const directoryOf = ({ env }: Pick<Broker, 'env'>): string => env.EDGESTATD_TEST_BROKER ?? '';

interface Queue {
  readonly messages: number;
  readonly messages_ready: number;
  readonly messages_unacknowledged: number;
  readonly message_stats?: Readonly<Record<string, number>>;
}

/** A queue as the API shows it, as soon as it shows what is expected; each number comes with a delay. */
async function shown(
  broker: Broker,
  queue: string,
  expected: { readonly counts?: Partial<Queue>; readonly stats?: Readonly<Record<string, number>> },
): Promise<void> {
  let last: Queue | undefined;
  const agrees = (what: object | undefined, wanted: object | undefined): boolean =>
    Object.entries(wanted ?? {}).every(([key, value]) => Reflect.get(what ?? {}, key) === value);
  await eventually(async () => {
    last = (await broker.api('GET', `/api/queues/%2F/${queue}`)) as Queue;
    return (agrees(last, expected.counts) && agrees(last.message_stats, expected.stats)) || undefined;
  }, 'the counts').catch(() => {});
  expect(last).toMatchObject({ ...expected.counts, ...(expected.stats && { message_stats: expected.stats }) });
}

const statusOf = (url: string, options: { ca: string; cert?: string; key?: string }): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    get(url, { ...options, auth: 'guest:guest', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });

describe.skipIf(reason !== undefined)(`a private broker${reason === undefined ? '' : ` (${reason})`}`, () => {
  let broker: Broker & BrokerTls;
  let traffic: Traffic;
  beforeAll(async () => {
    broker = await startBroker({ tls: { requireClientCertificate: true } });
    traffic = await connect(broker.amqpUrl);
  });
  afterAll(async () => {
    await traffic?.close();
    await broker?.close();
  });

  it('counts what is published, delivered, acknowledged, redelivered, got, returned and confirmed', async () => {
    await traffic.declare('all');
    await traffic.publish('all', 50);
    expect(await traffic.get('all')).toBe('x');
    expect(await traffic.get('all', 'auto')).toBe('x');
    expect(await traffic.redeliver('all', 3)).toBe(3);
    expect(await traffic.publishMandatory(4)).toBe(4);
    await shown(broker, 'all', { counts: { messages: 45 }, stats: { publish: 50, get: 7, get_no_ack: 1, ack: 4 } });
    const consumer = await traffic.consume('all', { ack: 'manual' });
    await eventually(() => consumer.count === 45 || undefined, 'the messages');
    expect(await consumer.stop()).toBe(45);
    await shown(broker, 'all', {
      counts: { messages: 0 },
      stats: { publish: 50, deliver: 45, ack: 49, redeliver: 3, get: 7, get_no_ack: 1 },
    });
    await eventually(async () => {
      const { message_stats } = (await broker.api('GET', '/api/overview')) as { message_stats: Record<string, number> };
      return (message_stats.confirm === 54 && message_stats.return_unroutable === 4) || undefined;
    }, 'confirms and returns');
  });

  it('holds messages unacknowledged until the connection is cut, and loses none', async () => {
    await traffic.declare('held', { type: 'quorum' });
    await traffic.publish('held', 20);
    const consumer = await traffic.consume('held', { ack: 'never', prefetch: 5 });
    await shown(broker, 'held', { counts: { messages_ready: 15, messages_unacknowledged: 5 } });
    consumer.kill();
    await shown(broker, 'held', { counts: { messages_ready: 20, messages_unacknowledged: 0 } });
    expect(await consumer.stop()).toBe(5);
    const auto = await traffic.consume('held', { ack: 'auto' });
    await shown(broker, 'held', { counts: { messages: 0 }, stats: { deliver_no_ack: 20, redeliver: 5 } });
    expect(await auto.stop()).toBe(20);
    await traffic.remove('held');
  });

  it('publishes and acknowledges at a pace', async () => {
    await traffic.declare('paced', { durable: false });
    const startedMs = performance.now();
    const publishing = traffic.publishAtRate('paced', 200);
    const consumer = await traffic.consume('paced', { ack: 'manual', perSecond: 40, prefetch: 10 });
    await eventually(() => consumer.count >= 40 || undefined, 'what a second acknowledges');
    const [published, seconds] = [await publishing.stop(), (performance.now() - startedMs) / 1000];
    const acknowledged = await consumer.stop();
    expect(seconds).toBeGreaterThan(0.9);
    expect(published).toBeLessThanOrEqual(200 * seconds);
    expect(published).toBeGreaterThan(100 * seconds);
    await shown(broker, 'paced', { counts: { messages: published - acknowledged }, stats: { publish: published } });
  });

  it('has users with tags and permissions of their own', async () => {
    await broker.addUser('watch dog', 'secret', 'monitoring', { '/': ['^$', '^$', '^all$'] });
    const authorization = `Basic ${Buffer.from('watch dog:secret').toString('base64')}`;
    const answer = await fetch(`${broker.url}/api/nodes`, { headers: { authorization } });
    expect(await answer.json()).toMatchObject([{ name: broker.node, running: true }]);
    expect(await broker.api('GET', '/api/users/watch%20dog/permissions')).toMatchObject([
      { vhost: '/', read: '^all$' },
    ]);
    await expect(broker.api('GET', '/api/users/nobody')).rejects.toThrow(/: 404 /);
  });

  it('speaks TLS to who has a certificate, and Prometheus', async () => {
    const [ca = '', cert = '', key = ''] = [broker.caFile, broker.certFile, broker.keyFile].map((file) =>
      readFileSync(file, 'utf8'),
    );
    expect(await statusOf(`${broker.tlsUrl}/api/overview`, { ca, cert, key })).toBe(200);
    await expect(statusOf(`${broker.tlsUrl}/api/overview`, { ca })).rejects.toThrow();
    expect(await (await fetch(`${broker.prometheusUrl}/metrics`)).text()).toContain('rabbitmq_build_info');
  });

  it('raises the memory alarm, which blocks publishers, and lifts it', async () => {
    await broker.alarm(true);
    let confirmed = false;
    const publishing = traffic.publish('all', 1).then(() => {
      confirmed = true;
    });
    await eventually(async () => {
      const all = (await broker.api('GET', '/api/connections')) as readonly { readonly state: string }[];
      return all.some(({ state }) => state === 'blocked') || undefined;
    }, 'a blocked connection');
    expect(confirmed).toBe(false);
    await broker.alarm(false);
    await publishing;
  });

  it('stops and starts again: what is durable stays, counters do not', async () => {
    const { pid } = broker;
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('beam.smp\n');
    await broker.stop();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    await expect(broker.api('GET', '/api/overview')).rejects.toThrow();
    await broker.start();
    expect(broker.pid).not.toBe(pid);
    expect(await broker.ctl('list_queues', '--no-table-headers', 'name', 'messages')).toBe('all\t1\n');
    expect(await broker.api('GET', '/api/queues/%2F/all')).not.toHaveProperty('message_stats.publish');
    traffic = await connect(broker.amqpUrl);
    expect(await traffic.get('all')).toBe('x');
  });
});

describe.skipIf(reason !== undefined)('brokers at once', () => {
  let owner: ChildProcess | undefined;
  afterAll(() => owner?.kill('SIGKILL'));

  it.concurrent('two nodes are one broker, lose each other and meet again, and take everything with them', async () => {
    const [a, b] = await startCluster();
    type Node = { readonly running: boolean; readonly partitions?: readonly string[] };
    /** What the first node tells about both, as soon as it tells that. */
    const seen = (what: string, isSo: (first?: Node, second?: Node) => boolean | undefined): Promise<true> =>
      eventually(async () => {
        const nodes = (await a.api('GET', '/api/nodes')) as readonly (Node & { readonly name: string })[];
        const of = (name: string): Node | undefined => nodes.find((node) => node.name === name);
        return isSo(of(a.node), of(b.node)) || undefined;
      }, what);
    try {
      await seen('both nodes', (first, second) => first?.running && second?.partitions?.length === 0);
      const heal = await partition(a, b);
      await seen('the partition', (_, second) => second?.running === false);
      await heal();
      await seen('what it left', (first) => first?.partitions?.includes(b.node));
      await b.kill();
      await seen('the end of a node', (_, second) => second?.running === false);
      await b.close();
      expect(existsSync(directoryOf(a))).toBe(true);
    } finally {
      await Promise.all([b.close(), a.close()]);
    }
    expect(processesOf(directoryOf(a))).toEqual([]);
    expect(existsSync(directoryOf(a))).toBe(false);
  }, 90_000);

  it.concurrent('one whose owner is killed is gone soon after it', async () => {
    const support = new URL('../support/rabbitmq-broker.ts', import.meta.url).href;
    const script = `
      const { startBroker } = await import(${JSON.stringify(support)});
      const { env } = await startBroker();
      console.log(JSON.stringify({ env }));
      setInterval(() => {}, 1000);
    `;
    owner = spawn(process.execPath, [...endWithParent, '--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    if (owner.stdout === null) throw new Error('an owner without an output');
    const [line] = await once(createInterface({ input: owner.stdout }), 'line');
    const directory = directoryOf(JSON.parse(line));
    expect(processesOf(directory)).toEqual(expect.arrayContaining(['beam.smp', 'epmd', 'erl_child_setup']));
    owner.kill('SIGKILL');
    await eventually(() => (existsSync(directory) ? undefined : true), 'the end of the directory');
    expect(processesOf(directory)).toEqual([]);
  }, 60_000);

  it.concurrent('one that does not start tells what its log says', async () => {
    await expect(startBroker({ config: ['no_such_setting = 1'] })).rejects.toThrow(
      /does not start[\s\S]*no_such_setting/,
    );
  });
});

describe('free ports', () => {
  it('differ, and outgoing connections do not take them', async () => {
    const ports = await freePorts(20);
    const [lowest = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
    expect(new Set(ports).size).toBe(20);
    if (lowest > 12_000) expect(Math.max(...ports)).toBeLessThan(lowest);
  });
});
