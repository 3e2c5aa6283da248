/** The `events` section of the configuration. */
import { isIP } from 'node:net';
import { z } from 'zod';
import { duration, secret, size } from '../collector.ts';
import { RULES } from './changes.ts';
import { MAX_TAG } from './event.ts';

const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, "_" and "-" (at most 64)');
const path = z
  .string()
  .regex(/^\/[^\0]*$/, 'expected an absolute path')
  .max(4096);
const tag = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]+$/, 'expected letters, digits, "_", ".", ":" and "-"')
  .max(MAX_TAG);
const url = z.url({ protocol: /^https?$/, error: 'expected http://HOST:PORT/… or https://HOST:PORT/…' });
/** A token that has a line break or a blank in it is no token, and must not become a second header. */
const headerName = z.string().regex(/^[A-Za-z0-9-]+$/, 'expected the name of a header');

const shared = {
  name: name.optional().describe('Names the destination in series, logs and the spool; default: its type.'),
  user: z.string().min(1).optional().describe('User for basic authentication.'),
  password: secret().optional().describe('His password, by reference.'),
  passwordFile: path.optional().describe('The file that holds his password.'),
  token: secret().optional().describe('Bearer token, by reference.'),
  tokenFile: path.optional().describe('The file that holds the bearer token.'),
  headers: z
    .record(headerName, secret())
    .default({})
    .describe('Further headers, such as an API key; their values by reference.'),
  caFile: path.optional().describe('PEM: the authorities to trust instead of the system’s.'),
  certFile: path.optional().describe('PEM: the certificate of this side, where the server wants one.'),
  keyFile: path.optional().describe('PEM: its key.'),
  concurrency: z
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('Requests at the same time; they begin in the order of when.'),
  timeout: duration(100, 300_000).prefault('10s').describe('How long one request may take.'),
  settle: duration(0, 600_000)
    .prefault('30s')
    .describe('How long a request whose answer was lost may still be at work there, before it is asked for the event.'),
};

const graphiteShape = {
  url: url.describe('Where graphite-web takes events: http://HOST/events/.'),
  tags: z.enum(['list', 'string']).default('list').describe('string: for graphite-web 0.9, which takes no list.'),
  ...shared,
};

export const graphiteOptions = z.strictObject({ type: z.literal('graphite'), ...graphiteShape });
export const grafanaOptions = z.strictObject({
  type: z.literal('grafana'),
  url: url.describe('Grafana’s own address: http://HOST:3000; events go to its /api/annotations/graphite.'),
  ...shared,
});

const listen = z
  .strictObject({
    socket: path.max(107).optional().describe('The unix socket to listen on; either this, or address and port.'),
    address: z.string().default('127.0.0.1').describe('A loopback address.'),
    port: z.int().min(1).max(65535).optional().describe('The port to listen on.'),
    token: secret().optional().describe('Bearer token that every request must have, by reference.'),
    tokenFile: path.optional().describe('The file that holds it.'),
    maxBody: size(1024, 64 * 2 ** 20)
      .prefault('2MiB')
      .describe('Larger bodies are refused.'),
    maxPerSecond: z.int().min(1).max(10_000).default(100).describe('Requests; more are refused with 429.'),
  })
  .superRefine(({ socket, address, port, token, tokenFile }, context) => {
    const complain = (message: string): void => context.addIssue({ code: 'custom', message });
    if ((socket === undefined) === (port === undefined)) complain('expected exactly one of "socket" and "port"');
    if (!isLoopback(address)) {
      complain('"address" must be a loopback address (127.0.0.1 or ::1); put a proxy before it that others may reach');
    }
    if (token !== undefined && tokenFile !== undefined) complain('expected one of "token" and "tokenFile"');
  });

function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

const folder = z.strictObject({
  path: path.describe('Files NAME.json that appear there are events; they go to done/ or rejected/ below it.'),
  every: duration(100, 3_600_000).prefault('5s').describe('How often it is looked at, beside the word of the kernel.'),
});

const rule = z
  .strictObject({
    on: z.enum(RULES).optional().describe('The change that makes an event; either this or metric.'),
    metric: z
      .string()
      .regex(/^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$/, 'expected COLLECTOR.METRIC, such as ovs.bond_member_active')
      .optional()
      .describe('COLLECTOR.METRIC of a metric that is 0 or 1 (unit boolean in `edgestatd metrics`).'),
    becomes: z
      .union([z.literal(0), z.literal(1)])
      .default(0)
      .describe('With metric: the value that makes an event.'),
    tags: z.array(tag).default([]).describe('Tags of the event beside edgestatd, the change and the target.'),
    holdDown: duration(0, 86_400_000)
      .prefault('60s')
      .describe('What changes again within this time is one event, with a count.'),
  })
  .superRefine(({ on, metric }, context) => {
    if ((on === undefined) === (metric === undefined))
      context.addIssue({ code: 'custom', message: 'expected exactly one of "on" and "metric"' });
  });

export const eventsShape = {
  spool: path.max(100).default('/var/lib/edgestatd/spool.db').describe('The file in which events wait.'),
  maxBytes: size(64 * 1024)
    .prefault('256MiB')
    .describe('It grows no larger; what is settled is forgotten first.'),
  maxAge: duration(60_000)
    .prefault('30d')
    .describe('What could not be delivered for so long is dropped, and counted; time without a daemon does not count.'),
  whenFull: z
    .enum(['refuse', 'dropOldest'])
    .default('refuse')
    .describe('When it is full of events that wait: refuse the new ones, or drop the oldest.'),
  graphite: z.strictObject(graphiteShape).optional().describe('The short form of one destination of type graphite.'),
  destinations: z
    .array(z.discriminatedUnion('type', [graphiteOptions, grafanaOptions]))
    .default([])
    .describe('Where events go; each has its own progress.'),
  listen: listen.optional().describe('Takes events over HTTP, as graphite-web does: POST /events/.'),
  folder: folder.optional().describe('Takes events from files.'),
  rules: z.array(rule).default([]).describe('Makes events of what collectors notice.'),
};

export const eventsOptions = z.strictObject(eventsShape);
export type EventsOptions = z.infer<typeof eventsOptions>;
export type DestinationOptions = z.infer<typeof graphiteOptions> | z.infer<typeof grafanaOptions>;
export type ListenOptions = z.infer<typeof listen>;
export type FolderOptions = z.infer<typeof folder>;
export type RuleOptions = z.infer<typeof rule>;

/** All destinations, each with its name. */
export function destinationsOf({
  graphite,
  destinations,
}: EventsOptions): (DestinationOptions & { readonly name: string })[] {
  const all: DestinationOptions[] =
    graphite === undefined ? [...destinations] : [{ type: 'graphite', ...graphite }, ...destinations];
  return all.map((one) => ({ ...one, name: one.name ?? one.type }));
}
