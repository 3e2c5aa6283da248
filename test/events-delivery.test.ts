import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Failure } from '../src/errors.ts';
import { openSpool, type Spool } from '../src/events/spool.ts';
import {
  happened,
  NOON,
  quiet,
  type Rig,
  type RigOptions,
  type ScriptedServer,
  scriptedServer,
  soon,
  startRig,
} from './support/events-delivery.ts';

const recorded = (name: string): string => readFileSync(new URL(`testdata/graphite/${name}`, import.meta.url), 'utf8');

let server: ScriptedServer;
const rigs: Rig[] = [];
beforeEach(async () => {
  server = await scriptedServer();
});
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((rig) => rig.close()));
  await server.close();
});

function start(options: RigOptions = {}): Rig {
  const rig = startRig({ url: server.url, ...options });
  rigs.push(rig);
  return rig;
}

const whats = (): string[] => server.rows.map(({ what }) => what);
const gets = () => server.asked.filter(({ method }) => method === 'GET');

describe('an event', () => {
  it('is posted as graphite-web takes it, its time to the microsecond', async () => {
    const rig = start();
    rig.accept(happened('deploy of web', 0.123457, { data: 'line 1\nline 2 "é"' }), happened('plain', 5, { tags: [] }));
    rig.delivery.wake();
    await rig.settled();
    expect(server.posts()).toEqual([
      { what: 'deploy of web', tags: ['deploy', 'app'], data: 'line 1\nline 2 "é"', when: NOON + 0.123457 },
      { what: 'plain', tags: [], data: '', when: NOON + 5 },
    ]);
    expect(server.asked[0]?.body).toContain('"when":1700000000.123457');
    expect(rig.delivery.counts()).toMatchObject({ delivered: 2, dead: 0, found: 0, retried: 0 });
    expect(rig.kept.names()).toEqual([]);
  });

  it('is marked as perhaps taken, on the disk, before it goes out', async () => {
    const path = join(tmpdir(), `edgestatd-delivery-${process.pid}.db`);
    const rig = start({ path });
    let seen: unknown;
    server.onPost = (_, store) => {
      const other = openSpool(
        { path, maxBytes: 2 ** 26, maxAgeMs: 1e9, whenFull: 'refuse' },
        { mayMoveAside: false, nowMs: 0 },
      );
      seen = other.open('here', 10).map(({ isDoubtful }) => isDoubtful);
      other.close();
      store();
      return 'take';
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.settled();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    expect(seen).toEqual([true]);
  });

  it.each(['', '/', '/events', '/events/', '/below/events/'])(
    'goes to /events/ of an address that ends in "%s"',
    async (end) => {
      const rig = start({ url: `http://127.0.0.1:${server.port}${end}` });
      rig.accept(happened('a'));
      rig.delivery.wake();
      await rig.settled();
      expect(server.asked[0]?.url.pathname).toBe(end.startsWith('/below') ? '/below/events/' : '/events/');
    },
  );

  it('has its tags as one text for a graphite-web that takes no list', async () => {
    const rig = start({ tags: 'string' });
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.settled();
    expect(server.posts()[0]?.tags).toBe('deploy app');
  });
});

describe('many events', () => {
  it('begin in the order of when, so many at once as are allowed, over connections that are kept', async () => {
    const rig = start({ concurrency: 3 });
    rig.accept(...Array.from({ length: 100 }, (_, n) => happened(`e${n}`, 100 - n)));
    rig.delivery.wake();
    await rig.settled();
    const times = server.posts().map(({ when }) => when);
    // Those that are on their way together arrive in any order.
    expect(times.map((when, at) => Math.abs(when - (NOON + 1 + at))).filter((off) => off > 2)).toEqual([]);
    expect(server.most).toBeLessThanOrEqual(3);
    expect(server.connections).toBeLessThanOrEqual(6);
    expect(rig.delivery.counts().delivered).toBe(100);
  });

  it('are read from the spool a few at a time, and written to it in batches', async () => {
    const limits: number[] = [];
    let commits = 0;
    const rig = start({
      seen: (spool) => seenSpool(spool, { onOpen: (limit) => limits.push(limit), onAdvance: () => commits++ }),
    });
    rig.accept(...Array.from({ length: 1000 }, (_, n) => happened(`e${n}`, n)));
    rig.delivery.wake();
    await rig.settled();
    expect(Math.max(...limits)).toBeLessThanOrEqual(32);
    expect(commits).toBeLessThan(80);
    expect(whats()).toHaveLength(1000);
  });

  it('that come later are delivered when it is woken', async () => {
    const rig = start();
    rig.delivery.wake();
    await quiet();
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.settled();
    expect(whats()).toEqual(['a']);
  });
});

/** Passes on what it sees; the same object for the same spool, as the daemon’s is. */
const wrapped = new WeakMap<Spool, Spool>();
function seenSpool(spool: Spool, see: { onOpen?: (limit: number) => void; onAdvance?: () => void }): Spool {
  const known = wrapped.get(spool);
  if (known !== undefined) return known;
  const seen: Spool = {
    ...spool,
    open(destination, limit, without) {
      see.onOpen?.(limit);
      return spool.open(destination, limit, without);
    },
    advance(...args) {
      see.onAdvance?.();
      spool.advance(...args);
    },
  };
  wrapped.set(spool, seen);
  return seen;
}

describe('an answer that was lost', () => {
  it('is asked for when the request is settled, and not sent again if it stands there; others go on', async () => {
    const rig = start({ settle: '30s' });
    server.onPost = ({ what }, store) => {
      store();
      return what === 'lost' && server.posts().length === 1 ? 'drop' : 'take';
    };
    rig.accept(happened('lost', 0.75), happened('b', 1), happened('c', 2));
    rig.delivery.wake();
    await soon(() => rig.states().c === 'delivered', 'the others');
    expect(rig.states()).toEqual({ lost: 'doubtful', b: 'delivered', c: 'delivered' });
    await rig.clock.advance(29_000);
    await quiet();
    expect(gets()).toEqual([]);
    await rig.clock.advance(1000);
    await rig.settled();
    expect(gets().map(({ url }) => url.search)).toEqual([
      '?from=1699999999&until=1700000001&tags=deploy&set=intersection',
    ]);
    expect(whats().toSorted()).toEqual(['b', 'c', 'lost']);
    expect(rig.delivery.counts()).toMatchObject({ delivered: 3, found: 1, retried: 0 });
    // One lost answer is no outage.
    expect(rig.kept.names()).toEqual([]);
  });

  it('is sent again if it does not stand there', async () => {
    const rig = start();
    server.onPost = (_, store) => {
      if (server.posts().length === 1) return 'drop';
      store();
      return 'take';
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => rig.states().a === 'doubtful' && server.posts().length === 1, 'the loss');
    await quiet();
    await rig.clock.advance(30_000);
    await rig.settled();
    expect(whats()).toEqual(['a']);
    expect(rig.delivery.counts()).toMatchObject({ delivered: 1, found: 0, retried: 1 });
    expect([...rig.delivery.counts().failures]).toEqual([['E_CONNECT', 1]]);
  });

  it.each([
    ['a timeout', 'hang', { timeout: '150ms' }],
    ['502', { status: 502, body: '<html><title>Bad Gateway</title></html>' }, {}],
    ['503 of a proxy', { status: 503, body: 'upstream connect error or disconnect/reset before headers' }, {}],
    ['504', { status: 504 }, {}],
    ['an answer that is cut', { status: 200, headers: { 'content-length': '100' }, body: 'x' }, { timeout: '150ms' }],
  ] as const)('after %s: the event is asked for, and stands there once', async (_, reply, options) => {
    const rig = start(options);
    server.onPost = (__, store) => {
      store();
      return reply;
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => rig.delivery.counts().failures.size > 0, 'the failure');
    await quiet();
    await rig.clock.advance(30_000);
    await rig.settled();
    expect(server.posts()).toHaveLength(1);
    expect(rig.states()).toEqual({ a: 'delivered' });
  });

  it('is asked for again before anything is posted while the question itself fails', async () => {
    const rig = start({ settle: '0ms' });
    let ill = true;
    server.onPost = (_, store) => {
      store();
      return 'drop';
    };
    server.onGet = () => (ill ? { status: 200, body: '<html>Log in</html>' } : 'take');
    rig.accept(happened('a'));
    rig.delivery.wake();
    for (let asked = 1; asked < 5; asked++) {
      await soon(() => gets().length >= asked, 'a question');
      await quiet();
      await rig.clock.advance(400_000);
    }
    expect(server.posts()).toHaveLength(1);
    expect(rig.kept.of('events:down')[0]?.code).toBe('E_PARSE');
    ill = false;
    await rig.clock.advance(400_000);
    await rig.settled();
    expect(server.posts()).toHaveLength(1);
    expect(rig.states()).toEqual({ a: 'delivered' });
  });

  it.each([
    ['with the same second and another what', { what: 'b' }],
    ['with other tags', { tags: ['deploy'] }],
    ['with more tags', { tags: ['deploy', 'app', 'x'] }],
    ['with other data', { data: 'x' }],
    ['of the next second', { when: NOON + 1 }],
  ])('is not taken for one %s', async (_, other) => {
    const rig = start();
    server.rows.push({ what: 'a', tags: ['deploy', 'app'], data: '', when: NOON, ...other });
    server.onPost = (__, store) => {
      if (server.posts().length === 1) return 'drop';
      store();
      return 'take';
    };
    rig.accept(happened('a', 0.25));
    rig.delivery.wake();
    await soon(() => rig.delivery.counts().failures.size > 0, 'the failure');
    await quiet();
    await rig.clock.advance(30_000);
    await rig.settled();
    expect(server.rows).toHaveLength(2);
  });

  it('leaves nothing at work: the request is taken from the server', async () => {
    const rig = start({ timeout: '150ms' });
    server.onPost = () => 'hang';
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => server.underWay === 1, 'the request');
    await soon(() => rig.delivery.counts().failures.get('E_TIMEOUT') === 1, 'the timeout');
    await soon(() => server.underWay === 0, 'the end of its connection');
  });
});

