import { z } from 'zod';

const port = z.int().min(1).max(65535);

/** The `statsd` sink in the configuration. */
export const statsdSinkOptions = z.strictObject({
  type: z.literal('statsd'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .optional()
    .describe('Names the sink in series and logs; default: its type.'),
  host: z.string().min(1).default('127.0.0.1').describe('Address or host name; names are resolved again every minute.'),
  port: port.default(8125).describe('The UDP port.'),
  adminPort: port.default(8126).describe('The TCP admin port, which `edgestatd check` asks whether metrics arrived.'),
  maxBytes: z
    .int()
    .min(64)
    .max(65507)
    .default(1432)
    .describe('Largest datagram: 512 for the internet, 1432 for Ethernet, 8932 for jumbo frames.'),
  packing: z
    .enum(['multi', 'single'])
    .default('multi')
    .describe('single: one metric a datagram, for receivers that read only the first (StatsD before 0.4.0).'),
  tags: z.enum(['none', 'graphite', 'dogstatsd']).default('none').describe('Labels as tags instead of path segments.'),
  burst: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe('Full datagrams sent at once; then a pause of 5 ms. What the stock server takes without loss.'),
});

export type StatsdSinkOptions = z.infer<typeof statsdSinkOptions>;
