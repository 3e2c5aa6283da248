import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/errors.ts';
import { lostSight, withLost } from './kept.ts';
import type { QueueRecord } from './record.ts';

const queue = (name: string, messages: number | undefined = 1): QueueRecord => ({
  ...{ vhost: '/', name, messages, ready: messages, unacked: 0, consumers: 1, memoryBytes: undefined },
  ...{ consumerUtilisation: undefined, state: undefined, type: undefined, leader: undefined, counts: undefined },
});
const about = (labels: Readonly<Record<string, string>>): Failure => new Failure('E_DENIED', 'no', { labels });

describe('a queue that the list lacks', () => {
  const before = [queue('a'), queue('b'), { ...queue('c'), vhost: 'nova' }];
  const namesOf = (queues: readonly { readonly name: string }[]): string[] => queues.map(({ name }) => name);

  test('is gone, unless a problem covers it', () => {
    const lost = new Map<string, number>();
    expect(lostSight(before, [queue('a')], [], lost, 10)).toEqual([]);
    expect(namesOf(lostSight(before, [queue('a')], [about({ vhost: 'nova' })], lost, 10))).toEqual(['c']);
    expect(namesOf(lostSight(before, [], [about({ scope: 'queue' })], lost, 10))).toEqual(['a', 'b', 'c']);
    expect(lostSight(before, [], [about({ scope: 'group' })], lost, 10)).toEqual([]);
  });

  test('is kept for ten lists and no longer, and never are more kept than are wanted', () => {
    const lost = new Map<string, number>();
    const problems = [about({ scope: 'queue' })];
    for (let list = 0; list < 10; list++) expect(lostSight(before, [], problems, lost, 10)).toHaveLength(3);
    expect(lostSight(before, [], problems, lost, 10)).toEqual([]);
    expect(lostSight(before, [], problems, new Map(), 2)).toHaveLength(2);
  });
});

describe('a queue that the details lack', () => {
  const found = (listed: readonly QueueRecord[] | undefined, unasked: readonly QueueRecord[] = []) => {
    const { queues, unread } = withLost([queue('a'), queue('b')], { queues: [queue('a')], unasked }, listed);
    return { names: queues.map(({ name, messages }) => `${name} ${messages}`), unread };
  };
  const unknown = [{ scope: 'queue', vhost: '/', queue: 'b' }];

  test('is unknown without a list: its node may be down', () => {
    expect(found(undefined)).toEqual({ names: ['a 1'], unread: unknown });
  });

  test('was deleted, if the list knew its depth; on a node that is down, if not', () => {
    expect(found([queue('a'), queue('b')])).toEqual({ names: ['a 1'], unread: [] });
    expect(found([queue('a'), { ...queue('b'), messages: undefined }])).toEqual({
      names: ['a 1', 'b undefined'],
      unread: [],
    });
  });

  test('is unknown where it was not asked for', () => {
    expect(found([queue('a'), queue('b')], [queue('b')])).toEqual({ names: ['a 1'], unread: unknown });
  });
});
