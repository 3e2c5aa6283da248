import { describe, expect, it } from 'vitest';
import type { Host, Outcome } from '../../src/collector.ts';
import { Failure } from '../../src/errors.ts';
import { absentHost } from '../../test/support/absent-host.ts';
import { exec } from './index.ts';
import { checkName, declaredIn, type ExecOptions, options as schema } from './options.ts';

const COMMAND = ['/opt/check_it', '-w', '5'];

/** A machine on which the program ends so. */
function hostOf(answer: Partial<Outcome> | Failure): Host {
  return {
    ...absentHost,
    async outcome(argv, statuses) {
      expect(argv).toEqual(COMMAND);
      if (answer instanceof Failure) throw answer;
      const outcome = { status: 0, stdout: '', stderr: '', ...answer };
      if (outcome.status !== 0 && !statuses.includes(outcome.status)) throw new Failure('E_EXIT', 'ended otherwise');
      return outcome;
    },
  };
}

const parse = (options: object): ExecOptions => schema.parse({ command: COMMAND, ...options });
const contextOf = (answer: Partial<Outcome> | Failure, options: object) => ({
  ...{ host: hostOf(answer), options: parse(options), atMs: 1_700_000_000_000, readAtMs: 0, elapsedMs: () => 0 },
});

async function collect(answer: Partial<Outcome> | Failure, options: object = {}) {
  const { samples, problems = [] } = await exec.collect(contextOf(answer, options));
  return {
    series: Object.fromEntries(
      samples.map(({ metric, labels, value }) => [
        [...metric.labels.map((label) => labels[label]), metric.name].join(' '),
        value,
      ]),
    ),
    problems: problems.map(({ code, message }) => `${code} ${message}`),
    scopes: problems.map(({ evidence: { labels, series } }) => labels ?? { series }),
  };
}

const LOAD = { name: 'load1', kind: 'gauge', unit: 'tasks' };

describe('a plugin', () => {
  it.each([0, 1, 2, 3])('that ends with %i has answered', async (status) => {
    const { series, problems } = await collect({ status, stdout: 'IT | load1=2.5;5;10;0;\n' }, { metrics: [LOAD] });
    expect(series).toEqual({
      'check_it status': status,
      'check_it values': 1,
      'check_it undeclared': 0,
      'check_it missing': 0,
      'check_it load1': 2.5,
    });
    expect(problems).toEqual([]);
  });

  it.each([4, 127, 255])('that ends with %i has failed', async (status) => {
    await expect(collect({ status, stdout: 'IT' })).rejects.toMatchObject({ code: 'E_EXIT' });
  });

  it.each([0, 1, 3])(
    'that prints nothing and ends with %i has failed: sudo and broken scripts end so',
    async (status) => {
      const stderr = 'sudo: a password is required\n';
      await expect(collect({ status, stdout: ' \n', stderr })).rejects.toMatchObject({
        code: 'E_PARSE',
        message: `/opt/check_it ended with status ${status} and printed nothing; a plugin prints a line: "sudo: a password is required"`,
      });
    },
  );

  it('that prints a flood has failed', async () => {
    await expect(collect({ stdout: `${'\n'.repeat(4 * 1024 * 1024)}x` })).rejects.toMatchObject({
      code: 'E_OUTPUT_SIZE',
    });
  });

  it('that cannot be run fails as the host says', async () => {
    const failure = new Failure('E_TIMEOUT', 'too slow');
    await expect(collect(failure)).rejects.toBe(failure);
  });
});

