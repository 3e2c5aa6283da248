/** What an operator decides. */
import { z } from 'zod';

const path = z
  .string()
  .max(4096)
  .regex(/^[^\0]*$/, 'must not hold a NUL character');

export const options = z.strictObject({
  root: path
    .regex(/^\/(?:.*[^/])?$/, 'must be a path from / on, without a / at its end')
    .default('/')
    .describe('Below which /boot, /lib/modules and /etc of the machine are; in a container that has them, /host.'),
  rundir: path
    .startsWith('/')
    .default('/var/run/openvswitch')
    .describe('The directory with Open vSwitch’s sockets and pid files.'),
  database: path.min(1).default('db.sock').describe('The socket of the database: a path, or its name in rundir.'),
});

export type OvsKmodOptions = z.infer<typeof options>;
