/** The sockets on which a daemon tells of itself: who is answered, and what becomes of what is in the way. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, request } from 'node:http';
import { connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock.ts';
import type { Door } from '../src/door.ts';
import { Failure } from '../src/errors.ts';
import { openStatusDoors, statusSocket } from '../src/status/doors.ts';
import { refusalOf } from '../src/status/gate.ts';
import {
  JSON_TYPE,
  type Route,
  type Routes,
  type StatusPlace,
  type StatusServer,
  startServer,
} from '../src/status/server.ts';
import { fakeClock } from './support/fake-clock.ts';
import { eventually, freePort } from './support/statsd.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-status-'));
const ends: (() => unknown)[] = [];
let count = 0;
const fresh = (): string => {
  const made = join(directory, String(++count));
  mkdirSync(made);
  return made;
};
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const routes: Routes = new Map<string, Route>([
  ['/status', () => ({ status: 200, type: JSON_TYPE, body: '{"format":1}\n' })],
  ['/', () => ({ status: 200, type: 'text/html', body: '<p>ä', headers: { 'x-own': 'yes' } })],
  [
    '/tables/',
    (query: URLSearchParams, name: string) => ({
      status: 200,
      type: JSON_TYPE,
      body: JSON.stringify([name, ...query]),
    }),
  ],
  [
    '/wrong',
    () => {
      throw new Failure('E_CONFIG', 'the question is wrong');
    },
  ],
  [
    '/broken',
    () => {
      throw new Error('a secret');
    },
  ],
]);
const faults: Failure[] = [];

async function serve(place: StatusPlace): Promise<StatusServer> {
  const server = await startServer({
    place,
    routes,
    clock: systemClock,
    onFault: (failure) => void faults.push(failure),
  });
  ends.push(() => server.close(0));
  return server;
}

interface Got {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

function get(where: StatusPlace, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  const to = 'socket' in where ? { socketPath: where.socket } : { host: where.address, port: where.port };
  return new Promise((resolve, reject) => {
    const asked = request(
      { ...to, path, method, headers, agent: false, setHost: headers.host === undefined },
      async (answer) => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) });
      },
    );
    asked.on('error', reject).end();
  });
}

/** Sends bytes as they are; resolves with what comes until the other side ends. */
async function raw(path: string, bytes: string): Promise<string> {
  const socket = connect(path);
  ends.push(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(bytes);
  return text(socket);
}

describe('the server', () => {
  it('answers GET and HEAD by path, with headers that keep answers out of caches', async () => {
    const place = { socket: join(fresh(), 'status.sock') };
    expect((await serve(place)).address).toBe(`unix:${place.socket}`);
    expect(statSync(place.socket).mode & 0o777).toBe(0o660);
    const first = await get(place, '/status');
    expect(first).toMatchObject({ status: 200, body: '{"format":1}\n' });
    expect(first.headers).toMatchObject({
      ...{ 'content-type': JSON_TYPE, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    });
    expect(await get(place, '/')).toMatchObject({ body: '<p>ä', headers: { 'x-own': 'yes', 'content-length': '5' } });
    expect(await get(place, '/', {}, 'HEAD')).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '5' },
    });
    expect((await get(place, '/tables/vifs?sort=x%20y&limit=3')).body).toBe('["vifs",["sort","x y"],["limit","3"]]');
  });

  it.each(['/nothing', '/tables', '/tables/', '/tables/a/b', '//status', '/status/', '/../status', '*', '/%'])(
    'has nothing at %s',
    async (path) => {
      const place = { socket: join(fresh(), 'status.sock') };
      await serve(place);
      const { status, body } = await get(place, path);
      expect(status).toBe(404);
      expect(JSON.parse(body).error).toMatch(/^there is nothing at .*; expected one of \/status, \/, \/tables\/NAME, /);
    },
  );

  it('refuses every other method, a body, and what is no question; a fault is told to the log alone', async () => {
    const place = { socket: join(fresh(), 'status.sock') };
    await serve(place);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      expect(await get(place, '/status', {}, method)).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    }
    expect(await raw(place.socket, 'GET /status HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\nxx')).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*the request has a body; expected none/,
    );
    expect(await get(place, '/wrong')).toMatchObject({ status: 400, body: '{"error":"the question is wrong"}\n' });
    const broken = await get(place, '/broken');
    expect(broken).toMatchObject({ status: 500, body: '{"error":"a fault of edgestatd; its log says more"}\n' });
    expect(faults.splice(0).map(({ code, message }) => `${code} ${message}`)).toEqual(['E_BUG Error: a secret']);
  });

  it('outlives what is no HTTP, heads that are too large, and clients that leave', async () => {
    const place = { socket: join(fresh(), 'status.sock') };
    await serve(place);
    expect(await raw(place.socket, '\u0000\u0001garbage\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await raw(place.socket, `GET /${'x'.repeat(9000)} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await raw(place.socket, `GET / HTTP/1.1\r\nhost: x\r\nx-y: ${'x'.repeat(9000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    const gone = connect(place.socket);
    gone.write('GET /status HTTP/1.1\r\nhost: x\r\n\r\n');
    gone.destroy();
    expect((await get(place, '/status')).status).toBe(200);
  });

  it('ends a connection on which a second question comes before the first answer was taken', async () => {
    const place = { socket: join(fresh(), 'status.sock') };
    const large = 'x'.repeat(4 * 2 ** 20);
    let asked = 0;
    const server = await startServer({
      ...{ place, clock: systemClock, onFault: () => {} },
      routes: new Map([['/', () => ({ status: 200, type: 'text/plain', body: large.slice(asked++) })]]),
    });
    ends.push(() => server.close(0));
    const socket = connect(place.socket);
    socket.on('error', () => {});
    // Fits into what is read at once.
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(1000));
    socket.resume();
    await once(socket, 'close');
    expect(asked).toBe(1);
    // One after the other they are answered on one connection.
    const patient = connect(place.socket);
    ends.push(() => patient.destroy());
    for (let time = 0; time < 3; time++) {
      patient.write('GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n');
      expect(String((await once(patient, 'data'))[0])).toMatch(/^HTTP\/1\.1 404/);
    }
  });

  it('has a bounded number of connections, and room again when they end', async () => {
    const place = { socket: join(fresh(), 'status.sock') };
    await serve(place);
    const held = Array.from({ length: 32 }, () => connect(place.socket));
    ends.push(() => held.forEach((socket) => void socket.destroy()));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    // Answered on one of them, so that the server has taken all.
    held.at(-1)?.write('GET /status HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(held.at(-1) ?? connect(place.socket), 'data');
    await expect(get(place, '/status')).rejects.toThrow(/ECONNRESET|EPIPE|socket hang up/);
    for (const socket of held) socket.destroy();
    const again = () =>
      get(place, '/status').then(
        ({ status }) => status,
        () => undefined,
      );
    expect(await eventually(again, 'an answer')).toBe(200);
  });

  it('on a port is for loopback names with this port, so that no name that was made to point here is answered', async () => {
    const port = await freePort();
    const place = { address: '127.0.0.1', port };
    expect((await serve(place)).address).toBe(`http://127.0.0.1:${port}`);
    const status = async (host: string) => (await get(place, '/status', { host })).status;
    for (const host of ['127.0.0.1', 'localhost', 'LOCALHOST', '[::1]'])
      expect(await status(`${host}:${port}`)).toBe(200);
    const foreign = [
      'evil.example',
      `evil.example:${port}`,
      'localhost',
      `localhost:${port - 1}`,
      `localhost.evil:${port}`,
    ];
    for (const host of [...foreign, `127.0.0.1.evil:${port}`, `x@localhost:${port}`, `10.0.0.1:${port}`, '']) {
      expect(await status(host), host).toBe(403);
    }
    expect(refusalOf({ method: 'GET', headers: {} }, port)?.status).toBe(403);
    expect(refusalOf({ method: 'GET', headers: { host: 'localhost' } }, 80)).toBeUndefined();
  });
});