describe('what is declared', () => {
  it('alone is sent; the rest is one problem, which makes nothing unknown', async () => {
    const { series, problems, scopes } = await collect(
      { stdout: 'IT | load1=1 load5=2 load15=3 x=4\n' },
      { metrics: [LOAD], ignore: ['x*'] },
    );
    expect(series).toMatchObject({ 'check_it load1': 1, 'check_it undeclared': 2, 'check_it values': 4 });
    expect(series).not.toHaveProperty('check_it load5');
    expect(problems).toEqual([
      'E_PARSE no metric declares "load5", "load15"; add what you want to "metrics", and the rest to "ignore"',
    ]);
    expect(scopes).toEqual([{ series: '' }]);
  });

  it('and absent is unknown, and nothing else is', async () => {
    const metrics = [
      LOAD,
      { name: 'used_bytes', kind: 'gauge', unit: 'bytes', labels: ['path'], from: 'disk *' },
      { name: 'users', kind: 'gauge', unit: 'users' },
    ];
    const { series, problems, scopes } = await collect(
      { status: 2, stdout: "LOAD CRITICAL | 'disk /'=5B users=U\n" },
      { metrics },
    );
    expect(series).toMatchObject({ 'check_it / used_bytes': 5, 'check_it missing': 2 });
    expect(problems).toEqual([
      'E_SAMPLE users is unknown: of "users" the program says: the program does not know it (U)',
      'E_PARSE the program printed nothing of load1; it said "LOAD CRITICAL"',
    ]);
    expect(scopes).toEqual([{ check: 'check_it' }, { check: 'check_it', path: undefined }]);
    const none = await collect({ stdout: 'IT | load1=1 users=2\n' }, { metrics });
    expect(none.problems[0]).toContain('printed nothing of used_bytes ("disk *")');
    expect(none.scopes).toEqual([{ check: 'check_it' }]);
  });

  it('in other units is converted or refused, and never taken as it is', async () => {
    const metrics = [
      { name: 'rtt_seconds', kind: 'gauge', unit: 'seconds', from: 'rta' },
      { name: 'lost_ratio', kind: 'gauge', unit: 'ratio', from: 'pl' },
      { name: 'free_bytes', kind: 'gauge', unit: 'bytes', from: 'free' },
      { name: 'packets', kind: 'counter', unit: 'packets' },
    ];
    const { series, problems } = await collect({ stdout: 'IT | rta=12.5ms pl=4% free=7MB packets=-5c\n' }, { metrics });
    expect(series).toMatchObject({
      'check_it rtt_seconds': 0.0125,
      'check_it lost_ratio': 0.04,
      'check_it missing': 2,
    });
    expect(problems).toEqual([
      'E_SAMPLE free_bytes is unknown: of "free" the program says: it is in MB, of 1000 or of 1024: say "kilo: 1000" or "kilo: 1024"',
      'E_SAMPLE packets is unknown: of "packets" the program says: packets is a counter, and -5 no total',
    ]);
  });

  it('is the same metric in every run, as what is remembered of a series is by it', () => {
    const options = parse({ metrics: [LOAD] });
    expect(declaredIn(options)[0]?.metric).toBe(declaredIn(options)[0]?.metric);
    expect(declaredIn(parse({ metrics: [LOAD] }))[0]?.metric).toEqual(declaredIn(options)[0]?.metric);
    expect(declaredIn(options)[0]?.metric).toMatchObject({
      name: 'load1',
      kind: 'gauge',
      unit: 'tasks',
      labels: ['check'],
    });
  });

  it('is bounded: more series than allowed are told', async () => {
    const stdout = `IT | ${Array.from({ length: 50 }, (_, index) => `d${index}=1B`).join(' ')}\n`;
    const metrics = [{ name: 'used_bytes', kind: 'gauge', unit: 'bytes', labels: ['disk'], from: '*' }];
    const { series, problems, scopes } = await collect({ stdout }, { metrics, maxSeries: 10 });
    expect(Object.keys(series)).toHaveLength(14);
    expect(problems).toEqual(['E_SAMPLE 40 more values would be sent than the option maxSeries allows (10)']);
    expect(scopes).toEqual([{ check: 'check_it' }]);
  });

  it('and unknown by the thousand is told in few problems', async () => {
    const stdout = `IT | ${Array.from({ length: 5000 }, (_, index) => `d${index}=x`).join(' ')}\n`;
    const metrics = [{ name: 'used_bytes', kind: 'gauge', unit: 'bytes', labels: ['disk'], from: '*' }];
    const { problems, scopes } = await collect({ stdout }, { metrics });
    expect(problems).toHaveLength(9);
    expect(problems.at(-1)).toBe('E_SAMPLE 4992 more values are unknown');
    expect(scopes.at(-1)).toEqual({ check: 'check_it' });
  });
});

describe('graphite and json', () => {
  it('lines have labels by their segments, and no status', async () => {
    const metrics = [{ name: 'requests', kind: 'counter', unit: 'requests', labels: ['site'], from: 'web.*.requests' }];
    const { series } = await collect(
      { stdout: 'web.shop.requests 5\nweb.a.b.requests 6\n' },
      { metrics, format: 'graphite' },
    );
    expect(series).toEqual({
      ...{ 'check_it values': 2, 'check_it undeclared': 1, 'check_it missing': 0, 'check_it shop requests': 5 },
    });
    await expect(collect({ status: 1, stdout: 'a 1\n' }, { format: 'graphite' })).rejects.toMatchObject({
      code: 'E_EXIT',
    });
  });

  it('items have the declared labels, and are of the declared kind and unit', async () => {
    const metrics = [
      { name: 'sent_bytes', kind: 'counter', unit: 'bytes', labels: ['device'] },
      { name: 'depth', kind: 'gauge', unit: 'messages' },
    ];
    const stdout = JSON.stringify([
      { metric: 'sent_bytes', labels: { device: 'eth0' }, value: 5, kind: 'counter', unit: 'bytes' },
      { metric: 'sent_bytes', value: 6 },
      { metric: 'sent_bytes', labels: { device: 'eth1', vif: 'x' }, value: 7 },
      { metric: 'sent_bytes', labels: { device: 'eth2' }, value: 8, kind: 'gauge' },
      { metric: 'depth', value: 9, unit: 'bytes' },
    ]);
    const { series, problems } = await collect({ stdout }, { metrics, format: 'json' });
    expect(series).toMatchObject({
      'check_it eth0 sent_bytes': 5,
      'check_it  sent_bytes': 6,
      'check_it undeclared': 1,
    });
    expect(Object.keys(series)).toHaveLength(5);
    expect(problems).toEqual([
      'E_SAMPLE sent_bytes is unknown: of "sent_bytes" the program says: it is a gauge, and declared as a counter',
      expect.stringContaining('depth is unknown: of "depth" the program says: it is in "bytes"'),
      expect.stringContaining('no metric declares "sent_bytes with device, vif"'),
    ]);
  });
});

