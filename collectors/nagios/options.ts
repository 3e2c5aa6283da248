import { z } from 'zod';

export const EVENT_STATES = ['DOWN', 'UNREACHABLE', 'CRITICAL', 'WARNING', 'UNKNOWN', 'UP', 'OK'] as const;

const globs = z.array(z.string().min(1));
const path = z.string().startsWith('/');

export const options = z.strictObject({
  log: path
    .default('/var/log/nagios/nagios.log')
    .describe('The log to follow; of Icinga 1 /var/log/icinga/icinga.log, of Naemon /var/log/naemon/naemon.log.'),
  archive: path
    .optional()
    .describe('The directory of rotated logs (log_archive_path); by default archives, beside the log.'),
  hosts: globs.default([]).describe('Globs of hosts that get series of their own.'),
  services: globs
    .default([])
    .describe('Globs of services that get series of their own, as HOST/SERVICE: web*/HTTP, */Disk *.'),
  maxSeries: z
    .int()
    .min(0)
    .max(50_000)
    .default(1000)
    .describe('At most so many series of single hosts and services; one takes up to 12. The rest is summed.'),
  events: z.boolean().default(true).describe('Offer hard problems and recoveries as events, with their own time.'),
  eventStates: z
    .array(z.enum(EVENT_STATES))
    .default([...EVENT_STATES])
    .describe('Of which states; a recovery (UP, OK) only from one of the others that is listed.'),
});

export type NagiosOptions = z.infer<typeof options>;

/** Of one host or service: four states, hard and soft; flapping started, stopped or disabled; and its problem. */
export const SERIES_OF_ONE = 12;
