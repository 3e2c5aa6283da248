import { describe, expect, test } from 'vitest';
import { options } from './options.ts';
import type { QueueRecord } from './record.ts';
import { type Before, placer, survey } from './survey.ts';

const settings = (more: Readonly<Record<string, unknown>> = {}) => options.parse(more);
const unknown = {
  ...{ messages: undefined, ready: undefined, unacked: undefined, consumers: undefined, memoryBytes: undefined },
  ...{ consumerUtilisation: undefined, state: undefined, type: undefined, leader: undefined, counts: undefined },
};
const queue = (name: string, more: Partial<QueueRecord> = {}): QueueRecord => ({
  vhost: '/',
  name,
  ...unknown,
  ...more,
});
const nothing = { isKept: () => false, isStuck: () => false };
const HEX = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const UUID = 'a1b2c3d4-e5f6-0718-293a-4b5c6d7e8f90';

describe('where a queue is told', () => {
  test.each([
    ['compute.hv1', 'kept'],
    ['conductor', 'kept'],
    ['conductor.controller1', 'kept'],
    ['scheduler', 'kept'],
    ['notifications.info', 'kept'],
    ['q-plugin', 'kept'],
    ['neutron-vo-Port-1.5', 'kept'],
    [`scheduler_fanout_${HEX}`, { group: 'fanout' }],
    [`scheduler_fanout_${UUID}`, { group: 'fanout' }],
    [`q-agent-notifier-port-update_fanout_${HEX}`, { group: 'fanout' }],
    [`neutron-vo-Port-1.5_fanout_${HEX}`, { group: 'fanout' }],
    [`reply_${HEX}`, { group: 'reply' }],
    ['amq.gen-Xa94VCFWUJGeuO2wxHoRIw', { group: 'generated' }],
  ])('OpenStack, by default: %s', (name, place) => {
    expect(placer(settings())(name)).toEqual(place);
  });

  test('exclude is before keep, keep before groups, groups before include, and of groups the first', () => {
    const place = placer(
      settings({
        ...{ exclude: ['*.bad'], keep: ['k*'], include: ['i*'] },
        groups: [
          { name: 'one', match: ['kg*', 'ig*', 'g*'] },
          { name: 'two', match: ['g*'] },
        ],
      }),
    );
    expect(['k.bad', 'g.bad', 'i.bad'].map(place)).toEqual(['left', 'left', 'left']);
    expect(place('kg1')).toBe('kept');
    expect(place('ig1')).toEqual({ group: 'one' });
    expect(place('g1')).toEqual({ group: 'one' });
    expect([place('i1'), place('other')]).toEqual(['kept', 'left']);
  });
});

