/** A real StatsD server that flushes into a Carbon every ten seconds, fed over TCP so that nothing is lost on the way there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithParent, eventually, freePort } from './statsd.ts';

export interface StatsdIntoCarbon {
  /** Sends lines by a connection of its own; resolves when the server has taken them. */
  send(lines: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

const program = createRequire(import.meta.url).resolve('statsd/stats.js');
const shim = new URL('./statsd-on-new-node.cjs', import.meta.url).pathname;

/** With StatsD's own default names, or with those of `legacyNamespace: false`. */
export async function startStatsdIntoCarbon(carbonPort: number, legacyNamespace: boolean): Promise<StatsdIntoCarbon> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-statsd-carbon-'));
  const config = join(directory, 'config.js');
  const options = {
    ...{ server: './servers/tcp', address: '127.0.0.1', port, mgmt_address: '127.0.0.1', mgmt_port: adminPort },
    ...{ backends: ['./backends/graphite'], graphiteHost: '127.0.0.1', graphitePort: carbonPort },
    ...{ graphite: { legacyNamespace }, flushInterval: 10_000, automaticConfigReload: false },
  };
  writeFileSync(config, JSON.stringify(options));
  const child = spawn(process.execPath, [...endWithParent, '-r', shim, program, config], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const reach = async () => {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch {
      socket.destroy();
      return undefined;
    }
  };
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    (await eventually(reach, 'the TCP port of StatsD')).destroy();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    stop,
    async send(lines) {
      const socket = await reach();
      if (socket === undefined) throw new Error('StatsD takes no connection any more');
      const closed = once(socket.resume(), 'close');
      socket.end(`${lines.join('\n')}\n`);
      await closed;
    },
  };
}
