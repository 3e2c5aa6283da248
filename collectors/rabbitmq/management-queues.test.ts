import { describe, expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { type Code, Failure } from '../../src/errors.ts';
import { createClient } from './management-client.ts';
import { listQueues, type Sight } from './management-list.ts';
import { oneByOne, readDetails } from './management-queues.ts';
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
function broker(
  answer: (request: Request) => unknown,
  more: Readonly<Record<string, unknown>> = {},
  leftMs: () => number = () => 60_000,
) {
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
  return { requests, settings, client: createClient(host, settings, { current: 0 }, leftMs) };
}

const labelsOf = (problems: readonly Failure[]) => problems.map(({ code, evidence }) => [code, evidence.labels]);
const namesOf = (queues: readonly QueueName[]) => queues.map(({ vhost, name }) => `${vhost} ${name}`).sort();
const queue = (vhost: string, name: string) => ({ vhost, name, messages: 1 });
const status = (vhosts: readonly string[], queues?: number, problems: readonly Failure[] = []) =>
  ({ vhosts: vhosts.map((vhost) => ({ vhost })), broker: { queues }, problems }) as unknown as Status;

const sightOf = (...vhosts: readonly string[]): Sight => ({ vhostsSeen: new Set(vhosts), listed: 0, turn: 0 });

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
  const sightOfAll = (): Sight => ({ ...sightOf(), listed: 10_000 });

  test('as many as there may be requests are asked for one by one', async () => {
    const { client, requests, settings } = broker(({ path }) => queue('/', path[2] ?? ''), few);
    const { queues } = await readDetails(client, settings, wanted.slice(0, 10), sightOfAll(), 1000, noRefusals);
    expect([queues.length, requests.length]).toEqual([10, 10]);
  });

  test('more are asked for in pages, by the pattern of their names', async () => {
    const { client, requests, settings } = broker(({ query }) => {
      const page = Number(query.get('page'));
      return { items: wanted.slice((page - 1) * 5, page * 5), page, page_count: 3, filtered_count: 12 };
    }, few);
    const { queues, problems } = await readDetails(client, settings, wanted, sightOfAll(), 1000, noRefusals);
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
    await readDetails(client, settings, some, { ...sightOf(), listed: all }, 1000, noRefusals);
    const single = requests.filter(({ path }) => path.length === 3).length;
    // Pages that have nothing of a vhost are followed by one queue of it.
    expect(single === 1 ? 1 : requests.length).toBe(expected);
  });

  test('what is one list instead of pages is all (3.x before 3.6)', async () => {
    const { client, requests, settings } = broker(() => wanted, few);
    const { queues } = await readDetails(client, settings, wanted, sightOfAll(), 1000, noRefusals);
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
    const { queues, problems } = await readDetails(
      client,
      settings,
      [...wanted, ...hidden],
      sightOfAll(),
      1000,
      noRefusals,
    );
    expect(queues).toHaveLength(12);
    expect(labelsOf(problems)).toEqual([['E_DENIED', { scope: 'queue', vhost: 'nova' }]]);
    expect(requests).toHaveLength(2);
  });

  const detailsOf = (of: ReturnType<typeof broker>, names: readonly QueueName[], sight = sightOfAll()) =>
    readDetails(of.client, of.settings, names, sight, 1000, noRefusals);

  test('pages end with the last that is wanted', async () => {
    const asked = broker(({ query }) => {
      const page = Number(query.get('page'));
      return { items: wanted.slice((page - 1) * 6, page * 6), page_count: 5, filtered_count: 30 };
    }, few);
    expect(namesOf((await detailsOf(asked, wanted)).queues)).toEqual(namesOf(wanted));
    expect(asked.requests).toHaveLength(2);
  });

  test('a vhost that is asked for alone is so in pages too', async () => {
    const more = { ...few, vhosts: ['nova', 'glance'] };
    const asked = broker(
      ({ path: [, vhost = ''] }) => (vhost === 'glance' ? refused : { items: [queue(vhost, 'a')], page_count: 1 }),
      more,
    );
    const { queues, problems } = await detailsOf(asked, [
      ...Array.from({ length: 11 }, (_, number) => ({ vhost: 'nova', name: number === 0 ? 'a' : `gone${number}` })),
      { vhost: 'glance', name: 'b' },
    ]);
    expect(asked.requests.map(({ path }) => path)).toEqual([
      ['queues', 'nova'],
      ['queues', 'glance'],
    ]);
    expect(namesOf(queues)).toEqual(['nova a']);
    expect(labelsOf(problems)).toEqual([['E_DENIED', { scope: 'queue', vhost: 'glance' }]]);
  });

  test('few of the vhosts that there are spare the broker the others', async () => {
    const asked = broker(() => ({ items: wanted, page_count: 1 }), few);
    await detailsOf(asked, wanted, { ...sightOf('/', 'nova'), listed: 10_000 });
    expect(asked.requests.map(({ path }) => path)).toEqual([['queues', '/']]);
  });

  test.each([
    ['more pages than requests', { page_count: 1000 }],
    ['many rows for one that is wanted', { page_count: 3, filtered_count: 1200 }],
  ])('%s: one by one instead, in turns, and who had none is told', async (_, page) => {
    const sight = sightOfAll();
    const seen: string[] = [];
    for (const _run of [1, 2]) {
      const asked = broker(({ path }) => (path.length === 1 ? { items: [], ...page } : queue('/', path[2] ?? '')), few);
      const { queues, unasked = [], problems } = await detailsOf(asked, wanted, sight);
      expect([asked.requests.length, queues.length, problems]).toEqual([10, 9, []]);
      expect([...namesOf(queues), ...namesOf(unasked)].sort()).toEqual(namesOf(wanted));
      seen.push(...namesOf(queues));
    }
    expect([...new Set(seen)].sort()).toEqual(namesOf(wanted));
  });

  test('a page that fails leaves what the others had, and the rest unknown', async () => {
    const asked = broker(
      ({ query }) =>
        query.get('page') === '1'
          ? { items: wanted.slice(0, 6), page_count: 2, filtered_count: 12 }
          : failed('E_TIMEOUT'),
      few,
    );
    const { queues, unasked = [], problems } = await detailsOf(asked, wanted);
    expect([namesOf(queues), namesOf(unasked)]).toEqual([namesOf(wanted.slice(0, 6)), namesOf(wanted.slice(6))]);
    expect(labelsOf(problems)).toEqual([['E_TIMEOUT', { scope: 'queue' }]]);
  });

  test.each([
    ['that time out', failed('E_TIMEOUT')],
    ['of a broker without our password', failed('E_NOT_FOUND')],
  ])('nothing but pages %s is nothing', async (_, failure) => {
    await expect(
      detailsOf(
        broker(() => failure, few),
        wanted,
      ),
    ).rejects.toBe(failure);
  });

  test('one by one in turns also where it is the time that ends the run', async () => {
    const sight = sightOfAll();
    const seen: string[] = [];
    for (const _run of [1, 2]) {
      let left = 600;
      const slow = broker(
        ({ path }) => {
          left -= 100;
          return queue('/', path[2] ?? '');
        },
        {},
        () => left,
      );
      const { queues, unasked = [], problems } = await detailsOf(slow, wanted.slice(0, 10), sight);
      expect([queues.length + unasked.length, labelsOf(problems)]).toEqual([10, [['E_TIMEOUT', { scope: 'queue' }]]]);
      seen.push(...namesOf(queues));
    }
    expect(new Set(seen).size).toBe(10);
  });
});