describe('the socket', () => {
  it('is removed when the server ends', async () => {
    const place = { socket: join(fresh(), 'status.sock') };
    const server = await serve(place);
    await server.close(0);
    expect(existsSync(place.socket)).toBe(false);
  });

  it('takes the place of one that a killed process left behind', async () => {
    const socket = join(fresh(), 'status.sock');
    const program = `require('node:net').createServer().listen(process.argv[1], () => console.log('listening'))`;
    const child = spawn(process.execPath, ['-e', program, socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    ends.push(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    await expect(serve({ socket })).rejects.toThrow(/another process listens on/);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(lstatSync(socket).isSocket()).toBe(true);
    await serve({ socket });
    expect((await get({ socket }, '/status')).status).toBe(200);
  });

  it('leaves alone what is no socket, and follows no symbolic link', async () => {
    const inside = fresh();
    const file = join(inside, 'precious');
    writeFileSync(file, 'kept');
    await expect(serve({ socket: file })).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: /is there and no socket/,
    });
    const link = join(inside, 'status.sock');
    symlinkSync(join(inside, 'elsewhere.sock'), link);
    await expect(serve({ socket: link })).rejects.toMatchObject({ code: 'E_CONFIG' });
    expect(existsSync(join(inside, 'elsewhere.sock'))).toBe(false);
    const other = createNetServer().listen(join(inside, 'elsewhere.sock'));
    ends.push(() => other.close());
    await once(other, 'listening');
    await expect(serve({ socket: link })).rejects.toMatchObject({ code: 'E_CONFIG' });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it('gets its directory, for owner and group, where only that is missing', async () => {
    const inside = fresh();
    const socket = join(inside, 'edgestatd', 'status.sock');
    await serve({ socket });
    expect(statSync(join(inside, 'edgestatd')).mode & 0o777).toBe(0o750);
    const deep = join(inside, 'a', 'b', 'status.sock');
    await expect(serve({ socket: deep })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
      message: /directory .* does not exist/,
    });
    chmodSync(inside, 0o755);
    await serve({ socket: join(inside, 'status.sock') });
    expect(statSync(inside).mode & 0o777).toBe(0o755);
  });

  it.runIf(process.getuid?.() === 0)(
    'is not put into a directory that another user has made where everybody can',
    async () => {
      const open = fresh();
      const foreign = join(open, 'edgestatd');
      const socket = join(foreign, 'status.sock');
      mkdirSync(foreign);
      chownSync(foreign, 65534, 65534);
      chmodSync(open, 0o1777);
      await expect(serve({ socket })).rejects.toMatchObject({
        code: 'E_DENIED',
        message: /is a directory of another user \(65534\); remove it, or name another with status\.socket$/,
      });
      expect(existsSync(socket)).toBe(false);
      // Only root can have made it here, as systemd does for a service's own user.
      chmodSync(open, 0o755);
      await serve({ socket });
      const link = join(open, 'link');
      symlinkSync(foreign, link);
      lchownSync(link, 65534, 65534);
      await expect(serve({ socket: join(link, 'other.sock') })).rejects.toMatchObject({
        message: /is a symbolic link of/,
      });
    },
  );

  it('with a path that no socket can have is refused in plain words', async () => {
    const socket = join(fresh(), 'x'.repeat(120));
    await expect(serve({ socket })).rejects.toMatchObject({
      code: 'E_CONFIG',
      message: /is longer than 107 bytes; name another with status\.socket$/,
    });
  });
});

describe('the doors', () => {
  type Said = [string, Record<string, unknown>];
  const open = (
    options: { socket?: string | false; listen?: { address: string; port: number } },
    said: Said[],
    clock = fakeClock(),
  ) => {
    const log = (event: string, fields: object): void => void said.push([event, { ...fields }]);
    const door: Door = openStatusDoors({
      ...{ options, file: '/etc/edgestatd/x.yaml', routes: { socket: routes, page: routes }, clock, log },
      around: { env: {}, uid: 1000 },
    });
    ends.push(() => door.close(0));
    return { door, clock };
  };

  it('that cannot be opened are said once and tried again, and the daemon goes on', async () => {
    const socket = join(fresh(), 'status.sock');
    const port = await freePort();
    const there = createServer().listen(port, '127.0.0.1');
    ends.push(() => there.close());
    await once(there, 'listening');
    const other = await serve({ socket });
    const said: Said[] = [];
    const { clock } = open({ socket, listen: { address: '127.0.0.1', port } }, said);
    await eventually(() => (said.length >= 2 ? true : undefined), 'both complaints');
    expect(said.map(([event, { code }]) => `${event} ${code}`)).toEqual([
      'status:listen_failed E_CONNECT',
      'status:listen_failed E_CONNECT',
    ]);
    expect(said.map(([, { message }]) => message).join()).toContain('or set status.listen to another');
    // Tried again in vain: nothing more is said.
    await eventually(() => (clock.timers === 2 ? true : undefined), 'the timers of both');
    await clock.advance(10_000);
    await eventually(() => (clock.timers === 2 ? true : undefined), 'the timers of both, again');
    expect(said).toHaveLength(2);
    await other.close(0);
    there.close();
    await once(there, 'close');
    await clock.advance(10_000);
    await eventually(() => (said.length >= 4 ? true : undefined), 'both to listen');
    expect(
      said
        .slice(2)
        .map(([event, { at }]) => `${event} ${at}`)
        .toSorted(),
    ).toEqual([`status:listening http://127.0.0.1:${port}`, `status:listening unix:${socket}`]);
    expect((await get({ socket }, '/status')).status).toBe(200);
  });

  it('close what has just been opened, and try nothing again after that', async () => {
    const socket = join(fresh(), 'missing', 'deep', 'status.sock');
    const said: Said[] = [];
    const { door, clock } = open({ socket }, said);
    await eventually(() => (said.length > 0 ? true : undefined), 'the complaint');
    await door.close(0);
    expect(clock.timers).toBe(0);
    const good = join(fresh(), 'status.sock');
    await open({ socket: good }, said).door.close(0);
    expect(existsSync(good)).toBe(false);
  });

  it('are none where the configuration wants none, or this user has no place for one', () => {
    const nobody = { env: {}, uid: 1000 };
    expect(
      statusSocket({ socket: false }, '/x.yaml', { env: { XDG_RUNTIME_DIR: '/run/user/1000' }, uid: 0 }),
    ).toBeUndefined();
    expect(statusSocket({}, '/x.yaml', nobody)).toBeUndefined();
    expect(statusSocket({ socket: '/own.sock' }, '/x.yaml', nobody)).toBe('/own.sock');
  });
});
