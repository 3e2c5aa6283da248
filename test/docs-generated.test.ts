/** The reference pages are complete: every metric with what to do about it, every option. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { registry } from '../collectors/registry.ts';
import { actionFaults, advised } from '../scripts/generated/actions.ts';
import { docsFiles } from '../scripts/generated/docs.ts';
import { jsonSchema } from '../scripts/generated/json-schema.ts';
import { groupsOf } from '../scripts/generated/option-groups.ts';
import { RULES, watchedBy } from '../src/events/changes.ts';
import { gauge } from '../src/metric.ts';
import { configSchema } from '../src/schema.ts';
import { root } from './support/markdown-pages.ts';

const files = docsFiles(root);
const metricsPage = files.get('docs/metrics.md') ?? '';
const optionsPage = files.get('docs/options.md') ?? '';

describe('docs/metrics.md', () => {
  test.each(advised())('has each metric of $name once, in its section', ({ name, metrics }) => {
    const [, after = ''] = metricsPage.split(`\n## ${name}\n`);
    const section = after.split('\n## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| [• ] +\| `([a-z0-9_]+)` /gm)].map(([, metric]) => metric);
    expect(rows.toSorted()).toEqual(metrics.map((metric) => metric.name).toSorted());
    for (const { name: metric, unit, kind } of metrics)
      expect(section).toMatch(new RegExp(`^\\| [• ] +\\| \`${metric}\` +\\| ${kind} +\\| ${unit} +\\|`, 'm'));
  });

  test('says of each when it is bad, and what to do', () => {
    const sections = metricsPage.split('\n### ').slice(1);
    expect(sections.length).toBe(advised().flatMap(({ actions }) => actions).length);
    for (const section of sections) expect(section).toMatch(/\n\*\*Bad:\*\* \S[\s\S]+\n\*\*Do:\*\* \S/);
  });

  test('is of all collectors and the daemon itself', () => {
    expect(advised().map(({ name }) => name)).toEqual([...[...registry.keys()].toSorted(), 'edgestatd']);
    for (const name of registry.keys())
      expect(readFileSync(join(root, 'collectors', name, 'README.md'), 'utf8')).toContain(`docs/metrics.md#${name})`);
  });

  test('needs exactly one entry for each metric, and a metric for each name', () => {
    const metrics = ['up', 'down'].map((name) => gauge(name, { unit: 'x', source: 'x', help: 'x' }));
    const entry = (title: string, ...names: string[]) => ({ title, metrics: names, bad: 'Above 0.', do: 'Look.' });
    expect(actionFaults(metrics, [entry('A', 'up'), entry('B', 'd*')])).toEqual([]);
    expect(actionFaults(metrics, [entry('A', 'up')])).toEqual(['down has no entry']);
    expect(actionFaults(metrics, [entry('A', '*'), entry('A', 'up', 'dwn')])).toEqual([
      'up has 2 entries: "A", "A"',
      'dwn fits no metric',
      '"A" stands twice',
    ]);
  });
});

describe('docs/options.md', () => {
  /** Each `properties` of a schema, wherever it stands. */
  function optionsIn(schema: unknown): string[] {
    if (typeof schema !== 'object' || schema === null) return [];
    return Object.entries(schema).flatMap(([key, value]) => [
      ...(key === 'properties' ? Object.keys(value as object) : []),
      ...optionsIn(value),
    ]);
  }
  const shown = (schema: z.ZodType): string[] =>
    groupsOf('', jsonSchema(schema)).flatMap(({ options }) => options.map(({ name }) => name));

  test.each([
    ['the file', configSchema] as const,
    ...[...registry.values()].map(({ name, options }) => [name, options] as const),
  ])('has every option of %s', (_, schema) => {
    expect(shown(schema).toSorted()).toEqual(optionsIn(jsonSchema(schema)).toSorted());
    for (const name of shown(schema)) expect(optionsPage).toContain(`| \`${name}\``);
  });

  test('has a meaning for each', () => {
    const schemas = [configSchema, ...[...registry.values()].map(({ options }) => options)];
    const silent = schemas.flatMap((schema) =>
      groupsOf('', jsonSchema(schema)).flatMap(({ path, options }) =>
        options.flatMap(({ name, type, meaning }) =>
          meaning === '' && !type.includes('(below)') ? [`${path}.${name}`] : [],
        ),
      ),
    );
    expect(silent).toEqual([]);
  });

  test('tells types, ranges and defaults', () => {
    const schema = z.strictObject({
      port: z.int().min(1).max(65535).default(22).describe('Where.'),
      mode: z.enum(['a', 'b']).describe('How.'),
      list: z.array(z.strictObject({ deep: z.boolean().default(false).describe('Deep.') })).default([]),
    });
    expect(groupsOf('', jsonSchema(schema))).toEqual([
      {
        path: '',
        about: '',
        options: [
          { name: 'port', type: 'integer 1–65535', usual: '`22`', meaning: 'Where.' },
          { name: 'mode', type: '`a`, `b`', usual: 'required', meaning: 'How.' },
          { name: 'list', type: 'list of objects (below)', usual: '`[]`', meaning: '' },
        ],
      },
      { path: 'list[]', about: '', options: [{ name: 'deep', type: 'boolean', usual: '`false`', meaning: 'Deep.' }] },
    ]);
  });
});

test('docs/events.md has every rule, and what it watches', () => {
  const page = readFileSync(join(root, 'docs/events.md'), 'utf8');
  for (const on of RULES) {
    const row = new RegExp(`^\\| \`${on}\` .*$`, 'm').exec(page)?.[0];
    expect(row, on).toBeDefined();
    for (const { metric, becomes } of watchedBy({ on, becomes: 0 }).watched) {
      expect(row).toContain(`\`${metric}\``);
      expect(row).toMatch(new RegExp(`becomes ${becomes}`));
    }
  }
});
