/** What the proxy does to requests, by its rules. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  blackhole,
  type CuttingProxy,
  cutAfterRequestBytes,
  cutAfterResponseBytes,
  cutBeforeResponse,
  pass,
  startProxy,
} from '../support/cutting-proxy.ts';
import { eventually } from '../support/statsd.ts';

let server: Server;
let proxy: CuttingProxy;
let port: number;
/** Whole bodies that the server got, and how many requests it saw break. */
let bodies: string[];
let broken: number;
const clients: Socket[] = [];

beforeEach(async () => {
  bodies = [];
  broken = 0;
  server = createServer(async (request, response) => {
    try {
      bodies.push(Buffer.concat(await request.toArray()).toString());
      response.end('answer');
    } catch {
      broken++;
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as { port: number });
  proxy = await startProxy({ to: port });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  server.closeAllConnections();
  await once(server.close(), 'close');
});

/** A connection, and what came of it: text, and how it ended, if it did. */
function client() {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  const seen = { text: '', end: undefined as string | undefined };
  socket
    .on('data', (chunk) => {
      seen.text += chunk;
    })
    .on('end', () => {
      seen.end ??= 'end';
    })
    .on('error', (error: NodeJS.ErrnoException) => {
      seen.end ??= error.code;
    });
  return Object.assign(seen, { socket, ended: () => eventually(() => seen.end, 'the end') });
}

const post = (body: string): string => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const answered = (one: { text: string }, times = 1) =>
  eventually(() => one.text.split('answer').length > times || undefined, 'the answer');

describe('the proxy', () => {
  it('passes requests of kept connections, and counts both', async () => {
    const one = client();
    one.socket.write(post('a'));
    await answered(one);
    one.socket.write(post('b'));
    await answered(one, 2);
    const other = client();
    other.socket.write(post('c'));
    await answered(other);
    expect(bodies).toEqual(['a', 'b', 'c']);
    expect(proxy).toMatchObject({ connections: 2, requests: 3, cuts: 0, open: 2 });
    one.socket.end();
    expect(await one.ended()).toBe('end');
    await eventually(() => proxy.open === 1 || undefined, 'the end');
  });

  it('passes much in both directions unchanged, however slow the other side reads', async () => {
    const one = client();
    const body = 'x'.repeat(20_000_000);
    one.socket.write(post(body));
    await answered(one);
    expect(bodies[0] === body).toBe(true);
  });

  it('cuts after bytes of the request, in its middle, at its end, and not when it is shorter', async () => {
    const text = post('0123456789');
    proxy.set(cutAfterRequestBytes(text.length - 4));
    const middle = client();
    middle.socket.write(text);
    expect(await middle.ended()).toBe('ECONNRESET');
    await eventually(() => broken === 1 || undefined, 'the server to see it');
    expect(bodies).toEqual([]);
    proxy.set(cutAfterRequestBytes(text.length));
    const atEnd = client();
    atEnd.socket.write(text);
    expect(await atEnd.ended()).toBe('ECONNRESET');
    await eventually(() => bodies.length === 1 || undefined, 'the server to have it');
    proxy.set(cutAfterRequestBytes(text.length + 1));
    const whole = client();
    whole.socket.write(text);
    await answered(whole);
    expect([middle.text, atEnd.text]).toEqual(['', '']);
    expect(proxy).toMatchObject({ cuts: 2, open: 1 });
  });

  it('cuts before the answer or in it, when the server has done its work', async () => {
    proxy.set(cutBeforeResponse());
    const before = client();
    before.socket.write(post('a'));
    expect(await before.ended()).toBe('ECONNRESET');
    proxy.set(cutAfterResponseBytes(12));
    const within = client();
    within.socket.write(post('b'));
    expect(await within.ended()).toBe('ECONNRESET');
    expect([before.text, within.text]).toEqual(['', 'HTTP/1.1 200']);
    expect(bodies).toEqual(['a', 'b']);
  });

  it('takes rules by connection and request, and changes them for connections that are open', async () => {
    const asked: [number, number][] = [];
    proxy.set((connection, request) => {
      asked.push([connection, request]);
      return request === 1 ? cutBeforeResponse() : pass();
    });
    const [first, second] = [client(), client()];
    first.socket.write(post('a'));
    await answered(first);
    second.socket.write(post('b'));
    await answered(second);
    first.socket.write(post('c'));
    expect(await first.ended()).toBe('ECONNRESET');
    expect(asked).toEqual([
      [0, 0],
      [1, 0],
      [0, 1],
    ]);
    proxy.set(blackhole());
    second.socket.write(post('d'));
    await eventually(() => proxy.requests === 4 || undefined, 'the request');
    proxy.set(pass());
    const third = client();
    third.socket.write(post('e'));
    await answered(third);
    expect(bodies).toEqual(['a', 'b', 'c', 'e']);
    expect(second.end).toBeUndefined();
    proxy.cut();
    expect([await second.ended(), await third.ended()]).toEqual(['ECONNRESET', 'ECONNRESET']);
  });

  it('answers nothing as a black hole, resets when there is no server, and ends all when it is closed', async () => {
    proxy.set(blackhole());
    const hole = client();
    hole.socket.write(post('a'));
    await eventually(() => proxy.requests === 1 || undefined, 'the request');
    server.close();
    proxy.set(pass());
    const refused = client();
    refused.socket.write(post('b'));
    expect(await refused.ended()).toBe('ECONNRESET');
    expect(hole).toMatchObject({ text: '', end: undefined });
    await proxy.close();
    expect(await hole.ended()).toMatch(/^(end|ECONNRESET)$/);
    expect(bodies).toEqual([]);
    server.listen(port, '127.0.0.1');
    proxy = await startProxy({ to: port });
  });
});
