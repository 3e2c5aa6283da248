/** The listener, asked over real sockets as deploy tools, browsers and hostile clients do. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { Failure } from '../../src/errors.ts';
import type { Event } from '../../src/events/event.ts';
import { type Listener, type ListenerSurroundings, startListener } from '../../src/events/in/listener.ts';
import { openSpool, type Spool } from '../../src/events/spool.ts';
import { createStamp, type Take } from '../../src/events/taking.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { type KeptLog, keptLog } from '../support/sink-log.ts';
import { endWithParent, eventually } from '../support/statsd.ts';

let root: string;
let spool: Spool;
let log: KeptLog;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgestatd-in-'));
  const options = { path: join(root, 'spool.db'), maxBytes: 2 ** 26, maxAgeMs: 1e9, whenFull: 'refuse' } as const;
  spool = openSpool(options, { mayMoveAside: true, nowMs: Date.now() });
  log = keptLog();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  spool.close();
  rmSync(root, { recursive: true, force: true });
});

const take: Take = async (events, how) => spool.accept(events, { ...how, nowMs: Date.now() });
async function start(around: Partial<ListenerSurroundings> = {}): Promise<Listener> {
  const stamp = createStamp(Date.now);
  const options = { options: {}, take, stamp, clock: systemClock, log: log.log, ...around };
  const listener = await startListener(options);
  closers.push(() => listener.close(0));
  return listener;
}
/** All that are in the spool, in the order in which they came. */
const stored = (): Pick<Event, 'id' | 'what' | 'data'>[] =>
  spool.database.prepare('SELECT id, what, data, tags, when_us, source FROM event ORDER BY seq').all() as never;

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly error: string;
}
type Asked = RequestOptions & {
  readonly send?: string | Uint8Array;
  readonly begun?: (request: ClientRequest) => void;
};

function ask(listener: Listener, { send = '', begun, ...options }: Asked = {}): Promise<Answer> {
  const unix = listener.address.startsWith('unix:') ? { socketPath: listener.address.slice(5) } : {};
  const { hostname, port } = new URL(listener.address.startsWith('unix:') ? 'http://localhost' : listener.address);
  const body = Buffer.from(send as string);
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': body.length, ...options.headers };
    const to = { ...unix, hostname, port, method: 'POST', path: '/events/', ...options, headers };
    const asked = httpRequest(to, async (response) => {
      response.on('error', reject);
      const text = Buffer.concat(await response.toArray()).toString();
      const { error = '' } = text.startsWith('{') ? JSON.parse(text) : {};
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, error });
    });
    asked.on('error', reject);
    if (begun === undefined) asked.end(body);
    else begun(asked);
  });
}
const post = (listener: Listener, value: unknown, options: Asked = {}): Promise<Answer> =>
  ask(listener, { send: JSON.stringify(value), ...options });

