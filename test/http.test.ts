import { createServer, type RequestListener, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { localTarget } from '../src/hosts/local.ts';

const answers: Readonly<Record<string, RequestListener>> = {
  '/json': (request, response) =>
    response.end(JSON.stringify({ authorization: request.headers.authorization ?? null })),
  '/html': (_, response) => response.end('<html>\u001b[2J login</html>'),
  '/latin': (_, response) => response.end(Buffer.from([0x22, 0xe9, 0x22])),
  '/flood': (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  },
  '/drip': (_, response) => {
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  },
  '/redirect': (_, response) => response.writeHead(302, { location: 'http://192.0.2.1/' }).end(),
};

let server: Server;
let base: string;
const asked: string[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const status = /^\/status\/(\d+)$/.exec(request.url ?? '')?.[1];
    const answer = answers[request.url ?? ''];
    if (status !== undefined) response.writeHead(Number(status)).end('{"error":"no"}');
    else if (answer !== undefined) answer(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

function open() {
  const controller = new AbortController();
  const host = localTarget('here', { maxOutputBytes: 1_000_000 }).open(controller.signal);
  return { host, expire: () => controller.abort(new Failure('E_TIMEOUT', 'the deadline of 1 s passed')) };
}

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const thrown = await promise.then(
    (value) => value,
    (error) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  return thrown as Failure;
}

describe('getJson', () => {
  it('gives parsed JSON, with basic authentication when asked', async () => {
    const { host } = open();
    expect(await host.getJson(`${base}/json`)).toEqual({ authorization: null });
    const answer = await host.getJson(`${base}/json`, { username: 'monitor', password: 'p:w' });
    expect(answer).toEqual({ authorization: `Basic ${Buffer.from('monitor:p:w').toString('base64')}` });
  });

  it.each([
    [401, 'E_AUTH'],
    [403, 'E_DENIED'],
    [404, 'E_NOT_FOUND'],
    [429, 'E_HTTP_STATUS'],
    [503, 'E_HTTP_STATUS'],
  ])('answers %i with %s, after one request', async (status, code) => {
    asked.length = 0;
    const failure = await failureOf(open().host.getJson(`${base}/status/${status}`));
    expect([failure.code, failure.evidence.status]).toEqual([code, status]);
    expect(asked).toEqual([`/status/${status}`]);
  });

  it('follows no redirect', async () => {
    const failure = await failureOf(open().host.getJson(`${base}/redirect`));
    expect([failure.code, failure.evidence.status]).toEqual(['E_HTTP_STATUS', 302]);
  });

  it('calls HTML and bytes that are no UTF-8 what they are', async () => {
    const html = await failureOf(open().host.getJson(`${base}/html`));
    expect(html.code).toBe('E_PARSE');
    expect(html.message).not.toContain('\u001b');
    expect((await failureOf(open().host.getJson(`${base}/latin`))).code).toBe('E_PARSE');
  });

  it('stops reading an endless body at the limit', async () => {
    expect((await failureOf(open().host.getJson(`${base}/flood`))).code).toBe('E_OUTPUT_SIZE');
  });

  it('gives up a body that drips for ever at the deadline', async () => {
    const { host, expire } = open();
    asked.length = 0;
    const reading = failureOf(host.getJson(`${base}/drip`));
    while (!asked.includes('/drip')) await new Promise((resolve) => setImmediate(resolve));
    expire();
    expect((await reading).code).toBe('E_TIMEOUT');
    expect((await failureOf(host.getJson(`${base}/json`))).code).toBe('E_TIMEOUT');
  });

  it('names an endpoint without its secrets when nobody listens there', async () => {
    const failure = await failureOf(open().host.getJson('http://user:s3cret@127.0.0.1:9/api?token=s3cret'));
    expect(failure.code).toBe('E_CONNECT');
    expect(failure.message).toBe('http://127.0.0.1:9/api: ECONNREFUSED');
    expect(JSON.stringify(failure.evidence)).not.toContain('s3cret');
  });
});