describe('the label check', () => {
  it.each([
    [['/usr/lib/nagios/plugins/check_disk', '-w', '5'], 'check_disk'],
    [['served'], 'served'],
    [['sudo', '-n', '-u', 'root', '/opt/check_raid', '/dev/md0'], 'check_raid'],
    [['/usr/bin/sudo', '-n', 'check_raid'], 'sudo'],
  ])('%j: %s', (command, name) => {
    expect(checkName(schema.parse({ command }))).toBe(name);
    expect(checkName(schema.parse({ command, check: 'own' }))).toBe('own');
  });
});

describe('options that are refused', () => {
  const metric = (more: object) => ({ metrics: [{ name: 'x', kind: 'gauge', unit: 'things', ...more }] });
  it.each([
    [{ command: [] }, 'Too small'],
    [{ command: [''] }, 'expected the name of a program'],
    [{ command: ['a\0b'] }, 'without NUL'],
    [{ command: ['a'], format: 'xml' }, 'Invalid option'],
    [metric({ name: 'Load' }), 'metric name "Load" must match'],
    [metric({ name: 'bytes_total' }), 'drop the suffix'],
    [metric({ name: 'status' }), 'status is a metric of the collector itself; choose another name'],
    [metric({ name: 'missing' }), 'missing is a metric of the collector itself'],
    [metric({ kind: 'ratio' }), 'Invalid option'],
    [metric({ unit: 'two words' }), 'expected a unit'],
    [metric({ name: 'a_bytes', unit: 'seconds' }), 'a_bytes says bytes, and its unit is seconds'],
    [metric({ labels: ['path'] }), '"x" has 0 * and 1 labels; expected one label for each *'],
    [metric({ from: 'a*b*', labels: ['path'] }), '"a*b*" has 2 * and 1 labels'],
    [metric({ from: '*', labels: ['check'] }), 'the label check is there already'],
    [metric({ from: '*', labels: ['A b'] }), 'labels must be a list of names'],
    [metric({ from: '**', labels: ['a', 'a'] }), 'a label stands twice'],
    [metric({ scale: 0 }), 'Too small'],
    [metric({ kilo: 1023 }), 'expected one of 1000|1024'],
    [{ format: 'graphite', ...metric({ field: 'max' }) }, 'field and kilo are of perfdata'],
    [{ metrics: [LOAD, LOAD] }, 'metrics[0] is called "load1" too'],
  ])('%j: %s', (options, message) => {
    const { error } = schema.safeParse({ command: COMMAND, ...options });
    expect(error?.issues.map((issue) => issue.message).join()).toContain(message);
  });
});

describe('edgestatd check', () => {
  const verdicts = async (answer: Partial<Outcome> | Failure, options: object = {}) =>
    (await exec.check?.(contextOf(answer, options)))?.map(({ level, text }) => `${level} ${text}`);

  it('says what the program printed, and what to declare', async () => {
    const stdout = "IT OK | load1=1 'disk /'=5B rta=3ms '1 busy'=3% n=7c\n";
    expect(await verdicts({ stdout }, { metrics: [LOAD] })).toEqual([
      'ok "/opt/check_it" ended with OK (0); values printed: 5, for 1 of 1 declared metrics',
      'ok could be declared under "metrics": ' +
        '{ name: disk_bytes, kind: gauge, unit: bytes, from: "disk /" }, ' +
        '{ name: rta_seconds, kind: gauge, unit: seconds, from: "rta" }, ' +
        '{ name: busy_ratio, kind: gauge, unit: ratio, from: "1 busy" }, ' +
        '{ name: n, kind: counter, unit: units, from: "n" }',
    ]);
  });

  it.each([
    [new Failure('E_NOT_FOUND', 'not there'), /^fail .*not there; it must be there on this target/],
    [new Failure('E_DENIED', 'denied'), /^fail .*denied; give this user the right to execute it/],
    [new Failure('E_TIMEOUT', 'too slow'), /^fail .*too slow; give the job a longer timeout/],
    [
      { status: 1, stderr: 'sudo: a password is required' },
      /^fail .*allow it in sudoers on this target, with NOPASSWD and these very words: "\/opt\/check_it", "-w", "5"/,
    ],
    [
      { status: 3, stdout: 'Usage: x\n' },
      /^warn .*UNKNOWN \(3\); values printed: 0, for 0 of 0 declared metrics: "Usage: x"; do its arguments fit its version\?/,
    ],
  ])('and what to do: %s', async (answer, text) => {
    expect((await verdicts(answer))?.[0]).toMatch(text);
  });
});
