/** Rotation and truncation in every way that is in use, with nothing lost and nothing counted twice. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/errors.ts';
import { type Files, files, follower, type Ran } from '../../test/support/nagios-log.ts';
import { orderOf } from './rotated.ts';

const LOG = '/var/log/nagios/nagios.log';
const ARCHIVES = '/var/log/nagios/archives';

/** Writes alerts, each of a host of its own, a second apart. */
function writer(disk: Files) {
  let count = 0;
  const text = (): string =>
    `[${1_790_000_000 + ++count}] HOST ALERT: h${count};DOWN;HARD;1;${'x'.repeat(count % 50)}\n`;
  return {
    text,
    alerts(many = 1, path = LOG) {
      for (let each = 0; each < many; each++) disk.append(path, text());
    },
    get count() {
      return count;
    },
  };
}

async function started(options: object = {}, before = 2) {
  const disk = files();
  const write = writer(disk);
  write.alerts(before);
  const job = follower(disk.host, options);
  await job.run();
  const alerts = async (): Promise<number | undefined> => (await job.run()).sent['host.down.hard.alerts'];
  return { disk, write, job, alerts };
}

const gap = (ran: Ran): boolean => ran.problems.some(({ message }) => message.includes('alerts may be missing'));

describe('rotation', () => {
  test.each([
    ['by Nagios itself', `${ARCHIVES}/nagios-03-01-2026-14.log`],
    ['by logrotate', `${LOG}.1`],
    ['by logrotate with dates', `${LOG}-20260301`],
    ['to another name beside it', '/var/log/nagios/nagios.old.log'],
  ])('%s: the rest of the old log first, then the new one', async (_, path) => {
    const { disk, write, job } = await started();
    write.alerts(3);
    disk.rename(LOG, path);
    write.alerts(4);
    const ran = await job.run();
    expect(ran.sent).toMatchObject({ 'host.down.hard.alerts': 7, rotations: 1, log_gaps: 0, behind_bytes: 0 });
    expect(ran.problems).toEqual([]);
    expect(ran.offers.map(({ what }) => what)).toEqual([3, 4, 5, 6, 7, 8, 9].map((one) => `nagios: DOWN h${one}`));
    write.alerts();
    expect((await job.run()).sent).toMatchObject({ 'host.down.hard.alerts': 1, rotations: 0 });
  });

  test('to an archive on another file system: found by its content', async () => {
    const { disk, write, job } = await started({ archive: '/srv/archive' });
    write.alerts(3);
    disk.copy(LOG, '/srv/archive/nagios-03-01-2026-14.log');
    disk.remove(LOG);
    write.alerts(2);
    expect((await job.run()).sent).toMatchObject({ 'host.down.hard.alerts': 5, log_gaps: 0 });
  });

  test('several times since the last run: in the order of time', async () => {
    const { disk, write, job } = await started();
    write.alerts();
    for (let times = 0; times < 4; times++) {
      for (let old = times; old > 0; old--) disk.rename(`${LOG}.${old}`, `${LOG}.${old + 1}`);
      disk.rename(LOG, `${LOG}.1`);
      write.alerts(2);
    }
    const ran = await job.run();
    expect(ran.sent).toMatchObject({ 'host.down.hard.alerts': 9, rotations: 4, log_gaps: 0 });
    expect(ran.offers.map(({ atMs }) => atMs)).toEqual(ran.offers.map(({ atMs }) => atMs).toSorted());
  });

  test('while edgestatd is down', async () => {
    const { disk, write, job, alerts } = await started();
    write.alerts(2);
    await job.run();
    write.alerts(2);
    disk.rename(LOG, `${LOG}.1`);
    write.alerts(2);
    job.restart();
    const first = await job.run();
    expect(first.totals['host.down.hard.alerts']).toBe(2);
    expect(first.sent['host.down.hard.alerts']).toBeUndefined();
    expect(await alerts()).toBe(4);
  });

  test('the old log is followed until something stands in the new one', async () => {
    const { disk, write, job, alerts } = await started();
    disk.rename(LOG, `${LOG}.1`);
    disk.create(LOG);
    write.alerts(2, `${LOG}.1`);
    expect(await alerts()).toBe(2);
    write.alerts(1, `${LOG}.1`);
    expect(await alerts()).toBe(1);
    const calls = disk.asked.calls;
    expect(await alerts()).toBe(0);
    expect(disk.asked.calls - calls).toBeLessThan(5);
    // Its last words, without an end.
    disk.append(`${LOG}.1`, write.text().trimEnd());
    expect((await job.run()).sent['host.down.hard.alerts']).toBe(0);
    write.alerts(1);
    expect((await job.run()).sent).toMatchObject({ 'host.down.hard.alerts': 2, rotations: 1 });
  });

  test('a backup of the log, and a copy of an archive, are not read', async () => {
    const { disk, write, alerts } = await started();
    write.alerts(2);
    disk.copy(LOG, `${LOG}.bak`);
    disk.rename(LOG, `${LOG}.1`);
    disk.copy(`${LOG}.1`, `${ARCHIVES}/nagios-03-01-2026-14.log`);
    write.alerts(2);
    disk.copy(LOG, `${LOG}.save`);
    write.alerts(1);
    expect(await alerts()).toBe(5);
  });

  test('the inode of the old log is used again', async () => {
    const { disk, write, alerts } = await started();
    write.alerts(2);
    disk.copy(LOG, `${LOG}.1`);
    disk.truncate(LOG);
    write.alerts(9);
    expect(await alerts()).toBe(11);
  });

  test('a backlog in a rotated log is read over several runs', async () => {
    const { disk, write, job } = await started({ events: false });
    const long = 'z'.repeat(900_000);
    for (let each = 0; each < 25; each++) disk.append(LOG, write.text().replace('\n', `${long}\n`));
    disk.rename(LOG, `${LOG}.1`);
    write.alerts(1);
    const first = await job.run();
    expect(first.sent.behind_bytes).toBeGreaterThan(5_000_000);
    disk.rename(`${LOG}.1`, `${LOG}.2`);
    disk.rename(LOG, `${LOG}.1`);
    write.alerts(1);
    const second = await job.run();
    expect(second.sent.behind_bytes).toBe(0);
    expect((first.sent['host.down.hard.alerts'] ?? 0) + (second.sent['host.down.hard.alerts'] ?? 0)).toBe(27);
  });

  test('an archive that may not be listed is told', async () => {
    const { disk, write, job } = await started();
    disk.rename(LOG, `${ARCHIVES}/nagios-03-01-2026-14.log`);
    disk.broken.set(ARCHIVES, new Failure('E_DENIED', `"${ARCHIVES}" may not be read by this user`));
    write.alerts(2);
    const ran = await job.run();
    expect(ran.sent).toMatchObject({ 'host.down.hard.alerts': 2, log_gaps: 1 });
    expect(ran.problems).toMatchObject([{ code: 'E_DENIED', message: expect.stringContaining('may not be read by') }]);
  });
});

