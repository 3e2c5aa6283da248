/** What a job of the nagios collector sends, run by run, through the daemon's own pipeline. */
import { expect, test } from 'vitest';
import { Failure } from '../../src/errors.ts';
import { type Follower, files, follower, type Ran } from '../../test/support/nagios-log.ts';
import { nagios } from './index.ts';

const LOG = '/var/log/nagios/nagios.log';
let seconds = 1_790_000_000;
const line = (text: string): string => `[${++seconds}] ${text}\n`;
const service = (host: string, name: string, state: string, level = 'HARD', said = 'x'): string =>
  line(`SERVICE ALERT: ${host};${name};${state};${level};1;${said}`);
const machine = (host: string, state: string, level = 'HARD'): string =>
  line(`HOST ALERT: ${host};${state};${level};1;x`);
/** What is not 0. */
const some = ({ sent }: Ran): Record<string, number | undefined> =>
  Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== 0 && value !== undefined));

function started(before: string, options: object = {}) {
  const disk = files();
  disk.append(LOG, before);
  const job = follower(disk.host, options);
  return { disk, job, write: (text: string | Buffer) => disk.append(LOG, text) };
}

test('counts from its first run on; what stood there before tells the states alone', async () => {
  const { job, write } = started(service('a', 'b', 'CRITICAL') + machine('c', 'DOWN'));
  const first = await job.run();
  expect(first.totals).toMatchObject({ 'service.critical.hard.alerts': 0, 'host.down.hard.alerts': 0, lines: 0 });
  expect(some(first)).toEqual({ 'service.critical.hard_problems': 1, 'host.down.hard_problems': 1 });
  expect(first.offers).toEqual([]);
  write(service('a', 'b', 'OK', 'SOFT') + service('d', 'e', 'UNKNOWN'));
  expect(some(await job.run())).toEqual({
    ...{ 'service.ok.soft.alerts': 1, 'service.unknown.hard.alerts': 1, lines: 2 },
    ...{ 'service.unknown.hard_problems': 1, 'host.down.hard_problems': 1 },
  });
  expect(some(await job.run())).toEqual({ 'service.unknown.hard_problems': 1, 'host.down.hard_problems': 1 });
});

test('a line is counted when it has its end', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'));
  await job.run();
  const text = service('a', 'b', 'CRITICAL');
  write(text.slice(0, 30));
  const half = await job.run();
  expect(some(half)).toEqual({ behind_bytes: 30 });
  write(text.slice(30));
  expect(some(await job.run())).toMatchObject({ 'service.critical.hard.alerts': 1, lines: 1 });
});

