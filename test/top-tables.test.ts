/** The tables that collectors declare: sound, and with rows from what was recorded of real machines. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { registry } from '../collectors/registry.ts';
import type { Collector } from '../src/collector.ts';
import { loadConfig } from '../src/config.ts';
import { deliveryOf, freshMemory, planOf } from '../src/job.ts';
import { run } from '../src/run.ts';
import { createBoard } from '../src/status/board.ts';
import type { TableDocument } from '../src/status/document.ts';
import type { Form } from '../src/table.ts';
import { createClaims } from '../src/vet.ts';
import { fakeClock } from './support/fake-clock.ts';
import { readSession, recordedTarget } from './support/recorded-target.ts';

const root = resolve(import.meta.dirname, '../collectors');
const INTERVAL_MS = 10_000;
const collectors: readonly Collector[] = [...registry.values()];
const all = collectors.flatMap((collector) => (collector.tables ?? []).map((table) => ({ collector, table })));
const named = all.map(({ collector, table }) => ({ name: table.name, collector, table }));

const scratch = mkdtempSync(join(tmpdir(), 'edgestatd-top-tables-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What the board has of each table after a recording was played, job by job as the daemon does it. */
async function played(collector: Collector, folder: string): Promise<readonly TableDocument[]> {
  const read = readSession(folder);
  // A counter has a rate from its second reading on.
  const readings = read.readings.length === 1 ? [...read.readings, ...read.readings] : read.readings;
  const session = { ...read, readings };
  const file = join(mkdtempSync(join(scratch, 'config-')), 'edgestatd.yaml');
  const jobs = [{ collector: collector.name, every: `${INTERVAL_MS}ms`, options: session.options }];
  writeFileSync(file, stringify({ sinks: [{ type: 'stdout' }], jobs }));
  const [job] = (await loadConfig(file, registry, {})).jobs;
  if (job === undefined) throw new Error('a configuration without a job');
  const clock = fakeClock();
  const target = recordedTarget('hv01', session);
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(job, around);
  const board = createBoard(clock);
  board.use([collector]);
  for (const _ of session.readings) {
    const { delivery } = deliveryOf(await run(planOf(job, target), clock), job, around, memory);
    const { atMs, intervalMs, points } = delivery;
    board.see({ job: collector.name, tookMs: 0, collector: collector.name, target: 'hv01', atMs, intervalMs, points });
    await clock.advance(INTERVAL_MS);
  }
  await target.close();
  return (collector.tables ?? []).map(({ name }) => {
    const document = board.table(name, {});
    if (document === undefined) throw new Error(`the board has no table ${name}`);
    return document;
  });
}

/** Of one collector, all of its recordings. */
async function recorded(collector: Collector): Promise<readonly TableDocument[]> {
  const testdata = join(root, collector.name, 'testdata');
  const folders = readdirSync(testdata, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const documents: TableDocument[] = [];
  for (const { name } of folders) documents.push(...(await played(collector, join(testdata, name))));
  return documents;
}

/**
 * Masks are the kernel's, and what was recorded is a datapath in userspace, through which nothing went; the controller
 * of the recordings has never been there.
 */
const UNRECORDED: Readonly<Record<string, readonly string[]>> = {
  datapaths: ['asked', 'masks'],
  controllers: ['since', 'lost since'],
};

const FORMS: ReadonlySet<Form> = new Set<Form>(['ratio', 'number', 'bits', 'bytes', 'seconds', 'boolean']);

describe.each(named)('table $name', ({ collector, table }) => {
  const { labels, tags = [], columns, sortBy, title } = table;

  it('has columns of the collector’s catalogue, all with its labels', () => {
    const catalogue = new Set(Object.values(collector.metrics));
    expect(columns.length).toBeGreaterThan(0);
    for (const { title, metric } of columns) {
      expect(catalogue.has(metric), `${title}: ${metric.name} is in the catalogue`).toBe(true);
      expect(metric.labels, title).toEqual(labels);
      for (const tag of tags) expect(metric.tags, title).toContain(tag);
    }
    expect(new Set(columns.map(({ metric }) => metric)).size, 'each metric once').toBe(columns.length);
  });

  it('has short titles, and is sorted by one of them', () => {
    expect(table.name).toMatch(/^[a-z][a-z0-9-]*$/);
    expect(title).toMatch(/^[A-Z].{5,70}[^.]$/);
    const titles = columns.map((column) => column.title);
    for (const one of titles) expect(one).toMatch(/^[a-z][ -~]{0,9}$/);
    expect(new Set([...titles, ...labels, ...tags, 'target']).size).toBe(
      titles.length + labels.length + tags.length + 1,
    );
    expect(titles).toContain(sortBy);
  });

  it('writes its numbers as what they are, and marks them in one direction', () => {
    for (const { title, metric, form, warnAt, badAt, below } of columns) {
      expect(FORMS.has(form), title).toBe(true);
      if (form === 'boolean') expect(metric.unit, title).toBe('boolean');
      if (form === 'bits') expect([metric.kind, metric.unit], title).toEqual(['counter', 'bytes']);
      if (form === 'bytes') expect([metric.kind, metric.unit], title).toEqual(['gauge', 'bytes']);
      if (form === 'seconds') expect([metric.kind !== 'counter', metric.unit], title).toEqual([true, 'seconds']);
      // Seconds of processor time in each second are a share of a processor.
      if (form === 'ratio') expect(metric.unit === 'ratio' || metric.unit === 'seconds', title).toBe(true);
      if (warnAt !== undefined && badAt !== undefined)
        expect(below === true ? badAt < warnAt : badAt > warnAt, title).toBe(true);
      // Everything that is 0 would be marked.
      if (below !== true) expect(Math.min(warnAt ?? 1, badAt ?? 1), title).toBeGreaterThan(0);
    }
  });
});

it('names no table twice, and none like the word that lists them', () => {
  const names = all.map(({ table }) => table.name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).not.toContain('list');
});

it('leaves out exec alone: its metrics are the operator’s', () => {
  const without = collectors.filter(({ tables = [] }) => tables.length === 0).map(({ name }) => name);
  expect(without).toEqual(['exec']);
});

describe.each(collectors.filter(({ tables = [] }) => tables.length > 0))('recordings of $name', (collector) => {
  it('fill every table, and every column of it', async () => {
    const documents = await recorded(collector);
    for (const { name, columns } of collector.tables ?? []) {
      const rows = documents.filter((one) => one.name === name).flatMap(({ entries }) => entries);
      expect(rows.length, name).toBeGreaterThan(0);
      const empty = columns.filter((_, at) => rows.every(({ values }) => values[at] === null));
      expect(
        empty.map(({ title }) => title),
        `columns of ${name} that no recording has`,
      ).toEqual(UNRECORDED[name] ?? []);
    }
  });
});