test('an archive that may not be read is told', async () => {
  const { disk, write, job } = await started();
  disk.rename(LOG, `${LOG}.1`);
  disk.broken.set(`${LOG}.1`, new Failure('E_DENIED', `"${LOG}.1" may not be read by this user`));
  write.alerts(2);
  const ran = await job.run();
  expect(ran.problems).toMatchObject([
    { code: 'E_DENIED', message: expect.stringContaining('.1" may not be read by') },
  ]);
});

test('after a gap a clock that was set back does not stop the count', async () => {
  const { disk, job } = await started();
  disk.truncate(LOG);
  disk.append(LOG, '[1780000000] HOST ALERT: a;DOWN;HARD;1;x\n');
  expect((await job.run()).sent).toMatchObject({ 'host.down.hard.alerts': 0, log_gaps: 1 });
  disk.append(LOG, '[1780000001] HOST ALERT: b;DOWN;HARD;1;x\n');
  expect((await job.run()).sent).toMatchObject({ 'host.down.hard.alerts': 1, log_gaps: 0 });
});

describe('truncation', () => {
  test.each([
    ['shorter', 1],
    ['longer than before', 40],
  ])('with a copy (copytruncate), the new log %s', async (_, many) => {
    const { disk, write, job } = await started();
    write.alerts(3);
    disk.copy(LOG, `${LOG}.1`);
    disk.truncate(LOG);
    write.alerts(many);
    const ran = await job.run();
    expect(ran.sent).toMatchObject({ 'host.down.hard.alerts': 3 + many, log_gaps: 0 });
    expect(ran.problems).toEqual([]);
  });

  test('with a copy, and nothing new yet', async () => {
    const { disk, write, alerts } = await started();
    write.alerts(3);
    disk.copy(LOG, `${LOG}.1`);
    disk.truncate(LOG);
    expect(await alerts()).toBe(3);
    write.alerts(2);
    disk.rename(`${LOG}.1`, `${LOG}.2`);
    disk.copy(LOG, `${LOG}.1`);
    disk.truncate(LOG);
    write.alerts(1);
    expect(await alerts()).toBe(3);
  });

  test.each(['nothing', `${LOG}.1.gz`])(
    'without a copy (there is %s): told, counted, and read from its beginning',
    async (there) => {
      const { disk, write, job } = await started();
      write.alerts(3);
      if (there !== 'nothing') disk.append(there, '\x1f\x8b');
      disk.truncate(LOG);
      write.alerts(1);
      const ran = await job.run();
      expect(ran.sent).toMatchObject({ 'host.down.hard.alerts': 1, log_gaps: 1 });
      expect(gap(ran)).toBe(true);
      expect(ran.problems[0]?.message).toContain(there === 'nothing' ? 'name the directory' : 'delaycompress');
      const next = await job.run();
      expect(next.problems).toEqual([]);
      expect(next.sent).toMatchObject({ log_gaps: 0 });
    },
  );

  test('a log that was edited in place is not counted again', async () => {
    const { disk, write, job } = await started();
    write.alerts(10);
    await job.run();
    const edited = disk.read(LOG).split('\n').slice(2).join('\n');
    disk.remove(LOG);
    disk.append(LOG, edited);
    write.alerts(2);
    const ran = await job.run();
    // Of the second that was read last it cannot be told what is new.
    expect(ran.sent['host.down.hard.alerts']).toBe(3);
    expect(gap(ran)).toBe(true);
  });
});

