import { describe, expect, test } from 'vitest';
import type { Host, HttpOptions } from '../../src/collector.ts';
import { type Code, Failure } from '../../src/errors.ts';
import { accessOf, createClient } from './management-client.ts';
import { options } from './options.ts';

const [A, B, C] = ['http://a:15672', 'http://b:15672', 'http://c:15672'] as const;
const failed = (code: Code, status?: number): Failure =>
  new Failure(code, code, status === undefined ? {} : { status });
type Answer = (path: string) => unknown;

/** Endpoints by their URL, which answer or fail; all are configured, in this order. */
function cluster(endpoints: Readonly<Record<string, Answer>>, current = 0) {
  const asked: string[] = [];
  const limits: (number | undefined)[] = [];
  const host = {
    async getJson(url: string, { timeoutMs }: HttpOptions) {
      asked.push(url);
      limits.push(timeoutMs);
      const { origin, pathname } = new URL(url);
      const answer = endpoints[origin]?.(pathname);
      if (answer instanceof Failure) throw answer;
      return answer;
    },
  } as unknown as Host;
  const memory = { current };
  const run = () => createClient(host, options.parse({ urls: Object.keys(endpoints) }), memory);
  return { run, asked, limits, memory };
}
const up: Answer = () => 'fine';
const down: Answer = () => failed('E_CONNECT');