test('after a restart the first run tells the totals, and the next one reads on: nothing twice, nothing lost', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'), { services: ['a/*'] });
  await job.run();
  write(service('a', 'b', 'CRITICAL'));
  await job.run();
  write(service('a', 'b', 'OK') + service('a', 'c', 'WARNING'));
  job.restart();
  const first = await job.run();
  expect(first.totals).toMatchObject({ 'service.critical.hard.alerts': 1, 'service.ok.hard.alerts': 0, lines: 1 });
  expect(first.sent['service.critical.hard.alerts']).toBeUndefined();
  expect(first.sent.behind_bytes).toBeGreaterThan(50);
  expect(first.offers).toEqual([]);
  const second = await job.run();
  expect(some(second)).toMatchObject({
    ...{ 'service.ok.hard.alerts': 1, 'service.warning.hard.alerts': 1, lines: 2 },
    ...{ 'a.b.ok.hard.service_alerts': 1, 'a.c.warning.hard.service_alerts': 1, 'a.c.service_problem': 1 },
  });
  expect(second.sent['service.critical.hard.alerts']).toBe(0);
  expect(second.totals['service.critical.hard.alerts']).toBe(1);
  expect(second.offers.map(({ what }) => what)).toEqual(['nagios: OK a/b', 'nagios: WARNING a/c']);
});

test('without a state file a restart begins at the end', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'));
  await job.run();
  write(service('a', 'b', 'CRITICAL'));
  job.memo = undefined;
  job.restart();
  expect(some(await job.run())).toEqual({ 'service.critical.hard_problems': 1 });
  expect(some(await job.run())).toEqual({ 'service.critical.hard_problems': 1 });
});

test('a run whose reading was not handed on is repeated from the one before', async () => {
  const { job, write, disk } = started(line('LOG VERSION: 2.0'));
  await job.run();
  write(service('a', 'b', 'CRITICAL'));
  await job.run(true);
  const failure = new Failure('E_CONNECT', 'I/O error', { path: LOG });
  disk.broken.set(LOG, failure);
  expect((await job.run()).failure).toMatchObject({ code: 'E_CONNECT' });
  disk.broken.clear();
  const again = await job.run();
  const next = await job.run();
  // The first after a lost one tells the totals alone, as it cannot know what was lost.
  expect((again.sent['service.critical.hard.alerts'] ?? 0) + (next.sent['service.critical.hard.alerts'] ?? 0)).toBe(1);
  expect([...again.offers, ...next.offers]).toHaveLength(1);
});

test('a quiet log writes nothing to the disk', async () => {
  const { job } = started(line('LOG VERSION: 2.0'));
  await job.run();
  const { memo } = job;
  await job.run();
  expect(job.memo).toBe(memo);
});

test('a memo that cannot be read is told, and counting begins anew', async () => {
  for (const memo of ['', '{', '[]', '{"version":2}', 'null', '{"version":1,"number":-1}']) {
    const { job, write } = started(service('a', 'b', 'CRITICAL'));
    job.memo = memo;
    const { problems, totals } = await job.run();
    expect(problems).toMatchObject([{ code: 'E_PARSE', message: expect.stringContaining('begins anew') }]);
    expect(totals['service.critical.hard.alerts']).toBe(0);
    write(service('a', 'b', 'OK'));
    expect(some(await job.run())).toMatchObject({ 'service.ok.hard.alerts': 1 });
  }
});

test('another log is another count', async () => {
  const { job, disk } = started(line('LOG VERSION: 2.0'));
  await job.run();
  disk.append(LOG, service('a', 'b', 'CRITICAL'));
  await job.run();
  disk.append('/srv/other.log', service('c', 'd', 'CRITICAL'));
  job.restart({ log: '/srv/other.log' });
  expect(some(await job.run())).toEqual({ 'service.critical.hard_problems': 1 });
  disk.append('/srv/other.log', service('c', 'd', 'OK'));
  expect(some(await job.run())).toEqual({ 'service.ok.hard.alerts': 1, lines: 1 });
});

const offered = async (job: Follower): Promise<string[]> => (await job.run()).offers.map(({ what }) => what);

test('offers what changed and is HARD, with its own time, and each once', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'));
  await job.run();
  write(service('a', 'b', 'CRITICAL', 'SOFT') + service('a', 'b', 'OK', 'SOFT'));
  expect(await offered(job)).toEqual([]);
  const text = service('web 1', 'HTTP: /', 'WARNING', 'HARD', 'half; as;good');
  const atMs = seconds * 1000;
  write(text);
  const { offers } = await job.run();
  expect(offers).toEqual([
    {
      ...{ id: `["web 1","HTTP: /","WARNING",${seconds}]`, what: 'nagios: WARNING web 1/HTTP: /', atMs },
      ...{ tags: ['nagios', 'warning', 'web 1', 'HTTP: /'], data: 'half; as;good' },
    },
  ]);
  // A volatile service repeats itself; a recovery may be SOFT.
  write(service('web 1', 'HTTP: /', 'WARNING') + service('web 1', 'HTTP: /', 'CRITICAL'));
  expect(await offered(job)).toEqual(['nagios: CRITICAL web 1/HTTP: /']);
  write(service('web 1', 'HTTP: /', 'OK', 'SOFT') + service('web 1', 'HTTP: /', 'OK', 'SOFT'));
  expect(await offered(job)).toEqual(['nagios: OK web 1/HTTP: /']);
  write(machine('h', 'DOWN', 'SOFT') + machine('h', 'DOWN') + machine('h', 'UP'));
  expect(await offered(job)).toEqual(['nagios: DOWN h', 'nagios: UP h']);
  // What was wrong before our sight is over.
  write(machine('i', 'UP'));
  expect(await offered(job)).toEqual(['nagios: UP i']);
});

test('offers the states that are listed, and recoveries from them', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'), { eventStates: ['CRITICAL', 'OK'] });
  await job.run();
  write(
    service('a', 'w', 'WARNING') + service('a', 'w', 'OK') + service('a', 'c', 'CRITICAL') + service('a', 'c', 'OK'),
  );
  write(machine('h', 'DOWN'));
  expect(await offered(job)).toEqual(['nagios: CRITICAL a/c', 'nagios: OK a/c']);
  job.restart({ events: false });
  await job.run();
  write(service('a', 'c', 'CRITICAL'));
  const { offers, totals } = await job.run();
  expect(offers).toEqual([]);
  expect(totals.events_left_out).toBeUndefined();
});

test('offers no more than 500 events in a run, and tells and counts the rest', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'));
  await job.run();
  write(Array.from({ length: 620 }, (_, index) => machine(`h${index}`, 'DOWN')).join(''));
  const { offers, sent, problems } = await job.run();
  expect(offers).toHaveLength(500);
  expect(sent).toMatchObject({ events_left_out: 120, 'host.down.hard.alerts': 620, 'host.down.hard_problems': 620 });
  expect(problems).toMatchObject([{ code: 'E_OUTPUT_SIZE', evidence: { count: 120 } }]);
});

test('single hosts and services, and all others in one sum', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'), {
    hosts: ['gw*'],
    services: ['web?/HTTP', '*/Disk *'],
    maxSeries: 36,
  });
  await job.run();
  write(
    machine('gw1', 'DOWN') + machine('db', 'DOWN') + service('web1', 'HTTP', 'CRITICAL') + service('db', 'ping', 'OK'),
  );
  write(service('db', 'Disk /var', 'WARNING', 'SOFT') + service('web2', 'HTTP', 'CRITICAL'));
  write(line('HOST FLAPPING ALERT: gw1;STARTED; x') + line('SERVICE FLAPPING ALERT: web2;HTTP;STOPPED; x'));
  const ran = await job.run();
  expect(some(ran)).toEqual({
    ...{ 'host.down.hard.alerts': 2, 'host.down.hard.other_alerts': 1, 'gw1.down.hard.host_alerts': 1 },
    ...{ 'service.critical.hard.alerts': 2, 'service.critical.hard.other_alerts': 1 },
    ...{ 'service.warning.soft.alerts': 1, 'service.ok.hard.alerts': 1, 'service.ok.hard.other_alerts': 1 },
    ...{ 'web1.HTTP.critical.hard.service_alerts': 1, 'db.Disk__var.warning.soft.service_alerts': 1 },
    ...{ 'host.started.flapping_alerts': 1, 'gw1.started.host_flapping_alerts': 1 },
    ...{ 'service.stopped.flapping_alerts': 1, 'service.stopped.other_flapping_alerts': 1 },
    ...{ 'host.down.hard_problems': 2, 'service.critical.hard_problems': 2 },
    ...{ 'gw1.host_problem': 1, 'web1.HTTP.service_problem': 1, lines: 8 },
  });
  const crowded = { code: 'E_OUTPUT_SIZE', message: expect.stringContaining('maxSeries is 36') };
  expect(ran.problems).toMatchObject([crowded]);
  expect((await job.run()).problems).toMatchObject([crowded]);
  // Fewer are wanted: what they were is in no sum twice.
  job.restart({ hosts: ['gw*'] });
  const fewer = await job.run();
  expect(fewer.problems).toEqual([]);
  expect(Object.keys(fewer.totals).filter((path) => path.includes('service_alerts'))).toEqual([]);
  expect(fewer.totals['host.down.hard.other_alerts']).toBe(1);
});

