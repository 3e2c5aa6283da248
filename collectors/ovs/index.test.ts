/** Each source on its own: a whole machine's recording, with one thing after the other taken away. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Host } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import type { Sample } from '../../src/metric.ts';
import { readSession, recordedTarget, type Session } from '../../test/support/recorded-target.ts';
import { ovs } from './index.ts';
import type { Layout } from './layout.ts';
import { newcomers } from './newcomers.ts';
import { readSwitch } from './switch.ts';

const session = (name: string): Session => readSession(join(import.meta.dirname, 'testdata', name));
type Reading = Session['readings'][number];
type Answer = Reading extends ReadonlyMap<string, infer Value> ? Value : never;

const whole = session('ovs3.1').readings[0] ?? new Map<string, Answer>();
/** What was recorded, without what matches, and with other answers. */
const but = (gone: RegExp, others: Record<string, Answer> = {}): Reading =>
  new Map([...[...whole].filter(([question]) => !gone.test(question)), ...Object.entries(others)]);
const NOTHING = /^$/;
const failing = (code: 'E_DENIED' | 'E_CONNECT' | 'E_EXIT' | 'E_NOT_FOUND', message = 'as recorded') => ({
  failure: { code, message },
});

/** Runs as often as there are readings, ten seconds apart. */
async function runs(readings: readonly Reading[], options: Record<string, unknown> = {}, everyMs = 10_000) {
  const target = recordedTarget('hv01', { options, readings, references: [] });
  const parsed = ovs.options.parse(options);
  const all = [];
  for (const [index] of readings.entries()) {
    const ended = new AbortController();
    const host = target.open(ended.signal);
    all.push(
      await ovs.collect({
        host,
        options: parsed,
        ...{ atMs: index * everyMs, readAtMs: index * everyMs, elapsedMs: () => 0 },
        intervalMs: everyMs,
      }),
    );
    ended.abort(new Error('the run is over'));
  }
  await target.close();
  return all;
}

async function once(reading: Reading, options: Record<string, unknown> = {}) {
  const [{ samples, problems = [] } = { samples: [] }] = await runs([reading], options);
  const told = problems.map(({ code, message }) => `${code} ${message}`);
  return { samples, problems, told, names: new Set(samples.map(({ metric }) => metric.name)) };
}

const numberOf = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}) =>
  samples.find(
    ({ metric, labels: own }) =>
      metric.name === name && Object.entries(labels).every(([label, value]) => own[label] === value),
  )?.value;
const covers = (problem: { evidence: { labels?: Readonly<Record<string, string | undefined>> } }, one: Sample) =>
  Object.entries(problem.evidence.labels ?? {}).every(([label, value]) => one.labels[label] === value);
const keyOf = ({ metric, labels }: Sample): string => `${metric.name} ${JSON.stringify(labels)}`;

const DB = /^socket \S*db\.sock/;
const VSWITCHD = /ovs-vswitchd/;
const full = await once(but(NOTHING));

/** Whatever is not there any more is covered by a problem, so that nobody takes it for gone. */
function expectCovered({ samples, problems }: Awaited<ReturnType<typeof once>>, except: RegExp = NOTHING): void {
  const there = new Set(samples.map(keyOf));
  const lost = full.samples.filter((one) => !there.has(keyOf(one)) && !except.test(keyOf(one)));
  const bare = lost.filter((one) => !problems.some((problem) => covers(problem, one)));
  expect(bare.map(keyOf)).toEqual([]);
}

test('a whole machine: every source, and no problem', () => {
  expect(full.told).toEqual([]);
  for (const name of ['rx_bytes', 'link_up', 'flows', 'packets', 'hit', 'upcall_flows_limit', 'memory_objects'])
    expect(full.names).toContain(name);
  for (const name of ['lacp_current', 'bond_members', 'bfd_state', 'cfm_fault', 'tunnel_carrier_up', 'tunnels'])
    expect(full.names).toContain(name);
  expect(numberOf(full.samples, 'running', { daemon: 'ovs-vswitchd' })).toBe(1);
  expect(numberOf(full.samples, 'fail_secure', { bridge: 'br-int' })).toBe(1);
  expect(numberOf(full.samples, 'controller_connected')).toBe(0);
  expect(numberOf(full.samples, 'controller_last_error', { error: 'refused' })).toBe(1);
});