describe('one by one, when it goes wrong', () => {
  const many = Array.from({ length: 50 }, (_, number) => ({ vhost: '/', name: `q${number}` }));

  test('queues that all fail alike are one problem, and few requests', async () => {
    const { client, requests } = broker(() => failed('E_HTTP_STATUS', 500));
    const { queues, problems, unasked = [] } = await oneByOne(client, many);
    expect([queues, labelsOf(problems)]).toEqual([[], [['E_HTTP_STATUS', { scope: 'queue' }]]]);
    expect(requests.length).toBeLessThan(10);
    expect(requests.length + unasked.length).toBe(50);
  });

  test('some that fail among many that answer are problems of theirs', async () => {
    const { client } = broker(({ path: [, , name = ''] }) =>
      /^q.?[05]$/.test(name) ? failed('E_HTTP_STATUS', 500) : queue('/', name),
    );
    const { queues, problems, unasked } = await oneByOne(client, many);
    expect([queues.length, problems.length, unasked]).toEqual([40, 10, undefined]);
    expect(problems.every(({ evidence }) => evidence.labels?.queue !== undefined)).toBe(true);
  });

  test('a time-out ends it, with what there is', async () => {
    const { client, requests } = broker(({ path: [, , name = ''] }) =>
      name === 'q7' ? failed('E_TIMEOUT') : queue('/', name),
    );
    const { queues, problems, unasked = [] } = await oneByOne(client, many);
    expect(labelsOf(problems)).toEqual([['E_TIMEOUT', { scope: 'queue' }]]);
    expect(queues.length).toBeGreaterThan(6);
    expect([requests.length, queues.length + 1 + unasked.length]).toEqual([queues.length + 1, 50]);
  });

  test('with nothing left nothing is asked', async () => {
    const { client, requests } = broker(
      () => ({}),
      {},
      () => 0,
    );
    const { problems, unasked } = await oneByOne(client, many);
    expect([requests, labelsOf(problems), unasked]).toEqual([[], [['E_TIMEOUT', { scope: 'queue' }]], many]);
  });

  test.each(['E_NOT_FOUND', 'E_DENIED'] as const)(
    'a file of ours that is %s says nothing of queues, and ends the run',
    async (code) => {
      const { client, requests } = broker(() => failed(code));
      await expect(oneByOne(client, many)).rejects.toMatchObject({ code });
      expect(requests.length).toBeLessThan(10);
    },
  );

  test('half a surrogate pair has no place in a URL: such a queue is left out', async () => {
    const { client, requests } = broker(({ path: [, , name = ''] }) => queue('/', name));
    const names = ['a\ud800', 'b'].map((name) => ({ vhost: '/', name }));
    const { queues, problems, unasked } = await oneByOne(client, [...names, { vhost: '\udfff', name: 'c' }]);
    expect([namesOf(queues), problems, unasked, requests.length]).toEqual([['/ b'], [], undefined, 1]);
  });
});