describe('the listener', () => {
  it('takes what graphite-web takes, and answers when it is in the spool', async () => {
    const listener = await start();
    expect(listener.address).toMatch(/^http:\/\/127\.0\.0\.1:[0-9]+$/);
    const body = { what: 'deploy', tags: ['a', 'b'], data: 'x', when: 1_700_000_000.5, unknown: { to: 'graphite' } };
    const { status, body: text } = await post(listener, body, {
      path: '/events?x=1',
      headers: { 'content-type': 'text/plain' },
    });
    expect([status, JSON.parse(text)]).toEqual([200, { events: [{ id: stored()[0]?.id, is: 'added' }] }]);
    expect(stored()).toMatchObject([
      { what: 'deploy', tags: '["a","b"]', data: 'x', when_us: 1_700_000_000_500_000, source: 'listener' },
    ]);
    expect((await post(listener, { ...body, tags: 'b a' })).body).toContain('"is":"known"');
    const before = Date.now() * 1000;
    expect((await post(listener, [{ what: 'now' }, { what: 'now' }])).status).toBe(200);
    const [, ...late] = stored() as { when_us?: number }[];
    expect(late).toHaveLength(2);
    for (const { when_us: at = 0 } of late) expect(at).toBeGreaterThanOrEqual(before - 1000);
    expect(listener.counts()).toEqual({ accepted: 3, refused: new Map() });
    expect(log.of('events:listening')).toEqual([{ at: listener.address }]);
  });

  it.each([
    [null, '"when" is null; expected seconds since the epoch, ISO 8601'],
    ['', '"when" is ""; expected seconds'],
    ['yesterday', '"when" is "yesterday"; expected seconds'],
    ['NaN', '"when" is "NaN"; expected seconds'],
    [true, '"when" is the boolean true'],
    [[1], '"when" is a list'],
    [-1, '"when" is -1, which is before 1970'],
    ['Infinity', '"when" is "Infinity"'],
    [1_700_000_000_123, 'looks like milliseconds; expected seconds: did you mean 1700000000.123?'],
    [253_370_764_800, 'looks like milliseconds'],
    ['9999-01-01T00:00:00Z', 'years in the future'],
    ['2026-02-30T00:00:00Z', 'which no calendar and clock has'],
    ['2026-01-01 00:00:00', 'without a zone; did you mean "2026-01-01T00:00:00Z" (UTC)'],
  ])('refuses when %j with one clear error', async (when, message) => {
    const { status, error } = await post(await start(), { what: 'x', when });
    expect([status, error]).toEqual([400, expect.stringContaining(message)]);
    expect(stored()).toEqual([]);
  });

  it.each([
    ['{"what":"x","when":NaN}', 'the body has "NaN" at character 20'],
    ['{"what":"x","when":-Infinity}', 'the body has "-Infinity"'],
    ['{"what":"x","when":1e999}', '"when" is Infinity'],
    ['{"what":"x","tags":1}', '"tags" is the number 1'],
    ['{"what":"x","tags":[["a"]]}', '"tags" has a list in it'],
    ['{"what":"x","tags":["a,b"]}', 'could not find the tag "a,b" again; expected letters, digits'],
    ['{"what":"x","tags":["a\\"b"]}', 'could not find the tag'],
    ['{"what":"x","tags":["a b"]}', 'could not find the tag "a b" again'],
    [JSON.stringify({ what: 'x', tags: Array(10_000).fill('t') }), '"tags" has 10000 entries; expected at most 255'],
    ['{"tags":["a"]}', '"what" is missing'],
    ['{"what":""}', '"what" is empty'],
    ['{"what":"  "}', '"what" is empty'],
    ['{"what":null}', '"what" is null'],
    [JSON.stringify({ what: 'x'.repeat(300) }), '"what" has 300 characters; expected at most 255'],
    ['{"what":"a\\nb"}', '"what" is "a\\u000ab"; expected one line'],
    ['{"what":"a\\u0007\\u001b[2J"}', 'without control characters'],
    ['{"what":"\\ud800"}', 'half of a character'],
    ['{"what":"x","data":"a\\u0000"}', 'NUL'],
    ['{"__proto__":{"what":"x"}}', '"what" is missing'],
    ['', 'the body is empty; expected JSON'],
    ['null', 'an event is a map'],
    ['what=deploy', 'the body has "what" at character 1'],
    ['{"a":'.repeat(100_000), 'more than 32 lists and maps in each other'],
    ['['.repeat(100_000), 'more than 32 lists and maps in each other'],
    [Buffer.from('{"what":"caf\u00e9"}', 'latin1'), 'no UTF-8 from its byte 13 on'],
    [JSON.stringify([{ what: 'good' }, { what: 'bad', when: 'x' }]), 'event 2 of 2: "when" is "x"'],
    [JSON.stringify(Array(1001).fill({ what: 'x' })), 'the list has 1001 events; expected at most 1000'],
  ])('refuses %.60j with one clear error, and serves the next', async (send, message) => {
    const listener = await start();
    const { status, error, headers } = await ask(listener, { send });
    expect([status, error]).toEqual([400, expect.stringContaining(message)]);
    expect(error).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(headers['content-type']).toBe('application/json');
    expect((await post(listener, { what: 'next' })).status).toBe(200);
    expect(stored()).toMatchObject([{ what: 'next' }]);
  });

  it('refuses the id of another event, and takes none of that list', async () => {
    const listener = await start();
    await post(listener, { what: 'a', id: '1' });
    const { status, error } = await post(listener, [
      { what: 'b', id: '2' },
      { what: 'c', id: '1' },
    ]);
    expect([status, error]).toEqual([
      409,
      expect.stringContaining('event 2 of 2: the id "1" is that of an event with other content'),
    ]);
    expect(stored()).toHaveLength(1);
  });

  it.each([
    [{ path: '/' }, 404, 'nothing but POST /events/'],
    [{ path: '/events/get_data' }, 404, 'nothing but POST'],
    [{ path: '/events/../admin' }, 404, 'nothing but POST'],
    [{ method: 'GET' }, 405, 'by POST alone'],
    [{ method: 'OPTIONS' }, 405, 'by POST alone'],
    [{ method: 'PUT', path: '/events' }, 405, 'by POST alone'],
    [{ headers: { 'content-encoding': 'gzip' } }, 415, 'Content-Encoding'],
    [{ headers: { origin: 'http://127.0.0.1' } }, 403, 'web pages'],
    [{ headers: { origin: 'null' } }, 403, 'web pages'],
    [{ headers: { 'sec-fetch-site': 'cross-site' } }, 403, 'web pages'],
    [{ headers: { host: 'attacker.example:80' } }, 421, 'the Host of the request is none of this listener'],
    [{ headers: { host: '10.0.0.1' } }, 421, 'the Host of the request'],
  ] as [Asked, number, string][])('answers %j with %i', async (options, status, message) => {
    const listener = await start();
    const answer = await post(listener, { what: 'x' }, options);
    expect([answer.status, answer.error]).toEqual([status, expect.stringContaining(message)]);
    expect(answer.headers.allow).toBe(status === 405 ? 'POST' : undefined);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(stored()).toEqual([]);
    expect(listener.counts().refused).toEqual(new Map([[status, 1]]));
  });

  it.each(['localhost', 'LOCALHOST:1', '127.0.0.1', '127.9.9.9:80', '[::1]:80'])(
    'knows %s as its Host',
    async (host) => {
      expect((await post(await start(), { what: 'x' }, { headers: { host } })).status).toBe(200);
    },
  );
});