test('labels: a port that is called like its interface is left out, a bond’s is not', () => {
  const rx = full.samples.filter(({ metric }) => metric.name === 'rx_bytes').map(({ labels }) => labels);
  expect(rx).toContainEqual({ bridge: 'br-int', port: undefined, interface: 'la3' });
  expect(rx).toContainEqual({ bridge: 'br-int', port: 'bond0', interface: 'la1' });
});

test('an event of a set that was not printed has happened 0 times', () => {
  expect(numberOf(full.samples, 'coverage_events', { event: 'drop_action_bridge_not_found' })).toBe(0);
});

test('no database: the datapath and the daemons are told, and no interface', async () => {
  const reading = await once(but(DB));
  expect(reading.told).toEqual([expect.stringMatching(/^E_NOT_FOUND .*db\.sock/)]);
  expect(reading.names).not.toContain('rx_bytes');
  expect(reading.names).not.toContain('flows');
  expect(numberOf(reading.samples, 'hit')).toBeGreaterThan(0);
  expect(numberOf(reading.samples, 'running', { daemon: 'ovsdb-server' })).toBe(1);
  expectCovered(reading, /^(?:statistics_interval|ovsdb_)/);
});

test('the database is lost between two runs: no interface is told from its last rows', async () => {
  const [, second] = await runs([but(NOTHING), but(DB)]);
  const names = new Set(second?.samples.map(({ metric }) => metric.name));
  expect(names).not.toContain('rx_bytes');
  expect(names).not.toContain('link_up');
  expect(names).toContain('hit');
  // Which bonds there were is still known, and what the switch itself says of them is true.
  expect(names).toContain('bond_members');
  // Without the database vswitchd answers no OpenFlow, so nobody waits for it.
  expect(names).not.toContain('flows');
  expect(second?.problems?.map(({ code }) => code)).toEqual(['E_NOT_FOUND']);
});

