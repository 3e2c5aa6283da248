/** SSH servers that do what no sshd does: in this process, on 127.0.0.1, with a host key and a client key of their own. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2';
import { type SshSettings, sshTargetOptions } from '../../src/hosts/ssh-options.ts';
import { makeKey, publicKey } from './sshd.ts';

export interface Behaviour {
  /** Instead of any SSH: what is done with each connection. */
  readonly raw?: (socket: Socket) => void;
  /** Default: everybody may log in. */
  readonly login?: (context: AuthContext) => void;
  /** Default: the command ends with status 0. `socket`: to cut or pause. */
  readonly exec?: (channel: ServerChannel, command: string, socket: Socket) => void;
  /** Whether a session is answered; default: yes. */
  readonly session?: () => boolean;
  /** For whatever else; called before the handshake. */
  readonly connection?: (connection: Connection, socket: Socket) => void;
}

export interface SshServer {
  readonly port: number;
  readonly knownHostsFile: string;
  /** Those that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** How often it was connected to. */
  readonly connections: number;
  settings(more?: Partial<SshSettings>): SshSettings;
  stop(): Promise<void>;
}

export async function startSshServer(behaviour: Behaviour = {}): Promise<SshServer> {
  const directory = mkdtempSync(join(tmpdir(), 'edgestatd-ssh-server-'));
  const hostKey = join(directory, 'host');
  const keyFile = join(directory, 'client');
  const knownHostsFile = join(directory, 'known_hosts');
  makeKey(hostKey);
  makeKey(keyFile);
  const sockets = new Set<Socket>();
  let connections = 0;
  const { login = (context) => context.accept(), exec = (channel) => endWith(channel, 0) } = behaviour;
  const ssh = new ssh2.Server({ hostKeys: [readFileSync(hostKey)] }, (connection) => {
    // Clients are cut off in many ways here.
    connection.on('error', () => {});
    connection.on('authentication', login);
    connection.on('session', (accept) => {
      if (behaviour.session?.() === false) return;
      accept().on('exec', (acceptExec, _, { command }) => {
        const channel = acceptExec();
        channel.on('error', () => {});
        exec(channel, command, socketOf.get(connection) as Socket);
      });
    });
  });
  const socketOf = new Map<Connection, Socket>();
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    if (behaviour.raw !== undefined) return behaviour.raw(socket);
    ssh.once('connection', (connection) => {
      socketOf.set(connection, socket);
      behaviour.connection?.(connection, socket);
    });
    ssh.injectSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  // Also behind what stands in between, on another port.
  writeFileSync(knownHostsFile, `[127.0.0.1]:* ${publicKey(hostKey)}\n`);
  return {
    port,
    knownHostsFile,
    sockets,
    get connections() {
      return connections;
    },
    settings(more = {}) {
      const here = { host: '127.0.0.1', port, keyFile, knownHostsFile };
      const { type, name, groups, jump, ...defaults } = sshTargetOptions.parse({ type: 'ssh', ...here });
      return { ...defaults, ...here, ...more };
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function endWith(channel: ServerChannel, status: number): void {
  channel.exit(status);
  channel.end();
}
