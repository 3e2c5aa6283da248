/**
 * A real RabbitMQ on private ports of 127.0.0.1, with its own directory, Erlang port mapper and cookie: several of them
 * and a broker of the machine do not meet. Needs no root. Everything ends with `close()`, and also when the process that
 * started it is killed.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificates, makeCertificates } from './rabbitmq-certificates.ts';
import { type BrokerKeeper, startBrokerKeeper } from './rabbitmq-keeper.ts';
import { managementAt } from './rabbitmq-management.ts';
import { freePorts, type NodePlace, prepareNode, scriptsFolder } from './rabbitmq-node.ts';
import { eventually } from './statsd.ts';
import { output } from './testbed-keeper.ts';

/** By virtual host: what a user may configure, write and read, as patterns of names. */
export type Permissions = Readonly<Record<string, readonly [configure: string, write: string, read: string]>>;

export interface Broker {
  /** The management API, where `guest` with the password `guest` may do everything. */
  readonly url: string;
  readonly prometheusUrl: string;
  /** With user and password, for virtual host `/`. */
  readonly amqpUrl: string;
  /** `NAME@localhost` */
  readonly node: string;
  /** Of the Erlang virtual machine that was started last. */
  readonly pid: number;
  /**
   * With this, `rabbitmqctl` reaches the node, and is found in PATH. Processes that have it end when the broker is
   * closed; none should be started later.
   */
  readonly env: NodeJS.ProcessEnv;
  /** `rabbitmqctl -q …`; resolves with stdout, rejects on any other status than 0. */
  ctl(...args: readonly string[]): Promise<string>;
  /** A request to the management API as `guest`, `api('GET', '/api/overview')`; rejects on any other status than 2xx. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Makes a user or changes it. `tags` as in `monitoring,management`. The virtual hosts must exist. */
  addUser(name: string, password: string, tags: string, permissions: Permissions): Promise<void>;
  /** The management API is gone too, but the Erlang virtual machine stays. */
  stopApp(): Promise<void>;
  startApp(): Promise<void>;
  /** Ends the virtual machine in good order: durable queues with their persistent messages stay, counters do not. */
  stop(): Promise<void>;
  /** Starts it again after `stop()` or `kill()`, with the same data and ports. */
  start(): Promise<void>;
  /** Ends the virtual machine with SIGKILL. */
  kill(): Promise<void>;
  /** Forces or lifts the memory alarm; resolved when the API shows it. While it stands, publishers are blocked. */
  alarm(on: boolean): Promise<void>;
  /** Virtual machine, port mapper and directory are gone. Of a cluster, the latter two go with its last node. */
  close(): Promise<void>;
}

export interface BrokerTls {
  /** The management API over TLS. */
  readonly tlsUrl: string;
  readonly caFile: string;
  /** Of a client that the broker trusts. */
  readonly certFile: string;
  readonly keyFile: string;
}

export interface BrokerOptions {
  /** How often the API's counts are brought up to date (the broker's own default is 5000); 1000 if not given. */
  readonly statisticsIntervalMs?: number;
  /** rabbitmq_management and rabbitmq_prometheus if not given; the former is always there. */
  readonly plugins?: readonly string[];
  /** More lines of rabbitmq.conf. */
  readonly config?: readonly string[];
  /** The Erlang terms of advanced.config. */
  readonly advanced?: string;
}

export interface TlsOptions {
  /** The broker refuses clients without a certificate that its authority has signed. */
  readonly requireClientCertificate?: boolean;
}

/** Why there can be no broker here, or undefined. In CI, where there must be one, it throws that. */
export function brokerReason(): string | undefined {
  if (scriptsFolder() !== undefined) return undefined;
  const reason = 'RabbitMQ is not installed: run test/support/packages.ts';
  if (process.env.CI !== undefined) throw new Error(`no broker: ${reason}`);
  return reason;
}

/** What the nodes of one broker or cluster share. */
export interface Site {
  readonly keeper: BrokerKeeper;
  readonly home: string;
  readonly epmdPort: number;
}

export async function makeSite(): Promise<Site> {
  const keeper = await startBrokerKeeper();
  try {
    const home = join(keeper.directory, 'home');
    mkdirSync(home);
    // Nodes that start at once would each make their own.
    const cookie = join(home, '.erlang.cookie');
    writeFileSync(cookie, randomBytes(20).toString('hex'));
    chmodSync(cookie, 0o400);
    const [epmdPort = 0] = await freePorts(1);
    return { keeper, home, epmdPort };
  } catch (error) {
    await keeper.close();
    throw error;
  }
}