test('vswitchd does not run: running is 0, and what it wrote last is no news', async () => {
  const reading = await once(but(/ovs-vswitchd|^program|^file \/proc\/[0-9]+\/stat/));
  expect(numberOf(reading.samples, 'running', { daemon: 'ovs-vswitchd' })).toBe(0);
  expect(numberOf(reading.samples, 'fail_secure', { bridge: 'br-int' })).toBe(1);
  for (const name of ['rx_bytes', 'link_up', 'controller_connected', 'flows', 'hit'])
    expect(reading.names).not.toContain(name);
  expect(reading.told).toEqual([expect.stringMatching(/^E_NOT_FOUND ovs-vswitchd does not run/)]);
  expectCovered(reading, /"daemon":"/);
});

test('its control socket may not be used: it runs, and the rest is told', async () => {
  const path = [...whole.keys()].find((question) => /^socket \S*ovs-vswitchd\.[0-9]+\.ctl$/.test(question)) ?? '';
  const reading = await once(but(/^socket \S*ovs-vswitchd\S*ctl/, { [path]: failing('E_DENIED') }));
  expect(numberOf(reading.samples, 'running', { daemon: 'ovs-vswitchd' })).toBe(1);
  expect(numberOf(reading.samples, 'cpu_seconds', { daemon: 'ovs-vswitchd' })).toBeGreaterThan(0);
  expect(reading.names).toContain('rx_bytes');
  expect(reading.names).toContain('flows');
  expect(reading.told).toEqual(['E_DENIED as recorded']);
  expectCovered(reading);
});

test('a command that this version does not have is one problem, and the others are told', async () => {
  const reading = await once(but(/upcall\/show/));
  expect(reading.told).toEqual([expect.stringMatching(/ovs-vswitchd, upcall\/show: /)]);
  expect(numberOf(reading.samples, 'hit')).toBeGreaterThan(0);
  expectCovered(reading);
});

test('no ovs-ofctl: one problem, not one for each bridge', async () => {
  const reading = await once(but(/^program/));
  expect(reading.told).toEqual([expect.stringMatching(/^E_NOT_FOUND /)]);
  expect(reading.names).toContain('rx_bytes');
  expectCovered(reading);
});

test('one bridge does not answer: the other does', async () => {
  const [tables = ''] = [...whole.keys()].filter((one) => one.includes('dump-tables') && one.includes('br-int'));
  const reading = await once(but(NOTHING, { [tables]: failing('E_CONNECT') }));
  expect(reading.problems).toHaveLength(1);
  expect(reading.problems[0]?.evidence.labels).toMatchObject({ bridge: 'br-int', controller: undefined });
  expect(numberOf(reading.samples, 'flows', { bridge: 'br0' })).toBe(1);
  expect(numberOf(reading.samples, 'flows', { bridge: 'br-int' })).toBeUndefined();
  expectCovered(reading);
});

test('many bridges fail: each problem is about its own, and the one that answers is covered by none', async () => {
  const bad = Array.from({ length: 20 }, (_, at) => `bad${at}`);
  const target = recordedTarget('hv01', { options: {}, readings: [whole], references: [] });
  const recorded = target.open(new AbortController().signal);
  const host: Host = {
    ...recorded,
    keep: (key, make) => recorded.keep(key, make),
    async run(argv) {
      if (argv.some((one) => one.includes('/bad'))) throw new Failure('E_CONNECT', 'nobody listens');
      return recorded.run(argv);
    },
  };
  const bridges = [...bad, 'br-int'].map((name) => ({ name, row: {}, protocols: [], ports: new Map() }));
  const { samples, problems } = await readSwitch(host, bridges, ovs.options.parse({ ports: false }));
  await target.close();
  expect(problems.map(({ evidence }) => evidence.labels?.bridge)).toEqual(bad);
  expect(numberOf(samples, 'flows', { bridge: 'br-int' })).toBeGreaterThan(0);
  expect(samples.filter((one) => problems.some((problem) => covers(problem, one)))).toEqual([]);
});

test('over the limit the sums of a bridge are not asked for; its flows are told', async () => {
  const reading = await once(but(NOTHING), { aggregateLimit: 0 });
  expect(numberOf(reading.samples, 'flows', { bridge: 'br0' })).toBe(1);
  expect(reading.names).not.toContain('packets');
  expect(reading.told).toEqual([]);
});

test('a wrong match is told once, with the words of ovs-ofctl, and every other group is told', async () => {
  const { options, readings } = session('ovs3.1-flow-groups');
  const [{ samples, problems = [] } = { samples: [] }] = await runs(readings, { ...options });
  expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('unknown keyword')]);
  expect(problems[0]?.evidence.labels).toMatchObject({ match: 'wrong', interface: undefined });
  expect(numberOf(samples, 'matched_flows', { match: 'vm1', bridge: 'br-int' })).toBe(1);
  expect(numberOf(samples, 'matched_flows', { match: 'vm1', bridge: 'br0' })).toBeUndefined();
});

test('globs choose bridges and interfaces', async () => {
  const some = await once(but(NOTHING), { bridges: ['br-*'], excludeInterfaces: ['la[12]'] });
  const interfaces = new Set(some.samples.flatMap(({ labels }) => labels.interface ?? []));
  expect([...interfaces].sort()).toEqual(['br-int', 'la3', 'la4', 'vx0']);
  expect(numberOf(some.samples, 'bond_members', { port: 'bond0' })).toBe(2);
});

test('nothing of Open vSwitch: the run fails, and says where it looked', async () => {
  await expect(once(new Map())).rejects.toMatchObject({
    code: 'E_NOT_FOUND',
    message: expect.stringContaining('no Open vSwitch in "/var/run/openvswitch"'),
  });
});