describe('the first that answers', () => {
  test('is the only one that is asked', async () => {
    const { run, asked } = cluster({ [A]: up, [B]: up });
    const client = run();
    expect(await client.get('/api/vhosts')).toBe('fine');
    expect(asked).toEqual([`${A}/api/vhosts`]);
    expect([...client.up]).toEqual([[A, true]]);
    expect(client.problems).toEqual([]);
  });

  test.each([
    ['E_CONNECT', failed('E_CONNECT')],
    ['E_TIMEOUT', failed('E_TIMEOUT')],
    ['500', failed('E_HTTP_STATUS', 500)],
    ['503', failed('E_HTTP_STATUS', 503)],
  ])('is another after %s, which is told as a problem that leaves nothing unknown', async (_, failure) => {
    const { run, asked } = cluster({ [A]: () => failure, [B]: up });
    const client = run();
    expect(await client.get('/api/vhosts')).toBe('fine');
    expect(asked).toEqual([`${A}/api/vhosts`, `${B}/api/vhosts`]);
    expect([...client.up]).toEqual([
      [A, false],
      [B, true],
    ]);
    expect(client.problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([
      [failure.code, { scope: 'none' }],
    ]);
    expect(client.requests).toBe(2);
  });

  test.each([
    ['401', failed('E_AUTH', 401)],
    ['403', failed('E_DENIED', 403)],
    ['404', failed('E_NOT_FOUND', 404)],
    ['400', failed('E_HTTP_STATUS', 400)],
    ['a page instead of JSON', failed('E_PARSE')],
  ])('is the one that answers %s: another would say the same', async (_, failure) => {
    const { run, asked } = cluster({ [A]: () => failure, [B]: up });
    const client = run();
    await expect(client.get('/api/vhosts')).rejects.toBe(failure);
    expect(asked).toEqual([`${A}/api/vhosts`]);
    expect(client.problems).toEqual([]);
  });
});

describe('one that is away', () => {
  test('is not asked again in the same run, and told once', async () => {
    const { run, asked } = cluster({ [A]: down, [B]: up });
    const client = run();
    for (const path of ['/api/overview', '/api/nodes', '/api/vhosts']) await client.get(path);
    expect(asked.filter((url) => url.startsWith(A))).toHaveLength(1);
    expect(client.problems).toHaveLength(1);
  });

  test('is told once, also where several requests are under way', async () => {
    const { run } = cluster({ [A]: down, [B]: up });
    const client = run();
    expect(await Promise.all(['/api/overview', '/api/nodes', '/api/vhosts'].map((path) => client.get(path)))).toEqual([
      ...['fine', 'fine', 'fine'],
    ]);
    expect(client.problems).toHaveLength(1);
    expect([...client.up].sort()).toEqual([
      [A, false],
      [B, true],
    ]);
  });

  test('is not asked in the next run either, while the other answers', async () => {
    const { run, asked } = cluster({ [A]: down, [B]: up });
    await run().get('/api/overview');
    asked.length = 0;
    await run().get('/api/overview');
    expect(asked).toEqual([`${B}/api/overview`]);
  });

  test('is asked again once the other is away: around the whole list', async () => {
    const { run, asked } = cluster({ [A]: up, [B]: down, [C]: down }, 1);
    expect(await run().get('/api/overview')).toBe('fine');
    expect(asked).toEqual([`${B}/api/overview`, `${C}/api/overview`, `${A}/api/overview`]);
  });
});

describe('with all of them away', () => {
  test('each is asked once, and the last failure is thrown', async () => {
    const { run, asked } = cluster({ [A]: down, [B]: () => failed('E_HTTP_STATUS', 502) });
    const client = run();
    await expect(client.get('/api/overview')).rejects.toMatchObject({ code: 'E_HTTP_STATUS' });
    expect(asked).toEqual([`${A}/api/overview`, `${B}/api/overview`]);
    expect([...client.up.values()]).toEqual([false, false]);
  });

  test('the next run asks them again', async () => {
    let isUp = false;
    const { run } = cluster({ [A]: () => (isUp ? 'fine' : failed('E_CONNECT')) });
    await expect(run().get('/api/overview')).rejects.toMatchObject({ code: 'E_CONNECT' });
    isUp = true;
    expect(await run().get('/api/overview')).toBe('fine');
  });
});

describe('time', () => {
  test('a slow list is no reason to leave who else answers', async () => {
    const { run, asked, memory } = cluster({
      [A]: (path) => (path === '/api/queues' ? failed('E_TIMEOUT') : 'fine'),
      [B]: up,
    });
    const client = run();
    await expect(client.get('/api/queues', { timeoutMs: 5000 })).rejects.toMatchObject({ code: 'E_TIMEOUT' });
    expect(await client.get('/api/nodes')).toBe('fine');
    expect(asked).toEqual([`${A}/api/queues`, `${A}/api/nodes`]);
    expect([memory.current, client.up.get(A), client.problems]).toEqual([0, true, []]);
  });

  test('but one that went away while it is asked for the list is left', async () => {
    const { run } = cluster({ [A]: down, [B]: up });
    expect(await run().get('/api/queues', { timeoutMs: 5000 })).toBe('fine');
  });

  test('patience is limited where there is another, and by the run alone where there is none', async () => {
    const two = cluster({ [A]: up, [B]: up });
    await two.run().get('/api/nodes');
    await two.run().get('/api/queues', { timeoutMs: 5000 });
    expect(two.limits).toEqual([3000, 5000]);
    const one = cluster({ [A]: up });
    await one.run().get('/api/nodes');
    expect(one.limits).toEqual([undefined]);
  });
});

test('who asks, and what is trusted, is what is configured, and nothing else', () => {
  expect(accessOf(options.parse({}))).toEqual({});
  const [passwordFile, caFile] = ['/etc/edgestatd/rabbitmq', '/etc/edgestatd/ca.pem'];
  expect(accessOf(options.parse({ user: 'edgestatd', passwordFile, caFile }))).toEqual({
    ...{ username: 'edgestatd', passwordFile, certificateAuthorityFile: caFile },
  });
  const [certFile, keyFile] = ['/etc/edgestatd/cert.pem', '/etc/edgestatd/key.pem'];
  expect(accessOf(options.parse({ password: 'x', certFile, keyFile }))).toEqual({
    ...{ password: 'x', certificateFile: certFile, keyFile },
  });
});
