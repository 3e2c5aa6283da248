/** The shape of the configuration file. Collectors add the shape of their options (`config.ts`). */
import { z } from 'zod';
import { duration } from './collector.ts';
import { eventsOptions } from './events/options.ts';
import { sshTargetOptions } from './hosts/ssh-options.ts';
import { inventoryOptions } from './inventory/options.ts';
import { logLevels } from './log.ts';
import { cronFault } from './schedule.ts';
import { shardOption } from './shard.ts';
import { carbonSinkOptions } from './sinks/carbon-options.ts';
import { statsdSinkOptions } from './sinks/statsd-options.ts';
import { stdoutSinkOptions } from './sinks/stdout-options.ts';
import { statusOptions } from './status/options.ts';

const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const NAME_FORM = 'expected a name of letters, digits, "_" and "-" (at most 64)';
const name = z.string().regex(NAME, NAME_FORM);
const targetName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,253}$/, 'expected a name of letters, digits, "_", "." and "-" (at most 253)');

const cron = z.string().superRefine((expression, context) => {
  const fault = cronFault(expression);
  if (fault === undefined) return;
  context.addIssue({
    code: 'custom',
    message: `expected a cron expression of 5 or 6 fields (seconds first): ${fault}`,
  });
});

export const jobShape = {
  collector: z.string().describe('The name of a collector: `edgestatd metrics` lists them.'),
  name: name.optional().describe('Names the job in series and logs; default: the name of its collector.'),
  targets: z
    .array(z.string().min(1))
    .min(1)
    .default(['local'])
    .describe('The targets to measure: names, globs (hv*), groups (group:compute), and what to leave out (!hv13).'),
  every: duration(1000).optional().describe('The interval, for example 10s. Either this or cron.'),
  cron: cron.optional().describe('A cron expression in UTC, seconds first: "*/10 * * * * *".'),
  splay: duration(0)
    .optional()
    .describe('Spreads jobs and machines within this time; default: the interval (cron: 0s).'),
  timeout: duration(1).optional().describe('When a run is ended; default: four fifths of the interval, at most 30s.'),
  options: z.record(z.string(), z.unknown()).default({}).describe('The options of the collector.'),
};

const job = z.strictObject(jobShape).superRefine((value, context) => {
  if ((value.every === undefined) === (value.cron === undefined)) {
    context.addIssue({ code: 'custom', message: 'expected exactly one of "every" and "cron"' });
  }
});

const target = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('local'),
    name: z.string().min(1).optional().describe('The series segment; default: the short host name.'),
  }),
  sshTargetOptions,
]);

export const configShape = {
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$|^$/, 'expected path segments joined by dots')
    .default('edge')
    .describe('What every series begins with.'),
  log: z
    .strictObject({ level: z.enum(logLevels).default('info').describe('The least severe level that is logged.') })
    .prefault({}),
  gracePeriod: duration(100, 300_000).prefault('10s').describe('How long running jobs and sinks may take to end.'),
  state: z
    .string()
    .regex(/^\/[^\0]{1,200}$/, 'expected an absolute path')
    .optional()
    .describe('The file in which jobs that follow something (nagios) remember their place beyond a restart.'),
  maxRuns: z
    .int()
    .min(1)
    .max(10_000)
    .default(50)
    .describe('How many runs on remote targets may be at work in the same instant.'),
  plugins: z.array(z.string()).default([]).describe('Absolute paths of modules that export collectors.'),
  sinks: z
    .array(z.discriminatedUnion('type', [statsdSinkOptions, carbonSinkOptions, stdoutSinkOptions]))
    .min(1)
    .describe('Where the samples go.'),
  targets: z.record(targetName, target).default({}).describe('Machines to measure; `local` is always there.'),
  inventory: inventoryOptions,
  shard: shardOption
    .optional()
    .describe('Which part of the remote targets this edgestatd measures, such as "0/3"; several share them so.'),
  events: eventsOptions.optional().describe('Events, such as deploys: how they come in, wait and are delivered.'),
  status: statusOptions.prefault({}).describe('How the running daemon is asked: by status and top, and by a browser.'),
  jobs: z.array(job).min(1).describe('What is measured, where and when.'),
};

export const configSchema = z.strictObject(configShape);
export type FileConfig = z.infer<typeof configSchema>;
