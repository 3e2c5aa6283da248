// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are the references that are tested.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Collector, defineCollector, duration } from '../src/collector.ts';
import { type Config, defaultConfigFile, loadConfig } from '../src/config.ts';
import { targetName } from '../src/config-faults.ts';
import { dotted, readConfigFile, suggestion } from '../src/config-file.ts';
import { Failure } from '../src/errors.ts';
import { counter } from '../src/metric.ts';
import { loadPlugins } from '../src/plugins.ts';

const directory = mkdtempSync(join(tmpdir(), 'edgestatd-config-'));
const file = join(directory, 'edgestatd.yaml');
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fake(name: string, options: z.ZodType<unknown>): Collector {
  const metrics = { sent: counter('sent_bytes', { unit: 'bytes', help: 'h', source: 's' }) };
  return defineCollector({ name, options, metrics, collect: async () => ({ samples: [] }) });
}

const htb = fake(
  'htb',
  z.strictObject({
    devices: z.array(z.string()).default(['*']),
    depth: z.int().min(1).max(8).default(3),
    mode: z.enum(['fast', 'full']).default('full'),
    wait: duration().optional(),
    source: z
      .discriminatedUnion('type', [
        z.strictObject({ type: z.literal('file'), path: z.string() }),
        z.strictObject({ type: z.literal('http'), url: z.string() }),
      ])
      .optional(),
    limits: z.record(z.string(), z.strictObject({ max: z.number() })).default({}),
    user: z
      .string()
      .refine((user) => user !== 'hunter22', { error: (issue) => `no user is called ${issue.input}` })
      .optional(),
  }),
);
const builtIn = new Map([htb, fake('tcp', z.strictObject({}))].map((one) => [one.name, one]));

function load(text: string, env: NodeJS.ProcessEnv = {}): Promise<Config> {
  writeFileSync(file, text);
  return loadConfig(file, builtIn, env);
}

async function complaintsOf(config: Promise<Config>): Promise<string[]> {
  const thrown = await config.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(Failure);
  const { code, message } = thrown as Failure;
  expect(code).toBe('E_CONFIG');
  return message.split('\n').map((line) => line.replace(file, 'FILE'));
}

const refused = (text: string, env?: NodeJS.ProcessEnv): Promise<string[]> => complaintsOf(load(text, env));

/** Lines of a file, the first of which is line 1. */
const yaml = (...lines: string[]): string => `${lines.join('\n')}\n`;
const sinks = ['sinks:', '  - { type: stdout }'];
const jobs = ['jobs:', '  - { collector: htb, every: 10s }'];

describe('unknown keys', () => {
  it('at the top are named with the nearest valid one, or with all', async () => {
    expect(await refused(yaml(...sinks, ...jobs, 'job: 1', 'targetz: {}', 'colour: red'))).toEqual([
      'FILE:5:1: job: unknown key; did you mean "jobs"?',
      'FILE:6:1: targetz: unknown key; did you mean "targets"?',
      'FILE:7:1: colour: unknown key; expected one of prefix, log, gracePeriod, state, maxRuns, plugins, sinks, targets, inventory, shard, events, status, jobs',
    ]);
  });

  it('in a sink are compared with the keys of its type', async () => {
    expect(
      await refused(yaml('sinks:', '  - type: statsd', '    prot: 8125', '  - type: stdout', '    prot: 1', ...jobs)),
    ).toEqual([
      'FILE:3:5: sinks[0].prot: unknown key; did you mean "port"?',
      'FILE:5:5: sinks[1].prot: unknown key; expected one of type, name, format, onlyOnTerminal',
    ]);
  });

  it('have one spelling only', async () => {
    expect(await refused(yaml('sinks:', '  - type: statsd', '    max_bytes: 512', ...jobs))).toEqual([
      'FILE:3:5: sinks[0].max_bytes: unknown key; did you mean "maxBytes"?',
    ]);
  });

  it('in a job', async () => {
    const job = ['jobs:', '  - collector: htb', '    every: 10s', '    timout: 5s'];
    expect(await refused(yaml(...sinks, ...job))).toEqual([
      'FILE:6:5: jobs[0].timout: unknown key; did you mean "timeout"?',
    ]);
  });

  it('in a target, and in the log section', async () => {
    expect(
      await refused(yaml(...sinks, ...jobs, 'targets: { hv01: { type: local, nam: x } }', 'log: { levle: warn }')),
    ).toEqual([
      'FILE:6:8: log.levle: unknown key; did you mean "level"?',
      'FILE:5:33: targets.hv01.nam: unknown key; did you mean "name"?',
    ]);
  });

  it('in the options of a collector, however deep', async () => {
    const job = [
      'jobs:',
      '  - collector: tcp',
      '    every: 10s',
      '  - collector: htb',
      '    every: 10s',
      '    options:',
      '      device: [eth1]',
      '      source: { type: file, path: /p, pth: /q }',
      '      limits: { eth1: { max: 1, maks: 2 } }',
    ];
    expect((await refused(yaml(...sinks, ...job))).toSorted()).toEqual([
      'FILE:10:39: jobs[1].options.source.pth: unknown key; did you mean "path"?',
      'FILE:11:33: jobs[1].options.limits.eth1.maks: unknown key; did you mean "max"?',
      'FILE:9:7: jobs[1].options.device: unknown key; did you mean "devices"?',
    ]);
  });

  it('of a collector without options have nothing near', async () => {
    const job = ['jobs:', '  - { collector: tcp, every: 10s, options: { device: x } }'];
    expect(await refused(yaml(...sinks, ...job))).toEqual(['FILE:4:46: jobs[0].options.device: unknown key']);
  });
});