test('rotated logs are told by their names, and ordered by what these say', () => {
  const order = (name: string) => orderOf(name, 'nagios.log');
  expect(order('nagios.log.2')).toEqual({ kind: 'number', rank: -2 });
  expect(order('nagios.log.2.gz')).toEqual({ kind: 'number', rank: -2 });
  expect(order('nagios-03-01-2026-14.log')).toEqual({ kind: 'date', rank: Date.UTC(2026, 2, 1, 14) });
  for (const name of ['nagios.log-20260301', 'nagios.log.2026-03-01', 'nagios-20260301.log', 'nagios.log-20260301.gz'])
    expect(order(name), name).toEqual({ kind: 'date', rank: Date.UTC(2026, 2, 1) });
  expect(order('nagios.log-2026030114')).toEqual({ kind: 'date', rank: Date.UTC(2026, 2, 1, 14) });
  expect(order('nagios.log-20260301-1772373600')).toMatchObject({ kind: 'date' });
  expect(order('nagios.log.bak')).toEqual({ kind: 'other', rank: 0 });
  for (const name of ['nagios.log', 'nagios', 'nagiosgraph.log', 'status.dat', 'archives', '.nagios.log.swp'])
    expect(order(name), name).toBeUndefined();
});

/** What the machine of the monitoring does, and what edgestatd does, in any order. */
const STEPS = [
  'alert',
  'alerts',
  'half',
  'archive',
  'number',
  'copytruncate',
  'run',
  'run',
  'lost',
  'restart',
] as const;
type Step = (typeof STEPS)[number];

interface World {
  readonly disk: Files;
  readonly write: ReturnType<typeof writer>;
  pending: string;
  archived: number;
}

function endLine(world: World): void {
  world.disk.append(LOG, world.pending);
  world.pending = '';
}

function shift({ disk }: World): void {
  for (let old = 60; old > 0; old--) {
    try {
      disk.rename(`${LOG}.${old}`, `${LOG}.${old + 1}`);
    } catch {
      // There is none of this number.
    }
  }
}

function happen(step: Step, world: World): void {
  const { disk, write } = world;
  endLine(world);
  if (step === 'alert') write.alerts(1);
  if (step === 'alerts') write.alerts(7);
  if (step === 'half') {
    const text = write.text();
    disk.append(LOG, text.slice(0, 20));
    world.pending = text.slice(20);
  }
  // A rotation within a second of another cannot be told from it by time, so each log has a line.
  if (step === 'archive') {
    const day = String((world.archived % 28) + 1).padStart(2, '0');
    const month = String((Math.floor(world.archived++ / 28) % 12) + 1).padStart(2, '0');
    disk.rename(LOG, `${ARCHIVES}/nagios-${month}-${day}-2026-00.log`);
    write.alerts(1);
  }
  if (step === 'number') {
    shift(world);
    disk.rename(LOG, `${LOG}.1`);
    write.alerts(1);
  }
  if (step === 'copytruncate') {
    shift(world);
    disk.copy(LOG, `${LOG}.1`);
    disk.truncate(LOG);
    write.alerts(1);
  }
}

test('whatever happens between runs and within them: every alert is counted once, and offered', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...STEPS), { maxLength: 40 }),
      fc.array(fc.option(fc.constantFrom(...STEPS.slice(0, 6)), { freq: 6 }), { maxLength: 60 }),
      async (steps, within) => {
        const disk = files();
        const write = writer(disk);
        const world: World = { disk, write, pending: '', archived: 0 };
        write.alerts(2);
        const job = follower(disk.host);
        await job.run();
        const offered = new Set<string>();
        let increments = 0;
        let total = 0;
        const queue = [...within];
        const runOnce = async (): Promise<void> => {
          const { sent, totals, offers, problems, failure } = await job.run();
          expect(failure).toBeUndefined();
          expect(problems.map(({ message }) => message)).toEqual([]);
          increments += sent['host.down.hard.alerts'] ?? 0;
          total = totals['host.down.hard.alerts'] ?? total;
          for (const { what } of offers) {
            expect(offered).not.toContain(what);
            offered.add(what);
          }
        };
        disk.meanwhile = () => {
          const step = queue.shift();
          if (step !== undefined && step !== null) happen(step, world);
        };
        for (const step of steps) {
          if (step === 'run') await runOnce();
          else if (step === 'lost') await job.run(true);
          else if (step === 'restart') job.restart();
          else happen(step, world);
        }
        disk.meanwhile = () => {};
        happen('alert', world);
        for (let last = 0; last < 3; last++) await runOnce();
        const expected = write.count - 2;
        expect({ total, offered: offered.size, increments }).toEqual({
          ...{ total: expected, offered: expected },
          // What a restart finds was counted before it: its increments are those of the daemon before.
          increments: expected,
        });
      },
    ),
    { numRuns: 200 },
  );
});
