/** The part of the daemon that has the events: what goes wrong between its pieces, in one process. */

import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registry } from '../collectors/registry.ts';
import { type Clock, systemClock } from '../src/clock.ts';
import { openDatabase, takeLock } from '../src/database.ts';
import { asFailure, Failure } from '../src/errors.ts';
import { postEvent, spoolCommand } from '../src/events/commands.ts';
import { controlSocket, openDesk } from '../src/events/desk.ts';
import { type Event, hashOf } from '../src/events/event.ts';
import { type Events, startEvents } from '../src/events/events.ts';
import { eventFaults } from '../src/events/faults.ts';
import { holdSpool } from '../src/events/held-spool.ts';
import { createIntake } from '../src/events/intake.ts';
import { type EventsOptions, eventsOptions } from '../src/events/options.ts';
import { openSpool, type Spool } from '../src/events/spool.ts';
import type { Point } from '../src/point.ts';
import { selfMetrics } from '../src/self.ts';
import { fakeClock } from './support/fake-clock.ts';
import { type KeptLog, keptLog } from './support/sink-log.ts';
import { eventually } from './support/statsd.ts';
import { isRoot, mountTmpfs } from './support/tmpfs.ts';

let root: string;
let log: KeptLog;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgestatd-events-'));
  log = keptLog();
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(root, { recursive: true, force: true });
});

const optionsOf = (more: object = {}): EventsOptions =>
  eventsOptions.parse({ spool: join(root, 'spool.db'), graphite: { url: 'http://127.0.0.1:9/events/' }, ...more });
function started(options: EventsOptions, clock: Clock = systemClock): Events {
  const events = startEvents(options, { clock, log: log.log, collectors: registry, targetName: (key) => key }, true);
  closers.push(() => events.stop(0));
  return events;
}
const answering = async (options: EventsOptions): Promise<void> => {
  await eventually(async () => {
    const desk = await openDesk(options, systemClock);
    desk.close();
    return desk.hasDaemon ? true : undefined;
  }, 'the socket of the daemon');
};

let number = 0;
function manyEvents(count: number, data = ''): Event[] {
  return Array.from({ length: count }, () => {
    number += 1;
    const body = { what: `deploy ${number}`, tags: ['deploy'], data, whenUs: 1_700_000_000_000_000 + number * 1e6 };
    return { id: hashOf(body), ...body };
  });
}
const how = { source: 'test', conflicts: 'refuse', nowMs: 0 } as const;
function opened(maxBytes: number, whenFull: 'refuse' | 'dropOldest' = 'refuse'): Spool {
  const options = { path: join(root, 'spool.db'), maxBytes, maxAgeMs: 1e12, whenFull };
  const spool = openSpool(options, { mayMoveAside: true, nowMs: 0 });
  closers.push(() => spool.close());
  spool.setDestinations(['graphite'], 0);
  return spool;
}

describe('an event with an id and no time of its own', () => {
  it('that comes again is known, through the daemon as without one', async () => {
    const options = optionsOf();
    started(options);
    await answering(options);
    for (const when of [undefined, '-90m']) {
      const post = { what: 'deploy', tag: ['a'], id: `run ${when}`, ...(when !== undefined && { when }) };
      expect((await postEvent(options, post, systemClock)).printed[0]).toContain('accepted');
      expect((await postEvent(options, post, systemClock)).printed[0]).toContain('known already');
    }
  });
});

