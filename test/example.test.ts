/** config/example.yaml is complete and true: it has every option, and what it says is a default is one. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { registry } from '../collectors/registry.ts';
import { filled, generated } from '../scripts/generate.ts';
import { loadConfig } from '../src/config.ts';
import { eventsOptions, eventsShape, grafanaOptions, graphiteOptions } from '../src/events/options.ts';
import { sshTargetOptions } from '../src/hosts/ssh-options.ts';
import { inventoryShape } from '../src/inventory/options.ts';
import { configShape, jobShape } from '../src/schema.ts';
import { carbonSinkOptions } from '../src/sinks/carbon-options.ts';
import { statsdSinkOptions } from '../src/sinks/statsd-options.ts';
import { stdoutSinkOptions } from '../src/sinks/stdout-options.ts';

const root = resolve(import.meta.dirname, '..');
const file = join(root, 'config/example.yaml');
const text = readFileSync(file, 'utf8');
const scratch = mkdtempSync(join(tmpdir(), 'edgestatd-example-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** As if an operator had removed every single hash. */
const uncommented = text.replace(/^( *)#(?!#| yaml-language-server)/gm, '$1');

interface Job {
  readonly collector: string;
  readonly options?: Record<string, unknown>;
}
interface Sink {
  readonly type: string;
}
const data = parse(uncommented) as Record<string, unknown> & {
  readonly jobs: readonly (Job & Record<string, unknown>)[];
  readonly sinks: readonly (Sink & Record<string, unknown>)[];
  readonly targets: Record<string, Record<string, unknown>>;
};

interface Described {
  readonly properties: Record<string, { readonly default?: unknown }>;
}
const described = (schema: z.ZodType): Described['properties'] =>
  (z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as unknown as Described).properties;

const secretNames = (schema: z.ZodType): string[] =>
  Object.entries(described(schema)).flatMap(([name, property]) => ('secret' in property ? [name] : []));

/** The example must have each option; one with a default must have that very value. */
function expectEveryOption(found: Record<string, unknown>, schema: z.ZodType, worked: readonly string[] = []): void {
  const options = described(schema);
  expect(Object.keys(options).filter((name) => !(name in found))).toEqual([]);
  for (const [name, { default: usual }] of Object.entries(options))
    if (usual !== undefined && !worked.includes(name)) expect({ [name]: found[name] }).toEqual({ [name]: usual });
}

async function load(content: string) {
  const target = join(mkdtempSync(join(scratch, 'case-')), 'edgestatd.yaml');
  writeFileSync(target, content);
  return loadConfig(target, registry, {});
}

describe('config/example.yaml', () => {
  test('loads as it stands, and means the same without its hashes', async () => {
    const asItStands = await loadConfig(file, registry, {});
    const { targets, file: _, ...without } = await load(uncommented);
    const { targets: before, file: __, ...withHashes } = asItStands;
    // A fingerprint tells options that are written from options that are not, which a default is.
    const plain = (config: object): unknown =>
      JSON.parse(JSON.stringify(config, (key, value: unknown) => (key === 'fingerprint' ? undefined : value)));
    expect(plain(without)).toEqual(plain(withHashes));
    expect(withHashes.jobs.map(({ id }) => id)).toEqual([
      'tcp@local',
      'tcp_fragments@local',
      'htb@local',
      'ovs@local',
      'rabbitmq@local',
      'link@local',
      'process@local',
      'nagios@local',
      'exec@local',
      'ovs_kmod@local',
    ]);
    expect(targets.get('local')).toEqual({ type: 'local', name: 'hv01' });
    expect(before.get('local')).toEqual({ type: 'local' });
  });

  test('has every option of the file', () => {
    expectEveryOption(data, z.strictObject(configShape), ['log', 'status', 'targets']);
    expectEveryOption(data.log as Record<string, unknown>, configShape.log);
    expectEveryOption(data.status as Record<string, unknown>, configShape.status);
    expect(Object.keys(data).filter((key) => !(key in configShape))).toEqual([]);
  });

  test('has every option of a job, over its jobs', () => {
    const all = Object.assign({}, ...[...data.jobs].reverse()) as Record<string, unknown>;
    expectEveryOption(all, z.strictObject(jobShape), ['options']);
  });

  test.each([
    ['statsd', statsdSinkOptions],
    ['carbon', carbonSinkOptions],
    ['stdout', stdoutSinkOptions],
  ] as const)('has every option of the %s sink', (type, schema) => {
    const sink = data.sinks.find((one) => one.type === type) ?? { type: 'none' };
    // The files of TLS are refused without it.
    expectEveryOption(sink, schema, ['tls']);
  });

  /** What excludes another option, and secrets, stand in explanations. */
  const explained = (names: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(names.filter((one) => new RegExp(`^ *##.*\\b${one}: `, 'm').test(text)).map((one) => [one, '']));

  test('has every option of an SSH target and of an inventory', () => {
    const { hv02 = {} } = data.targets;
    expectEveryOption({ ...explained(['passphrase']), ...hv02 }, sshTargetOptions);
    const names = Object.keys(inventoryShape);
    expect(Object.keys(explained(names))).toEqual(names);
  });

  test('has every option of events', () => {
    const { events } = data as unknown as { readonly events: Record<string, Record<string, unknown>> };
    expectEveryOption(events, eventsOptions, ['destinations', 'rules']);
    const all = eventsShape.graphite.unwrap();
    expectEveryOption({ ...explained(['password', 'token', 'tokenFile']), tokenFile: '', ...events.graphite }, all);
    const kinds = [graphiteOptions, grafanaOptions];
    const { destinations = [] } = events as unknown as { readonly destinations: { readonly type: string }[] };
    expect(new Set(destinations.map(({ type }) => type))).toEqual(new Set(kinds.map(({ shape }) => shape.type.value)));
    expectEveryOption({ ...explained(['socket', 'token']), ...events.listen }, eventsShape.listen.unwrap());
    expectEveryOption({ ...events.folder }, eventsShape.folder.unwrap());
    const rules = events.rules as unknown as Record<string, unknown>[];
    expectEveryOption(Object.assign({}, ...rules), eventsShape.rules.unwrap().element);
  });

  test('has every kind of sink and target', () => {
    const kinds = (schema: unknown): string[] =>
      [
        ...JSON.stringify(z.toJSONSchema(schema as z.ZodType, { io: 'input', unrepresentable: 'any' })).matchAll(
          /"type":\{"type":"string","const":"(\w+)"/g,
        ),
      ].map((match) => match[1] ?? '');
    expect(data.sinks.map(({ type }) => type)).toEqual(kinds(configShape.sinks));
    expect([...new Set(Object.values(data.targets).map(({ type }) => type))]).toEqual(kinds(configShape.targets));
    expect(kinds(configShape.sinks).length).toBeGreaterThan(1);
  });

  test.each([...registry.values()].map((collector) => [collector.name, collector] as const))(
    'has every option of %s',
    (name, collector) => {
      const job = data.jobs.find((one) => one.collector === name);
      // A secret cannot stand there: its reference is shown in an explanation.
      const secrets = secretNames(collector.options).filter((secret) => text.includes(`${secret}: \${credential:`));
      const shown = Object.fromEntries(secrets.map((secret) => [secret, 'by reference']));
      expectEveryOption({ ...shown, ...job?.options }, collector.options);
    },
  );

  test('explains in plain words and keeps to the line', () => {
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(120);
    // A hash and one blank is neither an explanation nor an option.
    expect(text).not.toMatch(/^ *# (?! |yaml-language-server)/m);
  });
});

describe('generated files', () => {
  test('are up to date', () => {
    for (const [name, content] of generated(root)) expect(readFileSync(join(root, name), 'utf8'), name).toBe(content);
    expect([...generated(root)]).toEqual([...generated(root)]);
  });

  test('the schema has the options of every collector, and no default is lost', () => {
    const schema = generated(root).get('config/schema.json') ?? '';
    expect(schema).toContain('"$schema": "http://json-schema.org/draft-07/schema#"');
    type Branch = { if: { properties: { collector: { const: string } } }; then: { properties: { options: object } } };
    const { properties } = JSON.parse(schema) as { properties: { jobs: { items: { allOf: Branch[] } } } };
    const branches = new Map(
      properties.jobs.items.allOf.map((one) => [one.if.properties.collector.const, one.then.properties.options]),
    );
    expect([...branches.keys()].sort()).toEqual([...registry.keys()].sort());
    for (const [name, options] of branches)
      expect(options, name).toMatchObject({ properties: described(registry.get(name)?.options ?? z.never()) });
  });

  test('--check names what is stale, writes nothing and ends with 1; without it the file is written', () => {
    const copy = mkdtempSync(join(scratch, 'tree-'));
    for (const name of generated(root).keys()) cpSync(join(root, name), join(copy, name));
    for (const name of registry.keys())
      cpSync(join(root, 'collectors', name, 'sample.yaml'), join(copy, 'collectors', name, 'sample.yaml'));
    const run = (...words: string[]) =>
      spawnSync(process.execPath, [join(root, 'scripts/generate.ts'), ...words, copy], { encoding: 'utf8' });
    expect(run('--check')).toMatchObject({ status: 0, stderr: '' });
    const schema = join(copy, 'config/schema.json');
    writeFileSync(schema, '{}\n');
    const stale = run('--check');
    expect(stale.status).toBe(1);
    expect(stale.stderr).toBe('config/schema.json is stale; run "npm run generate"\n');
    expect(readFileSync(schema, 'utf8')).toBe('{}\n');
    expect(run()).toMatchObject({ status: 0, stdout: 'config/schema.json written\n' });
    expect(readFileSync(schema, 'utf8')).toBe(readFileSync(join(root, 'config/schema.json'), 'utf8'));
    expect(run('--chekc').status).toBe(2);
  });

  test('a marker and its text must both be there', () => {
    const page = 'a\n<!-- generated: one -->\nold\n<!-- end of generated -->\nb\n';
    const result = filled('x.md', page, new Map([['one', 'new']]));
    expect(result).toBe('a\n<!-- generated: one -->\n\nnew\n\n<!-- end of generated -->\nb\n');
    expect(filled('x.md', result, new Map([['one', 'new']]))).toBe(result);
    expect(() => filled('x.md', page, new Map())).toThrow('nothing is generated for the marker "one"');
    expect(() => filled('x.md', 'no marker', new Map([['one', 'new']]))).toThrow('generated: one');
  });
});

test('the plugin that collectors/README.md prints works as printed', () => {
  const page = readFileSync(join(root, 'collectors/README.md'), 'utf8');
  const [, source = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  const plugin = join(scratch, 'entropy.js');
  writeFileSync(plugin, source, { mode: 0o644 });
  const [, printed = ''] = /```yaml\n(plugins:[\s\S]*?)```/.exec(page) ?? [];
  const { jobs } = parse(printed) as { jobs: unknown };
  const config = join(dirname(plugin), 'edgestatd.yaml');
  writeFileSync(config, stringify({ sinks: [{ type: 'stdout' }], plugins: [plugin], jobs }));
  const ran = spawnSync(process.execPath, [join(root, 'src/bin.js'), 'once', '--config', config], { encoding: 'utf8' });
  expect(ran.stderr).toBe('');
  expect(ran.stdout).toMatch(/^edge\.[\w-]+\.entropy\.available_bits \d+ gauge bits$/m);
  expect(ran.status).toBe(0);
});
