/** The spool of a running daemon: opened late, lost, shared; and what comes into it at the same time. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Event, hashOf } from '../src/events/event.ts';
import { type HeldSpool, holdSpool } from '../src/events/held-spool.ts';
import { createIntake } from '../src/events/intake.ts';
import { waitingIn } from '../src/events/report.ts';
import { openSpool } from '../src/events/spool.ts';
import type { SpoolOptions } from '../src/events/spool-room.ts';
import { fakeClock } from './support/fake-clock.ts';
import { keptLog } from './support/sink-log.ts';

let directory: string;
let options: SpoolOptions;
const open = new Set<{ close(): void }>();
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'edgestatd-held-'));
  options = { path: join(directory, 'spool.db'), maxBytes: 2 ** 20, maxAgeMs: 86_400_000, whenFull: 'refuse' };
});
afterEach(() => {
  for (const one of open) one.close();
  open.clear();
  rmSync(directory, { recursive: true, force: true });
});

function hold(path = options.path) {
  const clock = fakeClock();
  const log = keptLog();
  const opened: boolean[] = [];
  const held: HeldSpool = holdSpool(
    { ...options, path },
    {
      clock,
      log: log.log,
      opened(spool, isMine) {
        opened.push(isMine);
        if (isMine) spool.setDestinations(['graphite'], clock.wallMs());
      },
    },
  );
  open.add(held);
  return { clock, log, held, opened };
}

let number = 0;
function event(what = `deploy ${number++}`): Event {
  const body = { what, tags: ['deploy'], data: '', whenUs: 1_700_000_000_000_000 };
  return { id: hashOf(body), ...body };
}

const how = { source: 'test', conflicts: 'refuse', nowMs: 0 } as const;

describe('the spool of a daemon', () => {
  it('is delivered from by one process, and by the other when that has gone', () => {
    const first = hold();
    const second = hold();
    expect([first.held.mine() !== undefined, second.held.mine()]).toEqual([true, undefined]);
    expect(second.log.names()).toEqual(['events:spool_shared']);
    // What is taken there is noticed here, and delivered from here.
    second.held.spool().accept([event()], how);
    expect(first.held.look()).toBe(true);
    expect(first.held.look()).toBe(false);
    expect(waitingIn(first.held.spool().database)).toMatchObject([{ destination: 'graphite', waiting: 1 }]);
    expect(second.held.look()).toBe(false);
    first.held.close();
    expect(second.held.look()).toBe(true);
    expect(second.held.mine()).toBeDefined();
    expect(second.log.names()).toEqual(['events:spool_shared', 'events:spool_ours']);
    expect(second.opened).toEqual([false, true]);
  });

  it('says once that it cannot be had, refuses meanwhile, and is there when it can', () => {
    const inTheWay = join(directory, 'folder');
    writeFileSync(inTheWay, '');
    const { held, log } = hold(join(inTheWay, 'spool.db'));
    expect(() => held.spool()).toThrow(/E?cannot be a file|cannot be/);
    expect(held.look()).toBe(false);
    expect(held.look()).toBe(false);
    expect(log.names()).toEqual(['events:spool_failed']);
    rmSync(inTheWay);
    expect(held.look()).toBe(true);
    expect(log.names()).toEqual(['events:spool_failed', 'events:spool_works']);
    expect(held.spool().accept([event()], how)).toEqual(['added']);
  });

  it('begins anew beside what is no database, and keeps that', () => {
    writeFileSync(options.path, 'x'.repeat(8192));
    const { held, log } = hold();
    expect(held.spool().accept([event()], how)).toEqual(['added']);
    expect(log.names()).toEqual(['events:spool_moved']);
    const [aside] = readdirSync(directory).filter((name) => name.includes('.corrupt-'));
    expect(readFileSync(join(directory, aside ?? ''), 'utf8')).toBe('x'.repeat(8192));
  });

  it('begins anew when it is found corrupt at work', () => {
    const { held, log } = hold();
    for (let count = 0; count < 200; count++) held.spool().accept([event('x'.repeat(200) + count)], how);
    held.close();
    // The pages of the tables are overwritten, and the first one, which says that it is a database, is not.
    const bytes = readFileSync(options.path);
    writeFileSync(options.path, bytes.fill(0x55, 4096));
    const { held: again, log: said } = hold();
    expect(log.names()).toEqual([]);
    expect(() => again.spool().accept([event()], how)).toThrow('no usable database');
    expect(said.names()).toContain('events:spool_moved');
    expect(again.look()).toBe(true);
    expect(again.spool().accept([event()], how)).toEqual(['added']);
    expect(again.mine()).toBeDefined();
  });
});

describe('the intake', () => {
  const intakeOf = (held: HeldSpool) => {
    let taken = 0;
    const clock = fakeClock();
    const intake = createIntake(held.spool, clock, () => {
      taken += 1;
    });
    return { ...intake, taken: () => taken };
  };
  const from = { source: 'listener', conflicts: 'refuse' } as const;

  it('writes what comes at the same time with one commit', async () => {
    const { held } = hold();
    const { take, counts, taken } = intakeOf(held);
    const receipts = await Promise.all(Array.from({ length: 50 }, () => take([event(), event()], from)));
    expect(new Set(receipts.flat())).toEqual(new Set(['added']));
    expect([taken(), counts().accepted.get('listener')]).toEqual([1, 100]);
  });

  it('refuses what is wrong alone, and takes the others', async () => {
    const { held } = hold();
    const { take, counts } = intakeOf(held);
    const one = event();
    const other = { ...event(), id: one.id };
    const all = await Promise.allSettled([take([one], from), take([event(), other], from), take([event()], from)]);
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((all[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'E_PARSE' });
    expect(String((all[1] as PromiseRejectedResult).reason)).toContain('event 2 of 2');
    expect([counts().accepted.get('listener'), counts().refused.get('listener')]).toEqual([2, 2]);
    expect(waitingIn(held.spool().database)).toMatchObject([{ waiting: 2 }]);
  });

  it('tells each that there is no spool', async () => {
    const { held } = hold();
    held.close();
    const { take } = intakeOf(held);
    await expect(take([event()], from)).rejects.toMatchObject({ code: 'E_SPOOL' });
  });

  it('is on the disk when it says so', async () => {
    const { held } = hold();
    const { take } = intakeOf(held);
    const one = event();
    await take([one], from);
    const beside = openSpool(options, { mayMoveAside: false, nowMs: 0 });
    open.add(beside);
    expect(beside.accept([one], { ...how, conflicts: 'report' })).toEqual(['known']);
  });
});
