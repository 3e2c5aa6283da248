import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
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
  '/text': (_, response) => response.end('a 1\nb 2\n'),
  '/page': (_, response) =>
    response.setHeader('content-type', 'text/html; charset=utf-8').end('\n<!DOCTYPE html><title>Log in</title>'),
  '/called-page': (_, response) => response.setHeader('content-type', 'text/html').end('{"a":1}'),
  '/empty': (_, response) => response.end(),
  '/huge': (_, response) => response.setHeader('content-length', 3_000_000_000).write('x'),
  '/bomb': (request, response) =>
    response
      .setHeader('content-encoding', 'gzip')
      .end(gzipSync(`"${request.headers['accept-encoding'] ?? 'x'.repeat(1e6)}"`)),
  '/cut': (_, response) => {
    response.setHeader('content-length', 100).write('{"a":');
    setTimeout(() => response.destroy(), 20);
  },
  '/cut-chunks': (_, response) => {
    response.write('[1');
    setTimeout(() => response.destroy(), 20);
  },
  '/silent': () => {},
  '/health': (_, response) => response.writeHead(503).end('{"status":"failed"}'),
  '/refused': (request, response) => {
    const reason = `Login failed for ${request.headers.authorization} with s3cret ${'x'.repeat(500)}`;
    response.writeHead(401).end(JSON.stringify({ error: 'not_authorised', reason }));
  },
  '/refused-page': (_, response) => response.writeHead(502).end('<html>bad gateway</html>'),
  '/refused-for-ever': (_, response) => {
    const timer = setInterval(() => response.write('no '), 50);
    response.writeHead(503).on('close', () => clearInterval(timer));
  },
  '/repeats': (request, response) => response.end(`auth ${request.headers.authorization} for s3cret "x`),
  '/repeats-page': (request, response) => {
    const [, token = ''] = request.headers.authorization?.split(' ') ?? [];
    response.end(`<html><title>${token} of ${Buffer.from(token, 'base64')}</title>`);
  },
  '/repeats-late': (_, response) => response.end(`${'x'.repeat(77)}s3cret`),
  '/repeats-encoded': (_, response) => response.end(`p%26w%22 p&w\\" p&w"`),
  '/repeats-encoding': (_, response) => response.setHeader('content-encoding', 's3cret').end('x'),
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
const folder = mkdtempSync(join(tmpdir(), 'edgestatd-http-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
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

  it('leaves the next request alone when its deadline passes right after its answer', async () => {
    for (let round = 0; round < 50; round++) {
      const { host, expire } = open();
      await host.getJson(`${base}/json`);
      expire();
    }
  });

  it('names an endpoint without its secrets when nobody listens there', async () => {
    const failure = await failureOf(open().host.getJson('http://user:s3cret@127.0.0.1:9/api?token=s3cret'));
    expect(failure.code).toBe('E_CONNECT');
    expect(failure.message).toBe('http://127.0.0.1:9/api: ECONNREFUSED');
    expect(JSON.stringify(failure.evidence)).not.toContain('s3cret');
  });
});

describe('getText', () => {
  it('gives text as it was sent', async () => {
    expect(await open().host.getText(`${base}/text`)).toBe('a 1\nb 2\n');
    expect(await open().host.getText(`${base}/empty`)).toBe('');
  });

  it('fails as getJson does', async () => {
    const { host } = open();
    for (const [path, code] of [
      ['/status/403', 'E_DENIED'],
      ['/latin', 'E_PARSE'],
      ['/flood', 'E_OUTPUT_SIZE'],
      ['/cut', 'E_CONNECT'],
    ])
      expect((await failureOf(host.getText(`${base}${path}`))).code, path).toBe(code);
  });
});

describe('an answer over HTTP', () => {
  it('that is a login page says so, with status 200 and for texts too', async () => {
    const { host } = open();
    for (const asked of [host.getJson(`${base}/page`), host.getText(`${base}/page`)]) {
      const { code, message } = await failureOf(asked);
      expect(code).toBe('E_PARSE');
      expect(message).toContain('answered with an HTML page titled "Log in"');
    }
    expect((await failureOf(host.getJson(`${base}/empty`))).message).toContain('answered with an empty body');
  });

  it('that is JSON and called a page is JSON', async () => {
    expect(await open().host.getJson(`${base}/called-page`)).toEqual({ a: 1 });
  });

  it('whose length is told to be too large is not read at all', async () => {
    const { code, message } = await failureOf(open().host.getJson(`${base}/huge`));
    expect([code, message]).toEqual(['E_OUTPUT_SIZE', `${base}/huge answered with more than 1000000 bytes`]);
    expect((await failureOf(open().host.getText(`${base}/text`, { maxBytes: 7 }))).code).toBe('E_OUTPUT_SIZE');
    expect(await open().host.getText(`${base}/text`, { maxBytes: 8 })).toHaveLength(8);
  });

  it('is not asked for in a compressed form, and not unpacked', async () => {
    const failure = await failureOf(open().host.getJson(`${base}/bomb`));
    expect([failure.code, failure.evidence.text]).toEqual(['E_PARSE', 'gzip']);
  });

  it.each(['/cut', '/cut-chunks'])('that is cut off is E_CONNECT: %s', async (path) => {
    const { code, message } = await failureOf(open().host.getJson(`${base}${path}`));
    expect(code).toBe('E_CONNECT');
    expect(message).toContain('the connection was cut before the answer was complete');
  });

  it('may come with a status that is asked for', async () => {
    const { host } = open();
    expect((await failureOf(host.getJson(`${base}/health`))).code).toBe('E_HTTP_STATUS');
    expect(await host.getJson(`${base}/health`, { statuses: [503] })).toEqual({ status: 'failed' });
  });

  it('that does not come in the time of this one request leaves the run its time', async () => {
    const { host } = open();
    const { code, message } = await failureOf(host.getJson(`${base}/silent`, { timeoutMs: 50 }));
    expect([code, message]).toEqual(['E_TIMEOUT', `${base}/silent did not answer within 0.05 s`]);
    expect((await failureOf(host.getJson(`${base}/drip`, { timeoutMs: 50 }))).code).toBe('E_TIMEOUT');
    expect(await host.getText(`${base}/text`, { timeoutMs: 5000 })).toHaveLength(8);
  });
});

