/** Whatever a server does, and however often this side is killed: every event is found by its tags exactly once. */
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { likenessOf } from '../src/events/event.ts';
import { createDelivery, type Delivery } from '../src/events/out/delivery.ts';
import type { Spool } from '../src/events/spool.ts';
import {
  happened,
  quiet,
  type Reply,
  type Rig,
  type ScriptedServer,
  scriptedServer,
  startRig,
} from './support/events-delivery.ts';

const locked = readFileSync(new URL('testdata/graphite/500-locked.html', import.meta.url), 'utf8');
const COUNT = 60;

let server: ScriptedServer | undefined;
let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  await server?.close();
});

/** From 0 to 1, the same for the same seed. */
function dice(seed: number): () => number {
  let state = seed * 7919 + 1;
  return () => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}

/** A spool of a process that can be killed: nothing is written from then on. */
function killable(spool: Spool): { spool: () => Spool | undefined; kill: () => void } {
  let isAlive = true;
  const mortal: Spool = {
    ...spool,
    advance(...args) {
      if (isAlive) spool.advance(...args);
    },
  };
  return {
    spool: () => (isAlive ? mortal : undefined),
    kill() {
      isAlive = false;
    },
  };
}

it.each([1, 2, 3, 4, 5, 6])(
  'over a bad day (%i)',
  async (seed) => {
    const random = dice(seed);
    const scripted = await scriptedServer();
    server = scripted;
    const started = startRig({ url: scripted.url, settle: '5s' });
    rig = started;
    let trouble = 0.5;
    scripted.onPost = (_, store): Reply => {
      if (random() > trouble) {
        store();
        return 'take';
      }
      const [isStored, isHalf] = [random() < 0.5, random() < 0.2];
      if (isStored) store(isHalf);
      const replies: Reply[] = ['drop', { status: 500, body: locked }, { status: 502 }, { status: 503 }];
      if (isStored) return replies[Math.floor(random() * replies.length)] ?? 'drop';
      replies.push({ status: 429, headers: { 'retry-after': '3' } }, { status: 401 }, { status: 404 }, { status: 408 });
      return replies[Math.floor(random() * replies.length)] ?? 'drop';
    };
    scripted.onGet = () => {
      if (random() > trouble / 2) return 'take';
      return random() < 0.5 ? 'drop' : { status: 500, body: locked };
    };
    // Each third has one like it.
    const events = Array.from({ length: COUNT }, (_, n) =>
      happened(`e${Math.floor(n / 3) * 3 + (n % 3 === 2 ? 1 : n % 3)}`, Math.floor(n / 3), { id: `id-${n}` }),
    );
    started.accept(...events);

    const killed: Delivery[] = [];
    let life = killable(started.spool);
    const live = (): Delivery =>
      createDelivery({
        spool: life.spool,
        destination: started.options,
        clock: started.clock,
        log: started.kept.log,
        random,
      });
    let delivery = live();
    delivery.wake();
    for (let turn = 0; turn < 400; turn++) {
      await quiet();
      if (started.spool.open('here', 1).length === 0) break;
      await started.clock.advance(turn % 7 === 0 ? 60_000 : 1500);
      if (turn > 150) trouble = 0;
      if (turn < 100 && turn % 5 === 4) {
        life.kill();
        killed.push(delivery);
        life = killable(started.spool);
        delivery = live();
        delivery.wake();
      }
    }
    const wanted = events.map(likenessOf).toSorted();
    const there = scripted.rows
      .filter(({ isHalf }) => isHalf !== true)
      .map(({ what, tags, data, when }) => likenessOf({ what, tags, data, whenUs: Math.round(when * 1e6) }));
    const stops = [...killed, delivery].map((one) => one.stop(0));
    await started.clock.advance(0);
    await Promise.all(stops);
    expect(started.spool.open('here', 1)).toEqual([]);
    expect(there.toSorted()).toEqual(wanted);
    expect(started.kept.of('events:dead')).toEqual([]);
    expect(killed.length).toBeGreaterThan(0);
  },
  60_000,
);