test('a list of all states makes what is known complete, and ends what is not in it', async () => {
  const { job, write } = started(machine('gone', 'DOWN'), { hosts: ['*'], services: ['*'] });
  expect((await job.run()).sent).toMatchObject({ 'host.states_known': 0, 'gone.host_problem': 1 });
  const list = (when: string): string =>
    line(`${when} HOST STATE: a;UP;HARD;1;x`) +
    line(`${when} HOST STATE: b;DOWN;HARD;1;x`) +
    line(`${when} SERVICE STATE: a;s;CRITICAL;SOFT;1;x`) +
    line(`${when} SERVICE STATE: b;s;UNKNOWN;HARD;1;x`);
  const rotation = line('LOG ROTATION: DAILY') + line('LOG VERSION: 2.0');
  write(rotation + list('CURRENT'));
  await job.run();
  write(line('Auto-save of retention data completed successfully.'));
  const listed = await job.run();
  expect(listed.sent).toMatchObject({
    ...{ 'host.states_known': 1, 'service.states_known': 1, 'host.down.hard_problems': 1 },
    ...{ 'service.unknown.hard_problems': 1, 'service.critical.hard_problems': 0, 'gone.host_problem': 0 },
    ...{ 'a.host_problem': 0, 'b.host_problem': 1, 'b.s.service_problem': 1 },
  });
  expect(listed.totals).toMatchObject({ 'host.down.hard.alerts': 0, 'service.unknown.hard.alerts': 0 });
  expect(listed.offers).toEqual([]);
  // Nothing of `a` is wrong: that is known now, so an OK that is logged again is no recovery.
  write(service('a', 'x', 'OK') + service('b', 's', 'OK'));
  expect(await offered(job)).toEqual(['nagios: OK b/s']);
  write(
    line('Nagios 4.4.6 starting... (PID=1)') + line('qh: core query handler registered') + list('INITIAL') + line('x'),
  );
  expect((await job.run()).sent).toMatchObject({ 'service.unknown.hard_problems': 1, 'host.down.hard_problems': 1 });
});

