import { describe, expect, test } from 'vitest';
import type { Host, HttpOptions } from '../../src/collector.ts';
import { type Code, Failure } from '../../src/errors.ts';
import { accessOf, createClient } from './management-client.ts';
import { options } from './options.ts';

const [A, B, C] = ['http://a:15672', 'http://b:15672', 'http://c:15672'] as const;
const failed = (code: Code, status?: number): Failure =>
  new Failure(code, code, status === undefined ? {} : { status });
type Answer = (path: string, options: HttpOptions) => unknown;

/** Endpoints by their URL, which answer or fail; all are configured, in this order. */
function cluster(endpoints: Readonly<Record<string, Answer>>, current = 0) {
  const asked: string[] = [];
  const limits: (number | undefined)[] = [];
  const host = {
    async getJson(url: string, options: HttpOptions) {
      asked.push(url);
      limits.push(options.timeoutMs);
      const { origin, pathname } = new URL(url);
      const answer = endpoints[origin]?.(pathname, options);
      if (answer instanceof Failure) throw answer;
      return answer;
    },
  } as unknown as Host;
  const memory = { current };
  const run = (leftMs?: () => number) =>
    createClient(host, options.parse({ urls: Object.keys(endpoints) }), memory, leftMs);
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

  test('the first request of a run is the probe: it has 3 s where there is another, and half of the run where not', async () => {
    const two = cluster({ [A]: up, [B]: up });
    const client = two.run(() => 60_000);
    await client.get('/api/health/checks/alarms');
    await client.get('/api/nodes');
    await client.get('/api/queues', { timeoutMs: 5000 });
    expect(two.limits).toEqual([3000, 30_000, 5000]);
    const one = cluster({ [A]: up });
    await one.run(() => 9000).get('/api/nodes');
    expect(one.limits).toEqual([4500]);
  });

  test('no request may take more than is left, and with nothing left none is made', async () => {
    let left = 4000;
    const { run, limits, asked } = cluster({ [A]: up });
    const client = run(() => left);
    await client.get('/api/queues', { timeoutMs: 20_000 });
    left = 1000;
    await client.get('/api/queues', { timeoutMs: 20_000 });
    left = 0;
    await expect(client.get('/api/queues?columns=name', { timeoutMs: 20_000 })).rejects.toMatchObject({
      code: 'E_TIMEOUT',
      message: expect.stringContaining('/api/queues'),
    });
    expect([limits, asked.length, client.problems]).toEqual([[4000, 1000], 2, []]);
  });

  test('without an end of the run there is no limit that a timer could not hold', async () => {
    const { run, limits } = cluster({ [A]: up });
    await run().get('/api/nodes');
    expect(limits).toEqual([undefined]);
  });

  test('what is slow after the probe is no reason to leave who answered that', async () => {
    const { run, asked, memory } = cluster({
      [A]: (path) => (path === '/api/overview' ? failed('E_TIMEOUT') : 'fine'),
      [B]: up,
    });
    const client = run();
    await client.get('/api/health/checks/alarms');
    await expect(client.get('/api/overview')).rejects.toMatchObject({ code: 'E_TIMEOUT' });
    expect([memory.current, client.problems, asked.filter((url) => url.startsWith(B))]).toEqual([0, [], []]);
  });
});

describe('a status that says', () => {
  test.each([502, 503, 504])('%i after the probe: what stands before the endpoint cannot reach it', async (code) => {
    const { run } = cluster({
      [A]: (path) => (path === '/api/nodes' ? failed('E_HTTP_STATUS', code) : 'A'),
      [B]: () => 'B',
    });
    const client = run();
    expect(await client.get('/api/overview')).toBe('A');
    expect(await client.get('/api/nodes')).toBe('B');
    expect(client.up.get(A)).toBe(false);
  });

  test('500 of a single thing is of that thing', async () => {
    const broken = failed('E_HTTP_STATUS', 500);
    const { run, memory } = cluster({ [A]: (path) => (path === '/api/queues/%2F/a' ? broken : 'A'), [B]: () => 'B' });
    const client = run();
    await client.get('/api/overview');
    await expect(client.get('/api/queues/%2F/a')).rejects.toBe(broken);
    expect([memory.current, client.up.get(A), client.problems]).toEqual([0, true, []]);
  });

  test('anything: the endpoint answers', async () => {
    const client = cluster({ [A]: () => failed('E_NOT_FOUND', 404) }).run();
    await expect(client.get('/api/nodes')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect([...client.up]).toEqual([[A, true]]);
  });

  test('nothing, since a file of ours is missing: nobody was asked', async () => {
    const client = cluster({ [A]: () => failed('E_NOT_FOUND'), [B]: up }).run();
    await expect(client.get('/api/nodes')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
    expect([[...client.up], client.problems]).toEqual([[], []]);
  });
});

describe('a status whose body is an answer', () => {
  const isAnswer = (answer: unknown): boolean => answer === 'sick';
  const asking = { statuses: [503], isAnswer };

  test('is asked for once', async () => {
    const { run, asked } = cluster({ [A]: () => 'sick', [B]: up });
    expect(await run().get('/api/health', asking)).toBe('sick');
    expect(asked).toEqual([`${A}/api/health`]);
  });

  test.each([
    ['a page', failed('E_PARSE')],
    ['an answer to something else', { error: 'x' }],
  ])('may be %s of a balancer instead, and then it is the status that counts', async (_, body) => {
    const balancer: Answer = (_path, { statuses }) => (statuses?.includes(503) ? body : failed('E_HTTP_STATUS', 503));
    const { run } = cluster({ [A]: balancer, [B]: () => 'sick' });
    const client = run();
    expect(await client.get('/api/health', asking)).toBe('sick');
    expect([...client.up]).toEqual([
      [A, false],
      [B, true],
    ]);
    expect(client.problems.map(({ evidence }) => evidence.status)).toEqual([503]);
  });
});

test('who asks, and what is trusted, is what is configured, and nothing else', () => {
  expect(accessOf(options.parse({}))).toEqual({});
  const [passwordFile, caFile] = ['/etc/edgestatd/rabbitmq', '/etc/edgestatd/ca.pem'];
  expect(accessOf(options.parse({ user: 'edgestatd', passwordFile, caFile }))).toEqual({
    ...{ username: 'edgestatd', passwordFile, certificateAuthorityFile: caFile },
  });
  const [certFile, keyFile] = ['/etc/edgestatd/cert.pem', '/etc/edgestatd/key.pem'];
  expect(accessOf(options.parse({ user: 'u', password: 'x', certFile, keyFile }))).toEqual({
    ...{ username: 'u', password: 'x', certificateFile: certFile, keyFile },
  });
});
