/**
 * The collectors by recording and by completeness. A case is a folder `collectors/<name>/testdata/<case>/` with a
 * session.yaml: adding files adds it. `UPDATE_GOLDEN=1` writes the expected.txt files again; read what changed.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { registry } from '../collectors/registry.ts';
import { type Config, type JobConfig, loadConfig } from '../src/config.ts';
import type { Failure } from '../src/errors.ts';
import { deliveryOf, freshMemory, planOf } from '../src/job.ts';
import type { Point } from '../src/point.ts';
import { run } from '../src/run.ts';
import { seriesLines } from '../src/sinks/series.ts';
import { createClaims } from '../src/vet.ts';
import { fakeClock } from './support/fake-clock.ts';
import { readSession, recordedTarget, type Session } from './support/recorded-target.ts';

const root = resolve(import.meta.dirname, '../collectors');
const UPDATES = process.env.UPDATE_GOLDEN === '1';
const INTERVAL_MS = 10_000;
const HEADINGS = [
  'What you learn',
  'The job',
  'Prerequisites and permissions',
  'Options',
  'Metrics',
  'Troubleshooting',
];

const folders = readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory());
const cases = folders.flatMap((name) => {
  const testdata = join(root, name, 'testdata');
  return readdirSync(testdata, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => ({ collector: name, folder: join(testdata, entry.name), title: `${name}/${entry.name}` }));
});
const scratch = mkdtempSync(join(tmpdir(), 'edgestatd-collectors-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A configuration file around the jobs, read as the daemon reads it. */
async function configOf(jobs: readonly unknown[]): Promise<Config> {
  const file = join(mkdtempSync(join(scratch, 'config-')), 'edgestatd.yaml');
  writeFileSync(file, stringify({ sinks: [{ type: 'stdout' }], jobs }));
  return loadConfig(file, registry, {});
}

async function jobOf(collector: string, { options }: Session): Promise<JobConfig> {
  const { jobs } = await configOf([{ collector, every: `${INTERVAL_MS}ms`, options }]);
  const [job] = jobs;
  if (job === undefined) throw new Error('a configuration without a job');
  return job;
}

/** Runs a case as the daemon does; after one reading counters show their totals, as `edgestatd once` prints them. */
async function replay(collector: string, folder: string) {
  const session = readSession(folder);
  const job = await jobOf(collector, session);
  const clock = fakeClock();
  const target = recordedTarget('hv01', session);
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(job, around);
  let points: readonly Point[] = [];
  let problems: readonly Failure[] = [];
  for (const _ of session.readings) {
    const result = deliveryOf(await run(planOf(job, target), clock), job, around, memory);
    ({ problems } = result);
    points = result.delivery.points;
    await clock.advance(INTERVAL_MS);
  }
  await target.close();
  if (session.readings.length === 1)
    points = points.map((point) => (point.total === undefined ? point : { ...point, value: Number(point.total) }));
  return { lines: seriesLines(points.filter(({ metric }) => metric.kind !== 'duration')), problems, target };
}

describe.each(cases)('recording $title', ({ collector, folder }) => {
  test('gives what is expected', async () => {
    const { lines, target } = await replay(collector, folder);
    const golden = join(folder, 'expected.txt');
    const text = `${lines.join('\n')}\n`;
    if (UPDATES) writeFileSync(golden, text);
    expect(text).toBe(readFileSync(golden, 'utf8'));
    expect(target.unasked(), 'recorded answers that the collector never asks for').toEqual([]);
  });
});

test('what was not recorded does not exist', async () => {
  const session: Session = { options: {}, readings: [new Map()], references: [] };
  const job = await jobOf('tcp', session);
  const target = recordedTarget('hv01', session);
  const { failure } = await run(planOf(job, target), fakeClock());
  expect(failure).toMatchObject({ code: 'E_NOT_FOUND', evidence: { path: '/proc/net/snmp' } });
  const host = target.open(new AbortController().signal);
  await expect(host.run(['ip', 'netns'])).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(host.connect('/run/db.sock')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  await expect(host.getJson('http://127.0.0.1/')).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
});

test('a namespace that cannot be entered is a problem of that namespace alone', async () => {
  const { problems } = await replay('tcp', join(root, 'tcp/testdata/kernel6.18-namespaces'));
  expect(problems).toHaveLength(1);
  const namespace = 'qdhcp-5b7d1a90-6c2e-4f88-9b1a-7e6d5c4b3a21';
  expect(problems[0]).toMatchObject({ code: 'E_EXIT', evidence: { labels: { namespace } } });
  expect(problems[0]?.message).toContain(`namespace "${namespace}": nsenter ended with status 1`);
});

describe('completeness', () => {
  test('every folder is a collector of the registry, and the other way round', () => {
    expect([...registry.keys()].sort()).toEqual([...folders].sort());
  });

  test.each(folders)('%s: every file of testdata belongs to a recording', (name) => {
    const testdata = join(root, name, 'testdata');
    const referenced = new Set(
      cases
        .filter((one) => one.collector === name)
        .flatMap(({ folder }) => [
          join(folder, 'session.yaml'),
          join(folder, 'expected.txt'),
          ...readSession(folder).references,
        ]),
    );
    const found = readdirSync(testdata, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => file !== join(testdata, 'README.md'));
    expect(found.filter((file) => !referenced.has(file))).toEqual([]);
    expect([...referenced].filter((file) => !found.includes(file))).toEqual([]);
    expect(readFileSync(join(testdata, 'README.md'), 'utf8')).toMatch(/^# .+/);
  });

  test.each(folders)('%s: sample.yaml is a job that loads', async (name) => {
    const sample = readFileSync(join(root, name, 'sample.yaml'), 'utf8');
    // Once as it stands, and once with the options that it shows behind hashes.
    for (const text of [sample, sample.replace(/^( *)# ( *[a-z]\w*:(?: .*)?)$/gm, '$1$2')]) {
      const jobs: unknown = parse(text);
      if (!Array.isArray(jobs)) throw new Error('sample.yaml must be the list that stands under "jobs:"');
      const config = await configOf(jobs);
      expect(config.jobs.map((job) => job.collector.name)).toContain(name);
    }
  });

  test.each(folders)('%s: README.md has what every README has', (name) => {
    const text = readFileSync(join(root, name, 'README.md'), 'utf8');
    const headings = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect(headings.filter((heading) => HEADINGS.includes(heading ?? ''))).toEqual(HEADINGS);
    expect(text).toMatch(/^# [a-z0-9_]+\n\n[A-Z]/);
    expect(text.split('\n')[0]).toBe(`# ${name}`);
    const texts = new Set([...text.matchAll(/\]\(([^)#:]+)\)/g)].map((match) => match[1] ?? ''));
    for (const link of texts) expect(() => statSync(join(root, name, link)), `link ${link}`).not.toThrow();
  });

  test('recordings are named by the software and its version', () => {
    for (const { folder } of cases) expect(basename(folder)).toMatch(/^[a-z]+[0-9]+(?:\.[0-9]+)*(?:-[a-z0-9-]+)?$/);
    expect(cases.length).toBeGreaterThan(0);
    expect(new Set(cases.map(({ folder }) => dirname(dirname(folder))))).toEqual(
      new Set(folders.map((name) => join(root, name))),
    );
  });
});
