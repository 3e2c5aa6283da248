/** Documents of a daemon that may be older or newer than the command that reads them. Pure but for zod. */
import { z } from 'zod';
import { type Code, codes, Failure } from '../errors.ts';
import { quoted } from '../text.ts';
import type { StatusDocument, TableDocument, TablesDocument } from './document.ts';

const number = z.number().catch(0);
const text = z.string().catch('');
const maybe = z.number().optional().catch(undefined);
const counts = z.record(z.string(), z.number()).catch({});
const code = z
  .string()
  .refine((found): found is Code => Object.hasOwn(codes, found))
  .catch('E_BUG');

const problem = z.looseObject({ code, message: text, sinceMs: number, fatal: z.boolean().catch(false) });
const problems = z.array(problem).catch([]);

const job = z.looseObject({
  ...{ id: text, name: text, target: text, collector: text, schedule: text, intervalMs: number },
  state: z.enum(['waiting', 'up', 'down']).catch('waiting'),
  ...{ runningMs: maybe, lastRunAtMs: maybe, lastSuccessAtMs: maybe, durationMs: maybe, samples: maybe },
  ...{ runs: number, failedRuns: number, skippedTicks: number, problems },
});

const sink = z.looseObject({
  name: text,
  type: z.enum(['statsd', 'carbon', 'stdout']).catch('statsd'),
  to: text,
  state: z.enum(['up', 'down']).catch('up'),
  problem: problem.optional().catch(undefined),
  ...{ sentMetrics: number, sentDatagrams: maybe, sentBytes: number, droppedMetrics: counts, resentMetrics: maybe },
  spool: z.looseObject({ metrics: number, bytes: number, oldestSeconds: maybe }).optional().catch(undefined),
});

const destination = z.looseObject({
  ...{ name: text, waiting: maybe, oldestSeconds: maybe, dead: maybe, delivered: number },
  problem: problem.optional().catch(undefined),
});

const statusSchema = z.looseObject({
  ...{ format: z.number(), version: text, node: text, pid: number, machine: text, config: text },
  ...{ nowMs: number, startedAtMs: number, reloadedAtMs: maybe },
  health: z
    .looseObject({ healthy: z.boolean(), reasons: z.array(z.string()).catch([]) })
    .catch({ healthy: false, reasons: ['the daemon does not say whether it is'] }),
  process: z
    .looseObject({ rssBytes: number, heapUsedBytes: number, cpuSeconds: number, eventLoopDelayP99Seconds: maybe })
    .catch({ rssBytes: 0, heapUsedBytes: 0, cpuSeconds: 0, eventLoopDelayP99Seconds: undefined }),
  jobs: z.array(job).catch([]),
  sinks: z.array(sink).catch([]),
  events: z
    .looseObject({ spool: text, bytes: maybe, destinations: z.array(destination).catch([]) })
    .optional()
    .catch(undefined),
});

const cell = z.number().nullable().catch(null);
const column = z.looseObject({
  ...{ title: z.string(), metric: text, unit: text, help: text },
  form: z.enum(['ratio', 'number', 'bits', 'bytes', 'seconds', 'boolean']).catch('number'),
  ...{ warnAt: maybe, badAt: maybe },
  below: z.literal(true).optional().catch(undefined),
  chart: z.literal(true).optional().catch(undefined),
});
const head = {
  ...{ name: z.string(), title: text, collector: text, sortBy: text, rows: number, omitted: maybe },
  ...{ labels: z.array(z.string()).catch([]), tags: z.array(z.string()).catch([]), columns: z.array(column) },
};
const entry = z.looseObject({
  ...{ key: text, target: text, names: z.array(z.string().nullable().catch(null)).catch([]) },
  ...{ values: z.array(cell).catch([]), atMs: number },
});
const tablesSchema = z.looseObject({ format: z.number(), tables: z.array(z.looseObject(head)) });
const tableSchema = z.looseObject({
  ...{ ...head, format: z.number(), nowMs: number, found: number },
  entries: z.array(entry),
});

/** What is missing or of another type is absent, empty or 0. `E_PARSE`: it is no document of ours at all. */
export function readStatus(value: unknown, socket: string): StatusDocument {
  return read<StatusDocument>(statusSchema, value, socket);
}

export function readTables(value: unknown, socket: string): TablesDocument {
  return read<TablesDocument>(tablesSchema, value, socket);
}

export function readTable(value: unknown, socket: string): TableDocument {
  return read<TableDocument>(tableSchema, value, socket);
}

/** The form of these documents that this command knows. */
export const FORMAT = 1;

function read<Document>(schema: z.ZodType, value: unknown, socket: string): Document {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data as Document;
  const path = parsed.error.issues[0]?.path.join('.') ?? '';
  const message = `what answers on ${quoted(socket)} is no edgestatd that this command understands`;
  throw new Failure('E_PARSE', `${message}: ${quoted(path)} of its answer is not what it should be`, { path: socket });
}
