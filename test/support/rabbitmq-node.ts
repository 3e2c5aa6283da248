/** One Erlang node of a private broker: its ports, files and environment, and its virtual machine as a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, globSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { eventually } from './statsd.ts';
import { systemEnv } from './testbed-keeper.ts';

const START_WITHIN_MS = 60_000;
/** For the ports on which Erlang nodes talk to each other. */
const LOOPBACK_ONLY = '-kernel inet_dist_use_interface {127,0,0,1}';

/** The scripts themselves: those of Debian in /usr/sbin become the user rabbitmq and use the machine's own broker. */
export const scriptsFolder = (): string | undefined => globSync('/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin').at(-1);

export interface NodePlace {
  /** `NAME@localhost`. */
  readonly name: string;
  /** Of this node alone. */
  readonly directory: string;
  /** Shared by nodes that are to meet: where the cookie is. */
  readonly home: string;
  readonly epmdPort: number;
  readonly amqpPort: number;
  readonly distributionPort: number;
  readonly mark: NodeJS.ProcessEnv;
}

export interface NodeFiles {
  readonly plugins: readonly string[];
  /** Lines of rabbitmq.conf. */
  readonly config: readonly string[];
  /** Erlang terms. */
  readonly advanced: string | undefined;
  /** How often quorum queues tell their counts; for this there is no line of rabbitmq.conf. */
  readonly quorumTickMs: number;
}

export interface VirtualMachine {
  readonly pid: number;
  /** The environment with which programs reach the node. */
  readonly env: NodeJS.ProcessEnv;
  /** Starts it, and waits until `isReady`; when that fails, the error has the end of the log. */
  start(isReady: () => Promise<boolean>): Promise<void>;
  /** Sends the signal, and waits for the end. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/**
 * Ports of 127.0.0.1 that nobody uses now, and below those that the kernel gives to outgoing connections: a node that
 * is started again finds its ports free.
 */
export async function freePorts(count: number): Promise<number[]> {
  const [firstOfKernel = 0] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  const lowest = 11_000;
  const servers: Server[] = [];
  while (servers.length < count) {
    const span = firstOfKernel - lowest;
    const port = span > 1000 ? lowest + Math.floor(Math.random() * span) : 0;
    const server = createServer();
    const listens = once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.listen(port, '127.0.0.1');
    if (await listens) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function environmentOf(place: NodePlace, scripts: string): NodeJS.ProcessEnv {
  const { directory } = place;
  const base = systemEnv();
  // What is set for a broker of the machine must not reach this one.
  const others = Object.entries(base).filter(([name]) => !/^(RABBITMQ_|ERL_|NOTIFY_SOCKET$)/.test(name));
  return {
    ...Object.fromEntries(others),
    ...place.mark,
    // Elixir, in which rabbitmqctl is written, complains about any other.
    LC_ALL: 'C.UTF-8',
    PATH: `${scripts}:${base.PATH}`,
    HOME: place.home,
    ERL_EPMD_PORT: String(place.epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_CRASH_DUMP: join(directory, 'erl_crash.dump'),
    RABBITMQ_NODENAME: place.name,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(place.amqpPort),
    RABBITMQ_DIST_PORT: String(place.distributionPort),
    RABBITMQ_BASE: directory,
    RABBITMQ_MNESIA_BASE: join(directory, 'mnesia'),
    RABBITMQ_LOG_BASE: join(directory, 'log'),
    RABBITMQ_SCHEMA_DIR: join(directory, 'schema'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(directory, 'generated'),
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    // rabbitmqctl is a node too. Its default is one of eleven ports, for all of the machine.
    RABBITMQ_CTL_ERL_ARGS: LOOPBACK_ONLY,
    RABBITMQ_CTL_DIST_PORT_MIN: '0',
    RABBITMQ_CTL_DIST_PORT_MAX: '0',
  };
}

/** The first complaint, which is the cause, and the end: in between are reports about what that brought down. */
function endOf(file: string): string {
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    const cause = lines.filter((line) => line.includes('[error]')).slice(0, 20);
    return [...cause, ...lines.slice(-20)].join('\n');
  } catch {
    return '';
  }
}

/** Writes the node's files. It is not started by that. */
export function prepareNode(place: NodePlace, files: NodeFiles): VirtualMachine {
  const scripts = scriptsFolder();
  if (scripts === undefined) throw new Error('RabbitMQ is not installed: run test/support/packages.ts');
  const { directory } = place;
  for (const folder of ['mnesia', 'log', 'schema', 'generated'])
    mkdirSync(join(directory, folder), { recursive: true });
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
  write('enabled_plugins', `[${files.plugins.join(',')}].\n`);
  write('rabbitmq.conf', `${[...files.config, 'log.file = rabbit.log'].join('\n')}\n`);
  if (files.advanced !== undefined) write('advanced.config', files.advanced);
  const env = environmentOf(place, scripts);
  const erlArgs = `${LOOPBACK_ONLY} -rabbit quorum_tick_interval ${files.quorumTickMs}`;
  const consoleFile = join(directory, 'log', 'console');
  let child: ChildProcess | undefined;
  const runs = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

  const vm: VirtualMachine = {
    get pid() {
      if (child?.pid === undefined) throw new Error(`${place.name} was never started`);
      return child.pid;
    },
    env,
    async start(isReady) {
      if (runs()) throw new Error(`${place.name} runs already`);
      const out = openSync(consoleFile, 'a');
      // As below systemd, the script becomes the virtual machine instead of waiting for it.
      const started = spawn(join(scripts, 'rabbitmq-server'), [], {
        stdio: ['ignore', out, out],
        cwd: directory,
        env: { ...env, RUNNING_UNDER_SYSTEMD: 'true', RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: erlArgs },
        detached: true,
      });
      closeSync(out);
      child = started;
      started.unref();
      started.on('error', () => {});
      try {
        await eventually(
          async () => {
            if (!runs()) throw new Error(`it ended (${started.exitCode ?? started.signalCode})`);
            return (await isReady()) || undefined;
          },
          'the management API',
          START_WITHIN_MS,
        );
      } catch (error) {
        const log = [consoleFile, join(directory, 'log', 'rabbit.log')].map(endOf).join('\n');
        throw new Error(`RabbitMQ ${place.name} does not start: ${error}\n${log}`, { cause: error });
      }
    },
    async end(signal) {
      if (child === undefined || !runs()) return;
      child.ref();
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    },
  };
  return vm;
}
