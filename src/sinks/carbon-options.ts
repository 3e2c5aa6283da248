import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { duration, size } from '../collector.ts';

/** Where a Carbon listens for lines. */
export interface Endpoint {
  /** As it stands in the configuration, and in logs. */
  readonly to: string;
  readonly host: string;
  readonly port: number;
}

const DESTINATION = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})$/;
const DESTINATION_FORM = 'expected HOST:PORT, or [ADDRESS]:PORT for IPv6';

/** `carbon.example:2003`, `192.0.2.1:2003`, `[2001:db8::1]:2003`; undefined: it is none of them. */
export function endpointOf(to: string): Endpoint | undefined {
  const [, six, name, digits] = DESTINATION.exec(to) ?? [];
  const host = six ?? name;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65535 || (six !== undefined && !isIPv6(six))) return undefined;
  return { to, host, port };
}

const destination = z.string().refine((text) => endpointOf(text) !== undefined, DESTINATION_FORM);
const file = z.string().min(1).optional();
const [MIB, TIB] = [2 ** 20, 2 ** 40];

/** The `carbon` sink in the configuration. */
export const carbonSinkOptions = z
  .strictObject({
    type: z.literal('carbon'),
    name: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/)
      .optional()
      .describe('Names the sink in series and logs; default: its type.'),
    destinations: z
      .array(destination)
      .min(1)
      .refine((all) => new Set(all).size === all.length, 'expected each destination once')
      .default(['127.0.0.1:2003'])
      .describe('HOST:PORT of the line receivers; names are resolved again for each connection.'),
    mode: z
      .enum(['all', 'failover'])
      .default('all')
      .describe(
        'all: each destination gets everything. failover: the first that takes it; back to it when it returns.',
      ),
    tls: z.boolean().default(false).describe('TLS, with the certificate of the other side verified.'),
    caFile: file.describe('PEM of the authorities to trust instead of the system’s.'),
    certFile: file.describe('PEM certificate of this side, for a destination that asks for one.'),
    keyFile: file.describe('PEM key of this side.'),
    tags: z.enum(['none', 'graphite']).default('none').describe('Labels as tags instead of path segments.'),
    counters: z
      .enum(['totals', 'rates'])
      .default('totals')
      .describe('Counters as the totals that were read, or per second, named with _per_second behind.'),
    spool: z
      .string()
      .min(1)
      .optional()
      .describe('What is not known to be taken waits in this file; default: /var/lib/edgestatd/carbon-NAME.db.'),
    maxBytes: size(MIB, TIB).prefault('1GiB').describe('How large that file may grow; the oldest is dropped then.'),
    maxAge: duration(60_000).prefault('7d').describe('What waits for longer is dropped.'),
    resend: duration(0, 3_600_000)
      .prefault('60s')
      .describe(
        'What was sent within this time before a disconnect is sent again: Carbon holds it in memory at first.',
      ),
    connectTimeout: duration(100, 300_000).prefault('10s').describe('How long a connection may take to come about.'),
  })
  .superRefine((options, context) => {
    const say = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if ((options.certFile === undefined) !== (options.keyFile === undefined)) {
      say(options.certFile === undefined ? 'certFile' : 'keyFile', 'expected both certFile and keyFile, or neither');
    }
    for (const name of ['caFile', 'certFile', 'keyFile'] as const)
      if (options[name] !== undefined && !options.tls) say(name, 'is used with "tls: true" alone');
  });

export type CarbonSinkOptions = z.infer<typeof carbonSinkOptions>;

/** Where the sink of this name keeps what waits. */
export function spoolPath(options: Pick<CarbonSinkOptions, 'spool'> & { readonly name: string }): string {
  return options.spool ?? `/var/lib/edgestatd/carbon-${options.name}.db`;
}