describe('events alike', () => {
  const one = happened('same', 0.1, { id: 'one' });
  const two = happened('same', 0.9, { id: 'two' });

  it.each([
    ['the first was stored', [true, true]],
    ['the first was not stored', [false, true]],
    ['neither was stored', [false, false]],
  ])('both stand there in the end, when answers were lost and %s', async (_, stored) => {
    const rig = start();
    server.onPost = (__, store) => {
      const nth = server.posts().length - 1;
      if (nth >= 2 || stored[nth] === true) store();
      return nth < 2 ? 'drop' : 'take';
    };
    rig.accept(one, two);
    rig.delivery.wake();
    for (let turn = 0; turn < 8 && Object.values(rig.delivery.counts())[0] !== 2; turn++) {
      await quiet();
      await rig.clock.advance(30_000);
    }
    await soon(() => rig.delivery.counts().delivered === 2, 'both');
    expect(whats()).toEqual(['same', 'same']);
  });

  it('are never on their way together', async () => {
    const rig = start();
    let most = 0;
    let now = 0;
    server.onPost = async (_, store): Promise<'take'> => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      store();
      return 'take';
    };
    rig.accept(...Array.from({ length: 10 }, (_, n) => happened('same', n / 100, { id: `${n}` })));
    rig.delivery.wake();
    await soon(() => rig.delivery.counts().delivered === 10, 'all');
    expect(most).toBe(1);
    expect(whats()).toHaveLength(10);
  });
});

