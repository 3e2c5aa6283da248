import { describe, expect, test } from 'vitest';
import type { Host, HttpOptions } from '../../src/collector.ts';
import { type Code, Failure } from '../../src/errors.ts';
import { createClient } from './management-client.ts';
import { readAlarm, readStatus } from './management-status.ts';
import { options } from './options.ts';

const failed = (code: Code, status?: number): Failure =>
  new Failure(code, code, status === undefined ? {} : { status });
const ALARMS = '/api/health/checks/alarms';

const HEALTHY: Readonly<Record<string, unknown>> = {
  [ALARMS]: { status: 'ok' },
  '/api/overview': { rabbitmq_version: '3.12.0', object_totals: { queues: 3 }, queue_totals: {}, message_stats: {} },
  '/api/vhosts': [{ name: '/' }],
  '/api/nodes': [{ name: 'rabbit@a', running: true, mem_alarm: true, disk_free_alarm: false }],
  '/api/federation-links': failed('E_NOT_FOUND', 404),
  '/api/shovels': failed('E_HTTP_STATUS', 406),
};

/** A broker that is well but for what `ill` says; what takes all of its limit hangs. */
function broker(ill: Readonly<Record<string, unknown>> = {}, more: Readonly<Record<string, unknown>> = {}) {
  const limits = new Map<string, (number | undefined)[]>();
  let left = 8000;
  const host = {
    async getJson(url: string, { timeoutMs }: HttpOptions) {
      const { pathname, searchParams } = new URL(url);
      limits.set(pathname, [...(limits.get(pathname) ?? []), timeoutMs]);
      const answer = { ...HEALTHY, ...ill }[pathname];
      const found = typeof answer === 'function' ? answer(searchParams) : answer;
      if (found === 'hangs') {
        left -= timeoutMs ?? 0;
        throw failed('E_TIMEOUT');
      }
      if (found instanceof Failure) throw found;
      return found;
    },
  } as unknown as Host;
  const settings = options.parse({ urls: ['http://broker1:15672'], ...more });
  const client = createClient(host, settings, { current: 0 }, () => left);
  const times = { readAtMs: 0, intervalMs: 10_000, patienceMs: 5000 };
  const memory = { absentSinceMs: new Map<string, number>() };
  return {
    limits,
    memory,
    alarm: () => readAlarm(client),
    status: () => readStatus(client, settings, memory, times),
    leftMs: () => left,
  };
}

describe('the alarm', () => {
  test.each([
    ['none', { status: 'ok' }, false],
    ['one', { status: 'failed', alarms: [] }, true],
    ['an old broker', failed('E_NOT_FOUND', 404), undefined],
    ['a user who may not ask', failed('E_DENIED', 403), undefined],
  ])('%s', async (_, answer, expected) => {
    expect(await broker({ [ALARMS]: answer }).alarm()).toBe(expected);
  });

  test.each([
    ['a password file that is not there', failed('E_NOT_FOUND')],
    ['one that we may not read', failed('E_DENIED')],
    ['a wrong password', failed('E_AUTH', 401)],
  ])('%s is no broker without alarms', async (_, failure) => {
    await expect(broker({ [ALARMS]: failure }).alarm()).rejects.toBe(failure);
    await expect(broker({ [ALARMS]: failure }).status()).rejects.toBe(failure);
  });

  test('that does not answer in half of the time is unknown, and the nodes tell of theirs', async () => {
    const { status, limits } = broker({ [ALARMS]: 'hangs' });
    const { broker: found, problems } = await status();
    expect(limits.get(ALARMS)).toEqual([4000]);
    expect(found?.alarm).toBe(true);
    expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([['E_TIMEOUT', { scope: 'broker' }]]);
  });
});

describe('a part', () => {
  test.each([
    ['/api/overview', 'broker'],
    ['/api/vhosts', 'vhost'],
    ['/api/nodes', 'node'],
    ['/api/federation-links', 'federation'],
  ])('%s that hangs has half of the time, and is a problem of its scope alone', async (path, scope) => {
    const { status, limits, leftMs } = broker({ [path]: 'hangs' });
    const { problems } = await status();
    expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([['E_TIMEOUT', { scope }]]);
    expect([limits.get(path), leftMs()]).toEqual([[4000], 4000]);
  });

  test('that this user may not ask for says which tag is lacking', async () => {
    const { problems } = await broker({ '/api/nodes': failed('E_AUTH', 401) }).status();
    expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([['E_DENIED', { scope: 'node' }]]);
    expect(problems[0]?.message).toContain('set_user_tags');
  });

  test.each(['/api/overview', '/api/nodes', '/api/shovels'])(
    '%s for which our own file is missing ends the run, and nothing is taken for absent',
    async (path) => {
      const { status, memory } = broker({ [path]: failed('E_NOT_FOUND') });
      await expect(status()).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
      expect(memory.absentSinceMs.has(path)).toBe(false);
    },
  );

  test('with all that matters away there is nothing to tell', async () => {
    const away = failed('E_HTTP_STATUS', 500);
    const ill = { '/api/overview': away, '/api/vhosts': away, '/api/nodes': away };
    await expect(broker(ill).status()).rejects.toMatchObject({ code: 'E_HTTP_STATUS' });
  });
});

