import { z } from 'zod';

/** The `stdout` sink in the configuration. */
export const stdoutSinkOptions = z.strictObject({
  type: z.literal('stdout'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .optional()
    .describe('Names the sink in series and logs; default: its type.'),
  format: z
    .enum(['series', 'json', 'statsd'])
    .default('series')
    .describe('Series lines, JSON lines or the exact datagrams.'),
  onlyOnTerminal: z.boolean().default(false).describe('true: silent unless a person is looking.'),
});

export type StdoutSinkOptions = z.infer<typeof stdoutSinkOptions>;
