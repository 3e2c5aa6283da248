import { expect, it } from 'vitest';
import { createTurns } from '../src/turns.ts';
import { fakeClock } from './support/fake-clock.ts';

const never = new AbortController().signal;

/** What has been given a turn so far, in order. */
function takers(limit: number) {
  const clock = fakeClock();
  const turns = createTurns(limit, clock);
  const given: string[] = [];
  const ends = new Map<string, () => void>();
  const ask = (name: string, deadline = never) =>
    turns.take(deadline).then((end) => {
      given.push(name);
      ends.set(name, end);
    });
  return { clock, turns, given, ask, end: (name: string) => ends.get(name)?.() };
}

it('lets so many begin at once, and the others in their order', async () => {
  const { clock, given, ask, end } = takers(2);
  for (const name of ['a', 'b', 'c', 'd']) void ask(name);
  await clock.advance(0);
  expect(given).toEqual(['a', 'b']);
  end('b');
  end('b');
  await clock.advance(0);
  expect(given).toEqual(['a', 'b', 'c']);
  end('a');
  end('c');
  await clock.advance(0);
  expect(given).toEqual(['a', 'b', 'c', 'd']);
  end('d');
  await clock.advance(0);
  expect(clock.timers).toBe(0);
});

it('ends the turn of one that takes long, so that a frozen machine keeps nobody waiting', async () => {
  const { clock, given, ask, end } = takers(1);
  void ask('frozen');
  void ask('next');
  await clock.advance(499);
  expect(given).toEqual(['frozen']);
  await clock.advance(1);
  expect(given).toEqual(['frozen', 'next']);
  // Its late end is nobody else's.
  end('frozen');
  void ask('third');
  await clock.advance(0);
  expect(given).toEqual(['frozen', 'next']);
});

it('leaves out who has no time left, and rejects with the reason', async () => {
  const { clock, given, ask, end } = takers(1);
  const late = new AbortController();
  void ask('first');
  const waiting = ask('late', late.signal);
  void ask('last');
  late.abort(new Error('too late'));
  await expect(waiting).rejects.toThrow('too late');
  await expect(ask('later', late.signal)).rejects.toThrow('too late');
  end('first');
  await clock.advance(0);
  expect(given).toEqual(['first', 'last']);
});

it('takes another limit at once', async () => {
  const { clock, turns, given, ask } = takers(1);
  for (const name of ['a', 'b', 'c']) void ask(name);
  turns.setLimit(3);
  await clock.advance(0);
  expect(given).toEqual(['a', 'b', 'c']);
});
