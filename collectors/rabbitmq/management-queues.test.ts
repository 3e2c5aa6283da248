import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { type Code, Failure } from '../../src/errors.ts';
import { createClient } from './management-client.ts';
import { listQueues, oneByOne, readDetails, type Sight } from './management-queues.ts';
import { options } from './options.ts';
import type { QueueName, Status } from './record.ts';
import { noRefusals } from './refusals.ts';

const failed = (code: Code, status?: number): Failure =>
  new Failure(code, code, status === undefined ? {} : { status });
const notFound = failed('E_NOT_FOUND', 404);
const refused = failed('E_AUTH', 401);

interface Request {
  readonly url: string;
  /** Decoded, without `/api`. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** A broker that answers what `answer` gives, as its router sees it: the path split at slashes, then decoded. */
function broker(answer: (request: Request) => unknown, more: Readonly<Record<string, unknown>> = {}) {
  const requests: Request[] = [];
  const host = {
    async getJson(text: string) {
      const { pathname, searchParams } = new URL(text);
      const [, , ...path] = pathname.split('/').map(decodeURIComponent);
      const request = { url: text, path, query: searchParams };
      requests.push(request);
      const found = answer(request);
      if (found instanceof Failure) throw found;
      return found;
    },
  } as unknown as Host;
  const settings = options.parse({ urls: ['http://broker1:15672'], ...more });
  return { requests, settings, client: createClient(host, settings, { current: 0 }) };
}

const labelsOf = (problems: readonly Failure[]) => problems.map(({ code, evidence }) => [code, evidence.labels]);
const namesOf = (queues: readonly QueueName[]) => queues.map(({ vhost, name }) => `${vhost} ${name}`).sort();
const queue = (vhost: string, name: string) => ({ vhost, name, messages: 1 });
const status = (vhosts: readonly string[], queues?: number, problems: readonly Failure[] = []) =>
  ({ vhosts: vhosts.map((vhost) => ({ vhost })), broker: { queues }, problems }) as unknown as Status;

const sightOf = (...vhosts: readonly string[]): Sight => ({ vhostsSeen: new Set(vhosts), listed: 0 });

describe('one by one', () => {
  const hostile = [
    ...[
      'a/b',
      'a\tb',
      'a\nb',
      'a:1|c',
      'é日本😀',
      '%2F',
      '%',
      'a?b',
      'a#b',
      'a b+c',
      '...',
      '.a',
      ' ',
      '__proto__',
      '',
    ],
    ...['n'.repeat(255), '../../overview', 'http://elsewhere/', '\\..\\'],
  ];

  test.each(hostile)('the queue %j, in a vhost of that name, is the one that is asked for', async (name) => {
    const { client, requests } = broker(({ path: [, vhost = '', asked = ''] }) => queue(vhost, asked));
    const vhost = name === '' ? '/' : name;
    const { queues, problems } = await oneByOne(client, [{ vhost, name }]);
    expect(requests.map(({ path }) => path)).toEqual([['queues', vhost, name]]);
    expect(queues).toMatchObject([{ vhost, name, messages: 1 }]);
    expect(problems).toEqual([]);
  });

  test.each(['.', '..'])(
    '%j would be a folder in a URL: it is left out, and nothing else is asked for',
    async (name) => {
      const { client, requests } = broker(() => ({}));
      const wanted = [
        { vhost: '/', name },
        { vhost: name, name: 'a' },
      ];
      expect(await oneByOne(client, wanted)).toEqual({ queues: [], problems: [] });
      expect(requests).toEqual([]);
    },
  );

  test('with totals and depths as they were sampled, and nothing that is not used', async () => {
    const { client, requests } = broker(() => queue('/', 'a'));
    await oneByOne(client, [{ vhost: '/', name: 'a' }]);
    const query = requests[0]?.query;
    expect(query?.get('msg_rates_age')).toBe('5');
    expect(query?.get('lengths_age')).toBe('5');
    expect(query?.get('columns')?.split(',')).toEqual(
      expect.arrayContaining(['name', 'vhost', 'messages', 'message_stats']),
    );
    expect(query?.has('disable_stats')).toBe(false);
  });

  test('404: the queue is gone, which is no problem', async () => {
    const { client } = broker(({ path }) => (path[2] === 'gone' ? notFound : queue('/', path[2] ?? '')));
    const { queues, problems } = await oneByOne(client, [
      { vhost: '/', name: 'gone' },
      { vhost: '/', name: 'there' },
    ]);
    expect([namesOf(queues), problems]).toEqual([['/ there'], []]);
  });

  test('401 in a vhost: one problem for all of its queues, with what to do about it', async () => {
    const { client } = broker(({ path: [, vhost, name] }) => (vhost === 'nova' ? refused : queue('/', name ?? '')));
    const wanted = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((name) => [
      { vhost: 'nova', name },
      { vhost: '/', name },
    ]);
    const { queues, problems } = await oneByOne(client, wanted);
    expect(labelsOf(problems)).toEqual([['E_DENIED', { scope: 'queue', vhost: 'nova' }]]);
    expect(problems[0]?.message).toContain('set_permissions');
    expect(queues).toHaveLength(6);
  });

  test('another failure leaves that queue unknown, and the others known', async () => {
    const { client } = broker(({ path: [, , name] }) =>
      name === 'bad' ? failed('E_HTTP_STATUS', 400) : queue('/', 'a'),
    );
    const { queues, problems } = await oneByOne(client, [
      { vhost: '/', name: 'bad' },
      { vhost: '/', name: 'a' },
    ]);
    expect(labelsOf(problems)).toEqual([['E_HTTP_STATUS', { scope: 'queue', vhost: '/', queue: 'bad' }]]);
    expect(namesOf(queues)).toEqual(['/ a']);
  });

  test('a broker that went away is not asked for the rest, all of which is unknown', async () => {
    const { client, requests } = broker(() => failed('E_CONNECT'));
    const wanted = Array.from({ length: 50 }, (_, number) => ({ vhost: '/', name: `q${number}` }));
    const { queues, problems } = await oneByOne(client, wanted);
    expect([queues, labelsOf(problems)]).toEqual([[], [['E_CONNECT', { scope: 'queue' }]]]);
    expect(requests.length).toBeLessThan(10);
  });
});

describe('the list', () => {
  test('of every vhost is one request, without statistics', async () => {
    const { client, requests, settings } = broker(() => [queue('/', 'a'), queue('nova', 'a'), { name: 'no vhost' }]);
    const sight = sightOf();
    const { queues, problems } = await listQueues(client, settings, sight, undefined, 1000);
    expect([namesOf(queues), problems]).toEqual([['/ a', 'nova a'], []]);
    expect(requests.map(({ path }) => path)).toEqual([['queues']]);
    expect(requests[0]?.query.get('disable_stats')).toBe('true');
    expect(sight.vhostsSeen).toEqual(new Set(['/', 'nova']));
  });

  test('of vhosts that are named: those that there are, by their globs, one request each', async () => {
    const more = { vhosts: ['nova*', '/', 'gone'] };
    const { client, requests, settings } = broker(({ path: [, vhost = ''] }) => [queue(vhost, 'a')], more);
    const known = status(['/', 'nova', 'nova_cell1', 'glance']);
    const { queues, problems } = await listQueues(client, settings, sightOf(), known, 1000);
    expect(namesOf(queues)).toEqual(['/ a', 'nova a', 'nova_cell1 a']);
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual([
      ...['/api/queues/%2F', '/api/queues/nova', '/api/queues/nova_cell1'],
    ]);
    expect(labelsOf(problems)).toEqual([['E_NOT_FOUND', { vhost: 'gone' }]]);
  });

  test('where the vhosts could not be read, those that are named without a glob', async () => {
    const { client, settings } = broker(({ path: [, vhost = ''] }) => [queue(vhost, 'a')], { vhosts: ['nova', 'n*'] });
    const unread = status([], undefined, [new Failure('E_DENIED', 'no', { labels: { scope: 'vhost' } })]);
    const { queues } = await listQueues(client, settings, sightOf(), unread, 1000);
    expect(namesOf(queues)).toEqual(['nova a']);
  });

  test('a vhost that is refused leaves its own queues unknown, and the others are known', async () => {
    const { client, settings } = broker(
      ({ path: [, vhost = ''] }) => (vhost === 'nova' ? refused : [queue(vhost, 'a')]),
      {
        vhosts: ['/', 'nova'],
      },
    );
    const seen = await listQueues(client, settings, sightOf(), status(['/', 'nova']), 1000);
    expect(namesOf(seen.queues)).toEqual(['/ a']);
    expect(labelsOf(seen.problems)).toEqual([['E_DENIED', { vhost: 'nova' }]]);
  });

  test.each([
    ['a 404', notFound],
    ['an object that is no page', { error: 'x' }],
  ])('%s instead of the list is no empty broker', async (_, answer) => {
    const { client, settings } = broker(() => answer);
    await expect(listQueues(client, settings, sightOf(), undefined, 1000)).rejects.toBeInstanceOf(Failure);
  });

  test('none at all, while the broker has some: the user has no permission', async () => {
    const { client, settings } = broker(() => []);
    const { problems } = await listQueues(client, settings, sightOf(), status(['/'], 7), 1000);
    expect(labelsOf(problems)).toEqual([['E_DENIED', { scope: 'none' }]]);
    expect(problems[0]?.message).toContain('has 7 queues');
    const empty = await listQueues(client, settings, sightOf(), status(['/'], 0), 1000);
    expect(empty.problems).toEqual([]);
  });
});

describe('a vhost that had queues and has none any more', () => {
  const listWith = async (probe: unknown, sight = sightOf('/', 'nova')) => {
    const { client, settings } = broker(({ path }) => (path.length === 1 ? [queue('/', 'a')] : probe));
    return { sight, ...(await listQueues(client, settings, sight, undefined, 1000)) };
  };

  test('may not be seen any more: its queues are unknown, and it is looked at again', async () => {
    const { problems, sight } = await listWith(refused);
    expect(labelsOf(problems)).toEqual([['E_DENIED', { vhost: 'nova' }]]);
    expect(sight.vhostsSeen).toEqual(new Set(['/', 'nova']));
  });

  test.each([
    ['is empty', { items: [], total_count: 0 }],
    ['was deleted', notFound],
  ])('%s: its queues are gone', async (_, probe) => {
    const { problems, sight } = await listWith(probe);
    expect([problems, sight.vhostsSeen]).toEqual([[], new Set(['/'])]);
  });
});

describe('details of many', () => {
  const wanted = Array.from({ length: 12 }, (_, number) => ({ vhost: '/', name: `compute.hv${number}` }));
  const few = { maxRequests: 10 };
  /** As many queues as the broker has. */
  const ALL = 10_000;

  test('as many as there may be requests are asked for one by one', async () => {
    const { client, requests, settings } = broker(({ path }) => queue('/', path[2] ?? ''), few);
    const { queues } = await readDetails(client, settings, wanted.slice(0, 10), ALL, 1000, noRefusals);
    expect([queues.length, requests.length]).toEqual([10, 10]);
  });

  test('more are asked for in pages, by the pattern of their names', async () => {
    const { client, requests, settings } = broker(({ query }) => {
      const page = Number(query.get('page'));
      return { items: wanted.slice((page - 1) * 5, page * 5), page, page_count: 3 };
    }, few);
    const { queues, problems } = await readDetails(client, settings, wanted, ALL, 1000, noRefusals);
    expect([namesOf(queues), problems]).toEqual([namesOf(wanted), []]);
    expect(requests.map(({ query }) => query.get('page'))).toEqual(['1', '2', '3']);
    const [first] = requests;
    expect([first?.query.get('use_regex'), first?.query.get('page_size')]).toEqual(['true', '500']);
    expect(new RegExp(first?.query.get('name') ?? '').test('compute.hv7')).toBe(true);
  });

  test.each([
    ['a few of very many', 12, 10_000, 12],
    ['many of a few: pages cost the broker less', 25, 30, 1],
    ['one in thirty', 40, 1200, 40],
    ['more than one in thirty', 40, 1199, 1],
    ['as few as 20, of whatever', 20, 20, 20],
  ])('%s', async (_, count, all, expected) => {
    const { client, requests, settings } = broker(() => ({ items: [], page_count: 1 }));
    const some = Array.from({ length: count }, (_, number) => ({ vhost: '/', name: `q${number}` }));
    await readDetails(client, settings, some, all, 1000, noRefusals);
    const single = requests.filter(({ path }) => path.length === 3).length;
    // Pages that have nothing of a vhost are followed by one queue of it.
    expect(single === 1 ? 1 : requests.length).toBe(expected);
  });

  test('what is one list instead of pages is all (3.x before 3.6)', async () => {
    const { client, requests, settings } = broker(() => wanted, few);
    const { queues } = await readDetails(client, settings, wanted, ALL, 1000, noRefusals);
    expect([queues.length, requests.length]).toEqual([12, 1]);
  });

  test('a vhost of which the pages have nothing may be out of sight: one queue of it is asked for', async () => {
    const { client, requests, settings } = broker(
      ({ path }) => (path.length === 1 ? { items: wanted, page_count: 1 } : refused),
      few,
    );
    const hidden = [
      { vhost: 'nova', name: 'a' },
      { vhost: 'nova', name: 'b' },
    ];
    const { queues, problems } = await readDetails(client, settings, [...wanted, ...hidden], ALL, 1000, noRefusals);
    expect(queues).toHaveLength(12);
    expect(labelsOf(problems)).toEqual([['E_DENIED', { scope: 'queue', vhost: 'nova' }]]);
    expect(requests).toHaveLength(2);
  });

  test('pages without end are ended', async () => {
    const { client, requests, settings } = broker(() => ({ items: [], page_count: 1000 }), few);
    await expect(readDetails(client, settings, wanted, ALL, 1000, noRefusals)).rejects.toMatchObject({
      code: 'E_OUTPUT_SIZE',
    });
    expect(requests.length).toBeLessThan(100);
  });
});
