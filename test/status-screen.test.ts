/** The screen of `edgestatd status`. */
import { describe, expect, it } from 'vitest';
import type { JobStatus, StatusDocument } from '../src/status/document.ts';
import { statusLines } from '../src/status/screen.ts';
import { fitted, painted, textOf } from '../src/top/line.ts';
import { widthOf } from '../src/top/width.ts';

const nowMs = 1_800_000_000_000;
const job = (id: string, more: Partial<JobStatus> = {}): JobStatus => ({
  ...{ id, name: id.split('@')[0] ?? '', target: id.split('@')[1] ?? '', collector: 'tcp', schedule: '10s' },
  ...{ intervalMs: 10_000, state: 'up', lastRunAtMs: nowMs - 3000, lastSuccessAtMs: nowMs - 3000, durationMs: 12 },
  ...{ samples: 44, runs: 21, failedRuns: 0, skippedTicks: 0, problems: [] },
  ...more,
});
const failing = (id: string, sinceMs: number): JobStatus =>
  job(id, {
    ...{ state: 'down', failedRuns: 4, skippedTicks: 2 },
    problems: [{ code: 'E_TIMEOUT', message: 'the deadline of 8 s passed', sinceMs, fatal: true }],
  });
const partly = job('ovs@hv01', {
  problems: [
    { code: 'E_DENIED', message: 'root alone may read \u001b[2J/proc', sinceMs: nowMs - 90_000, fatal: false },
  ],
});
const status = (more: Partial<StatusDocument> = {}): StatusDocument => ({
  ...{
    format: 1,
    version: '1.2.3',
    node: 'v24.1.0',
    pid: 77,
    machine: 'hv01',
    config: '/etc/edgestatd/edgestatd.yaml',
  },
  ...{ nowMs, startedAtMs: nowMs - 90_061_000, reloadedAtMs: nowMs - 60_000, health: { healthy: true, reasons: [] } },
  process: { rssBytes: 90 * 2 ** 20, heapUsedBytes: 2 ** 24, cpuSeconds: 75, eventLoopDelayP99Seconds: 0.0021 },
  jobs: [
    job('tcp@hv01'),
    failing('htb@hv02', nowMs - 192_000),
    partly,
    job('kmod@hv01', { state: 'waiting', runs: 0 }),
  ],
  sinks: [
    {
      ...{ name: 'statsd', type: 'statsd', to: '127.0.0.1:8125', state: 'down', sentMetrics: 1_234_567, sentBytes: 9 },
      problem: { code: 'E_CONNECT', message: 'nobody listens on 127.0.0.1:8125', sinceMs: nowMs - 5000, fatal: true },
      droppedMetrics: { refused: 40, send: 5, oversize: 0 },
    },
    {
      ...{ name: 'carbon', type: 'carbon', to: 'c1:2003, c2:2003', state: 'up', sentMetrics: 12, sentBytes: 9 },
      ...{ droppedMetrics: {}, spool: { metrics: 900, bytes: 4096, oldestSeconds: 61 } },
    },
  ],
  events: {
    ...{ spool: '/var/lib/edgestatd/spool.db', bytes: 49_152 },
    destinations: [{ name: 'graphite', waiting: 2, oldestSeconds: 30, dead: 1, delivered: 7 }],
  },
  ...more,
});
const shown = (document: StatusDocument, width: number): string[] =>
  statusLines(document, width).map((line) => textOf(fitted(line, width)).trimEnd());