test('lines that are none are one problem with the first of them, and counted', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'));
  await job.run();
  write('\x7fELF\u202e"x"\nsecond\n\n');
  write(Buffer.from([0xff, 0xfe, 0x0a]));
  write(Buffer.concat([Buffer.from('[5] HOST ALERT: '), Buffer.from([0xe9]), Buffer.from(';DOWN;HARD;1;x\r\n')]));
  write(Buffer.concat([Buffer.alloc(5000), Buffer.from(machine('nul', 'DOWN'))]));
  const { problems, sent } = await job.run();
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ code: 'E_PARSE', evidence: { path: LOG, count: 3, text: '\x7fELF\u202e"x"' } });
  expect(problems[0]?.message).toBe(
    '"/var/log/nagios/nagios.log": lines could not be read, the first is "\\u007fELF\\u202e\\"x\\"": ' +
      'expected "[seconds since 1970] " in front; is this the log of Nagios, Icinga 1 or Naemon?',
  );
  expect(sent).toMatchObject({ unreadable_lines: 3, 'host.down.hard.alerts': 2, lines: 5 });
  const next = await job.run();
  expect(next.problems).toEqual([]);
});

test('a line of 1 MB is read, and a longer one is passed over', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'));
  await job.run();
  write(service('a', 'b', 'CRITICAL', 'HARD', 'x'.repeat(1_000_000)) + service('a', 'c', 'CRITICAL'));
  const { sent, offers } = await job.run();
  expect(sent).toMatchObject({ 'service.critical.hard.alerts': 2, unreadable_lines: 0 });
  expect(offers[0]?.data).toHaveLength(1000);
  write(Buffer.alloc(3 * 2 ** 20, 'y'));
  expect((await job.run()).sent).toMatchObject({ unreadable_lines: 1 });
  write(`${service('no', 'no', 'CRITICAL').trim()}\n${service('a', 'd', 'CRITICAL')}`);
  expect((await job.run()).sent).toMatchObject({
    unreadable_lines: 0,
    'service.critical.hard.alerts': 1,
    behind_bytes: 0,
  });
});