describe('values', () => {
  it('of the wrong type say what was found and what is expected', async () => {
    const sink = ['sinks:', '  - type: statsd', '    port: "8125"', '    host: 5', '    tags: [x]', '    burst: 1.5'];
    expect(await refused(yaml(...sink, ...jobs, 'plugins: a', 'log: 3'))).toEqual([
      'FILE:10:1: log: expected object; found 3 (number)',
      'FILE:9:1: plugins: expected array; found "a"',
      'FILE:4:5: sinks[0].host: expected string; found 5 (number)',
      'FILE:3:5: sinks[0].port: expected number; found "8125"',
      'FILE:5:5: sinks[0].tags: expected one of none, graphite, dogstatsd; found a list',
      'FILE:6:5: sinks[0].burst: expected int; found 1.5 (number)',
    ]);
  });

  it('of a closed list are answered with the nearest one', async () => {
    const sink = ['sinks:', '  - { type: statsd, packing: mutli }'];
    expect(await refused(yaml(...sink, ...jobs, 'log: { level: wran }'))).toEqual([
      'FILE:5:8: log.level: expected one of debug, info, warn, error, fatal; found "wran"; did you mean "warn"?',
      'FILE:2:21: sinks[0].packing: expected one of multi, single; found "mutli"; did you mean "multi"?',
    ]);
  });

  it('of an unknown type of sink or target are answered with the known ones', async () => {
    expect(await refused(yaml('sinks:', '  - type: statd', ...jobs, 'targets: { a: { type: telnet } }'))).toEqual([
      'FILE:2:5: sinks[0].type: expected one of statsd, carbon, stdout; found "statd"; did you mean "statsd"?',
      expect.stringMatching(/^FILE:5:17: targets\.a\.type: expected one of local.*; found "telnet"$/),
    ]);
    expect(await refused(yaml('sinks:', '  - port: 8125', ...jobs))).toEqual([
      'FILE:2:5: sinks[0].type: is missing; expected one of statsd, carbon, stdout',
    ]);
  });

  it('in the options of a collector are checked by its schema', async () => {
    const job = ['jobs:', '  - collector: htb', '    every: 10s', '    options:'];
    const options = [
      '      depth: 9',
      '      mode: ful',
      '      wait: 5',
      '      devices: [1]',
      '      source: { type: file }',
    ];
    expect((await refused(yaml(...sinks, ...job, ...options))).toSorted()).toEqual([
      'FILE:10:17: jobs[0].options.devices[0]: expected string; found 1 (number)',
      'FILE:11:7: jobs[0].options.source.path: is missing; expected string',
      'FILE:7:7: jobs[0].options.depth: Too big: expected number to be <=8; found 9 (number)',
      'FILE:8:7: jobs[0].options.mode: expected one of fast, full; found "ful"; did you mean "full"?',
      'FILE:9:7: jobs[0].options.wait: expected a duration with its unit (250ms, 10s, 5m, 1h, 1d); found 5 (number)',
    ]);
  });

  it('that are durations have a unit', async () => {
    const job = (name: string, every: string): string => `  - { collector: htb, name: ${name}, every: ${every} }`;
    const form = 'expected a duration with its unit (250ms, 10s, 5m, 1h, 1d)';
    expect(
      await refused(
        yaml(
          ...sinks,
          'gracePeriod: 10',
          'jobs:',
          job('a', '10'),
          job('b', '"10"'),
          job('c', '10 s'),
          job('d', '-5s'),
          job('e', '0.5s'),
        ),
      ),
    ).toEqual([
      `FILE:3:1: gracePeriod: ${form}; found 10 (number)`,
      `FILE:5:32: jobs[0].every: ${form}; found 10 (number)`,
      `FILE:6:32: jobs[1].every: ${form}; found "10"`,
      `FILE:7:32: jobs[2].every: ${form}; found "10 s"`,
      `FILE:8:32: jobs[3].every: ${form}; found "-5s"`,
      'FILE:9:32: jobs[4].every: expected a duration from 1000ms to 31536000000ms; found "0.5s"',
    ]);
  });

  it('that are names have only what a series can carry', async () => {
    const job = ['jobs:', '  - { collector: htb, every: 10s, name: a.b }'];
    const form = 'expected a name of letters, digits, "_" and "-" (at most 64)';
    expect(await refused(yaml(...sinks, 'prefix: a b', 'targets: { "x y": { type: local } }', ...job))).toEqual([
      'FILE:3:1: prefix: expected path segments joined by dots; found "a b"',
      'FILE:4:12: targets."x y": expected a name of letters, digits, "_", "." and "-" (at most 253)',
      `FILE:6:35: jobs[0].name: ${form}; found "a.b"`,
    ]);
  });

  it('that are long or hostile are shown short and harmless', async () => {
    const job = ['jobs:', `  - { collector: "${'x'.repeat(500)}", every: "\\e[2J\\n\\u202e" }`];
    const [complaint, ...more] = await refused(yaml(...sinks, ...job));
    expect(complaint).toMatch(/^FILE:4:\d+: jobs\[0\]\.every: expected a duration .*; found "\\u001b\[2J\\n\\u202e"$/);
    expect(more).toEqual([]);
    const [long] = await refused(yaml(...sinks, 'jobs:', `  - { collector: htb, every: ${'x'.repeat(500)} }`));
    expect(long).toMatch(/; found "x{79}…$/);
    expect(await refused(yaml(...sinks, 'jobs:', '  - { collector: "h\\u202eb\\e", every: 10s }'))).toEqual([
      'FILE:4:7: jobs[0].collector: unknown collector "h\\u202eb\\u001b"; did you mean "htb"?',
    ]);
  });
});

describe('sections', () => {
  it('that are missing or empty are named', async () => {
    expect(await refused(yaml('prefix: edge'))).toEqual([
      'FILE:1:1: sinks: is missing; expected array',
      'FILE:1:1: jobs: is missing; expected array',
    ]);
    expect(await refused(yaml('sinks:', 'jobs: []'))).toEqual([
      'FILE:1:1: sinks: expected array; found nothing',
      'FILE:2:1: jobs: Too small: expected array to have >=1 items; found a list',
    ]);
  });

  it('that are all missing: an empty file, or comments alone', async () => {
    for (const text of ['', '\n\n', '# nothing\n', '---\n']) {
      expect(await refused(text)).toEqual(['FILE: is empty; expected at least "sinks" and "jobs"']);
    }
  });

  it('are keys of a map', async () => {
    expect(await refused(yaml('- sinks', '- jobs'))).toEqual(['FILE:1:1: expected object; found a list']);
    expect(await refused('hello')).toEqual(['FILE:1:1: expected object; found "hello"']);
  });
});

describe('YAML', () => {
  it('with a key twice is refused', async () => {
    expect(await refused(yaml(...sinks, ...jobs, 'prefix: a', 'prefix: b'))).toEqual([
      'FILE:6:1: the key "prefix" stands twice in one map; keep one',
    ]);
    const job = ['jobs:', '  - { collector: htb, every: 10s, every: 20s }'];
    expect(await refused(yaml(...sinks, ...job))).toEqual([
      'FILE:4:35: the key "every" stands twice in one map; keep one',
    ]);
  });

  it('that is none is refused with its place', async () => {
    expect(await refused(yaml(...sinks, 'jobs: ['))).toEqual([
      'FILE:4:1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ]);
    expect(await refused(yaml(...sinks, 'jobs:', '\t- x'))).toEqual(['FILE:4:1: Tabs are not allowed as indentation']);
  });

  it('that grows without bound by aliases is refused', async () => {
    const nine = (text: string): string => `[${Array.from({ length: 9 }, () => text).join(', ')}]`;
    const bomb = [
      'a: &a x',
      ...['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name, at) => `${name}: &${name} ${nine(`*${'abcdefg'[at]}`)}`),
    ];
    expect(await refused(yaml(...bomb))).toEqual([
      'FILE: Excessive alias count indicates a resource exhaustion attack',
    ]);
  });

  it('that contains itself is refused', async () => {
    const endless = 'FILE: an alias (*) stands inside the very value that it repeats';
    expect(await refused(yaml('sinks: &a [*a]'))).toEqual([endless]);
    expect(await refused(yaml(...sinks, 'jobs:', '  - &j { collector: htb, options: { again: *j } }'))).toEqual([
      endless,
    ]);
  });

  it('with an alias of nothing is refused', async () => {
    expect(await refused(yaml('sinks: *a'))).toEqual([
      'FILE: Unresolved alias (the anchor must be set before the alias): a',
    ]);
  });

  it('nested without bound is refused and does not end the process', async () => {
    const [open, close] = ['['.repeat(100_000), ']'.repeat(100_000)];
    for (const text of [open, open + close, '- '.repeat(100_000), '{a: '.repeat(100_000)]) {
      const deep = /^FILE:1:\d+: is nested too deeply; expected at most 64 levels$/;
      expect(await refused(text)).toEqual([expect.stringMatching(deep)]);
    }
    const within = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
    expect(await refused(within(64))).toEqual(['FILE:1:1: expected object; found a list']);
    expect(await refused(within(65))).toEqual(['FILE:1:65: is nested too deeply; expected at most 64 levels']);
  });

  it('nested without bound by its aliases is refused', async () => {
    const [open, close] = ['['.repeat(40), ']'.repeat(40)];
    expect(await refused(yaml(`a: &a ${open}${close}`, `b: ${open}*a${close}`))).toEqual([
      'FILE: is nested too deeply; expected at most 64 levels',
    ]);
  });

  it('with a tag that nobody knows is refused', async () => {
    const job = ['jobs:', '  - { collector: !foo htb, every: 10s }'];
    expect(await refused(yaml(...sinks, ...job))).toEqual([
      'FILE:4:18: unknown YAML tag "!foo"; remove it, or quote the text',
    ]);
  });

  it('of several documents is refused', async () => {
    expect(await refused(yaml(...sinks, ...jobs, '---', 'prefix: a'))).toEqual([
      'FILE:5:1: a second document begins (---); expected one in a file',
    ]);
  });

  it('with two keys that are one in plain data is refused, with all others in their order', async () => {
    const twice = ['targets: { 1: {}, b: {}, "1": {}, b: {} }', 'log: { level: info, level: warn }', 'log: {}'];
    expect(await refused(yaml(...twice))).toEqual([
      'FILE:1:26: the key "\\"1\\"" stands twice in one map; keep one',
      'FILE:1:35: the key "b" stands twice in one map; keep one',
      'FILE:2:21: the key "level" stands twice in one map; keep one',
      'FILE:3:1: the key "log" stands twice in one map; keep one',
    ]);
  });

  it('with very many mistakes is refused with the first twenty', async () => {
    const keys = (name: (index: number) => string): string[] =>
      Array.from({ length: 40_000 }, (_, index) => `${name(index)}: 1`);
    const valid =
      'prefix, log, gracePeriod, state, maxRuns, plugins, sinks, targets, inventory, shard, events, status, jobs';
    const unknown = await refused(yaml(...keys((index) => `unheard${index}`), ...sinks, ...jobs));
    expect(unknown).toHaveLength(21);
    expect(unknown[0]).toBe(`FILE:1:1: unheard0: unknown key; expected one of ${valid}`);
    expect(unknown.slice(19)).toEqual([
      `FILE:20:1: unheard19: unknown key; expected one of ${valid}`,
      '… and 39980 more',
    ]);
    const doubled = await refused(yaml(...keys(() => 'a')));
    expect(doubled.slice(19)).toEqual(['FILE:21:1: the key "a" stands twice in one map; keep one', '… and 39979 more']);
    const options = keys((index) => `        o${index}`);
    const inOptions = await refused(
      yaml(...sinks, 'jobs:', '  - collector: tcp', '    every: 10s', '    options:', ...options),
    );
    expect(inOptions.slice(19)).toEqual(['FILE:26:9: jobs[0].options.o19: unknown key', '… and 39980 more']);
  });

  it('with twenty mistakes is refused with them all', async () => {
    const bad = (count: number): string[] => Array.from({ length: count }, (_, index) => `unheard${index}: 1`);
    expect((await refused(yaml(...bad(20), ...sinks, ...jobs))).at(-1)).toMatch(/^FILE:20:1: unheard19: /);
    expect((await refused(yaml(...bad(21), ...sinks, ...jobs))).at(-1)).toBe('… and 1 more');
  });

  it('may use an alias to say a thing once', async () => {
    const { jobs: all } = await load(
      yaml(
        ...sinks,
        'jobs:',
        '  - { collector: htb, every: 10s, options: &o { depth: 5 } }',
        '  - { collector: htb, name: b, every: 1m, options: *o }',
      ),
    );
    expect(all.map(({ options }) => options)).toMatchObject([{ depth: 5 }, { depth: 5 }]);
  });
});

describe('files', () => {
  const other = (name: string): string => join(directory, name);

  it('that do not exist', async () => {
    const missing = other('missing.yaml');
    expect(await complaintsOf(loadConfig(missing, builtIn))).toEqual([
      `${missing}: does not exist; name another file with --config`,
    ]);
  });

  it('that are directories', async () => {
    expect(await complaintsOf(loadConfig(directory, builtIn))).toEqual([
      `${directory}: is a directory; expected a configuration file`,
    ]);
  });

  it('that are no path at all', async () => {
    writeFileSync(file, 'x');
    const below = join(file, 'x.yaml');
    expect(await complaintsOf(loadConfig(below, builtIn))).toEqual([
      expect.stringMatching(/^FILE\/x\.yaml: cannot be read: ENOTDIR: not a directory/),
    ]);
  });

  it('that are far too large', async () => {
    const large = other('large.yaml');
    writeFileSync(large, '');
    truncateSync(large, 1024 * 1024 + 1);
    expect(await complaintsOf(loadConfig(large, builtIn))).toEqual([
      `${large}: is larger than 1048576 bytes; is it the right file?`,
    ]);
  });

  it('that this user may not read', () => {
    const secret = other('secret.yaml');
    writeFileSync(secret, yaml(...sinks, ...jobs));
    chmodSync(secret, 0);
    chmodSync(directory, 0o755);
    // Root may read everything, so it is somebody else for the moment of the (synchronous) reading.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    let read: ReturnType<typeof readConfigFile>;
    try {
      read = readConfigFile(secret);
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(directory, 0o700);
    }
    expect(read).toEqual({ refusal: [`${secret}: may not be read by this user; check its owner and mode`] });
  });

  it('that are sought when none is named: one that exists', () => {
    expect(readConfigFile(defaultConfigFile())).toHaveProperty('data');
  });

  it('that are sought: the machine’s own, and the package’s only where that does not exist', () => {
    writeFileSync(file, 'x');
    expect(defaultConfigFile(file)).toBe(file);
    for (const none of [other('none.yaml'), join(file, 'none.yaml')]) {
      const found = defaultConfigFile(none);
      expect(found).toMatch(/\/config\/edgestatd\.yaml$/);
      expect(statSync(found).isFile()).toBe(true);
    }
    const dangling = other('dangling.yaml');
    symlinkSync(other('none.yaml'), dangling);
    expect(defaultConfigFile(dangling)).toBe(dangling);
  });

  it('that are sought and cannot be looked at: the reader says so', () => {
    const closed = other('closed');
    mkdirSync(closed);
    const hidden = join(closed, 'edgestatd.yaml');
    writeFileSync(hidden, 'x');
    chmodSync(closed, 0);
    chmodSync(directory, 0o755);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    let found: string;
    let read: ReturnType<typeof readConfigFile>;
    try {
      found = defaultConfigFile(hidden);
      read = readConfigFile(found);
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(directory, 0o700);
      chmodSync(closed, 0o700);
    }
    expect(found).toBe(hidden);
    expect(read).toEqual({ refusal: [`${hidden}: may not be read by this user; check its owner and mode`] });
  });
});

describe('jobs', () => {
  it('with an unknown collector', async () => {
    const job = ['jobs:', '  - { collector: htp, every: 10s }', '  - { every: 10s, collector: rabbitmq }'];
    expect(await refused(yaml(...sinks, ...job))).toEqual([
      'FILE:4:7: jobs[0].collector: unknown collector "htp"; did you mean "htb"?',
      'FILE:5:19: jobs[1].collector: unknown collector "rabbitmq"; expected one of htb, tcp',
    ]);
  });

  it('of one name, given or by their collector', async () => {
    const same = ['  - { collector: htb, cron: "*/5 * * * * *" }', '  - { collector: tcp, name: htb, every: 10s }'];
    expect(await refused(yaml(...sinks, ...jobs, ...same))).toEqual([
      'FILE:5:5: jobs[1]: jobs[0] is named "htb" too; give this job a "name" of its own',
      'FILE:6:5: jobs[2]: jobs[0] is named "htb" too; give this job a "name" of its own',
    ]);
  });

  it('with both of every and cron, or with neither', async () => {
    const job = ['jobs:', '  - { collector: htb, every: 10s, cron: "* * * * *" }', '  - { collector: tcp }'];
    expect(await refused(yaml(...sinks, ...job))).toEqual([
      'FILE:4:5: jobs[0]: expected exactly one of "every" and "cron"',
      'FILE:5:5: jobs[1]: expected exactly one of "every" and "cron"',
    ]);
  });

  it('with a bad cron expression', async () => {
    const cron = (text: string): string => `  - { collector: htb, cron: "${text}" }`;
    const form = 'expected a cron expression of 5 or 6 fields (seconds first)';
    expect(await refused(yaml(...sinks, 'jobs:', cron('99 * * * * *'), cron('x'), cron('* * *')))).toEqual([
      `FILE:4:23: jobs[0].cron: ${form}: second: 99 is a invalid expression for second; found "99 * * * * *"`,
      `FILE:5:23: jobs[1].cron: ${form}: expression: expected 5 or 6 fields but got 1; found "x"`,
      `FILE:6:23: jobs[2].cron: ${form}: expression: expected 5 or 6 fields but got 3; found "* * *"`,
    ]);
  });

  it('with an unknown target, even one that every object has', async () => {
    const job = ['jobs:', '  - { collector: htb, every: 10s, targets: [hv10, local, constructor, toString] }'];
    expect(await refused(yaml(...sinks, 'targets: { hv01: { type: local } }', ...job))).toEqual([
      'FILE:5:45: jobs[0].targets[0]: unknown target "hv10"; did you mean "hv01"?',
      'FILE:5:58: jobs[0].targets[2]: unknown target "constructor"; there are local, hv01',
      'FILE:5:71: jobs[0].targets[3]: unknown target "toString"; there are local, hv01',
    ]);
  });

  it('run once for each of their targets', async () => {
    const job = ['jobs:', '  - { collector: htb, every: 10s, targets: [hv01, local, hv01] }'];
    const { jobs: all, targets } = await load(yaml(...sinks, 'targets: { hv01: { type: local, name: n } }', ...job));
    expect(all.map(({ id, target }) => [id, target])).toEqual([
      ['htb@hv01', 'hv01'],
      ['htb@local', 'local'],
    ]);
    expect([...targets]).toEqual([
      ['local', { type: 'local' }],
      ['hv01', { type: 'local', name: 'n' }],
    ]);
  });
});

describe('targets', () => {
  const machine = hostname().split('.')[0] ?? '';

  it('are called by their name, else by their key, and this machine by its short name', async () => {
    const { targets } = await load(
      yaml(...sinks, ...jobs, 'targets: { a: { type: local }, b: { type: local, name: c } }'),
    );
    expect(['local', 'a', 'b'].map((key) => targetName(key, targets))).toEqual([machine, 'a', 'c']);
    const named = await load(yaml(...sinks, ...jobs, 'targets: { local: { type: local, name: hv01.example } }'));
    expect(targetName('local', named.targets)).toBe('hv01.example');
  });

  it('of one segment of series are refused at the second', async () => {
    const targets = [
      'targets:',
      '  a_b: { type: local }',
      '  c: { type: local, name: a.b }',
      '  d: { type: local, name: "a b" }',
      `  e: { type: local, name: ${JSON.stringify(machine)} }`,
    ];
    const other = 'give one of the two another "name"';
    const own = machine.replace(/[^A-Za-z0-9_-]/g, '_');
    expect(await refused(yaml(...sinks, ...jobs, ...targets))).toEqual([
      `FILE:7:3: targets.c: its series are called "a_b", as those of the target "a_b" are; ${other}`,
      `FILE:8:3: targets.d: its series are called "a_b", as those of the target "a_b" are; ${other}`,
      `FILE:9:3: targets.e: its series are called "${own}", as those of the target "local" are; ${other}`,
    ]);
  });
});

describe('sinks', () => {
  it('of one name, given or by their type', async () => {
    const both = ['sinks:', '  - { type: stdout }', '  - { type: statsd, name: stdout }'];
    expect(await refused(yaml(...both, ...jobs))).toEqual([
      'FILE:3:5: sinks[1]: sinks[0] is named "stdout" too; give this sink a "name" of its own',
    ]);
  });

  it('are named by their type', async () => {
    const two = ['sinks:', '  - { type: stdout }', '  - { type: stdout, name: second, format: json }'];
    expect((await load(yaml(...two, ...jobs))).sinks).toEqual([
      { type: 'stdout', name: 'stdout', format: 'series', onlyOnTerminal: false },
      { type: 'stdout', name: 'second', format: 'json', onlyOnTerminal: false },
    ]);
  });
});

describe('all complaints', () => {
  it('of one stage come at once, in one failure', async () => {
    const job = [
      'jobs:',
      '  - { collector: htp, every: 10s }',
      '  - { collector: htb, every: 10s, options: { depth: 0 } }',
      '  - { collector: htb, every: 1m, targets: [x] }',
    ];
    expect(await refused(yaml(...sinks, ...job))).toEqual([
      'FILE:4:7: jobs[0].collector: unknown collector "htp"; did you mean "htb"?',
      'FILE:5:46: jobs[1].options.depth: Too small: expected number to be >=1; found 0 (number)',
      'FILE:6:44: jobs[2].targets[0]: unknown target "x"; there are local',
      'FILE:6:5: jobs[2]: jobs[1] is named "htb" too; give this job a "name" of its own',
    ]);
  });
});

describe('secrets', () => {
  const secret = 'hunter22';
  const env = { S: secret };

  it('are put in place, and told to whoever has to hide them', async () => {
    const job = [
      'jobs:',
      '  - { collector: htb, every: 10s, options: { devices: ["a-${env:S}", "${credential:pw}"] } }',
    ];
    writeFileSync(join(directory, 'pw'), 'swordfish\n');
    const config = await load(yaml(...sinks, ...job), { ...env, CREDENTIALS_DIRECTORY: directory });
    expect(config.jobs[0]?.options).toMatchObject({ devices: ['a-hunter22', 'swordfish'] });
    expect(config.secrets).toEqual(['hunter22', 'swordfish']);
    expect(config.variables).toEqual(['S']);
  });

  it('that cannot be had are complaints with their place', async () => {
    const job = ['jobs:', '  - { collector: htb, every: "${env:NO}", name: "${credential:../x}" }'];
    expect(await refused(yaml(...sinks, ...job))).toEqual([
      'FILE:4:23: jobs[0].every: environment variable "NO" is not set',
      'FILE:4:43: jobs[0].name: "../x" is no name of a credential',
    ]);
  });

  it('are never shown in a complaint, wherever they were put', async () => {
    const bare = '${env:S}';
    const refer = `"${bare}"`;
    const files = [
      yaml('sinks:', `  - { type: ${refer} }`, ...jobs),
      yaml('sinks:', `  - { type: statsd, port: ${refer}, packing: ${refer}, name: "!${bare}" }`, ...jobs),
      yaml(...sinks, 'jobs:', `  - { collector: htb, every: ${refer}, timeout: ${refer} }`),
      yaml(...sinks, 'jobs:', `  - { collector: htb, cron: ${refer} }`),
      yaml(...sinks, 'jobs:', `  - { collector: htb, cron: "${bare} * * * * *" }`),
      yaml(...sinks, 'jobs:', `  - { collector: ${refer}, every: 10s }`),
      yaml(...sinks, 'jobs:', `  - { collector: htb, every: 10s, targets: [${refer}] }`),
      yaml(...sinks, 'jobs:', ...[1, 2].map(() => `  - { collector: htb, every: 10s, name: ${refer} }`)),
      yaml(
        ...sinks,
        'jobs:',
        `  - { collector: htb, every: 10s, options: { depth: ${refer}, mode: ${refer}, user: ${refer} } }`,
      ),
      yaml(...sinks, 'jobs:', `  - { collector: htb, every: "${bare} \${env:NO}" }`),
      yaml(...sinks, ...jobs, `plugins: [${refer}]`),
      yaml(...sinks, ...jobs, `log: { level: ${refer} }`, `prefix: "a b ${bare}"`),
    ];
    for (const text of files) {
      const complaints = (await refused(text, env)).join('\n');
      expect(complaints).not.toContain(secret);
      expect(complaints).toMatch(/\$\{env:|\[redacted\]|"NO"/);
    }
  });

  it('are shown as they stand in the file', async () => {
    const job = ['jobs:', '  - { collector: htb, every: "${env:S}", options: {} }'];
    expect(await refused(yaml(...sinks, ...job), env)).toEqual([
      'FILE:4:23: jobs[0].every: expected a duration with its unit (250ms, 10s, 5m, 1h, 1d); found "${env:S}"',
    ]);
  });
});

describe('defaults', () => {
  const timed = async (...more: string[]) => {
    const { jobs: all } = await load(yaml(...sinks, 'jobs:', `  - { collector: htb, ${more.join(', ')} }`));
    const { intervalMs, timeoutMs, splayMs } = all[0] ?? {};
    return { intervalMs, timeoutMs, splayMs };
  };

  it('of all that may be left out', async () => {
    const config = await load(yaml(...sinks, ...jobs));
    expect(config).toMatchObject({
      file,
      prefix: 'edge',
      logLevel: 'info',
      gracePeriodMs: 10_000,
      secrets: [],
      variables: [],
    });
    expect(config.jobs).toHaveLength(1);
    expect(config.jobs[0]).toMatchObject({ id: 'htb@local', name: 'htb', target: 'local', when: { everyMs: 10_000 } });
    expect(config.jobs[0]?.collector).toBe(htb);
    expect(config.jobs[0]?.options).toEqual({ devices: ['*'], depth: 3, mode: 'full', limits: {} });
    expect([...config.collectors.keys()]).toEqual(['htb', 'tcp']);
  });

  it('of the timeout: four fifths of the interval, at most 30 s', async () => {
    expect(await timed('every: 10s')).toMatchObject({ intervalMs: 10_000, timeoutMs: 8000 });
    expect(await timed('every: 37s')).toMatchObject({ timeoutMs: 29_600 });
    expect(await timed('every: 1h')).toMatchObject({ intervalMs: 3_600_000, timeoutMs: 30_000 });
    expect(await timed('cron: "*/20 * * * * *"')).toMatchObject({ intervalMs: 20_000, timeoutMs: 16_000 });
    expect(await timed('every: 1h', 'timeout: 5m')).toMatchObject({ timeoutMs: 300_000 });
  });

  it('of the splay: the interval, and none for cron; never more than nine tenths of the interval', async () => {
    expect(await timed('every: 10s')).toMatchObject({ splayMs: 9000 });
    expect(await timed('cron: "*/20 * * * * *"')).toMatchObject({ splayMs: 0 });
    expect(await timed('cron: "*/20 * * * * *"', 'splay: 5s')).toMatchObject({ splayMs: 5000 });
    expect(await timed('every: 10s', 'splay: 0s')).toMatchObject({ splayMs: 0 });
    expect(await timed('every: 10s', 'splay: 1h')).toMatchObject({ splayMs: 9000 });
  });

  it('make the same job: its fingerprint changes only with what it measures and when', async () => {
    const print = async (text: string): Promise<string | undefined> =>
      (await load(yaml(...sinks, 'jobs:', `  - { ${text} }`))).jobs[0]?.fingerprint;
    const first = await print('collector: htb, every: 10s');
    expect(await print('every: 10s, collector: htb, targets: [local]')).toBe(first);
    const others = [
      'every: 11s',
      'every: 10s, timeout: 7s',
      // As the default is today, which is no promise that it stays so.
      'every: 10s, timeout: 8s',
      'every: 10s, splay: 1s',
      'every: 10s, options: { depth: 2 }',
    ];
    const prints: (string | undefined)[] = [];
    for (const other of others) prints.push(await print(`collector: htb, ${other}`));
    expect(new Set([first, ...prints]).size).toBe(1 + others.length);
  });
});

describe('plugins', () => {
  const folder = mkdtempSync(join(directory, 'plugins-'));

  /** Writes a module and returns its path. The umask of whoever runs the tests must not matter. */
  function plugin(name: string, text: string, mode = 0o644, within = folder): string {
    const path = join(within, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  const configWith = (paths: readonly string[], collector = 'htb'): string =>
    yaml(...sinks, `plugins: ${JSON.stringify(paths)}`, 'jobs:', `  - { collector: ${collector}, every: 10s }`);

  const good = (name: string): string => `
    import { defineCollector, gauge, sample, z } from 'edgestatd';
    const level = gauge('level', { unit: 'things', help: 'h', source: 's' });
    export const ${name} = defineCollector({
      name: '${name}',
      options: z.strictObject({ at: z.int().default(7) }),
      metrics: { level },
      collect: async ({ options }) => ({ samples: [sample(level, options.at)] }),
    });`;

  const bare = (name: string): string => `
    export const ${name} = {
      name: '${name}',
      options: { safeParse: (data) => ({ success: true, data }) },
      metrics: { level: { name: 'level', kind: 'gauge', unit: 'things', labels: [], help: 'h', source: 's' } },
      collect: async () => ({ samples: [] }),
    };`;

  /** Loads the file in a process of its own, whose module loader is Node.js's; the body prints what it found. */
  function inNode(text: string, body: string): string {
    writeFileSync(file, text);
    const program = `
      import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
      const { loadConfig } = await import(${JSON.stringify(new URL('../src/config.ts', import.meta.url).href)});
      const load = () => loadConfig(${JSON.stringify(file)}, new Map(), {});
      ${body}`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    return stdout;
  }

  it('that import from "edgestatd" give collectors like any other', () => {
    const path = plugin('good.mjs', good('levels'));
    const body = `
      const { jobs: [job] } = await load();
      const { samples: [one] } = await job.collector.collect({ options: job.options });
      console.log(job.id, JSON.stringify(job.options), one.metric.name, one.value);`;
    expect(inNode(configWith([path], 'levels'), body)).toBe('levels@local {"at":7} level 7\n');
  });

  it('have their options checked by the schema that they made with our zod', () => {
    const path = plugin('strict.mjs', good('strict'));
    const text = yaml(
      ...sinks,
      `plugins: ["${path}"]`,
      'jobs:',
      '  - { collector: strict, every: 10s, options: { att: 1 } }',
    );
    const body = 'await load().catch((error) => console.log(error.code, error.message));';
    expect(inNode(text, body)).toBe(`E_CONFIG ${file}:5:49: jobs[0].options.att: unknown key; did you mean "at"?\n`);
  });

  it('that were edited are seen by the next load', () => {
    const path = plugin('edited.mjs', good('edited'));
    const body = `
      const before = (await load()).jobs[0].options.at;
      writeFileSync(${JSON.stringify(path)}, readFileSync(${JSON.stringify(path)}, 'utf8').replace('default(7)', 'default(8)'));
      // Two writes may fall into one tick of the file system's clock.
      utimesSync(${JSON.stringify(path)}, 1, 1);
      console.log(before, (await load()).jobs[0].options.at);`;
    expect(inNode(configWith([path], 'edited'), body)).toBe('7 8\n');
  });

  it('that have the name of a built-in collector are refused', async () => {
    const path = plugin('htb.mjs', bare('htb'));
    expect(await refused(configWith([path]))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${path}: exports the collector "htb", which a built-in collector is called already; rename it`,
    ]);
  });

  it('that have a table of another collector are refused', async () => {
    const table = `tables: [{ name: 'levels', title: 't', labels: [], sortBy: 'a', columns: [{ title: 'a', metric: level, form: 'number' }] }],`;
    const tabled = (name: string): string =>
      plugin(`${name}.mjs`, good(name).replace('metrics: { level },', `metrics: { level }, ${table}`));
    const body = 'await load().catch((error) => console.log(error.message));';
    expect(inNode(configWith([tabled('first'), tabled('second')], 'first'), body)).toContain(
      'the collector "second" has a table "levels", as another one has; rename it',
    );
  });

  it('that have the name of another plugin are refused', async () => {
    const [first, second] = [plugin('first.mjs', bare('same')), plugin('second.mjs', bare('same'))];
    const [complaint, ...more] = await refused(configWith([first, second], 'same'));
    expect(complaint).toMatch(/^FILE:3:\d+: plugins\[1\]: /);
    expect(complaint).toContain(
      `plugin ${second}: exports the collector "same", which another plugin is called already; rename it`,
    );
    expect(more).toEqual([]);
  });

  it('may export one collector under two names', async () => {
    const path = plugin('both.mjs', `${bare('both')}\nexport default both;`);
    expect((await load(configWith([path], 'both'))).jobs[0]?.id).toBe('both@local');
  });

  it('that throw while they load are refused with their reason', async () => {
    const path = plugin('throws.mjs', "throw new Error('no such device\\nand more');");
    // The job's collector may be theirs: that it is unknown is no complaint of its own.
    expect(await refused(configWith([path], 'theirs'))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${path}: could not be loaded: no such device`,
    ]);
  });

  it('that are no JavaScript are refused', async () => {
    const path = plugin('broken.mjs', 'export const = ;');
    const [complaint] = await refused(configWith([path]));
    expect(complaint?.startsWith(`FILE:3:11: plugins[0]: plugin ${path}: could not be loaded: `)).toBe(true);
  });

  it('that export no collector are refused', async () => {
    const path = plugin('nothing.mjs', 'export const colour = 1; export const none = null;');
    expect(await refused(configWith([path]))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${path}: exports no collector; export one made with defineCollector from "edgestatd"`,
    ]);
  });

  it('that export what defineCollector refuses are refused likewise', async () => {
    const path = plugin('bad-name.mjs', bare('x').replace("name: 'x'", "name: 'X.Y'"));
    expect(await refused(configWith([path]))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${path}: collector "X.Y": name must match ^[a-z][a-z0-9_]{0,62}$`,
    ]);
  });

  it.each([
    ['the group', 0o664, '0664'],
    ['everybody', 0o646, '0646'],
  ])('that %s may write are refused', async (_, mode, shown) => {
    const path = plugin(`mode-${shown}.mjs`, bare('writable'), mode);
    expect(await refused(configWith([path], 'writable'))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${path}: is writable by others (mode ${shown}); chmod go-w it`,
    ]);
  });

  it('that are a link are judged by what it points to', async () => {
    const target = plugin('target.mjs', bare('target'), 0o666);
    const link = join(folder, 'link.mjs');
    symlinkSync(target, link);
    expect(await refused(configWith([link], 'target'))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${link}: is writable by others (mode 0666); chmod go-w it`,
    ]);
  });

  it('that lie where everybody may replace them are refused, at any height', async () => {
    const open = join(folder, 'open');
    const below = join(open, 'below');
    mkdirSync(below, { recursive: true });
    chmodSync(open, 0o777);
    for (const within of [open, below]) {
      const path = plugin('open.mjs', bare('open'), 0o644, within);
      expect(await refused(configWith([path], 'open'))).toEqual([
        `FILE:3:11: plugins[0]: plugin ${path}: lies in ${open}, which is writable by others (mode 0777)`,
      ]);
    }
    const link = join(folder, 'into-open.mjs');
    symlinkSync(join(open, 'open.mjs'), link);
    expect(await refused(configWith([link], 'open'))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${link}: lies in ${open}, which is writable by others (mode 0777)`,
    ]);
    // In a sticky directory (as /tmp is) nobody can replace the files of others.
    chmodSync(open, 0o1777);
    expect((await load(configWith([join(open, 'open.mjs')], 'open'))).jobs[0]?.id).toBe('open@local');
  });

  it('that lie where a group may replace them are refused', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o775);
    const path = plugin('shared.mjs', bare('shared'), 0o644, shared);
    expect(await refused(configWith([path], 'shared'))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${path}: lies in ${shared}, which is writable by others (mode 0775)`,
    ]);
    chmodSync(shared, 0o1775);
    expect((await load(configWith([path], 'shared'))).jobs[0]?.id).toBe('shared@local');
  });

  it.skipIf(process.geteuid?.() !== 0)(
    'that lie in a directory of another user are refused (only root can give directories away)',
    async () => {
      const theirs = join(folder, 'theirs');
      mkdirSync(theirs);
      const path = plugin('theirs.mjs', bare('theirs'), 0o644, theirs);
      chmodSync(theirs, 0o755);
      chownSync(theirs, 65534, 65534);
      expect(await refused(configWith([path], 'theirs'))).toEqual([
        `FILE:3:11: plugins[0]: plugin ${path}: lies in ${theirs}, which is owned by user 65534; expected root or this user (0)`,
      ]);
    },
  );

  it('that never finish loading are refused, and the others are loaded', async () => {
    const never = plugin('never.mjs', 'await new Promise(() => {});');
    const after = plugin('after.mjs', bare('after'));
    const { collectors, faults } = await loadPlugins([never, after], builtIn, 500);
    expect(faults).toEqual([
      { index: 0, message: `plugin ${never}: did not finish loading within 0.5 s (a top-level await?)` },
    ]);
    expect([...collectors.keys()]).toEqual(['htb', 'tcp', 'after']);
  });

  it.skipIf(process.geteuid?.() !== 0)(
    'that belong to another user are refused (only root can give files away)',
    async () => {
      const path = plugin('foreign.mjs', bare('foreign'));
      chownSync(path, 65534, 65534);
      expect(await refused(configWith([path], 'foreign'))).toEqual([
        `FILE:3:11: plugins[0]: plugin ${path}: is owned by user 65534; expected root or this user (0)`,
      ]);
    },
  );

  it('are named by their absolute path', async () => {
    expect(await refused(configWith(['./mine.mjs', 'edgestatd-plugin']))).toEqual([
      'FILE:3:11: plugins[0]: plugin ./mine.mjs: expected an absolute path',
      'FILE:3:24: plugins[1]: plugin edgestatd-plugin: expected an absolute path',
    ]);
  });

  it('that do not exist, or are no files, are refused', async () => {
    const missing = join(folder, 'missing.mjs');
    expect(await refused(configWith([missing, folder]))).toEqual([
      `FILE:3:11: plugins[0]: plugin ${missing}: cannot be read: ENOENT`,
      expect.stringMatching(/^FILE:3:\d+: plugins\[1\]: plugin .*: is no file$/),
    ]);
  });

  it('leave the built-in collectors as they are', async () => {
    const path = plugin('own.mjs', bare('own'));
    utimesSync(path, 2, 2);
    const { collectors } = await load(configWith([path], 'own'));
    expect([...collectors.keys()]).toEqual(['htb', 'tcp', 'own']);
    expect([...builtIn.keys()]).toEqual(['htb', 'tcp']);
  });
});

describe('events', () => {
  const graphite = (text: string): string => yaml(...sinks, ...jobs, 'events:', `  graphite: ${text}`);
  const url = 'http://graphite.example/events/';

  it('have secrets by reference alone, which are shown by nobody', async () => {
    expect(await refused(graphite(`{ url: "${url}", token: hunter22 }`))).toEqual([
      'FILE:6:55: events.graphite.token: is a secret, and not one for this file; expected ${env:NAME}, ${credential:NAME}, or its file as "tokenFile"',
    ]);
    const header = await refused(graphite(`{ url: "${url}", headers: { x-key: hunter22 }, nosuch: 1 }`));
    expect(header).toHaveLength(2);
    expect(header.join()).toContain('events.graphite.headers.x-key: is a secret');
    expect(header.join()).not.toContain('hunter22');
    const config = await load(graphite(`{ url: "${url}", token: "\${env:TOKEN}" }`), { TOKEN: 'hunter22' });
    expect(config.events?.graphite?.token).toBe('hunter22');
    expect([config.secrets, config.variables]).toEqual([['hunter22'], ['TOKEN']]);
  });

  it('are told with their place what is wrong with them', async () => {
    expect(await refused(graphite(`{ url: "${url}", user: u }`))).toEqual([
      expect.stringMatching(/^FILE:6:\d+: events\.graphite: "user" and "passwordFile" belong together$/),
    ]);
    const rules = yaml(...sinks, ...jobs, 'events:', '  rules: [ { metric: tcp.nosuch } ]');
    expect(await refused(rules)).toEqual([
      expect.stringMatching(/^FILE:6:\d+: events\.rules\[0\]\.metric: the collector tcp has no metric "nosuch"/),
    ]);
    expect(await refused(graphite('{}'))).toEqual([expect.stringContaining('events.graphite.url: ')]);
  });

  it('and sinks have a file of their own to wait in', async () => {
    const carbon = (name: string, spool: string): string => `  - { type: carbon, name: ${name}, spool: ${spool} }`;
    const both = yaml('sinks:', carbon('a', '/x/a.db'), carbon('b', '/x/../x/a.db'), ...jobs, 'events: {}');
    expect(await refused(both)).toEqual([
      'FILE:3:5: sinks[1]: its spool /x/a.db is that of sinks[0] too; give one of them another "spool"',
    ]);
    const events = yaml('sinks:', carbon('a', '/x/a.db'), ...jobs, 'events: { spool: /x/a.db }');
    expect((await refused(events)).join()).toContain('is that of events.spool too');
    const state = yaml('sinks:', carbon('a', '/x/b.db'), ...jobs, 'events: { spool: /x/a.db }', 'state: /x/../x/a.db');
    expect(await refused(state)).toEqual([expect.stringContaining(': state: is the spool of events too')]);
    const stateOfSink = yaml('sinks:', carbon('a', '/x/a.db'), ...jobs, 'state: /x/a.db');
    expect((await refused(stateOfSink)).join()).toContain('state: is the spool of sinks[0] too');
  });

  it('are none without the section', async () => {
    expect((await load(yaml(...sinks, ...jobs))).events).toBeUndefined();
  });
});

describe('words', () => {
  it('for a path quote what is no plain word', () => {
    expect(dotted(['jobs', 0, 'options', 'a b', 3, 'x\n'])).toBe('jobs[0].options."a b"[3]."x\\n"');
    expect(dotted(['a.b'])).toBe('"a.b"');
    expect(dotted([])).toBe('');
  });

  it('for a suggestion name the nearest, else all, else nothing', () => {
    expect(suggestion('evry', ['every', 'cron'])).toBe('; did you mean "every"?');
    expect(suggestion('colour', ['every', 'cron'])).toBe('; expected one of every, cron');
    expect(suggestion('x', [])).toBe('');
  });
});