describe('sums', () => {
  test('the vhost and the broker have every queue, also those that are left out', () => {
    const queues = [
      queue('compute.hv1', { messages: 1, ready: 1, unacked: 0 }),
      queue(`reply_${HEX}`, { messages: 2, ready: 1, unacked: 1 }),
      queue('left.out', { messages: 4, ready: 4, unacked: 0 }),
      queue('compute.hv1', { vhost: 'nova', messages: 8, ready: 0, unacked: 8 }),
    ];
    const seen = survey(queues, settings({ exclude: ['left.*'] }), nothing);
    expect(seen.all).toMatchObject({ queues: 4, messages: 15, ready: 6, unacked: 9 });
    expect(seen.vhosts.map(({ vhost, queues: count, messages }) => [vhost, count, messages])).toEqual([
      ['/', 3, 7],
      ['nova', 1, 8],
    ]);
    expect(seen.groups).toMatchObject([{ vhost: '/', group: 'reply', queues: 1, messages: 2 }]);
  });

  test('one name in several vhosts is several queues, and a group is one of each vhost', () => {
    const of = (vhost: string) => [queue('conductor', { vhost }), queue(`reply_${HEX}`, { vhost, messages: 3 })];
    const { kept, groups } = survey([...of('/'), ...of('nova')], settings(), nothing);
    expect(kept.map(({ vhost, name }) => [vhost, name])).toEqual([
      ['/', 'conductor'],
      ['nova', 'conductor'],
    ]);
    expect(groups.map(({ vhost, group, messages }) => [vhost, group, messages])).toEqual([
      ['/', 'reply', 3],
      ['nova', 'reply', 3],
    ]);
  });

  test('what is unknown of one is unknown of their sum, and a part of it is not sent as the whole', () => {
    const queues = [queue('reply_1', { messages: 3, ready: 3 }), queue('reply_2', { messages: 4 })];
    const seen = survey(queues, settings(), nothing);
    expect(seen.groups).toMatchObject([
      { queues: 2, messages: 7, ready: undefined, unacked: undefined, consumers: undefined, unconsumed: undefined },
    ]);
    expect(seen.unknown).toBe(0);
    const down = survey([...queues, queue('reply_3')], settings(), nothing);
    expect(down.groups).toMatchObject([{ queues: 3, messages: undefined }]);
    expect(down.unknown).toBe(1);
    expect(survey([], settings(), nothing).all).toMatchObject({ queues: 0, messages: 0 });
  });

  test('unconsumed are those with messages ready and no consumer, where both are known of all', () => {
    const queues = [
      queue('reply_1', { ready: 1, consumers: 0 }),
      queue('reply_2', { ready: 1, consumers: 1 }),
      queue('reply_3', { ready: 0, consumers: 0 }),
    ];
    expect(survey(queues, settings(), nothing).groups[0]?.unconsumed).toBe(1);
    const more = [...queues, queue('reply_4', { ready: 1 })];
    expect(survey(more, settings(), nothing).groups[0]?.unconsumed).toBeUndefined();
  });
});

describe('maxQueues', () => {
  const sized = (sizes: Readonly<Record<string, number | undefined>>): QueueRecord[] =>
    Object.entries(sizes).map(([name, messages]) => queue(name, { messages }));
  const keptOf = (queues: readonly QueueRecord[], before: Partial<Before>, maxQueues = 2) => {
    const { kept, leftOut } = survey(queues, settings({ maxQueues }), { ...nothing, ...before });
    return { kept: kept.map(({ name }) => name), leftOut };
  };
  const named =
    (...names: readonly string[]) =>
    ({ name }: { readonly name: string }) =>
      names.includes(name);

  test('as many as that are all kept, in their order', () => {
    expect(keptOf(sized({ b: 1, a: 9 }), {})).toEqual({ kept: ['b', 'a'], leftOut: 0 });
  });

  test('of more, the largest; of equals, by name; the unknown count as empty', () => {
    expect(keptOf(sized({ a: 1, b: 5, c: 3 }), {})).toEqual({ kept: ['b', 'c'], leftOut: 1 });
    expect(keptOf(sized({ d: 0, c: 0, b: undefined, a: undefined }), {})).toEqual({ kept: ['a', 'b'], leftOut: 2 });
  });

  test('the stuck come first, however small', () => {
    expect(keptOf(sized({ a: 1, b: 50, c: 30 }), { isStuck: named('a') }).kept).toEqual(['a', 'b']);
  });

  test('one that was kept stays until another is more than twice as large', () => {
    const isKept = named('a', 'b');
    expect(keptOf(sized({ a: 10, b: 10, c: 20 }), { isKept }).kept).toEqual(['a', 'b']);
    expect(keptOf(sized({ a: 10, b: 10, c: 21 }), { isKept }).kept).toEqual(['c', 'a']);
    expect(keptOf(sized({ a: 0, b: 0, '0': 0 }), { isKept }).kept).toEqual(['a', 'b']);
  });

  test('what is left out still counts in the sums, and groups are not limited', () => {
    const { all, groups, leftOut } = survey(
      [...sized({ a: 1, b: 2, c: 3 }), queue('reply_1', { messages: 4 })],
      settings({ maxQueues: 1 }),
      nothing,
    );
    expect([all.messages, groups[0]?.messages, leftOut]).toEqual([10, 4, 2]);
  });
});