describe('a body over the limit', () => {
  const options = { maxBody: 2048 };

  it('is refused by its Content-Length before it is read, and the client hears so', async () => {
    const listener = await start({ options });
    const { status, error } = await ask(listener, { send: Buffer.alloc(10 * 2 ** 20, 32) });
    expect([status, error]).toEqual([413, 'the body is larger than 2048 bytes; send fewer events at once']);
    // Not one byte of it has come.
    const begun = (request: ClientRequest): void => request.flushHeaders();
    expect((await ask(listener, { begun, headers: { 'content-length': 2049 } })).status).toBe(413);
    expect((await post(listener, { what: 'next' })).status).toBe(200);
  });

  it('in chunks is cut off at the limit', async () => {
    const listener = await start({ options });
    const begun = (request: ClientRequest): void => {
      request.removeHeader('content-length');
      request.write(Buffer.alloc(3000, 32));
    };
    expect((await ask(listener, { begun })).status).toBe(413);
    // Somebody who never ends is not listened to for ever.
    const socket = connectTo(listener);
    socket.write('POST /events/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65536, 32), Buffer.from('\r\n')]);
    const send = (): void => void (socket.destroyed || socket.write(chunk, () => setImmediate(send)));
    send();
    await closed(socket);
    expect(socket.bytesWritten).toBeLessThan(64 * 2 ** 20);
    expect((await post(listener, { what: 'next' })).status).toBe(200);
  });

  it('that is announced by Expect is not asked for; one within it is', async () => {
    const listener = await start({ options });
    let continued = 0;
    const expecting = (length: number, body: string) =>
      ask(listener, {
        headers: { expect: '100-continue', 'content-length': length },
        begun(request) {
          request.on('continue', () => {
            continued += 1;
            request.end(body);
          });
          request.flushHeaders();
        },
      });
    const refused = await expecting(5000, 'x'.repeat(5000));
    expect([refused.status, refused.headers.connection, continued]).toEqual([413, 'close', 0]);
    const body = JSON.stringify({ what: 'x' });
    expect([(await expecting(body.length, body)).status, continued]).toEqual([200, 1]);
  });

  it('without any length is refused', async () => {
    const listener = await start();
    const answer = await spoken(listener, 'POST /events/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 411 /);
  });
});

function connectTo(listener: Listener): Socket {
  const { hostname, port } = new URL(listener.address);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  return socket;
}

/** Also when it ends by a reset. */
const closed = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => void socket.once('close', () => resolve()));

/** All that is answered to raw text until the connection ends. */
async function spoken(listener: Listener, text: string): Promise<string> {
  const socket = connectTo(listener);
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  socket.write(text, 'latin1');
  await closed(socket);
  return heard;
}

describe('raw requests', () => {
  it.each([
    ['no HTTP at all', 'deploy:1|c\n\n', 400],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    [
      'two lengths',
      'POST /events/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      400,
    ],
    [
      'a length and chunks',
      'POST /events/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['a length below zero', 'POST /events/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n', 400],
    ['no Host', 'POST /events/ HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}', 400],
    ['headers without end', `POST /events/ HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(17_000)}`, 431],
  ])('with %s are refused', async (_, text, status) => {
    const listener = await start();
    expect(await spoken(listener, text)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect((await post(listener, { what: 'next' })).status).toBe(200);
  });

  it('that come too slowly are ended', async () => {
    const limits = { headersMs: 300, requestMs: 600, idleMs: 300 };
    const listener = await start({ limits });
    const head = 'POST /events/ HTTP/1.1\r\nHost: localhost\r\n';
    const slow = ['', head, `${head}Content-Length: 20\r\n\r\n{"what"`];
    const answers = await Promise.all(slow.map((text) => spoken(listener, text)));
    expect(answers[1]).toMatch(/^HTTP\/1\.1 408 /);
    expect(stored()).toEqual([]);
    expect((await post(listener, { what: 'next' })).status).toBe(200);
  });

  it('that are broken off in their body leave nothing', async () => {
    const listener = await start();
    const socket = connectTo(listener);
    socket.write('POST /events/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\n{"what":"x"}');
    await once(socket, 'connect');
    socket.destroy();
    expect((await post(listener, { what: 'next' })).status).toBe(200);
    expect(stored()).toMatchObject([{ what: 'next' }]);
  });

  it('of more connections than are allowed are turned away, and the others served', async () => {
    const listener = await start({ limits: { connections: 2 } });
    const held = [connectTo(listener), connectTo(listener)];
    for (const socket of held) {
      socket.write('POST /events/ HTTP/1.1\r\nHost: localhost\r\n');
      await once(socket, 'connect');
    }
    await expect(post(listener, { what: 'x' })).rejects.toThrow(/socket hang up|ECONNRESET/);
    const [first] = held;
    first?.write('Content-Length: 12\r\n\r\n{"what":"y"}');
    const [answer] = await once(first as Socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

it('holds a bounded number of bodies in memory at the same time', async () => {
  const listener = await start({ options: { maxBody: 10_000 } });
  const head = 'POST /events/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n';
  const held = Array.from({ length: 4 }, () => connectTo(listener));
  for (const socket of held)
    await new Promise<void>((resolve) => void socket.write(head + ' '.repeat(9999), () => resolve()));
  // Whether all of it has come, only the answers tell.
  const crowded = await eventually(async () => {
    const answer = await ask(listener, { send: `${' '.repeat(5000)}{"what":"x"}` });
    return answer.status === 503 ? answer : undefined;
  }, 'a full room');
  expect(crowded.error).toBe('too many bodies come at the same time');
  for (const socket of held) socket.destroy();
  await eventually(async () => ((await post(listener, { what: 'next' })).status === 200 ? true : undefined), 'room');
});

describe('the token', () => {
  const auth = (token: string): Asked => ({ headers: { authorization: token } });

  it('is needed where there is one', async () => {
    const listener = await start({ options: { token: 'sesame' } });
    for (const wrong of [
      {},
      auth('Bearer'),
      auth('Bearer sesam'),
      auth('Bearer sesamee'),
      auth('Basic sesame'),
      auth('sesame'),
    ]) {
      const { status, headers, error } = await post(listener, { what: 'x' }, wrong);
      expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(error).not.toContain('sesame');
    }
    expect((await post(listener, { what: 'x' }, auth('Bearer sesame'))).status).toBe(200);
    expect((await post(listener, { what: 'y' }, auth('bearer  sesame'))).status).toBe(200);
    expect(stored()).toHaveLength(2);
    expect(log.of('events:refused')).toMatchObject([{ status: 401, unsaid: 0 }]);
  });

  it('in a file counts as it stands there now; without it nobody is let in, which is said once', async () => {
    const tokenFile = join(root, 'token');
    const listener = await start({ options: { tokenFile } });
    const status = async (token: string) => (await post(listener, { what: token }, auth(`Bearer ${token}`))).status;
    expect([await status('one'), await status('')]).toEqual([503, 503]);
    writeFileSync(tokenFile, 'one\n');
    expect([await status('one'), await status('two')]).toEqual([200, 401]);
    writeFileSync(tokenFile, 'two');
    expect([await status('one'), await status('two')]).toEqual([401, 200]);
    writeFileSync(tokenFile, 'two three\n');
    expect([await status('two'), await status('three')]).toEqual([503, 503]);
    writeFileSync(tokenFile, ' \n');
    const { status: empty, error, headers } = await post(listener, { what: 'x' }, auth('Bearer '));
    expect([empty, headers['retry-after']]).toEqual([503, '10']);
    expect(error).not.toContain(root);
    expect(log.of('events:refused').map((one) => [one.status, one.message.includes(tokenFile)])).toEqual([
      [503, true],
      [401, false],
    ]);
  });
});

describe('what comes too fast', () => {
  it('is refused until time has passed, and said once in ten minutes', async () => {
    const clock: FakeClock = fakeClock();
    const listener = await start({ options: { maxPerSecond: 3 }, clock });
    const burst = async (count: number): Promise<number[]> => {
      const all: number[] = [];
      for (let n = 0; n < count; n++) all.push((await post(listener, { what: 'x' })).status);
      return all;
    };
    expect(await burst(5)).toEqual([200, 200, 200, 429, 429]);
    expect((await post(listener, { what: 'x' })).headers['retry-after']).toBe('1');
    await clock.advance(700);
    expect(await burst(3)).toEqual([200, 200, 429]);
    expect(log.of('events:refused')).toHaveLength(1);
    await clock.advance(600_000);
    expect(await burst(4)).toEqual([200, 200, 200, 429]);
    expect(log.of('events:refused')).toEqual([
      { at: listener.address, status: 429, message: 'requests come too fast', unsaid: 0 },
      { at: listener.address, status: 429, message: 'requests come too fast', unsaid: 3 },
    ]);
  });
});

describe('a spool that takes nothing', () => {
  const failing =
    (failure: Error): Take =>
    () =>
      Promise.reject(failure);

  it('is a 503 to come back later, which tells no path', async () => {
    const listener = await start({ take: failing(new Failure('E_SPOOL', '/var/lib/spool.db is full')) });
    const { status, error, headers } = await post(listener, { what: 'x' });
    expect([status, headers['retry-after'], error.includes('/var')]).toEqual([503, '10', false]);
    expect(log.of('events:refused')).toMatchObject([{ status: 503, message: '/var/lib/spool.db is full' }]);
  });

  it('that fails otherwise is a 500 that tells nothing', async () => {
    const listener = await start({ take: failing(new TypeError('secret')) });
    const { status, error } = await post(listener, { what: 'x' });
    expect([status, error]).toEqual([500, 'a fault of edgestatd; its log says more']);
    expect(log.of('events:refused')).toMatchObject([{ status: 500, message: 'TypeError: secret' }]);
  });
});

describe('on a unix socket', () => {
  it('it is for the owner and the group, whatever the Host; the file goes with it', async () => {
    const socket = join(root, 'in.sock');
    const listener = await start({ options: { socket } });
    expect(listener.address).toBe(`unix:${socket}`);
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    expect((await post(listener, { what: 'x' }, { headers: { host: 'anything' } })).status).toBe(200);
    await listener.close(1000);
    expect(existsSync(socket)).toBe(false);
  });

  it('a file that a killed process left is replaced; one that is in use, or none of ours, is not', async () => {
    const socket = join(root, 'in.sock');
    const program = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.send('up'))`;
    const left = spawn(process.execPath, [...endWithParent, '-e', program], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    closers.push(() => left.kill('SIGKILL'));
    await once(left, 'message');
    await expect(start({ options: { socket } })).rejects.toMatchObject({
      code: 'E_CONNECT',
      message: expect.stringContaining('another process listens on'),
    });
    left.kill('SIGKILL');
    await once(left, 'exit');
    expect(existsSync(socket)).toBe(true);
    expect((await post(await start({ options: { socket } }), { what: 'x' })).status).toBe(200);
    const file = join(root, 'file');
    writeFileSync(file, 'precious');
    await expect(start({ options: { socket: file } })).rejects.toMatchObject({ code: 'E_CONFIG' });
    expect(statSync(file).size).toBe(8);
    await expect(start({ options: { socket: join(root, 'nowhere', 'in.sock') } })).rejects.toMatchObject({
      code: 'E_NOT_FOUND',
    });
  });

  it('that is trusted takes more: no token, no rate, larger bodies, reported conflicts; for the owner alone', async () => {
    const socket = join(root, 'own.sock');
    const listener = await start({ options: { socket, token: 'sesame', maxPerSecond: 1 }, trusted: true });
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const many = Array.from({ length: 5000 }, (_, n) => ({
      what: `n${n}`,
      id: `${n}`,
      when: 1_700_000_000,
      data: 'x'.repeat(600),
    }));
    const { status, body } = await post(listener, many, { path: '/events/?conflicts=report&source=import' });
    expect([status, JSON.parse(body).events.length, stored().length]).toEqual([200, 5000, 5000]);
    const again = await post(listener, [many[0], { ...many[1], what: 'other' }, { what: 'new' }], {
      path: '/events/?conflicts=report',
    });
    expect(JSON.parse(again.body).events.map(({ is }: { is: string }) => is)).toEqual(['known', 'conflict', 'added']);
    const strict = await post(listener, { what: 'x', tag: 'y' }, { path: '/events/?strict=1' });
    expect([strict.status, strict.error]).toEqual([400, 'unknown field "tag"; did you mean "tags"?']);
    expect(new Set(stored().map((one) => (one as { source?: string }).source))).toEqual(new Set(['import', 'command']));
  });
});

describe('a port', () => {
  it('that is in use is one clear error', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    closers.push(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(start({ options: { port } })).rejects.toMatchObject({
      code: 'E_CONNECT',
      message: `another process listens on 127.0.0.1:${port}; stop it ("ss -ltnp" shows it), or set events.listen.port to another`,
    });
  });

  it('of the other loopback address is one too', async () => {
    const listener = await start({ options: { address: '::1' } });
    expect(listener.address).toMatch(/^http:\/\/\[::1\]:/);
    expect((await post(listener, { what: 'x' }, { hostname: '::1' })).status).toBe(200);
  });
});

describe('the end', () => {
  it('waits for the request that is under way, and takes no other', async () => {
    const gate = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const slow: Take = async (events, how) => {
      asked.resolve();
      await gate.promise;
      return take(events, how);
    };
    const listener = await start({ take: slow });
    const answer = post(listener, { what: 'last' });
    await asked.promise;
    const over = listener.close(20_000);
    await expect(post(listener, { what: 'later' })).rejects.toThrow('ECONNREFUSED');
    gate.resolve();
    expect((await answer).status).toBe(200);
    await over;
    expect(stored()).toMatchObject([{ what: 'last' }]);
  });

  it('does not wait longer than it may', async () => {
    const listener = await start();
    const socket = connectTo(listener);
    socket.write('POST /events/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\n{"what"');
    await once(socket, 'connect');
    await post(listener, { what: 'x' });
    await listener.close(50);
    await closed(socket);
  });
});

it('takes what curl sends', async () => {
  const listener = await start();
  const file = join(root, 'body.json');
  writeFileSync(file, JSON.stringify({ what: 'curl', data: 'x'.repeat(200_000) }));
  chmodSync(file, 0o600);
  const curl = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('curl', ['-sS', '-i', '-m', '20', ...args])).stdout;
  expect(await curl('-d', `@${file}`, `${listener.address}/events/`)).toContain('HTTP/1.1 200');
  expect(await curl('-X', 'POST', `${listener.address}/events/`)).toContain('HTTP/1.1 411');
  expect(stored()).toHaveLength(1);
});

it('has on the disk whatever it said that it took, when it is killed at any moment', async () => {
  const options = JSON.stringify({
    path: join(root, 'spool.db'),
    maxBytes: 2 ** 26,
    maxAgeMs: 1e9,
    whenFull: 'refuse',
  });
  const url = (name: string): string => JSON.stringify(new URL(`../../src/events/${name}.ts`, import.meta.url).href);
  const program = `
    import { startListener } from ${url('in/listener')};
    import { openSpool } from ${url('spool')};
    import { createStamp } from ${url('taking')};
    import { createIntake } from ${url('intake')};
    import { systemClock as clock } from ${JSON.stringify(new URL('../../src/clock.ts', import.meta.url).href)};
    const spool = openSpool(${options}, { mayMoveAside: false, nowMs: Date.now() });
    const { take } = createIntake(() => spool, clock, () => {});
    const stamp = createStamp(Date.now);
    const { address } = await startListener({ options: { maxPerSecond: 1e5 }, take, stamp, clock, log() {} });
    process.send(address);`;
  const acknowledged: string[] = [];
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, [...endWithParent, '--input-type=module', '-e', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    closers.push(() => child.kill('SIGKILL'));
    const [address] = (await once(child, 'message')) as [string];
    const listener = { address } as Listener;
    let count = 0;
    const client = async (name: number): Promise<void> => {
      for (let n = 0; ; n++) {
        const id = `${round}-${name}-${n}`;
        const answer = await post(listener, [
          { what: id, id },
          { what: id, id: `${id}-twin` },
        ]).catch(() => undefined);
        if (answer === undefined) return;
        expect(answer.status).toBe(200);
        acknowledged.push(id);
        if (++count === 60 + round * 17) child.kill('SIGKILL');
      }
    };
    await Promise.all([1, 2, 3, 4].map(client));
  }
  const known = new Set(stored().map(({ id }) => id));
  expect(acknowledged.length).toBeGreaterThan(300);
  for (const id of acknowledged) expect(known.has(id) && known.has(`${id}-twin`), id).toBe(true);
  // All of a list or nothing.
  for (const id of known) expect(known.has(id.endsWith('-twin') ? id.slice(0, -5) : `${id}-twin`), id).toBe(true);
});