test('a restart is another process behind the pid file, and the first sight is none', async () => {
  const pid = [...whole.keys()].flatMap((one) => /ovs-vswitchd\.([0-9]+)\.ctl$/.exec(one)?.[1] ?? [])[0] ?? '';
  const again = new Map(
    [...whole].map(([question, answer]) => [
      question.replace(`ovs-vswitchd.${pid}.`, 'ovs-vswitchd.5397.').replace(`/proc/${pid}/`, '/proc/5397/'),
      answer,
    ]),
  );
  const pidFile = whole.get('file /var/run/openvswitch/ovsdb-server.pid');
  if (pidFile !== undefined) again.set('file /var/run/openvswitch/ovs-vswitchd.pid', pidFile);
  const unreadable = but(new RegExp(`^file /proc/${pid}/`));
  const all = await runs([whole, unreadable, whole, again, but(VSWITCHD), whole]);
  const restarts = all.map(({ samples }) => numberOf(samples, 'restarts', { daemon: 'ovs-vswitchd' }));
  expect(restarts).toEqual([0, 0, 0, 1, 1, 2]);
  // What falls makes all counters of the daemon begin anew, so its processor time goes on.
  const used = numberOf(all[0]?.samples ?? [], 'cpu_seconds', { daemon: 'ovs-vswitchd' });
  const cpu = all.map(({ samples }) => numberOf(samples, 'cpu_seconds', { daemon: 'ovs-vswitchd' }));
  expect(used).toBeGreaterThan(0);
  expect(cpu).toEqual([used, undefined, used, undefined, undefined, Number(used) * 2]);
});

test('where nothing may be looked at the run fails, and where a daemon ran before, it is gone', async () => {
  const denied = new Map([...whole.keys()].map((question) => [question, failing('E_DENIED')] as const));
  await expect(once(denied)).rejects.toMatchObject({ code: 'E_DENIED' });
  const [, gone] = await runs([but(NOTHING), new Map()]);
  for (const daemon of ['ovs-vswitchd', 'ovsdb-server'])
    expect(numberOf(gone?.samples ?? [], 'running', { daemon })).toBe(0);
  expect(gone?.problems?.map(({ code }) => code)).toEqual(['E_NOT_FOUND', 'E_NOT_FOUND']);
});

test('what is new at a bridge may have counted before: its counters are told from the next run on', async () => {
  const target = recordedTarget('hv01', { options: {}, readings: [new Map()], references: [] });
  const host = target.open(new AbortController().signal);
  const place = (bridge: string, name: string) => ({ bridge, port: undefined, interface: name });
  const layout = (...names: string[]): Layout => ({
    ...{ bonds: new Map(), hasLacp: false },
    bridges: [...new Set(names.map((name) => name.split(' ')[0] ?? ''))].map((name) => ({
      ...{ name, row: {}, protocols: [], ports: new Map() },
    })),
    interfaces: new Map(
      names.map((both) => {
        const [bridge = '', name = ''] = both.split(' ');
        return [name, { name, row: {}, labels: place(bridge, name) }];
      }),
    ),
  });
  const tooSoon = (...names: string[]) => {
    const isTooSoon = newcomers(host, ovs.options.parse({}), layout(...names));
    return full.samples
      .filter(({ metric }) => ['packets', 'flows', 'rx_bytes', 'link_up', 'hit'].includes(metric.name))
      .map(({ metric, value }) => ({ metric, value }))
      .flatMap(({ metric, value }) => [
        { metric, value, labels: { bridge: 'a' } },
        { metric, value, labels: place('a', 'x') },
        { metric, value, labels: place('b', 'x') },
      ])
      .filter(isTooSoon)
      .map(({ metric, labels }) => `${Object.values(labels).filter(Boolean).join(' ')} ${metric.name}`);
  };
  expect(tooSoon('a x')).toEqual([]);
  expect(tooSoon('a x')).toEqual([]);
  expect(tooSoon('a y', 'b x').filter((one) => one.startsWith('a'))).toEqual([]);
  expect(new Set(tooSoon('a y', 'a x'))).toEqual(new Set(['a x packets', 'a x rx_bytes', 'a x hit']));
  expect(tooSoon('a y', 'a x')).toEqual([]);
  expect(tooSoon()).toEqual([]);
  expect(tooSoon('a y')).toContain('a packets');
  await target.close();
});

