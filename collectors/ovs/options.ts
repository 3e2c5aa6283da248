/** What an operator decides. */
import { z } from 'zod';
import { coverageSets } from './coverage.ts';

/** Each costs one program for each bridge. */
const MAX_GROUPS = 64;

const globs = z.array(z.string().min(1));
const path = z
  .string()
  .startsWith('/')
  .max(4096)
  .regex(/^[^\0]*$/, 'must not hold a NUL character');

const group = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be letters, digits, _ and -, at most 64')
    .describe('Its name in the series.'),
  match: z
    .string()
    .max(4096)
    .regex(/^[^\0\n\r]*$/, 'must be one line')
    .describe('A match as ovs-ofctl takes it, for example cookie=0x1/-1 or table=0,udp,tp_dst=53.'),
  bridges: globs.default(['*']).describe('Globs of the bridges that it is asked of.'),
});

const groups = z
  .array(group)
  .max(MAX_GROUPS)
  .superRefine((all, context) => {
    for (const [index, { name }] of all.entries()) {
      if (all.findIndex((one) => one.name === name) === index) continue;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} is the name of an earlier group` });
    }
  });

const sets = Object.keys(coverageSets) as (keyof typeof coverageSets)[];

export const options = z.strictObject({
  bridges: globs.default(['*']).describe('Globs of bridges to measure.'),
  excludeBridges: globs.default([]).describe('Globs of bridges not to measure, whatever includes them.'),
  interfaces: globs.default(['*']).describe('Globs of interfaces to measure.'),
  excludeInterfaces: globs.default([]).describe('Globs of interfaces not to measure, whatever includes them.'),
  coverage: z
    .array(z.enum([...sets, 'all']))
    .default(['drops', 'upcalls'])
    .describe(`Sets of vswitchd’s events to send: ${sets.join(', ')}; all sends whatever ever happened.`),
  tables: z.boolean().default(false).describe('Flows, look-ups and matches of each OpenFlow table too.'),
  ports: z.boolean().default(false).describe('The counters of each OpenFlow port too (ovs-ofctl dump-ports).'),
  flows: groups
    .default([])
    .describe('Groups of flows, each a name and a match, that the switch adds up (ovs-ofctl dump-aggregate).'),
  aggregateLimit: z
    .int()
    .min(0)
    .default(2000)
    .describe('Packets and bytes of a bridge are read while its table 0 has at most this many flows.'),
  rundir: path.default('/var/run/openvswitch').describe('The directory with the sockets and pid files.'),
  database: z
    .string()
    .min(1)
    .max(4096)
    .regex(/^[^\0]*$/, 'must not hold a NUL character')
    .default('db.sock')
    .describe('The socket of the database: a path, or its name in rundir.'),
});

export type OvsOptions = z.infer<typeof options>;
