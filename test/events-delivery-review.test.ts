/** Delivery of events: what one event, or what is left of an earlier process, may do to the others. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkEvents } from '../src/events/check-events.ts';
import { eventsOptions } from '../src/events/options.ts';
import {
  happened,
  quiet,
  type Reply,
  type Rig,
  type RigOptions,
  type ScriptedServer,
  scriptedServer,
  soon,
  startRig,
} from './support/events-delivery.ts';
import { fakeClock } from './support/fake-clock.ts';

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

/** Marks all that is open as perhaps sent by a process that is gone. */
function claimAll({ spool }: Rig): void {
  const seqs = spool.open('here', 5000).map(({ seq }) => seq);
  spool.advance('here', [], seqs, 0);
}

describe('doubtful events of an earlier process', () => {
  it.each([
    ['is well', false],
    ['is down', true],
  ])(
    'do not hold up what waits, however many they are, when the destination %s',
    async (_, isDown) => {
      const rig = start();
      rig.accept(...Array.from({ length: 400 }, (__, n) => happened(`old ${n}`, n)));
      claimAll(rig);
      server.onPost = (__, store) => {
        if (isDown && server.posts().length === 1) return { status: 429 };
        store();
        return 'take';
      };
      rig.accept(happened('new', 5000));
      rig.delivery.wake();
      if (isDown) {
        await soon(() => rig.delivery.isDown, 'the refusal');
        await quiet();
        await rig.clock.advance(1000);
      }
      await soon(() => rig.states().new === 'delivered', 'the new one');
      expect(server.asked.every(({ method }) => method === 'POST')).toBe(true);
      await quiet();
      await rig.clock.advance(30_000);
      await rig.settled();
      expect(server.rows).toHaveLength(401);
    },
    30_000,
  );

  it('that are found make nothing dead: nothing was taken', async () => {
    const rig = start({ settle: '0ms' });
    server.onPost = () => ({ status: 403 });
    rig.accept(happened('waits'));
    rig.delivery.wake();
    for (let n = 0; n < 6; n++) {
      await quiet();
      const old = happened(`old ${n}`, n + 1);
      rig.accept(old);
      const [last] = rig.spool.open('here', 10).filter(({ event }) => event.what === old.what);
      rig.spool.advance('here', [], [last?.seq ?? 0], 0);
      server.rows.push({ ...old, when: old.whenUs / 1e6 });
      rig.delivery.wake();
      await rig.clock.advance(300_000);
    }
    await soon(() => rig.delivery.counts().found === 6, 'what is there to be found');
    await quiet();
    expect(rig.states().waits).toMatch(/^(?:waiting|doubtful)$/);
  });
});

describe('an event that is refused time and again', () => {
  const poison: [number, Reply][] = [
    [1, { status: 500 }],
    [2, { status: 500 }],
    [3, { status: 403 }],
    [2, 'drop'],
  ];
  it.each(poison)(
    'does not hold up a new one (%i of them, %j)',
    async (count, reply) => {
      const rig = start();
      server.onPost = ({ what }, store) => {
        if (what.startsWith('bad')) return reply;
        store();
        return 'take';
      };
      rig.accept(...Array.from({ length: count }, (_, n) => happened(`bad ${n}`, n)));
      rig.delivery.wake();
      // Until it is tried once in five minutes, and then to the middle between two of these times.
      for (let turn = 0; turn < 61; turn++) {
        await quiet();
        await rig.clock.advance(30_000);
      }
      await quiet();
      expect(rig.delivery.isDown).toBe(true);
      rig.accept(happened('good', 100));
      rig.delivery.wake();
      await quiet();
      await rig.clock.advance(4000);
      await soon(() => rig.delivery.counts().delivered === 1, 'the good one');
    },
    30_000,
  );

  it('is believed as soon as many others are refused too: these do not go on one by one', async () => {
    const rig = start();
    server.onPost = () => ({ status: 401 });
    rig.accept(...Array.from({ length: 100 }, (_, n) => happened(`e${n}`, n)));
    rig.delivery.wake();
    for (let turn = 0; turn < 120; turn++) {
      await quiet();
      await rig.clock.advance(30_000);
    }
    expect(server.posts().length).toBeLessThan(50);
  }, 30_000);
});

it('a check of a destination that never answers says so', async () => {
  const clock = fakeClock();
  server.onGet = () => 'hang';
  const options = eventsOptions.parse({
    spool: '/proc/no-spool.db',
    graphite: { url: server.url, timeout: '60s' },
  });
  const findings = checkEvents(options, clock, true);
  await findings.next();
  const finding = findings.next();
  await soon(() => server.underWay === 1, 'the question');
  await clock.advance(20_000);
  expect((await finding).value).toMatchObject({
    level: 'fail',
    text: expect.stringMatching(/get_data: did not answer within 20 s$/),
  });
  expect(await findings.next()).toMatchObject({ done: true });
  expect(clock.timers).toBe(0);
});