describe('a refusal over HTTP', () => {
  it('is quoted shortly, without what was asked with', async () => {
    const options = { username: 'monitor', password: 's3cret' };
    const failure = await failureOf(open().host.getJson(`${base}/refused`, options));
    const token = Buffer.from('monitor:s3cret').toString('base64');
    expect(failure.code).toBe('E_AUTH');
    expect(failure.message).toContain('(401): "not_authorised: Login failed for Basic *** with *** xxx');
    expect(failure.message.length).toBeLessThan(base.length + 300);
    for (const secret of ['s3cret', token])
      expect(JSON.stringify([failure, failure.message, failure.stack, failure.cause])).not.toContain(secret);
  });

  it('is no place for secrets with status 200 either', async () => {
    const file = join(folder, 'repeated');
    writeFileSync(file, 's3cret\n');
    const { host } = open();
    const token = Buffer.from('monitor:s3cret').toString('base64');
    for (const options of [
      { username: 'monitor', password: 's3cret' },
      { username: 'monitor', passwordFile: file },
    ]) {
      for (const path of ['/repeats', '/repeats-page', '/repeats-late', '/repeats-encoding']) {
        const failure = await failureOf(host.getJson(`${base}${path}`, options));
        const all = JSON.stringify([failure, failure.message, failure.stack, failure.cause]);
        for (const secret of ['s3c', token.slice(0, 8)]) expect(all, path).not.toContain(secret);
      }
      const text = await failureOf(host.getText(`${base}/repeats-page`, options));
      expect(text.message).toContain('titled "*** of monitor:***"');
    }
    const odd = await failureOf(host.getJson(`${base}/repeats-encoded`, { username: 'monitor', password: 'p&w"' }));
    expect(odd.message).toContain('"*** *** ***"');
  });

  it('leaves what is data as it is, whatever it holds', async () => {
    const options = { username: 'monitor', password: 'a 1' };
    expect(await open().host.getText(`${base}/text`, options)).toBe('a 1\nb 2\n');
  });

  it('as a page is not quoted, and one that never ends is not waited for', async () => {
    const { host } = open();
    const page = await failureOf(host.getJson(`${base}/refused-page`));
    expect(page.message).toBe(`${base}/refused-page answered with status 502`);
    const drip = await failureOf(host.getJson(`${base}/refused-for-ever`));
    expect([drip.code, drip.evidence.status]).toEqual(['E_HTTP_STATUS', 503]);
    expect(drip.message).toContain('answered with status 503: "no no');
  });
});

describe('who asks over HTTP', () => {
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('has a password of a file, read at each request, without the newline at its end', async () => {
    const { host } = open();
    const passwordFile = file('password', 'ä %41:@/\n');
    const options = { username: 'monitor', passwordFile };
    expect(await host.getJson(`${base}/json`, options)).toEqual(basic('monitor:ä %41:@/'));
    file('password', 'new\n\n');
    expect(await host.getJson(`${base}/json`, options)).toEqual(basic('monitor:new\n'));
  });

  it('is told which file cannot be read', async () => {
    const { host } = open();
    const gone = join(folder, 'gone');
    const failure = await failureOf(host.getJson(`${base}/json`, { username: 'monitor', passwordFile: gone }));
    expect([failure.code, failure.evidence.path]).toEqual(['E_NOT_FOUND', gone]);
    const shut = file('shut', 's3cret');
    chmodSync(shut, 0);
    if (process.getuid?.() === 0) return;
    expect((await failureOf(host.getJson(`${base}/json`, { passwordFile: shut }))).code).toBe('E_DENIED');
  });

  it('may stand in the URL, which nothing shows', async () => {
    const { host } = open();
    const url = (path: string) => `${base.replace('http://', 'http://monitor:s3%40cret@')}${path}`;
    expect(await host.getJson(url('/json'))).toEqual(basic('monitor:s3@cret'));
    for (const path of ['/status/401', '/html', '/huge', '/cut', '/redirect']) {
      const failure = await failureOf(host.getJson(url(path), { timeoutMs: 2000 }));
      expect(JSON.stringify([failure, failure.message, failure.stack, failure.cause]), path).not.toMatch(
        /s3.{0,3}cret/,
      );
    }
  });

  it.each(['http://u:s3cret/x@127.0.0.1:1/', 'ftp://u:s3cret@h/', 'u:s3cret@h', ''])(
    'has no use for %j',
    async (url) => {
      const failure = await failureOf(open().host.getJson(url));
      expect(failure.code).toBe('E_CONFIG');
      expect(JSON.stringify([failure, failure.message, failure.stack])).not.toContain('s3cret');
    },
  );
});