test('a large backlog is read over several runs', async () => {
  const { job, write, disk } = started(line('LOG VERSION: 2.0'), { events: false });
  await job.run();
  const many = Array.from({ length: 20_000 }, (_, index) => service(`h${index}`, 's', 'OK', 'SOFT', 'z'.repeat(2000)));
  write(many.join(''));
  const counts: (number | undefined)[] = [];
  for (;;) {
    const before = disk.asked.bytes;
    const { sent } = await job.run();
    expect(disk.asked.bytes - before).toBeLessThan(18 * 2 ** 20);
    counts.push(sent['service.ok.soft.alerts']);
    if (sent.behind_bytes === 0) break;
  }
  expect(counts).toHaveLength(3);
  expect(counts.reduce<number>((sum, one) => sum + (one ?? 0), 0)).toBe(20_000);
});

test('a run ends early when half of its time is over', async () => {
  const { job, write, disk } = started(line('LOG VERSION: 2.0'), { events: false });
  await job.run();
  write(Array.from({ length: 40 }, () => service('h', 's', 'OK', 'SOFT', 'z'.repeat(100_000))).join(''));
  disk.meanwhile = () => job.clock.advance(1500);
  const { sent, failure } = await job.run();
  expect(failure).toBeUndefined();
  expect(sent.behind_bytes).toBeGreaterThan(10 ** 6);
});

test('what is learnt of a large log is told when all of it was read', async () => {
  const filler = Array.from({ length: 250 }, () => service('h', 's', 'OK', 'SOFT', 'z'.repeat(100_000))).join('');
  const { job } = started(machine('a', 'DOWN') + filler + machine('a', 'UP'));
  const first = await job.run();
  expect(Object.keys(first.sent).filter((path) => path.endsWith('hard_problems'))).toEqual([]);
  expect((await job.run()).sent).toMatchObject({
    'host.down.hard_problems': 0,
    'service.ok.soft.alerts': 0,
    behind_bytes: 0,
  });
});

test('a log that is missing or may not be read says what to do', async () => {
  const { job, disk } = started(line('LOG VERSION: 2.0'));
  disk.remove(LOG);
  expect((await job.run()).failure?.message).toMatch(/does not exist: name the log_file .*naemon\.log/);
  disk.broken.set(LOG, new Failure('E_DENIED', `"${LOG}" may not be read by this user`, { path: LOG }));
  const { failure } = await job.run();
  expect(failure).toMatchObject({ code: 'E_DENIED', evidence: { path: LOG } });
  expect(failure?.message).toContain('may not be read by this user: make edgestatd’s user a member of the group');
});

test('outside of a job runs know of each other by their target', async () => {
  const { disk } = started(line('LOG VERSION: 2.0'));
  const kept = new Map<string, unknown>();
  const keep = <Value>(key: string, make: (lasting: never) => Value): Value => {
    if (!kept.has(key)) kept.set(key, make(undefined as never));
    return kept.get(key) as Value;
  };
  const context = { ...{ atMs: 0, readAtMs: 0, elapsedMs: () => 0 }, options: nagios.options.parse({}) };
  const totalOf = async () => {
    const { samples } = await nagios.collect({ ...context, host: { ...disk.host, keep: keep as never } });
    return samples.find(({ metric }) => metric.name === 'lines')?.value;
  };
  expect(await totalOf()).toBe(0);
  disk.append(LOG, service('a', 'b', 'OK'));
  expect(await totalOf()).toBe(1);
});

test('a log that is none, with other lines in each run, is one problem until there are none', async () => {
  const { job, write } = started(line('LOG VERSION: 2.0'));
  await job.run();
  const told: string[] = [];
  for (const text of ['a wild line\n', 'another\nand one more\n', '', 'a third\n']) {
    write(text === '' ? line('x') : text);
    told.push((await job.run()).problems.map(({ message }) => message).join());
  }
  const [first = '', second, none, last] = told;
  expect(first).toContain('lines could not be read, the first is "a wild line"');
  expect(second).toBe(first);
  expect(none).toBe('');
  expect(last).toContain('the first is "a third"');
});
