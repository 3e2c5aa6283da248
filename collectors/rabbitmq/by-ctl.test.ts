/** Captured: 3.10.8, its errors too. Constructed from the documented forms of the others: 3.6, 3.7, 4.x. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { ctlSource } from './by-ctl.ts';
import { options } from './options.ts';

const captured = (name: string): string => readFileSync(join(import.meta.dirname, 'captures/rmq3.10.8', name), 'utf8');

type Answer = string | Failure;

function machine(answer: (args: readonly string[]) => Answer, more: Readonly<Record<string, unknown>> = {}) {
  const asked: string[] = [];
  const host = {
    async run(argv: readonly string[]) {
      asked.push(argv.join(' '));
      const text = answer(argv.slice(argv.indexOf('-q') + 1));
      if (text instanceof Failure) throw text;
      return text;
    },
  } as unknown as Host;
  return { asked, source: ctlSource(host, options.parse({ source: 'rabbitmqctl', ...more }), 10_000) };
}

const exit = (exitCode: number, stderr: string): Failure =>
  new Failure('E_EXIT', `rabbitmqctl ended with status ${exitCode}`, {
    argv: ['rabbitmqctl', '-q', 'list_vhosts'],
    exitCode,
    stderr,
  });

const vhosts = (...names: readonly string[]): string => JSON.stringify(names.map((name) => ({ name })));
const rows = (...names: readonly string[]): string =>
  `[\n${names.map((name) => JSON.stringify({ name, messages: 1 })).join('\n,')}\n]\n`;

describe('3.10.8, captured', () => {
  const answer = ([command]: readonly string[]): Answer => captured(`${command}.json`);

  test('queues', async () => {
    const { asked, source } = machine(answer, { vhosts: ['c-*'], command: ['sudo', '-n', 'rabbitmqctl'] });
    const { queues, problems } = await source.list();
    expect(queues.map(({ name, messages, state, type, leader }) => [name, messages, state, type, leader])).toEqual([
      ['c-quorum', 0, 'running', 'quorum', 'rabbit@localhost'],
      ['c-"q\\u\\n\tx', 0, 'running', 'classic', undefined],
      ['c-one', 2, 'running', 'classic', undefined],
    ]);
    expect(queues[2]).toMatchObject({
      vhost: 'c-test',
      ready: 2,
      consumers: 0,
      consumerUtilisation: undefined,
      counts: undefined,
    });
    expect(problems).toEqual([]);
    expect(asked).toEqual([
      'sudo -n rabbitmqctl -q list_vhosts name --formatter json',
      'sudo -n rabbitmqctl -q list_queues -p c-test --timeout 8 --formatter json name messages messages_ready messages_unacknowledged consumers memory state consumer_utilisation type leader',
    ]);
    expect(source.requests).toBe(2);
  });

  test('status', async () => {
    const { source } = machine(answer);
    const { broker, nodes, problems } = await source.status();
    expect(broker).toMatchObject({
      version: '3.10.8',
      queues: 10_003,
      connections: 2,
      alarm: false,
      countsMessages: false,
    });
    expect(nodes).toHaveLength(1);
    expect(nodes[0]).toMatchObject({
      ...{
        node: 'rabbit@localhost',
        running: true,
        partitions: 0,
        memoryAlarm: false,
        diskAlarm: false,
        drained: false,
      },
      ...{ fdTotal: 19_903, socketsTotal: 17_910, processesTotal: 1_048_576, memoryLimitBytes: 10_110_605_721 },
      ...{ diskFreeLimitBytes: 50_000_000, runQueue: expect.any(Number), uptimeSeconds: expect.any(Number) },
    });
    expect(nodes[0]?.memoryUsedBytes).toBeGreaterThan(1e8);
    expect(problems).toEqual([]);
    expect(source.requests).toBe(2);
  });
});

test('a cluster: who is down, cut off, drained or has an alarm', async () => {
  const status = {
    listeners: [{ node: 'r@a' }],
    alarms: [],
    totals: { connection_count: 3, queue_count: 5 },
    disk_free: 'NaN',
  };
  const cluster = {
    disk_nodes: ['r@a', 'r@b', 'r@c'],
    running_nodes: ['r@a', 'r@b'],
    partitions: { 'r@a': ['r@c'] },
    maintenance_status: { 'r@b': 'under maintenance' },
    alarms: [{ type: 'resource_limit', resource: 'memory', node: 'r@b' }],
  };
  const { source } = machine(([command]) => `\u001b[1m${JSON.stringify(command === 'status' ? status : cluster)}`);
  const { broker, nodes } = await source.status();
  expect(broker).toMatchObject({ alarm: true, connections: undefined, queues: 5 });
  expect(nodes).toMatchObject([
    { node: 'r@a', running: true, partitions: 1, memoryAlarm: false, diskFreeBytes: undefined, fdUsed: undefined },
    { node: 'r@b', running: true, partitions: 0, memoryAlarm: true, drained: true },
    { node: 'r@c', running: false, partitions: undefined, memoryAlarm: undefined },
  ]);
});

test('without cluster_status the node is told, and the rest is unknown', async () => {
  const { source } = machine(([command]) =>
    command === 'status' ? captured('status.json') : exit(75, 'operation timed out'),
  );
  const { nodes, problems } = await source.status();
  expect(nodes).toMatchObject([{ node: 'rabbit@localhost', partitions: undefined }]);
  expect(problems).toMatchObject([{ code: 'E_TIMEOUT', evidence: { labels: { scope: 'node' } } }]);
});

test('3.7 has fewer columns: they are left out for all vhosts', async () => {
  const { asked, source } = machine((args) => {
    if (args[0] === 'list_vhosts') return vhosts('/', 'nova');
    return args.includes('leader')
      ? exit(64, 'Error (argument validation): Info key(s) type,leader are not supported')
      : rows('q');
  });
  expect((await source.list()).queues.map(({ vhost, name }) => `${vhost} ${name}`)).toEqual(['/ q', 'nova q']);
  expect(asked.filter((one) => one.includes('leader'))).toHaveLength(1);
});

test('3.6 has no JSON: text with escapes, and no state of a queue that is down but that', async () => {
  const { asked, source } = machine((args) => {
    if (args.includes('--formatter')) return exit(64, 'Error: {bad_argument,"--formatter"}');
    return args[0] === 'list_vhosts'
      ? '/\n'
      : 'caf\\303\\251\t3\t2\t1\t4\t1024\trunning\t0.5\nb\tdown\ttrue\t<rabbit@b.1.2.0>\n';
  });
  const { queues, problems } = await source.list();
  expect(queues).toMatchObject([
    {
      name: 'café',
      messages: 3,
      ready: 2,
      unacked: 1,
      consumers: 4,
      memoryBytes: 1024,
      state: 'running',
      consumerUtilisation: 0.5,
    },
    { name: 'b', messages: undefined, consumers: undefined, state: 'down' },
  ]);
  expect(problems).toEqual([]);
  expect(asked).toHaveLength(3);
});

test('3.3 and older know neither state nor timeout', async () => {
  const { asked, source } = machine((args) => {
    if (args.includes('--formatter')) return exit(2, 'Error: could not recognise command');
    if (args.includes('state')) return exit(2, 'Error: {bad_argument,state}');
    return args[0] === 'list_vhosts'
      ? 'Listing vhosts ...\n/\n...done.\n'
      : 'Listing queues ...\nq\t3\t2\t1\t4\t1024\n...done.\n';
  });
  expect((await source.list()).queues).toMatchObject([{ name: 'q', messages: 3, memoryBytes: 1024, state: undefined }]);
  expect(asked.at(-1)).toBe(
    'rabbitmqctl -q list_queues -p / name messages messages_ready messages_unacknowledged consumers memory',
  );
});

test('the status of 3.6: Erlang terms', async () => {
  const terms = `Status of node rabbit@old ...
[{pid,1},{running_applications,[{rabbit,"RabbitMQ","3.6.16"}]},{memory,[{total,55000},{connection_readers,0}]},
 {alarms,[memory]},{vm_memory_limit,100000},{disk_free_limit,50000000},{disk_free,7000},
 {file_descriptors,[{total_limit,924},{total_used,2},{sockets_limit,829},{sockets_used,1}]},
 {processes,[{limit,1048576},{used,227}]},{run_queue,0},{uptime,12}]`;
  const { asked, source } = machine((args) => (args.includes('--formatter') ? exit(64, 'usage') : terms));
  const { broker, nodes } = await source.status();
  expect(broker).toMatchObject({ version: '3.6.16', alarm: true });
  // -q would leave out the banner, which alone names the node.
  expect(asked.at(-1)).toBe('rabbitmqctl status');
  expect(nodes).toMatchObject([
    {
      node: 'rabbit@old',
      fdUsed: 2,
      fdTotal: 924,
      socketsUsed: 1,
      processesUsed: 227,
      memoryUsedBytes: 55_000,
      runQueue: 0,
    },
  ]);
  expect(nodes[0]).toMatchObject({ uptimeSeconds: 12, memoryAlarm: true, diskAlarm: false, diskFreeBytes: 7000 });
});

test('a vhost that is not there is told; so is one that cannot be listed', async () => {
  const { source } = machine(
    (args) => {
      if (args[0] === 'list_vhosts') return vhosts('/', 'slow');
      return args.includes('slow')
        ? exit(75, 'Error: operation list_queues on node r@a timed out. Timeout value used: 8')
        : rows('q');
    },
    { vhosts: ['/', 'slow', 'gone'] },
  );
  const { queues, problems } = await source.list();
  expect(queues).toHaveLength(1);
  expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([
    ['E_NOT_FOUND', { vhost: 'gone' }],
    ['E_TIMEOUT', { vhost: 'slow' }],
  ]);
});

test.each(['$(reboot)', '`reboot`', '-n', 'a"b', 'a\\b', 'a\nb'])(
  'a vhost called %j reaches no shell',
  async (name) => {
    const { asked, source } = machine((args) => (args[0] === 'list_vhosts' ? vhosts(name) : rows('q')), {
      vhosts: ['*'],
    });
    const { queues, problems } = await source.list();
    expect([asked.length, queues.length]).toEqual([1, 0]);
    expect(problems).toMatchObject([{ code: 'E_CONFIG', evidence: { labels: { vhost: name } } }]);
  },
);

test('unresponsive queues have that state, and no numbers', async () => {
  const { asked, source } = machine(
    ([command]) =>
      command === 'list_vhosts'
        ? vhosts('/')
        : command === 'list_queues'
          ? rows('a', 'b')
          : '[\n{"name":"b"}\n,{"name":"c"}\n]\n',
    { unresponsive: true },
  );
  const { queues } = await source.list();
  expect(queues.map(({ name, state, messages }) => [name, state, messages])).toEqual([
    ['a', undefined, 1],
    ['b', 'unresponsive', undefined],
    ['c', 'unresponsive', undefined],
  ]);
  expect(asked.at(-1)).toBe(
    'rabbitmqctl -q list_unresponsive_queues -p / --queue-timeout 2 --timeout 8 --formatter json name',
  );
});

const nodeDown = `Error: unable to perform an operation on node 'rabbit@hv01'. Please see diagnostics information and suggestions below.

Most common reasons for this are:

 * Target node is unreachable (e.g. due to hostname resolution, TCP connection or firewall issues)
`;

test.each<[string, Failure, string, RegExp]>([
  [
    'a node that is down',
    exit(69, nodeDown),
    'E_CONNECT',
    /^rabbitmqctl list_vhosts: node "rabbit@hv01" does not run, or has another Erlang cookie/,
  ],
  [
    'the same, 3.6',
    exit(2, "Error: unable to connect to node 'rabbit@hv01': nodedown"),
    'E_CONNECT',
    /node "rabbit@hv01" does not run/,
  ],
  [
    'a broker that is stopped',
    exit(69, "Error: this command requires the 'rabbit' app to be running on the target node."),
    'E_CONNECT',
    /start_app/,
  ],
  [
    'another user',
    exit(1, "[error] Failed to create cookie file '/nonexistent/.erlang.cookie': enoent"),
    'E_DENIED',
    /run it as root or as rabbitmq/,
  ],
  [
    'a cookie of another',
    exit(1, 'Error when reading /var/lib/rabbitmq/.erlang.cookie: eacces'),
    'E_DENIED',
    /may not use it/,
  ],
  ['sudo', exit(1, 'sudo: a password is required'), 'E_DENIED', /NOPASSWD/],
  ['no such program', new Failure('E_NOT_FOUND', 'program rabbitmqctl is not there'), 'E_NOT_FOUND', /is not there/],
])('%s is one sentence', async (_, failure, code, message) => {
  const { asked, source } = machine(() => failure);
  const thrown = await source.list().catch((reason: unknown) => reason);
  expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) });
  expect((thrown as Failure).message).not.toContain('\n');
  expect(asked).toHaveLength(1);
  await expect(source.status()).rejects.toMatchObject({ code });
});

test('what is not known is told as it is', async () => {
  await expect(machine(() => exit(70, 'it broke')).source.list()).rejects.toMatchObject({ code: 'E_EXIT' });
  await expect(machine(() => 'what?').source.status()).rejects.toMatchObject({ code: 'E_PARSE' });
  const { source } = machine((args) => (args[0] === 'list_vhosts' ? vhosts('/') : 'what?'));
  expect((await source.list()).problems).toMatchObject([{ code: 'E_PARSE', evidence: { labels: { vhost: '/' } } }]);
});