describe('a daemon that ends before it has answered a command', () => {
  let server: Server;
  it('is told as that, with what to do', async () => {
    const options = optionsOf();
    server = createServer((request, response) => {
      if (request.method === 'GET') response.writeHead(405).end();
      else request.resume().on('end', () => request.socket.destroy());
    });
    await new Promise<void>((resolve) => void server.listen(controlSocket(options), resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const failure = asFailure(await postEvent(options, { what: 'x', tag: [] }, systemClock).catch((thrown) => thrown));
    expect(failure.code).toBe('E_CONNECT');
    expect(failure.message).toMatch(
      /spool\.db\.sock: the daemon did not answer \(.*\), so that nobody knows .* run this again/,
    );
  });
});

describe('a spool of very many', () => {
  it('reads of those that wait only the first', () => {
    const spool = opened(2 ** 28);
    spool.accept(manyEvents(20_000), how);
    const timed = (limit: number): number => {
      const from = performance.now();
      for (let count = 0; count < 10; count++) expect(spool.open('graphite', limit)).toHaveLength(limit);
      return performance.now() - from;
    };
    timed(1);
    const all = timed(6000);
    // A thousandth of them takes a small part of the time: by a scan it would take nearly all of it.
    expect(timed(6)).toBeLessThan(all / 10);
  });

  it('takes very many at once where it is full of what was delivered, within the patience of a watchdog', () => {
    const spool = opened(8 * 2 ** 20);
    // Until the first ones have been forgotten.
    const first = spool.database.prepare('SELECT min(seq) AS seq FROM event');
    for (let isFull = false; !isFull; ) {
      spool.accept(manyEvents(500, 'x'.repeat(100)), how);
      const claimed = spool.open('graphite', 500).map(({ seq }) => seq);
      spool.advance('graphite', [], claimed, 0);
      const outcomes = claimed.map((seq) => ({ seq, state: 'delivered' as const, answer: '' }));
      spool.advance('graphite', outcomes, [], 0);
      isFull = Number(first.get()?.seq) > 1;
    }
    let attempts = 0;
    const events = manyEvents(8000, 'x'.repeat(100));
    const counted = new Proxy(events, {
      get(target, name, receiver) {
        if (name === 'map') attempts += 1;
        return Reflect.get(target, name, receiver);
      },
    });
    expect(spool.accept(counted, how)).toHaveLength(8000);
    // Each writes all of them anew.
    expect(attempts).toBeLessThan(5);
  });

  it('that is full of what waits takes the small ones of those that come at the same time', async () => {
    const spool = opened(256 * 1024);
    const fill = (): void => {
      for (;;) spool.accept(manyEvents(5, 'x'.repeat(1000)), how);
    };
    expect(fill).toThrow('full');
    expect(() => spool.accept(manyEvents(1, 'x'.repeat(60_000)), how)).toThrow('full');
    const intake = createIntake(
      () => spool,
      systemClock,
      () => {},
    );
    const take = (events: Event[]) => intake.take(events, { source: 'listener', conflicts: 'refuse' });
    const taken = await Promise.allSettled([take(manyEvents(1, 'x'.repeat(60_000))), take(manyEvents(1))]);
    expect(taken.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });
});

describe('a spool that could be opened, and not be told its destinations', () => {
  it('is opened anew, so that nothing that is taken waits for ever', () => {
    let isBroken = true;
    const options = { path: join(root, 'spool.db'), maxBytes: 2 ** 20, maxAgeMs: 1e9, whenFull: 'refuse' } as const;
    const held = holdSpool(options, {
      clock: fakeClock(),
      log: log.log,
      opened(spool) {
        if (isBroken) throw new Failure('E_SPOOL', 'is held by another process');
        spool.setDestinations(['graphite'], 0);
      },
    });
    closers.push(() => held.close());
    expect(() => held.spool()).toThrow('held by another');
    isBroken = false;
    expect(held.look()).toBe(true);
    held.spool().accept(manyEvents(1), how);
    expect(held.mine()?.open('graphite', 10)).toHaveLength(1);
    expect(log.names()).toEqual(['events:spool_failed', 'events:spool_works']);
  });
});

describe('the events of a daemon', () => {
  const down = (value: 0 | 1): Point => ({
    ...{ path: 'edge.hv01.edgestatd.tcp.up', base: 'edge.hv01.edgestatd', labels: { job: 'tcp' } },
    ...{ metric: Object.values(selfMetrics).find(({ name }) => name === 'up') as Point['metric'], value },
  });
  const eventsIn = (path: string): string[] => {
    const spool = openSpool(
      { path, maxBytes: 2 ** 20, maxAgeMs: 1e9, whenFull: 'refuse' },
      { mayMoveAside: false, nowMs: 0 },
    );
    try {
      return spool.database
        .prepare('SELECT what FROM event ORDER BY seq')
        .all()
        .map(({ what }) => String(what));
    } finally {
      spool.close();
    }
  };

  it('end once, however often that is asked for, and keep what rules see meanwhile', async () => {
    const options = optionsOf({ rules: [{ on: 'job_failed' }] });
    const events = started(options);
    const see = (value: 0 | 1) =>
      events.see({ job: 'tcp@local', atMs: Date.now(), intervalMs: 1000, points: [down(value)] });
    see(1);
    const ending = [events.stop(1000), events.stop(500)];
    // As a job does that a reload leaves alone.
    see(0);
    await Promise.all(ending);
    expect(eventsIn(options.spool)).toEqual(['job_failed: tcp']);
    see(1);
    see(0);
    expect(log.of('events:rule_failed')).toEqual([]);
  });

  it('say what they leave behind in a spool that is not configured any more', async () => {
    const options = optionsOf();
    const before = started(options);
    await answering(options);
    await postEvent(options, { what: 'x', tag: [] }, systemClock);
    await before.stop(100, true);
    expect(log.of('events:left')).toMatchObject([{ count: 1, message: expect.stringContaining(options.spool) }]);
    log = keptLog();
    await started(options).stop(100);
    expect(log.of('events:left')).toEqual([]);
  });

  it('do not age by the time in which another process delivered from their spool', async () => {
    const options = optionsOf({ maxAge: '45m' });
    const release = takeLock(options.spool);
    const first = openSpool(
      { path: options.spool, maxBytes: 2 ** 20, maxAgeMs: 1e12, whenFull: 'refuse' },
      { mayMoveAside: true, nowMs: 0 },
    );
    first.setDestinations(['graphite'], 0);
    first.accept(manyEvents(1), how);
    const clock = fakeClock(Date.now());
    started(options, clock);
    await clock.advance(30 * 60_000);
    first.age(30 * 60_000, 0);
    first.close();
    release?.();
    // Of what is due within it: the spool is theirs, and ages.
    await clock.advance(11 * 60_000);
    const [line = ''] = spoolCommand(options, { action: undefined, ids: [], json: true }, systemClock);
    expect(JSON.parse(line).destinations).toMatchObject([{ pending: 1, dropped: 0 }]);
  });

  it.skipIf(!isRoot)('say that their spool cannot be written while its disk is full', async () => {
    const disk = mountTmpfs(join(root, 'disk'), 'size=512k');
    closers.push(() => disk.unmount());
    const options = optionsOf({ spool: join(root, 'disk', 'spool.db') });
    const clock = fakeClock(Date.now());
    const events = started(options, clock);
    await answering(options);
    const usable = () => events.reading().samples.find(({ metric }) => metric.name === 'events_spool_usable')?.value;
    const post = () => postEvent(options, { what: 'x', tag: [], data: 'x'.repeat(60_000) }, systemClock);
    const fill = async (): Promise<void> => {
      for (;;) await post();
    };
    expect(usable()).toBe(1);
    await expect(fill()).rejects.toThrow('the disk is full');
    expect(usable()).toBe(0);
    disk.remount('size=4m');
    await clock.advance(5000);
    expect(usable()).toBe(1);
    await post();
  });

  it('tell what a spool that cannot be had leaves unknown, which is not 0', () => {
    writeFileSync(join(root, 'wall'), '');
    const blind = started(optionsOf({ spool: join(root, 'wall', 'spool.db') }), fakeClock());
    const { samples, unread } = blind.reading();
    expect(samples.map(({ metric }) => metric.name)).not.toContain('events_waiting');
    // The scope of everything: no series of the daemon's own gets a final 0 for not being there.
    expect(unread).toEqual([{}]);
    expect(started(optionsOf(), fakeClock()).reading().unread).toEqual([]);
  });

  it('may be watched by rules, as every metric that is 0 or 1', () => {
    const options = optionsOf({ rules: [{ metric: 'edgestatd.events_spool_usable' }] });
    expect(eventFaults(options, registry)).toEqual([]);
  });
});

describe.skipIf(!isRoot)('a spool that root begins', () => {
  it('belongs to whom its directory does, so that the daemon can use it', () => {
    const directory = join(root, 'state');
    mkdirSync(directory);
    chownSync(directory, 65_534, 65_534);
    const path = join(directory, 'spool.db');
    const versions = ['CREATE TABLE x (y)'];
    openDatabase(path, { versions, sync: 'full', maxBytes: 2 ** 20, mayMoveAside: true, nowMs: 0 }).close();
    takeLock(path)?.();
    for (const file of [path, `${path}.lock`]) expect(statSync(file).uid).toBe(65_534);
    chmodSync(directory, 0o700);
  });
});