/** Resolved when the management API answers and the AMQP port listens. */
export async function startNode(
  site: Site,
  name: string,
  options: BrokerOptions & { readonly tls?: TlsOptions | undefined },
  close: () => Promise<void>,
): Promise<Broker & Partial<BrokerTls>> {
  const [amqpPort = 0, distributionPort = 0, port = 0, prometheusPort = 0, tlsPort = 0] = await freePorts(5);
  const node = `${name}-${randomBytes(4).toString('hex')}@localhost`;
  const directory = join(site.keeper.directory, name);
  const place: NodePlace = { ...site, name: node, directory, amqpPort, distributionPort, mark: site.keeper.mark };
  const certificates = options.tls && (await makeCertificates(join(directory, 'tls')));
  const plugins = new Set(['rabbitmq_management', ...(options.plugins ?? ['rabbitmq_prometheus'])]);
  const intervalMs = options.statisticsIntervalMs ?? 1000;
  const vm = prepareNode(place, {
    quorumTickMs: intervalMs,
    plugins: [...plugins],
    advanced: options.advanced,
    config: [
      `listeners.tcp.1 = 127.0.0.1:${amqpPort}`,
      'management.tcp.ip = 127.0.0.1',
      `management.tcp.port = ${port}`,
      ...(plugins.has('rabbitmq_prometheus')
        ? ['prometheus.tcp.ip = 127.0.0.1', `prometheus.tcp.port = ${prometheusPort}`]
        : []),
      `collect_statistics_interval = ${intervalMs}`,
      // The database looks at what was told as often as its finest samples are apart, 5 s by default.
      ...['global', 'basic', 'detailed'].map(
        (section) => `management.sample_retention_policies.${section}.minute = ${Math.ceil(intervalMs / 1000)}`,
      ),
      ...(certificates ? tlsConfig(certificates, tlsPort, options.tls?.requireClientCertificate === true) : []),
      ...(options.config ?? []),
    ],
  });
  const url = `http://127.0.0.1:${port}`;
  const management = managementAt(url);
  // The management API answers first, so it is asked for the AMQP port too; to connect there would be counted.
  const isReady = async (): Promise<boolean> =>
    (await management.status('/api/overview')) === 200 &&
    (await management.status(`/api/health/checks/port-listener/${amqpPort}`)) === 200;
  await vm.start(isReady);

  const broker: Broker = {
    url,
    prometheusUrl: `http://127.0.0.1:${prometheusPort}`,
    amqpUrl: `amqp://guest:guest@127.0.0.1:${amqpPort}`,
    node,
    get pid() {
      return vm.pid;
    },
    env: vm.env,
    ctl: (...args) => output(['rabbitmqctl', '-q', ...args], { env: vm.env }),
    api: management.api,
    async addUser(user, password, tags, permissions) {
      const id = encodeURIComponent(user);
      await broker.api('PUT', `/api/users/${id}`, { password, tags });
      for (const [vhost, [configure, write, read]] of Object.entries(permissions))
        await broker.api('PUT', `/api/permissions/${encodeURIComponent(vhost)}/${id}`, { configure, write, read });
    },
    async stopApp() {
      await broker.ctl('stop_app');
    },
    async startApp() {
      await broker.ctl('start_app');
      await eventually(async () => (await isReady()) || undefined, 'the management API', 30_000);
    },
    stop: () => vm.end('SIGTERM'),
    start: () => vm.start(isReady),
    kill: () => vm.end('SIGKILL'),
    async alarm(on) {
      await broker.ctl('set_vm_memory_high_watermark', ...(on ? ['absolute', '1MB'] : ['0.4']));
      await eventually(async () => {
        const shown = (await broker.api('GET', `/api/nodes/${node}`)) as { readonly mem_alarm?: boolean };
        const status = await management.status('/api/health/checks/local-alarms');
        return (shown.mem_alarm === on && status === (on ? 503 : 200)) || undefined;
      }, 'the memory alarm');
    },
    close,
  };
  const { caFile, client } = certificates ?? {};
  return caFile === undefined || client === undefined
    ? broker
    : Object.assign(broker, { tlsUrl: `https://127.0.0.1:${tlsPort}`, caFile, ...client });
}

function tlsConfig({ caFile, server }: Certificates, port: number, requireClientCertificate: boolean): string[] {
  return Object.entries({
    ip: '127.0.0.1',
    port,
    cacertfile: caFile,
    certfile: server.certFile,
    keyfile: server.keyFile,
    verify: requireClientCertificate ? 'verify_peer' : 'verify_none',
    fail_if_no_peer_cert: requireClientCertificate,
  }).map(([key, value]) => `management.ssl.${key} = ${value}`);
}

export function startBroker(options: BrokerOptions & { readonly tls: TlsOptions | true }): Promise<Broker & BrokerTls>;
export function startBroker(options?: BrokerOptions): Promise<Broker>;
export async function startBroker(
  options: BrokerOptions & { readonly tls?: TlsOptions | true } = {},
): Promise<Broker & Partial<BrokerTls>> {
  const site = await makeSite();
  try {
    const tls = options.tls === true ? {} : options.tls;
    return await startNode(site, 'rabbit', { ...options, tls }, site.keeper.close);
  } catch (error) {
    await site.keeper.close();
    throw error;
  }
}
