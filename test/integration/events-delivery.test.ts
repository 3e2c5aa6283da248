/** Delivery of events to the real graphite-web: read back from the rows of its database. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Event } from '../../src/events/event.ts';
import { createDelivery } from '../../src/events/out/delivery.ts';
import { createDestination } from '../../src/events/out/destination.ts';
import {
  type CuttingProxy,
  cutAfterRequestBytes,
  cutAfterResponseBytes,
  cutBeforeResponse,
  pass,
  type Rule,
  startProxy,
} from '../support/cutting-proxy.ts';
import { happened, hastened, NOON, type Rig, type RigOptions, soon, startRig } from '../support/events-delivery.ts';
import { type Graphite, graphiteReason, startGraphite } from '../support/graphite.ts';
import type { StoredEvent } from '../support/graphite-database.ts';

const reason = graphiteReason();

describe.skipIf(reason !== undefined)(`events in graphite-web${reason === undefined ? '' : ` (${reason})`}`, () => {
  let graphite: Graphite;
  let proxy: CuttingProxy;
  let rig: Rig | undefined;
  /** Each test has seconds of its own. */
  let second = 0;

  beforeAll(async () => {
    graphite = await startGraphite({ lockTimeoutSeconds: 1 });
    proxy = await startProxy({ to: graphite.port });
  });
  afterAll(async () => {
    await proxy?.close();
    await graphite?.close();
  });
  beforeEach(() => {
    second += 100_000;
    proxy.set(pass());
  });
  afterEach(async () => {
    await rig?.delivery.stop(0);
    await rig?.close();
    rig = undefined;
  });

  const start = (options: RigOptions = {}): Rig => {
    rig = startRig({ clock: systemClock, url: `${proxy.url}/events/`, settle: '200ms', timeout: '5s', ...options });
    return rig;
  };
  const make = (what: string, seconds: number, more: Partial<Event> = {}): Event =>
    happened(what, second + seconds, { tags: ['deploy'], ...more });
  const stored = (): StoredEvent[] => {
    const from = NOON + second;
    return graphite.rows().filter(({ whenSeconds }) => whenSeconds >= from && whenSeconds < from + 100_000);
  };
  /** Found by all of their tags, as dashboards find them. */
  const whole = (): StoredEvent[] => stored().filter(({ tags, foundBy }) => foundBy.join() === tags.toSorted().join());
  const whats = (rows: readonly StoredEvent[]): string[] => rows.map(({ what }) => what).toSorted();
  /**
   * Each is found by its tags once. What the server stored without its tags can be mended by nobody: that was said, and
   * stands there beside the whole one.
   */
  const expectOnce = (expected: readonly string[], { kept }: Rig): void => {
    expect(whats(whole())).toEqual(expected.toSorted());
    const said = kept.of('events:halved').map(({ id, left }) => `${id} ${left}`);
    expect(stored().length - expected.length).toBe(new Set(said).size);
  };
  const delivered = async ({ delivery }: Rig, count: number, withinMs = 60_000): Promise<void> =>
    soon(
      () => delivery.counts().delivered === count,
      () => `${count}: ${JSON.stringify(delivery.counts())}`,
      withinMs,
    );

  it('are stored as they were given, to the microsecond, and found by their tags', async () => {
    const given = [
      make('deploy of "web" <b>', 0.123457, { tags: ['deploy', 'app:web', 'v1.2_x-y'], data: 'line 1\r\nline 2 é 🚀' }),
      make('without tags', 1, { tags: [] }),
      make('half', 2.5),
    ];
    const { accept, delivery } = start();
    accept(...given);
    delivery.wake();
    await delivered(rig as Rig, 3);
    expect(whole().toSorted((a, b) => a.whenSeconds - b.whenSeconds)).toMatchObject(
      given.map(({ what, tags, data, whenUs }) => ({ what, tags, data, whenSeconds: whenUs / 1e6 })),
    );
  });

  it('come in the order of when', async () => {
    const count = 300;
    const { accept, delivery } = start({ concurrency: 1, url: graphite.eventsUrl });
    accept(...Array.from({ length: count }, (_, n) => make(`e${n}`, count - n)));
    delivery.wake();
    await delivered(rig as Rig, count);
    const times = stored().map(({ whenSeconds }) => whenSeconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(whole()).toHaveLength(count);
  });

  it('are found again by the question, each second by itself, also early in 1970 and with a date’s digits', async () => {
    const { accept, delivery, options } = start();
    const all = [make('x', 0.999999), make('x', 1), happened('old', 0, { whenUs: 19_700_820_500_000, tags: ['t'] })];
    accept(...all);
    delivery.wake();
    await delivered(rig as Rig, 3);
    const destination = createDestination(options);
    const until = AbortSignal.timeout(10_000);
    for (const event of all) {
      expect(await destination.find(event, 0, until)).toEqual({ kind: 'found', whole: 1, halves: 0 });
    }
    const others = [
      make('y', 0.5),
      make('x', 2),
      make('x', 0.5, { tags: ['deploy', 'more'] }),
      make('x', 0.5, { data: 'd' }),
    ];
    for (const event of others) {
      expect(await destination.find(event, 0, until)).toEqual({ kind: 'found', whole: 0, halves: 0 });
    }
    expect(await destination.probe(until)).toMatchObject({ level: 'ok' });
    destination.close();
  });

  describe('cut by the way', () => {
    // A request of this test: so many bytes of its head and its body.
    const stages: Record<string, (n: number) => Rule> = {
      'in its head': (n) => cutAfterRequestBytes(1 + (n % 150)),
      'in its body': (n) => cutAfterRequestBytes(215 + (n % 60)),
      'before the answer': cutBeforeResponse,
      'in the answer': (n) => cutAfterResponseBytes(1 + (n % 120)),
    };

    it('over 200 times: every one is there exactly once', async () => {
      const { accept, delivery } = start({ clock: hastened(100), settle: '150s' });
      const kinds = Object.values(stages);
      const count = 400;
      // Requests of either kind, in no order that events or attempts have too.
      let chance = 1;
      let cuts = 0;
      proxy.set(() => {
        chance = (chance * 48_271) % 0x7fff_ffff;
        return chance % 10 < 3 && cuts < 200 ? (kinds[cuts % kinds.length]?.(cuts++) ?? pass()) : pass();
      });
      accept(...Array.from({ length: count }, (_, n) => make(`cut ${n}`, n + 0.5, { data: 'd'.repeat(n % 40) })));
      delivery.wake();
      await delivered(rig as Rig, count);
      expect(cuts).toBe(200);
      expect(delivery.counts().found).toBeGreaterThan(20);
      expectOnce(
        Array.from({ length: count }, (_, n) => `cut ${n}`),
        rig as Rig,
      );
    }, 60_000);
  });

  it('are there exactly once when the server is killed in the middle of each of 200 requests', async () => {
    const rounds = 200;
    const { accept, delivery } = start({ clock: hastened(100), settle: '150s', concurrency: 2 });
    for (let n = 0; n < rounds; n++) {
      await soon(() => !delivery.isDown, 'the delivery to go on');
      const before = proxy.requests;
      accept(make(`killed ${n}`, n + 0.25));
      delivery.wake();
      await soon(() => proxy.requests > before, 'a request');
      // From its first byte on to about when it is answered.
      const untilMs = performance.now() + (n % 25) / 2;
      while (performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve));
      await graphite.killWorker();
      await graphite.ask('/events/get_data?until=1');
    }
    await delivered(rig as Rig, rounds);
    expectOnce(
      Array.from({ length: rounds }, (_, n) => `killed ${n}`),
      rig as Rig,
    );
    expect(delivery.counts().failures.get('E_CONNECT')).toBeGreaterThan(100);
  }, 90_000);

  it('wait while its database is locked, and are there once afterwards', async () => {
    const { accept, delivery, kept } = start();
    const unlock = graphite.lock('writes');
    accept(...Array.from({ length: 20 }, (_, n) => make(`locked ${n}`, n)));
    delivery.wake();
    const { message } = await kept.next('events:down');
    expect(message).toContain('OperationalError: database is locked');
    unlock();
    await delivered(rig as Rig, 20);
    expectOnce(
      Array.from({ length: 20 }, (_, n) => `locked ${n}`),
      rig as Rig,
    );
    expect(kept.of('events:down')).toHaveLength(1);
    expect(kept.of('events:up')).toHaveLength(1);
  });

  it('wait while it is stopped', async () => {
    await graphite.stop();
    const { accept, delivery, kept } = start({ url: graphite.eventsUrl });
    accept(...Array.from({ length: 200 }, (_, n) => make(`late ${n}`, n)));
    delivery.wake();
    expect(await kept.next('events:down')).toMatchObject({ code: 'E_CONNECT' });
    expect(delivery.isDown).toBe(true);
    await graphite.start();
    await delivered(rig as Rig, 200);
    expectOnce(
      Array.from({ length: 200 }, (_, n) => `late ${n}`),
      rig as Rig,
    );
    expect(delivery.counts().dead).toBe(0);
  });

  it('are taken back from a server that stands still, so that it stores nothing when it goes on', async () => {
    const { accept, delivery } = start({ url: graphite.eventsUrl, timeout: '300ms', settle: '500ms' });
    await graphite.pause();
    accept(make('paused', 0));
    delivery.wake();
    await soon(() => (delivery.counts().failures.get('E_TIMEOUT') ?? 0) > 0, 'the timeout');
    graphite.resume();
    await delivered(rig as Rig, 1);
    expect(stored()).toHaveLength(1);
  });

  it('that it can never take are dead, and the others are delivered', async () => {
    const { accept, delivery, states, answerOf } = start();
    // Half of a surrogate pair, which no database takes; no way in lets such an event into the spool.
    accept(make('a', 0), make('never', 0.5, { tags: ['\ud800'] }), make('b', 1));
    delivery.wake();
    await soon(() => delivery.counts().dead === 1 && delivery.counts().delivered === 2, 'all');
    await soon(() => states().never === 'dead', 'it to be written');
    expect(answerOf('never')).toMatch(/\(500\): UnicodeEncodeError: /);
    expect(whats(stored())).toEqual(['a', 'b']);
  });

  it('of a delivery that was killed are asked for by the next one', async () => {
    const { accept, delivery, spool, options, kept } = start({ concurrency: 8, settle: '2s' });
    const count = 40;
    accept(...Array.from({ length: count }, (_, n) => make(`once ${n}`, n)));
    // A process that is killed writes nothing more: what it did is not in the spool.
    let isAlive = true;
    const mute = {
      ...spool,
      advance: (...args: Parameters<typeof spool.advance>) => isAlive && spool.advance(...args),
    };
    const doomed = createDelivery({
      ...{ spool: () => (isAlive ? mute : undefined), destination: options, clock: systemClock, log: kept.log },
    });
    doomed.wake();
    await soon(() => stored().length > 5, 'some');
    isAlive = false;
    delivery.wake();
    await soon(
      () => spool.open('here', 1).length === 0,
      () => `${stored().length}, ${JSON.stringify(delivery.counts())}`,
      30_000,
    );
    await doomed.stop(0);
    expectOnce(
      Array.from({ length: count }, (_, n) => `once ${n}`),
      rig as Rig,
    );
    expect(delivery.counts().found).toBeGreaterThan(0);
  });
});