describe('the screen', () => {
  it('says in 80 columns what is wrong, since when, and what works', () => {
    expect(shown(status(), 80)).toEqual([
      'edgestatd 1.2.3 on hv01: healthy',
      '  up 1d1h, reloaded 1m00s ago, pid 77, 90MiB resident, CPU 1m15s, timers late by',
      '  2.1ms, Node.js v24.1.0, /etc/edgestatd/edgestatd.yaml',
      '',
      '4 jobs: 2 up, 1 of them with problems, 1 down, 1 waiting for their first run',
      '  job        state    last run  took  samples  every  runs  failed  skipped',
      '  tcp@hv01   up             3s  12ms       44    10s    21       0        0',
      '  htb@hv02   DOWN           3s  12ms        –    10s    21       4        2',
      '    E_TIMEOUT for 3m12s: the deadline of 8 s passed',
      '  ovs@hv01   partly         3s  12ms       44    10s    21       0        0',
      '    E_DENIED for 1m30s: root alone may read \\u001b[2J/proc',
      '  kmod@hv01  waiting        3s  12ms        –    10s     0       0        0',
      '',
      '  sinks                    state   sent          dropped    on disk',
      '  statsd 127.0.0.1:8125    DOWN   1.23M  45 refused send          –',
      '    E_CONNECT for 5s: nobody listens on 127.0.0.1:8125',
      '  carbon c1:2003, c2:2003  up        12                0  900 1m01s',
      '',
      'events wait in /var/lib/edgestatd/spool.db (48KiB)',
      '  events to  state  waiting  oldest  dead  delivered',
      '  graphite   up           2     30s     1          7',
    ]);
  });

  it('has the reasons above all where it is not healthy', () => {
    const lines = shown(
      status({ health: { healthy: false, reasons: ['every sink is down: statsd\n\u001b[31m'] } }),
      80,
    );
    expect(lines.slice(0, 2)).toEqual([
      'edgestatd 1.2.3 on hv01: NOT HEALTHY',
      '  every sink is down: statsd\\u000a\\u001b[31m',
    ]);
  });

  it.each([20, 21, 30, 40, 60, 80, 120])('fits %i columns, with name and state of each job', (width) => {
    const wide = job('名前名前名前名前名前@hv\u001b[2J01', { state: 'up' });
    const all = status({ jobs: [...status().jobs, wide] });
    for (const line of shown(all, width)) expect(widthOf(line), line).toBeLessThanOrEqual(width);
    const text = shown(all, width).join('\n');
    expect(text).toMatch(/^ {2}tcp@h\S+ +up\b/m);
    expect(text).toMatch(/^ {2}htb@h\S+ +DOWN\b/m);
    expect(text).toContain('E_TIMEOUT');
  });

  it('cuts nothing where there is no width to keep', () => {
    const long = 'x'.repeat(500);
    const jobs = [
      job(`${long}@hv01`, {
        problems: [{ code: 'E_PARSE', message: `${long} ${long}`, sinceMs: nowMs, fatal: false }],
      }),
    ];
    const text = shown(status({ jobs }), Number.POSITIVE_INFINITY).join('\n');
    expect(text).toContain(`${long}@hv01`);
    expect(text).toContain(`${long} ${long}`);
  });

  it('of hundreds of jobs sums up by name, and has one by one those in trouble, the longest first', () => {
    const jobs = ['htb', 'link', 'tcp'].flatMap((name) =>
      Array.from({ length: 300 }, (_, index) =>
        name === 'htb' && index % 10 === 0
          ? failing(`htb@hv${index}`, nowMs - index * 1000)
          : job(`${name}@hv${index}`),
      ),
    );
    const lines = shown(status({ jobs: [...jobs, partly] }), 80);
    const from = lines.indexOf('901 jobs: 871 up, 1 of them with problems, 30 down');
    expect(lines.slice(from, from + 9)).toEqual([
      '901 jobs: 871 up, 1 of them with problems, 30 down',
      '  job    up  down  partly  waiting  oldest run  samples',
      '  htb   270    30       0        0          3s    11880',
      '  link  300     0       0        0          3s    13200',
      '  tcp   300     0       0        0          3s    13200',
      '  ovs     1     0       1        0          3s       44',
      '',
      'in trouble',
      '  job        state  last run  took  samples  every  runs  failed  skipped',
    ]);
    expect(lines[from + 9]).toMatch(/^ {2}htb@hv290 {2}DOWN/);
    expect(lines).toContain('  … and 11 more; --json has all');
    expect(lines.length).toBeLessThan(70);
    // Partly is above what works, and below what does not.
    expect(lines.join('\n')).not.toContain('ovs@hv01');
  });

  it('marks a run that lasts longer than its interval, and counts problems beyond the fifth', () => {
    const problems = Array.from({ length: 8 }, (_, index) => ({
      code: 'E_PARSE' as const,
      message: `m${index}`,
      sinceMs: nowMs,
      fatal: false,
    }));
    const lines = shown(status({ jobs: [job('a@b', { runningMs: 11_000, problems })] }), 80);
    expect(lines.find((line) => line.startsWith('  a@b'))).toMatch(/^ {2}a@b {2}running 11s/);
    expect(lines).toContain('    … and 3 more');
  });

  it('is in colours only where it is told, and says in words what they mean', () => {
    const line = statusLines(status(), 80).find((one) => textOf(one).startsWith('  htb@hv02'));
    expect(painted(line ?? [], true)).toContain('\u001b[1;31mDOWN');
    expect(painted(line ?? [], false)).not.toContain('\u001b');
  });

  it('of a daemon that tells less or otherwise says so, and shows what there is', () => {
    const bare = { rssBytes: 0, heapUsedBytes: 0, cpuSeconds: 0 };
    const { events: _, ...old } = status({
      format: 7 as never,
      version: '',
      node: '',
      pid: 0,
      startedAtMs: 0,
      process: bare,
    });
    const lines = shown({ ...old, jobs: [], sinks: [] }, 80);
    expect(lines[0]).toBe('edgestatd of an unknown version on hv01: healthy');
    expect(lines[1]).toMatch(/^ {2}its status has the form 7, of which this command knows 1: /);
    expect(lines).toContain('0 jobs: 0 up');
  });
});
