/**
 * A scripted OpenFlow 1.3 controller on a unix socket: it greets, asks who the switch is, may take a role, and answers
 * echoes, so that `Controller.is_connected` becomes true. It changes no flow.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

const VERSION = 4;
const HEADER = 8;
const [HELLO, ECHO_REQUEST, ECHO_REPLY, FEATURES_REQUEST, FEATURES_REPLY, ROLE_REQUEST, ROLE_REPLY] = [
  0, 2, 3, 5, 6, 24, 25,
];
const ROLES = { other: 1, master: 2, slave: 3 } as const;

export interface OpenFlowController {
  /** What `ovs-vsctl set-controller` takes. */
  readonly target: string;
  /** Every switch that said who it is: its datapath id, in hex. */
  readonly switches: readonly string[];
  /** Roles that were granted. */
  readonly roles: readonly number[];
  /** Closes its connections and its socket, as a controller that ends. */
  close(): Promise<void>;
}

/** `path` must be in the switch's run directory: Open vSwitch connects to no other. */
export async function startController(path: string, role?: keyof typeof ROLES): Promise<OpenFlowController> {
  const sockets = new Set<Socket>();
  const switches: string[] = [];
  const roles: number[] = [];
  const answer = (socket: Socket, type: number, xid: number, body: Buffer): void => {
    if (type === HELLO) socket.write(message(FEATURES_REQUEST, 1));
    else if (type === ECHO_REQUEST) socket.write(message(ECHO_REPLY, xid, body));
    else if (type === ROLE_REPLY) roles.push(body.readUInt32BE(0));
    else if (type === FEATURES_REPLY) {
      switches.push(body.toString('hex', 0, 8));
      if (role !== undefined) socket.write(message(ROLE_REQUEST, 2, roleBody(ROLES[role])));
    }
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.write(message(HELLO, 0));
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= HEADER) {
        const length = rest.readUInt16BE(2);
        if (length < HEADER) socket.destroy();
        if (length < HEADER || rest.length < length) return;
        answer(socket, rest.readUInt8(1), rest.readUInt32BE(4), rest.subarray(HEADER, length));
        rest = rest.subarray(length);
      }
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    target: `unix:${path}`,
    switches,
    roles,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Version, type, length, transaction. */
function message(type: number, xid: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(VERSION, 0);
  header.writeUInt8(type, 1);
  header.writeUInt16BE(HEADER + body.length, 2);
  header.writeUInt32BE(xid, 4);
  return Buffer.concat([header, body]);
}

/** The role, four bytes of padding, and the number of the election. */
function roleBody(role: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32BE(role, 0);
  body.writeBigUInt64BE(1n, 8);
  return body;
}
