/** A process of its own that takes lines as fast as it can and counts them. Prints its port; answers `count`, `stop`, `start`. */
import { createServer, type Socket } from 'node:net';

/** The parent may have gone meanwhile. */
const tell = (what: object): void => void process.send?.(what, undefined, undefined, () => {});
let lines = 0;
/** When the first came after the start, by the clock of the machine. */
let firstAtMs: number | undefined;
const seen = new Map<string, Uint8Array>();
const sockets = new Set<Socket>();
/** Line `m.<series> <value> <seconds>` of the outage's load, each to come at least once. */
function mark(text: string): void {
  for (const line of text.split('\n')) {
    const [name = '', , seconds] = line.split(' ');
    const [kind, run, series] = name.split('.');
    if (kind !== 'outage' || run === undefined) continue;
    const key = `${run} ${seconds}`;
    const bits = seen.get(key) ?? new Uint8Array(20_000);
    seen.set(key, bits);
    bits[Number(series)] = 1;
  }
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  sockets.add(socket);
  let rest = '';
  socket.on('data', (data) => {
    firstAtMs ??= Date.now();
    for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) lines += 1;
    if (process.argv[2] !== 'mark') return;
    const text = rest + data.toString('latin1');
    const end = text.lastIndexOf('\n') + 1;
    mark(text.slice(0, end));
    rest = text.slice(end);
  });
  socket.on('end', () => socket.end());
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
});
let port = 0;
const listen = (): void =>
  void server.listen(port, '127.0.0.1', () => {
    ({ port } = server.address() as { port: number });
    firstAtMs = undefined;
    tell({ port });
  });
process.on('message', (what) => {
  if (what === 'start') listen();
  else if (what === 'stop') {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  }
  const distinct = [...seen.values()].reduce((sum, bits) => sum + bits.reduce((all, bit) => all + bit, 0), 0);
  tell({ lines, distinct, firstAtMs });
});
process.on('disconnect', () => process.exit(0));
listen();