describe('plugins', () => {
  test('that are not there (404, or 406 for a file that is no JSON) are not asked again at once', async () => {
    const { status, limits } = broker();
    await status();
    const { problems } = await status();
    expect([problems, limits.get('/api/shovels')?.length, limits.get('/api/federation-links')?.length]).toEqual([
      ...[[], 1, 1],
    ]);
  });
});

describe('exchanges', () => {
  const pages = (query: URLSearchParams) => ({
    items: [{ name: `e${query.get('page')}`, vhost: '/', message_stats: { publish_in: 1 } }],
    page_count: 9,
  });
  const few = { exchanges: ['*'], maxRequests: 20 };

  test('of more pages than may be read are asked for once, and the problem says what to narrow', async () => {
    const { status, limits } = broker({ '/api/exchanges': pages }, few);
    const { problems, exchanges } = await status();
    expect(problems.map(({ code, evidence }) => [code, evidence.labels])).toEqual([
      ['E_OUTPUT_SIZE', { scope: 'exchange' }],
    ]);
    expect(problems[0]?.message).toMatch(/more than 5 pages .*narrow exchanges$/);
    expect(exchanges).toEqual([]);
    expect(limits.get('/api/exchanges')).toHaveLength(1);
  });

  test.each([
    [5, 5, 0],
    [6, 1, 1],
  ])('%i pages where 5 may be read take %i requests', async (count, requests, failures) => {
    const answer = (query: URLSearchParams) => ({ ...pages(query), page_count: count });
    const { status, limits } = broker({ '/api/exchanges': answer }, few);
    expect((await status()).problems).toHaveLength(failures);
    expect(limits.get('/api/exchanges')).toHaveLength(requests);
  });

  test('that become more pages than may be read end there', async () => {
    const growing = (query: URLSearchParams) => ({ ...pages(query), page_count: 4 + Number(query.get('page')) });
    const { status, limits } = broker({ '/api/exchanges': growing }, few);
    expect((await status()).problems.map(({ code }) => code)).toEqual(['E_OUTPUT_SIZE']);
    expect(limits.get('/api/exchanges')).toHaveLength(2);
  });

  test('are all of their pages, where there are not so many', async () => {
    const { status } = broker({ '/api/exchanges': pages }, { exchanges: ['*'] });
    expect((await status()).exchanges).toHaveLength(9);
  });

  /** As the server filters: `re:run(Name, Pattern, [caseless])`. */
  const filtering = (query: URLSearchParams) => {
    const names = ['', 'default', 'nova', 'NOVA', 'neutron'];
    const regex = new RegExp(query.get('use_regex') === 'true' ? (query.get('name') ?? '') : '', 'i');
    const items = names.filter((name) => regex.test(name)).map((name) => ({ name, vhost: '/' }));
    return { items, page_count: 1 };
  };

  test.each<[globs: string[], given: string[], kept: string[]]>([
    [['nova'], ['nova', 'NOVA'], ['nova']],
    [['n*'], ['nova', 'NOVA', 'neutron'], ['nova', 'neutron']],
    [
      ['def*', 'nova'],
      ['', 'default', 'nova', 'NOVA'],
      ['', 'default', 'nova'],
    ],
    [['*'], ['', 'default', 'nova', 'NOVA', 'neutron'], ['', 'default', 'nova', 'NOVA', 'neutron']],
    [
      ['n*', 'x\ud800'],
      ['', 'default', 'nova', 'NOVA', 'neutron'],
      ['nova', 'neutron'],
    ],
    [
      ['n*', 'x'.repeat(1025)],
      ['', 'default', 'nova', 'NOVA', 'neutron'],
      ['nova', 'neutron'],
    ],
  ])('%j: the server gives %j, and %j are kept', async (exchanges, given, kept) => {
    const seen: unknown[] = [];
    const answer = (query: URLSearchParams) => {
      const page = filtering(query);
      seen.push(...page.items.map(({ name }) => name));
      return page;
    };
    const found = await broker({ '/api/exchanges': answer }, { exchanges }).status();
    expect(found.problems).toEqual([]);
    expect([seen, found.exchanges.map(({ exchange }) => exchange)]).toEqual([given, kept]);
  });
});
