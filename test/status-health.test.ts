/** What is remembered of jobs and sinks, and whether all that is well. */
import { describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import type { EventMap } from '../src/log-events.ts';
import type { JobStatus, ProblemStatus, SinkStatus } from '../src/status/document.ts';
import { healthOf, type Pulse } from '../src/status/health.ts';
import { createJobNotes, type Ended } from '../src/status/job-notes.ts';
import { eventsStatus, sinkStatus } from '../src/status/sink-status.ts';
import { intervalText, spanText } from '../src/status/spans.ts';
import { noteTroubles } from '../src/status/trouble-notes.ts';

const ended = (nowMs: number, more: Partial<Ended> = {}): Ended => ({
  ...{ atMs: nowMs - 5, nowMs, monotonicMs: nowMs, durationMs: 4.6, samples: 3, failure: undefined, problems: [] },
  ...more,
});

describe('the notes of a job', () => {
  it('begin with nothing known', () => {
    expect(createJobNotes().told()).toEqual({ state: 'waiting', runs: 0, failedRuns: 0, problems: [] });
  });

  it('say since when it fails, over failures of one code, and what the last run that succeeded had', () => {
    const notes = createJobNotes();
    notes.ended(ended(1000));
    notes.ended(ended(2000, { samples: 0, failure: new Failure('E_TIMEOUT', 'after 8 s') }));
    notes.ended(ended(3000, { samples: 0, failure: new Failure('E_TIMEOUT', 'after 9 s') }));
    expect(notes.told()).toEqual({
      ...{ state: 'down', runs: 3, failedRuns: 2, lastRunAtMs: 2995, lastSuccessAtMs: 995, durationMs: 5, samples: 3 },
      problems: [{ code: 'E_TIMEOUT', message: 'after 9 s', sinceMs: 2000, fatal: true }],
    });
    notes.ended(ended(4000, { failure: new Failure('E_EXIT', 'status 1') }));
    expect(notes.told().problems[0]?.sinceMs).toBe(4000);
    notes.ended(ended(5000));
    expect(notes.told()).toMatchObject({ state: 'up', problems: [], failedRuns: 3 });
    expect(notes.succeededMs).toBe(5000);
  });

  it('say since when a part cannot be had, whatever numbers it is told with, also over a run that failed', () => {
    const notes = createJobNotes();
    const partly = (line: number) => [new Failure('E_PARSE', `line ${line} is none`)];
    notes.ended(ended(1000, { problems: partly(3) }));
    notes.ended(ended(2000, { failure: new Failure('E_EXIT', 'status 1'), problems: [] }));
    expect(notes.told().problems).toHaveLength(1);
    notes.ended(ended(3000, { problems: [...partly(4), ...partly(9), new Failure('E_DENIED', 'no')] }));
    expect(notes.told().problems).toEqual([
      { code: 'E_PARSE', message: 'line 4 is none', sinceMs: 1000, fatal: false },
      { code: 'E_DENIED', message: 'no', sinceMs: 3000, fatal: false },
    ]);
    notes.ended(ended(4000));
    notes.ended(ended(5000, { problems: partly(3) }));
    expect(notes.told().problems[0]?.sinceMs).toBe(5000);
  });

  it('are bounded: fifty problems, of two thousand characters each', () => {
    const notes = createJobNotes();
    const letters = (index: number): string => String.fromCodePoint(0x4e00 + index);
    const problems = Array.from({ length: 80 }, (_, index) => new Failure('E_PARSE', letters(index).repeat(3000)));
    notes.ended(ended(1000, { problems }));
    const told = notes.told().problems;
    expect(told).toHaveLength(50);
    expect(Math.max(...told.map(({ message }) => message.length))).toBe(2001);
  });
});

const job = (id: string, more: Partial<JobStatus> = {}): Pulse['job'] => ({
  ...{ id, intervalMs: 10_000, state: 'up', problems: [] },
  ...more,
});
const pulse = (
  id: string,
  sinceSuccessMs: number | undefined,
  ageMs = 600_000,
  more: Partial<JobStatus> = {},
): Pulse => ({
  ...{ job: job(id, more), ageMs, sinceSuccessMs },
});
const trouble: ProblemStatus = { code: 'E_CONNECT', message: 'nobody listens', sinceMs: 100_000, fatal: true };
const sink = (state: 'up' | 'down', more: Partial<SinkStatus> = {}): SinkStatus => ({
  ...{ name: 'statsd', type: 'statsd', to: '127.0.0.1:8125', state, sentMetrics: 0, sentBytes: 0, droppedMetrics: {} },
  ...(state === 'down' ? { problem: trouble } : {}),
  ...more,
});

describe('health', () => {
  const healthy = { healthy: true, reasons: [] };

  it('is there without jobs and sinks, at the start, and while one job works', () => {
    expect(healthOf([], [], 0)).toEqual(healthy);
    expect(healthOf([pulse('tcp@local', undefined, 59_000)], [sink('up')], 0)).toEqual(healthy);
    expect(healthOf([pulse('tcp@local', undefined), pulse('htb@local', 9000)], [], 0)).toEqual(healthy);
    expect(healthOf([pulse('tcp@local', 59_000)], [], 0)).toEqual(healthy);
  });

  it('is gone when no job has succeeded within three of its intervals, and says which and why', () => {
    const problems = [{ ...trouble, code: 'E_DENIED' as const, message: 'root alone may read it' }];
    const failing = pulse('tcp@local', 61_000, 600_000, { problems });
    expect(healthOf([failing, pulse('htb@local', undefined, 600_000)], [], 0)).toEqual({
      healthy: false,
      reasons: [
        'no job works: tcp@local has not succeeded for 1m1s (E_DENIED: root alone may read it); htb@local has not succeeded in 10m',
      ],
    });
    // One that has not been there for three intervals is no comfort to those that fail.
    const slow = pulse('kmod@local', undefined, 600_000, { intervalMs: 3_600_000 });
    expect(healthOf([failing, slow], [], 0).healthy).toBe(false);
    expect(healthOf([slow], [], 0)).toEqual(healthy);
    expect(healthOf([pulse('a', 200_000, 600_000, { intervalMs: 70_000 })], [], 0)).toEqual(healthy);
    const many = Array.from({ length: 300 }, (_, index) => pulse(`htb@hv${index}`, undefined));
    expect(healthOf(many, [], 0).reasons[0]).toMatch(/^no job works: htb@hv0 .*; htb@hv2 has .*; and 297 more$/);
  });

  it('is gone when every sink that sends has been down for a minute', () => {
    const nowMs = 161_000;
    expect(healthOf([], [sink('down'), sink('up', { name: 'other' })], nowMs)).toEqual(healthy);
    expect(healthOf([], [sink('down')], 160_000)).toEqual(healthy);
    expect(healthOf([], [sink('down'), sink('up', { type: 'stdout', name: 'stdout' })], nowMs)).toEqual({
      healthy: false,
      reasons: ['every sink is down: statsd (127.0.0.1:8125) for 1m1s: E_CONNECT: nobody listens'],
    });
  });
});

describe('troubles', () => {
  it('of sinks and of destinations of events are overheard, and handed on to the log', () => {
    const said: unknown[] = [];
    let nowMs = 5000.4;
    const notes = noteTroubles(
      (event, fields) => void said.push([event, fields]),
      () => nowMs,
    );
    const down: EventMap['sink:down'] = { sink: 'statsd', to: 'a:1', code: 'E_SEND', message: 'no room' };
    notes.log('sink:down', down);
    nowMs = 9000;
    notes.log('sink:down', { ...down, message: 'no route' });
    notes.log('events:down', { destination: 'graphite', to: 'b:1', code: 'E_CONNECT', message: 'refused' });
    notes.log('sink:in_pace', { sink: 'statsd' });
    expect([...notes.down]).toEqual([
      ['a:1', { code: 'E_SEND', message: 'no route', sinceMs: 5000, fatal: true }],
      ['graphite', { code: 'E_CONNECT', message: 'refused', sinceMs: 9000, fatal: true }],
    ]);
    notes.log('sink:up', { sink: 'statsd', to: 'a:1', downSeconds: 4, droppedMetrics: 0 });
    notes.log('events:up', { destination: 'graphite', to: 'b:1', downSeconds: 4 });
    expect(notes.down.size).toBe(0);
    expect(said).toHaveLength(6);
  });

  const carbon = (...down: string[]) => {
    const notes = noteTroubles(
      () => {},
      () => 1000,
    );
    for (const to of down) notes.log('sink:down', { sink: 'carbon', to, code: 'E_CONNECT', message: to });
    const counts = {
      sentMetrics: 5,
      sentBytes: 50,
      droppedMetrics: new Map([['expired' as const, 2]]),
      resentMetrics: 1,
    };
    const waiting = { metrics: 9, bytes: 4096, oldestSeconds: undefined };
    const settings = { type: 'carbon', name: 'carbon', destinations: ['a:1', 'b:1'] };
    const made = { name: 'carbon', write() {}, counts: () => ({ ...counts, waiting }), close: async () => {} };
    return sinkStatus({ sink: made, settings: settings as never, notes });
  };

  it('of one of several destinations leave a sink up, and are told; those of all take it down', () => {
    expect(carbon('b:1')).toEqual({
      ...{
        name: 'carbon',
        type: 'carbon',
        to: 'a:1, b:1',
        state: 'up',
        sentMetrics: 5,
        sentBytes: 50,
        resentMetrics: 1,
      },
      problem: { code: 'E_CONNECT', message: 'b:1', sinceMs: 1000, fatal: true },
      ...{ droppedMetrics: { expired: 2 }, spool: { metrics: 9, bytes: 4096 } },
    });
    expect(carbon('a:1', 'b:1').state).toBe('down');
    expect(carbon()).not.toHaveProperty('problem');
  });

  it('of events are told by destination; of a spool that cannot be read nothing is', () => {
    const notes = noteTroubles(
      () => {},
      () => 1000,
    );
    notes.log('events:down', { destination: 'graphite', to: 'b:1', code: 'E_CONNECT', message: 'refused' });
    const waiting = { destination: 'graphite', isWanted: true, waiting: 2, doubtful: 0, dead: 1, oldestMs: 4000 };
    const counted = { intake: { accepted: new Map(), refused: new Map() }, dropped: 0, isUnwritable: false };
    const seen = { ...counted, delivered: new Map([['graphite', 7]]), spool: { bytes: 4096, waiting: [waiting] } };
    expect(eventsStatus('/spool.db', seen, notes, 5000)).toEqual({
      ...{ spool: '/spool.db', bytes: 4096 },
      destinations: [
        {
          ...{ name: 'graphite', waiting: 2, dead: 1, delivered: 7, oldestSeconds: 1 },
          problem: { code: 'E_CONNECT', message: 'refused', sinceMs: 1000, fatal: true },
        },
      ],
    });
    const blind = eventsStatus('/spool.db', { ...seen, spool: undefined }, notes, 5000);
    expect(blind).toMatchObject({ spool: '/spool.db', destinations: [{ name: 'graphite', delivered: 7 }] });
    for (const name of ['bytes', 'destinations.0.waiting', 'destinations.0.dead'])
      expect(blind).not.toHaveProperty(name);
  });
});

it('spans of time are told by their two largest units', () => {
  const told = [0, -5, 430, 1000, 12_000, 61_000, 600_000, 3_600_000, 3_725_000, 90_000_000, 86_400_000 * 400];
  expect(told.map(spanText)).toEqual([
    ...['0s', '0s', '430ms', '1s', '12s', '1m1s', '10m', '1h', '1h2m', '1d1h', '400d'],
  ]);
  expect([1500, 10_000, 90_000, 300_000, 3_600_000, 250].map(intervalText)).toEqual([
    ...['1500ms', '10s', '90s', '5m', '1h', '250ms'],
  ]);
});