describe('the list and its limits', () => {
  const listOf = (of: ReturnType<typeof broker>, sight: Sight, known?: Status) =>
    listQueues(of.client, of.settings, sight, known, 1000);

  test('more vhosts than there may be requests are one list, of which only theirs is taken', async () => {
    const names = Array.from({ length: 600 }, (_, number) => `v${number}`);
    const all = [...names, 'other'].map((vhost) => queue(vhost, 'a'));
    const asked = broker(({ path }) => (path.length === 1 ? all : refused), { vhosts: ['v*'], maxRequests: 10 });
    const sight = sightOf('v600', 'v0');
    const { queues, problems } = await listOf(asked, sight, status([...names, 'other']));
    expect([queues.length, asked.requests.map(({ path }) => path)]).toEqual([600, [['queues'], ['queues', 'v600']]]);
    expect(labelsOf(problems)).toEqual([['E_DENIED', { vhost: 'v600' }]]);
  });

  test('vhosts that may be hidden are looked at within the budget, and the others first the next time', async () => {
    const lost = Array.from({ length: 8 }, (_, number) => `v${number}`);
    const sight = sightOf('/', ...lost);
    const probed: string[] = [];
    for (const _run of [1, 2]) {
      const asked = broker(
        ({ path: [, vhost = ''] }) => (vhost === '' ? [queue('/', 'a')] : vhost === 'v0' ? refused : { items: [] }),
        { maxRequests: 10 },
      );
      const { problems } = await listOf(asked, sight);
      probed.push(...asked.requests.slice(1).map(({ path }) => path[1] ?? ''));
      if (probed.length === 5)
        expect(labelsOf(problems)).toEqual([
          ['E_DENIED', { vhost: 'v0' }],
          ['E_DENIED', { scope: 'queue' }],
          ['E_DENIED', { scope: 'group' }],
        ]);
      else expect(labelsOf(problems)).toEqual([['E_DENIED', { vhost: 'v0' }]]);
    }
    expect(probed).toEqual(['v0', 'v1', 'v2', 'v3', 'v4', 'v5', 'v6', 'v7', 'v0']);
    expect(sight.vhostsSeen).toEqual(new Set(['/', 'v0']));
  });

  test('a broker that hangs at one of them is not asked for the others', async () => {
    const asked = broker(({ path }) => (path.length === 1 ? [queue('/', 'a')] : failed('E_TIMEOUT')));
    const sight = sightOf('/', 'v1', 'v2', 'v3');
    const { problems } = await listOf(asked, sight);
    expect([asked.requests.length, sight.vhostsSeen.size]).toEqual([2, 4]);
    expect(labelsOf(problems)).toEqual([
      ...[
        ['E_TIMEOUT', { vhost: 'v1' }],
        ['E_TIMEOUT', { scope: 'queue' }],
        ['E_TIMEOUT', { scope: 'group' }],
      ],
    ]);
  });

  test.each(['.', '..', 'a\ud800'])('a vhost %j is no folder of the URL, and a problem', async (name) => {
    const named = broker(({ path: [, vhost = ''] }) => [queue(vhost, 'a')], { vhosts: ['nova', name] });
    const { queues, problems } = await listOf(named, sightOf(), status(['nova', name]));
    expect([namesOf(queues), labelsOf(problems)]).toEqual([['nova a'], [['E_CONFIG', { vhost: name }]]]);
    expect(named.requests.map(({ path }) => path)).toEqual([['queues', 'nova']]);

    const lost = broker(() => [queue('nova', 'a')]);
    const sight = sightOf('nova', name);
    expect(labelsOf((await listOf(lost, sight, status(['nova', name]))).problems)).toEqual([
      ['E_CONFIG', { vhost: name }],
    ]);
    expect((await listOf(lost, sight, status(['nova']))).problems).toEqual([]);
    expect([sight.vhostsSeen, lost.requests.length]).toEqual([new Set(['nova']), 2]);
  });

  test('a password file that went away is no vhost that was deleted', async () => {
    const ours = failed('E_NOT_FOUND');
    const whole = broker(({ path }) => (path.length === 1 ? [queue('/', 'a')] : ours));
    await expect(listOf(whole, sightOf('/', 'nova'))).rejects.toBe(ours);
    const some = broker(() => ours, { vhosts: ['/'] });
    await expect(listOf(some, sightOf(), status(['/']))).rejects.toBe(ours);
  });
});
