/** Every block of YAML or JSON in the pages is what it is said to be: a configuration that loads, or part of one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { registry } from '../collectors/registry.ts';
import { loadConfig } from '../src/config.ts';
import { parseInventory } from '../src/inventory/parse.ts';
import { configShape, jobShape } from '../src/schema.ts';
import { type Block, pages } from './support/markdown-pages.ts';

const scratch = mkdtempSync(join(tmpdir(), 'edgestatd-docs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Data = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isOf = (shape: object, value: Data): boolean => Object.keys(value).every((key) => key in shape);

/** What a block may be. The first whose description fits says whether it is right. */
const KINDS: readonly {
  readonly kind: string;
  fits(data: unknown, block: Block): boolean;
  /** Throws what is wrong with it. */
  verify(data: unknown, block: Block): Promise<void> | void;
}[] = [
  {
    kind: 'editor',
    fits: (data, { text }) => data === null && /yaml-language-server: \$schema=/.test(text),
    verify: () => {},
  },
  {
    // A change to a job: `targets: [hv01, "*"]` is not the section `targets` of the file.
    kind: 'part of a job',
    fits: (data) => isObject(data) && isOf(jobShape, data) && (!('targets' in data) || Array.isArray(data.targets)),
    verify: (data, { at }) =>
      load({ jobs: [{ collector: collectorOf(at) || 'tcp', every: '10s', ...(data as Data) }] }),
  },
  {
    kind: 'configuration',
    fits: (data) => isObject(data) && isOf(configShape, data),
    verify: (data) => load(data as Data),
  },
  {
    kind: 'jobs',
    fits: (data) => Array.isArray(data) && data.length > 0 && data.every((one) => isObject(one) && 'collector' in one),
    verify: (data) => load({ jobs: data }),
  },
  {
    kind: 'options of the collector of its page',
    fits: (data, { at }) => isObject(data) && registry.has(collectorOf(at)) && isOf(optionsOf(collectorOf(at)), data),
    verify: (options, { at }) => load({ jobs: [{ collector: collectorOf(at), every: '10s', options }] }),
  },
  {
    kind: 'recording (session.yaml)',
    fits: (data, { at }) => at.startsWith('collectors/README.md') && isObject(data) && isOf(SESSION, data),
    verify: () => {},
  },
  {
    kind: 'inventory (map)',
    fits: (data, { at }) => /^docs\/(?:inventory|ssh|start-ssh)\.md/.test(at) && isObject(data),
    verify: (_, { text }) => {
      expect(parseInventory('docs.yaml', text, 'map').problems).toEqual([]);
    },
  },
  {
    kind: 'Kubernetes',
    fits: (data) => isObject(data) && (isObject(data.spec) || 'apiVersion' in data),
    verify: () => {},
  },
  { kind: 'compose file', fits: (data) => isObject(data) && isObject(data.services), verify: () => {} },
  {
    kind: 'Ansible',
    fits: (data) =>
      Array.isArray(data) &&
      data.every(
        (one) =>
          isObject(one) && ('hosts' in one || ('name' in one && /\w+\.\w+\.\w+/.test(Object.keys(one).join(' ')))),
      ),
    verify: () => {},
  },
];

/** What a recorded session may have: test/support/recorded-target.ts. */
const SESSION = { options: 1, files: 1, programs: 1, sockets: 1, http: 1, netlink: 1 };

const collectorOf = (at: string): string => /^collectors\/(\w+)\/README\.md/.exec(at)?.[1] ?? '';
const optionsOf = (name: string): object =>
  (registry.get(name)?.options as unknown as { readonly shape?: object } | undefined)?.shape ?? {};

/** Loads a part of a configuration, the rest made up: secrets and files that it names exist. */
async function load(part: Data): Promise<void> {
  const filler = { sinks: [{ type: 'stdout' }], jobs: [{ collector: 'tcp', every: '10s', name: 'filler' }] };
  const needed = { ...filler, ...part, plugins: [], inventory: [] };
  const text = stringify(withTargets(needed));
  const file = join(mkdtempSync(join(scratch, 'case-')), 'edgestatd.yaml');
  writeFileSync(file, text);
  const env = Object.fromEntries([...text.matchAll(/\$\{env:(\w+)/g)].map((match) => [match[1] ?? '', '1']));
  const credentials = mkdtempSync(join(scratch, 'credentials-'));
  for (const match of text.matchAll(/\$\{credential:(\w+)\}/g)) writeFileSync(join(credentials, match[1] ?? ''), 'x');
  await loadConfig(file, registry, { ...env, CREDENTIALS_DIRECTORY: credentials });
}

/** A block may name targets that stand elsewhere, such as those of an inventory, and collectors of plugins. */
function withTargets(config: Data): Data {
  const all = JSON.stringify(config.jobs);
  const jobs = (config.jobs as readonly Data[]).map((job) =>
    registry.has(String(job.collector)) ? job : { collector: 'tcp', every: '10s', name: String(job.collector) },
  );
  const named = [...all.matchAll(/"([a-z][a-z0-9.-]*)"/g)].map((match) => match[1] ?? '');
  const own = isObject(config.targets) ? config.targets : {};
  const wanted = (config.jobs as readonly Data[])
    .flatMap(({ targets = [] }) => targets as readonly string[])
    .map((name) => name.replace(/^!/, ''))
    .filter((name) => name !== 'local' && !/[*?[:]/.test(name) && named.includes(name) && !(name in own));
  const made = Object.fromEntries(wanted.map((name) => [name, { type: 'ssh', host: '192.0.2.9', keyFile: '/key' }]));
  return { ...config, jobs, targets: { ...made, ...own } };
}

function kindOf(block: Block, data: unknown) {
  return KINDS.find(({ fits }) => fits(data, block));
}

const yaml = pages.flatMap(({ blocks }) => blocks.filter(({ language }) => /^ya?ml$/.test(language)));
const json = pages.flatMap(({ blocks }) => blocks.filter(({ language }) => language === 'json'));

describe('blocks of YAML', () => {
  test.each(yaml.map((block) => [block.at, block] as const))('%s', async (_, block) => {
    for (const document of parseAllDocuments(block.text)) expect(document.errors).toEqual([]);
    const data: unknown = parse(block.text);
    const kind = kindOf(block, data);
    expect(kind?.kind, `a kind of block that nobody knows:\n${block.text}`).toBeDefined();
    await kind?.verify(data, block);
  });

  test('there are many, and a wrong one is noticed', async () => {
    expect(yaml.length).toBeGreaterThan(25);
    await expect(load({ jobs: [{ collector: 'tcp', evry: '10s' }] })).rejects.toThrow('evry');
    await expect(load({ sinks: [{ type: 'statsd', prot: 1 }] })).rejects.toThrow('prot');
    await expect(load({ jobs: [{ collector: 'htb', every: '10s', options: { devcies: [] } }] })).rejects.toThrow(
      'devcies',
    );
    const nobodys: Block = { at: 'docs/x.md:1', language: 'yaml', info: '', text: '', note: undefined };
    expect(kindOf(nobodys, { sniks: [] })).toBeUndefined();
  });
});

describe('blocks of JSON', () => {
  test.each(json.map((block) => [block.at, block.text] as const))('%s', (_, text) => {
    expect(() => JSON.parse(text)).not.toThrow();
  });
});