describe('after a kill', () => {
  it.each([true, false])('what was on its way is asked for first, when it is settled (stored: %s)', async (stored) => {
    const rig = start();
    server.onPost = (_, store) => {
      if (stored || server.posts().length > 1) store();
      return server.posts().length === 1 ? 'hang' : 'take';
    };
    rig.accept(happened('a'), happened('b', 1));
    rig.delivery.wake();
    await soon(() => server.posts().length === 2, 'both');
    // The first delivery is left as a killed process leaves it: it says and writes nothing more.
    const next = rig.again();
    next.wake();
    await quiet();
    expect(gets()).toEqual([]);
    await rig.clock.advance(30_000);
    await soon(() => next.counts().delivered >= 1 && rig.states().a === 'delivered', 'a');
    expect(whats().toSorted()).toEqual(['a', 'b']);
    expect(next.counts().found).toBeGreaterThanOrEqual(stored ? 1 : 0);
  });
});

describe('what is refused for good', () => {
  it('is dead with its answer, and blocks nothing', async () => {
    const rig = start({ user: 'deploy', headers: { 'x-key': 's3cret-key' } });
    const refusal = `{"error":"no\\u001b[2J s3cret-key ${'x'.repeat(900)}"}`;
    server.onPost = ({ what }, store) => {
      if (what === 'bad') return { status: 400, body: refusal };
      store();
      return 'take';
    };
    rig.accept(happened('a'), happened('bad', 1), happened('b', 2));
    rig.delivery.wake();
    await rig.settled();
    expect(rig.states()).toEqual({ a: 'delivered', bad: 'dead', b: 'delivered' });
    const answer = rig.answerOf('bad');
    expect(answer).toMatch(/\(400\): no\\u001b\[2J \*\*\* x/);
    expect(answer.length).toBeLessThanOrEqual(500);
    expect(rig.kept.of('events:dead')).toMatchObject([{ destination: 'here', what: 'bad', unsaid: 0 }]);
    expect(rig.kept.names()).toEqual(['events:dead']);
  });

  it.each([413, 414, 422, 431])('by %i', async (status) => {
    const rig = start();
    server.onPost = () => ({ status });
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.settled();
    expect(rig.states()).toEqual({ a: 'dead' });
  });

  it('by a server that refuses every question too is not: the fault is in the configuration', async () => {
    const rig = start();
    const answer = { status: 400, body: recorded('400-too-large.html') };
    server.onPost = () => answer;
    server.onGet = () => answer;
    rig.accept(happened('a'), happened('b', 1));
    rig.delivery.wake();
    for (let turn = 0; turn < 10; turn++) {
      await quiet();
      await rig.clock.advance(300_000);
    }
    expect(Object.values(rig.states()).every((state) => state === 'waiting' || state === 'doubtful')).toBe(true);
    expect(rig.kept.names()).toEqual(['events:down']);
  });

  it('is said for ten events a minute at most', async () => {
    const rig = start();
    server.onPost = () => ({ status: 413 });
    rig.accept(...Array.from({ length: 25 }, (_, n) => happened(`e${n}`, n)));
    rig.delivery.wake();
    await rig.settled();
    expect(rig.kept.of('events:dead')).toHaveLength(10);
    await rig.clock.advance(60_000);
    rig.accept(happened('later', 100));
    rig.delivery.wake();
    await rig.settled();
    expect(rig.kept.of('events:dead').at(-1)).toMatchObject({ what: 'later', unsaid: 15 });
    expect(rig.delivery.counts().dead).toBe(26);
  });
});

describe('an exception in graphite-web', () => {
  it.each(['500-when-milliseconds.html'])('of what was to be stored ends in the dead letters (%s)', async (page) => {
    const rig = start();
    server.onPost = ({ what }, store) => {
      if (what === 'bad') return { status: 500, body: recorded(page) };
      store();
      return 'take';
    };
    rig.accept(happened('bad'), happened('b', 1));
    rig.delivery.wake();
    await rig.settled();
    expect(rig.states()).toEqual({ bad: 'dead', b: 'delivered' });
    expect(rig.answerOf('bad')).toMatch(/\(500\): ValueError: year/);
  });

  it('that may be of the event is believed when others were taken in between', async () => {
    const rig = start();
    server.onPost = ({ what }, store) => {
      if (what === 'bad') return { status: 500, body: recorded('500-not-an-object.html') };
      store();
      return 'take';
    };
    rig.accept(happened('bad'));
    rig.delivery.wake();
    for (let turn = 0; turn < 5; turn++) {
      await quiet();
      await rig.clock.advance(300_000);
    }
    expect(rig.states()).toEqual({ bad: 'waiting' });
    rig.accept(happened('b', 1));
    rig.delivery.wake();
    for (let turn = 0; turn < 5; turn++) {
      await quiet();
      await rig.clock.advance(300_000);
    }
    await rig.settled();
    expect(rig.states()).toEqual({ bad: 'dead', b: 'delivered' });
    expect(rig.answerOf('bad')).toContain('(500): AssertionError');
  });

  it('of its database is waited out, for ever', async () => {
    const rig = start();
    let locked = true;
    server.onPost = (_, store) => {
      if (locked) return { status: 500, body: recorded('500-locked.html') };
      store();
      return 'take';
    };
    rig.accept(happened('a'), happened('b', 1));
    rig.delivery.wake();
    for (let turn = 0; turn < 20; turn++) {
      await quiet();
      await rig.clock.advance(300_000);
    }
    expect(rig.states()).toEqual({ a: 'waiting', b: 'waiting' });
    expect(rig.kept.of('events:down')).toMatchObject([
      { code: 'E_HTTP_STATUS', message: expect.stringContaining('OperationalError: database is locked') },
    ]);
    locked = false;
    for (let turn = 0; turn < 3; turn++) {
      await quiet();
      await rig.clock.advance(300_000);
    }
    await rig.settled();
    expect(whats().toSorted()).toEqual(['a', 'b']);
    expect(rig.kept.names()).toEqual(['events:down', 'events:up']);
  });

  it('after it stored the event is no failure', async () => {
    const rig = start();
    server.onPost = (_, store) => {
      store();
      return { status: 500, body: recorded('500-locked.html') };
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.settled();
    expect(rig.states()).toEqual({ a: 'delivered' });
    expect(whats()).toEqual(['a']);
  });

  it('after it stored the event without its tags: it is sent again, so that dashboards find it, and said', async () => {
    const rig = start();
    server.onPost = (_, store) => {
      store(server.posts().length === 1);
      return server.posts().length === 1 ? 'drop' : 'take';
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => rig.delivery.counts().failures.size > 0, 'the failure');
    await quiet();
    await rig.clock.advance(30_000);
    await rig.settled();
    expect(server.rows.map(({ isHalf }) => isHalf)).toEqual([true, false]);
    expect(rig.kept.of('events:halved')).toMatchObject([{ what: 'a', left: 1 }]);
  });

  it('that always comes after the event, and before its tags, is not fed for ever', async () => {
    const rig = start();
    server.onPost = (_, store) => {
      store(true);
      return { status: 500, body: recorded('500-locked.html') };
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    for (let turn = 0; turn < 10; turn++) {
      await quiet();
      await rig.clock.advance(300_000);
    }
    await rig.settled();
    expect(rig.states()).toEqual({ a: 'dead' });
    expect(server.rows).toHaveLength(5);
  });
});

describe('a destination that accepts nobody', () => {
  it.each([
    [401, 'E_AUTH'],
    [403, 'E_DENIED'],
    [404, 'E_NOT_FOUND'],
    [405, 'E_HTTP_STATUS'],
    [302, 'E_HTTP_STATUS'],
    [410, 'E_HTTP_STATUS'],
  ])('(%i) loses nothing, is tried ever more rarely and said once as %s', async (status, code) => {
    const rig = start();
    let isClosed = true;
    server.onPost = (_, store) => {
      if (isClosed) return { status, headers: { location: 'http://192.0.2.1/' } };
      store();
      return 'take';
    };
    rig.accept(happened('a'), happened('b', 1), happened('c', 2));
    rig.delivery.wake();
    await soon(() => rig.delivery.isDown, 'the refusal');
    const before = server.posts().length;
    for (let second = 0; second < 3600; second += 5) {
      await quietly(rig);
      await rig.clock.advance(5000);
    }
    expect(server.posts().length - before).toBeLessThan(30);
    expect(Object.values(rig.states())).toEqual(['waiting', 'waiting', 'waiting']);
    expect(rig.kept.of('events:down')).toMatchObject([{ destination: 'here', code }]);
    isClosed = false;
    for (let turn = 0; turn < 3; turn++) {
      await quiet();
      await rig.clock.advance(300_000);
    }
    await rig.settled();
    expect(whats().toSorted()).toEqual(['a', 'b', 'c']);
    expect(rig.kept.names()).toEqual(['events:down', 'events:up']);
  });

  const quietly = async (rig: Rig): Promise<void> => {
    const before = server.asked.length;
    await new Promise((resolve) => setImmediate(resolve));
    if (server.asked.length !== before || rig.clock.timers === 0) await quiet();
  };

  it('for one event alone: that one is dead in the end, the others are not kept by it', async () => {
    const rig = start();
    server.onPost = ({ what }, store) => {
      if (what === 'odd') return { status: 403, body: 'blocked by rule 949110' };
      store();
      return 'take';
    };
    rig.accept(happened('odd'), ...Array.from({ length: 5 }, (_, n) => happened(`e${n}`, n + 1)));
    rig.delivery.wake();
    for (let turn = 0; turn < 5; turn++) {
      await quiet();
      await rig.clock.advance(10_000);
      rig.accept(happened(`more ${turn}`, 100 + turn));
      rig.delivery.wake();
    }
    await rig.settled();
    expect(rig.states()).toMatchObject({ odd: 'dead', e0: 'delivered', 'more 4': 'delivered' });
    expect(rig.answerOf('odd')).toContain('blocked by rule 949110');
  });

  it('with a page where graphite-web says nothing took nothing', async () => {
    const rig = start();
    let isLogin = true;
    server.onPost = (_, store) => {
      if (isLogin)
        return { status: 200, headers: { 'content-type': 'text/html' }, body: '<!DOCTYPE html><title>Log in</title>' };
      store();
      return 'take';
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => rig.delivery.isDown, 'the page');
    expect(rig.kept.of('events:down')).toMatchObject([{ code: 'E_PARSE', message: expect.stringContaining('Log in') }]);
    isLogin = false;
    await quiet();
    await rig.clock.advance(300_000);
    await rig.settled();
    expect(whats()).toEqual(['a']);
  });
});

describe('a destination that asks for patience', () => {
  it.each([
    ['in seconds', 429, { 'retry-after': '120' }, 120_000],
    [
      'as a date of its own clock',
      429,
      { 'retry-after': 'Mon, 01 Jan 2001 00:02:00 GMT', date: 'Mon, 01 Jan 2001 00:00:00 GMT' },
      120_000,
    ],
    ['as a date of ours', 503, { 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT', date: '' }, 120_000],
    ['until next year', 429, { 'retry-after': '31536000' }, 3_600_000],
    ['and says nonsense', 429, { 'retry-after': '-1e9; soon' }, 1000],
  ])('%s gets it', async (_, status, headers, ms) => {
    const rig = start();
    server.onPost = (__, store) => {
      if (server.posts().length === 1) return { status, headers };
      store();
      return 'take';
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await soon(() => rig.delivery.counts().failures.size > 0, 'the answer');
    await quiet();
    await rig.clock.advance(ms - 100);
    rig.delivery.wake();
    await quiet();
    expect(server.asked).toHaveLength(1);
    await rig.clock.advance(100);
    await rig.settled();
    expect(whats()).toEqual(['a']);
  });
});

describe('a destination that is not there', () => {
  it('is tried by one event at a time, ever more rarely up to five minutes; then all go in order', async () => {
    const { port } = server;
    await server.close();
    const rig = start({ url: `http://127.0.0.1:${port}/events/` });
    rig.accept(...Array.from({ length: 50 }, (_, n) => happened(`e${n}`, n)));
    rig.delivery.wake();
    const failures = (): number => rig.delivery.counts().failures.get('E_CONNECT') ?? 0;
    await soon(() => rig.delivery.isDown, 'the refusal');
    await quiet();
    let seen = failures();
    expect(seen).toBeLessThanOrEqual(4);
    for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
      // Neither a call nor a clock that is set shortens it.
      rig.clock.jumpWall(1e9);
      rig.delivery.wake();
      await rig.clock.advance(seconds * 1000 - 1);
      await quiet();
      expect(failures()).toBe(seen);
      await rig.clock.advance(1);
      await soon(() => failures() > seen, 'the next attempt');
      expect(failures()).toBe(++seen);
      await quiet();
    }
    expect(Object.values(rig.states()).every((state) => state === 'waiting')).toBe(true);
    expect(rig.kept.of('events:down')).toMatchObject([{ code: 'E_CONNECT', to: `http://127.0.0.1:${port}/events/` }]);

    server = await scriptedServer(port);
    await rig.clock.advance(300_000);
    await rig.settled();
    expect(whats()).toHaveLength(50);
    expect(gets()).toEqual([]);
    expect(rig.kept.of('events:up')).toMatchObject([{ downSeconds: 1411 }]);
  });
});

describe('a spool', () => {
  it('that cannot be written sends nothing; said once, and tried again', async () => {
    let isFull = true;
    const rig = start({
      seen: (spool) =>
        seenSpool(spool, {
          onAdvance() {
            if (isFull) throw new Failure('E_SPOOL', 'spool.db cannot grow: the disk is full');
          },
        }),
    });
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.kept.next('events:held');
    for (let turn = 0; turn < 5; turn++) {
      rig.delivery.wake();
      await quiet();
      await rig.clock.advance(5000);
    }
    expect(server.asked).toEqual([]);
    expect(rig.kept.names()).toEqual(['events:held']);
    isFull = false;
    await quiet();
    await rig.clock.advance(5000);
    await rig.settled();
    expect(whats()).toEqual(['a']);
    expect(rig.kept.names()).toEqual(['events:held', 'events:resumed']);
  });

  it('that could not be written after the answer came is told later, and nothing is sent twice', async () => {
    let isFull = false;
    const rig = start({
      seen: (spool) =>
        seenSpool(spool, {
          onAdvance() {
            if (isFull) throw new Failure('E_SPOOL', 'spool.db cannot grow: the disk is full');
          },
        }),
    });
    server.onPost = (_, store) => {
      isFull = true;
      store();
      return 'take';
    };
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.kept.next('events:held');
    expect(rig.states()).toEqual({ a: 'doubtful' });
    isFull = false;
    await rig.clock.advance(5000);
    await rig.settled();
    expect(server.asked).toHaveLength(1);
  });

  it('that is not there yet is waited for', async () => {
    let isThere = false;
    const rig = start({ seen: (spool) => (isThere ? spool : undefined) });
    rig.accept(happened('a'));
    rig.delivery.wake();
    await quiet();
    isThere = true;
    await rig.clock.advance(5000);
    await rig.settled();
    expect(whats()).toEqual(['a']);
  });
});

describe('stop', () => {
  it('waits for what is on its way, and leaves the rest waiting', async () => {
    const rig = start({ concurrency: 1 });
    let answerNow = (): void => {};
    server.onPost = async (_, store): Promise<'take'> => {
      await new Promise<void>((resolve) => {
        answerNow = resolve;
      });
      store();
      return 'take';
    };
    rig.accept(happened('a'), happened('b', 1), happened('c', 2));
    rig.delivery.wake();
    await soon(() => server.posts().length === 1, 'the first');
    const stopped = rig.delivery.stop(5000);
    answerNow();
    await stopped;
    expect(rig.states()).toEqual({ a: 'delivered', b: 'waiting', c: 'waiting' });
    expect(server.posts()).toHaveLength(1);
  });

  it('ends what takes too long, which is doubtful then', async () => {
    const rig = start({ concurrency: 1 });
    server.onPost = () => 'hang';
    rig.accept(happened('a'), happened('b', 1));
    rig.delivery.wake();
    await soon(() => server.posts().length === 1, 'the first');
    const stopped = rig.delivery.stop(5000);
    await rig.clock.advance(5000);
    await stopped;
    expect(rig.states()).toEqual({ a: 'doubtful', b: 'waiting' });
    expect(rig.clock.timers).toBe(0);
    expect(rig.kept.names()).toEqual([]);
  });
});

describe('who asks', () => {
  it('has a bearer token from a file, read anew for each request', async () => {
    const tokenFile = join(tmpdir(), `edgestatd-token-${process.pid}`);
    writeFileSync(tokenFile, 'first-token\n');
    const rig = start({ tokenFile, concurrency: 1 });
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.settled();
    writeFileSync(tokenFile, 'second-token');
    rig.accept(happened('b', 1));
    rig.delivery.wake();
    await rig.settled();
    rmSync(tokenFile);
    rig.accept(happened('c', 2));
    rig.delivery.wake();
    const { code, message } = await rig.kept.next('events:down');
    expect([code, message]).toEqual(['E_NOT_FOUND', expect.stringContaining(tokenFile)]);
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first-token',
      'Bearer second-token',
    ]);
    await soon(() => rig.states().c === 'waiting', 'the third to wait');
  });

  it.each(['two words', 'a\nx-evil: 1', ''])('has no token that is none: %j', async (token) => {
    const tokenFile = join(tmpdir(), `edgestatd-token-${process.pid}`);
    writeFileSync(tokenFile, token);
    const rig = start({ tokenFile });
    rig.accept(happened('a'));
    rig.delivery.wake();
    const { code, message } = await rig.kept.next('events:down');
    rmSync(tokenFile);
    expect(code).toBe('E_CONFIG');
    if (token !== '') expect(message).not.toContain(token);
    expect(server.asked).toEqual([]);
  });

  it('has user and password, or a header of their own', async () => {
    const rig = start({ user: 'u', password: 'p', headers: { 'X-Key': 'k' } });
    rig.accept(happened('a'));
    rig.delivery.wake();
    await rig.settled();
    const [asked] = server.asked;
    expect(asked?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
      'x-key': 'k',
      'content-type': 'application/json',
    });
  });
});