test('a job that is faster than the statistics is told so, and nothing is unknown because of it', async () => {
  const told = async (everyMs: number) => {
    const [{ samples, problems = [] } = { samples: [] }] = await runs([whole], {}, everyMs);
    const [problem] = problems;
    expect(problem === undefined || Object.keys(problem.evidence.labels ?? {})).toEqual(
      problem === undefined || ['pace'],
    );
    return [numberOf(samples, 'statistics_oversampled'), ...problems.map(({ code, message }) => `${code} ${message}`)];
  };
  expect(await told(10_000)).toEqual([0]);
  expect(await told(5000)).toEqual([0]);
  expect(await told(2000)).toEqual([
    1,
    'E_CONFIG the job runs every 2 s, and ovs-vswitchd writes statistics every 5 s (other_config:stats-update-interval): ' +
      'interfaces show nothing new in between, so give the job that interval or a longer one',
  ]);
});

test('hostile names: every one is its own interface, and none makes another series', async () => {
  const { options, readings } = session('ovs3.1-hostile-names');
  const [{ samples, problems } = { samples: [] }] = await runs(readings, { ...options });
  expect(problems).toEqual([]);
  const names = new Set(samples.flatMap(({ labels }) => labels.interface ?? []));
  for (const name of ['a b', 'q"uote', 'c:olon|pipe', 'new\nline 1 gauge x', 'ünï→code', '-O', 'x'.repeat(64), '-x y'])
    expect(names).toContain(name);
  expect(numberOf(samples, 'flows', { bridge: '-x y' })).toBe(1);
});

test('check says what was tried, and which groups will fail', async () => {
  const { options, readings } = session('ovs3.1-flow-groups');
  const target = recordedTarget('hv01', { options, readings, references: [] });
  const host = target.open(new AbortController().signal);
  const verdicts = await ovs.check?.({
    host,
    options: ovs.options.parse(options),
    atMs: 0,
    readAtMs: 0,
    elapsedMs: () => 0,
  });
  await target.close();
  const shown = (verdicts ?? []).map(({ level, text }) => `${level} ${text}`);
  expect(shown).toContainEqual(expect.stringMatching(/^ok database .*answers/));
  expect(shown).toContainEqual(expect.stringMatching(/^ok ovs-vswitchd: runs as process [0-9]+, version 3\.1\.0/));
  expect(shown).toContainEqual(expect.stringMatching(/^ok ovs-vswitchd writes statistics every 5 s/));
  // Not in the recording, so it is not installed there.
  expect(shown).toContainEqual(expect.stringMatching(/^warn E_NOT_FOUND: .*ovs-ofctl/));
});

test('check says whose a socket is that may not be used', async () => {
  const stat = 'program ["stat","-c","%U:%G %a","--","/var/run/openvswitch/db.sock"]';
  const reading = but(DB, { 'socket /var/run/openvswitch/db.sock': failing('E_DENIED'), [stat]: failing('E_EXIT') });
  const target = recordedTarget('hv01', { options: {}, readings: [reading], references: [] });
  const host = target.open(new AbortController().signal);
  const verdicts = await ovs.check?.({
    host,
    options: ovs.options.parse({}),
    atMs: 0,
    readAtMs: 0,
    elapsedMs: () => 0,
  });
  await target.close();
  expect(verdicts?.[0]).toMatchObject({ level: 'fail', text: expect.stringMatching(/^E_DENIED: as recorded: run as/) });
  expect(target.unasked()).not.toContain(`run 1: ${stat}`);
});
