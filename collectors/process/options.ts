/** What an operator decides, and the processes that a hypervisor has. */
import { z } from 'zod';

const path = z
  .string()
  .startsWith('/')
  .max(4096)
  .regex(/^[^\0]*$/, 'must not hold a NUL character');

const programName = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^/\0]*$/, 'must be the name of a program, without its path');

const entry = z.strictObject({
  name: z.string().min(1).max(120).describe('Its name in the series.'),
  exact: z
    .union([programName, z.array(programName).min(1).max(16)])
    .optional()
    .describe('Names of the program, any of them. Default: name, where neither pidFile nor pattern is given.'),
  pattern: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('A glob that the whole command line matches, its words joined by blanks.'),
  pidFile: path.optional().describe('The file with its process id.'),
  installed: z
    .array(path)
    .max(16)
    .optional()
    .describe('Expected only once it was seen, or while one of these files is there. Absent: always expected.'),
});

type Entry = z.infer<typeof entry>;

const wants = (unit: string): string => `/etc/systemd/system/multi-user.target.wants/${unit}.service`;
/** The last one is of chkconfig(8), on XenServer before 7 and RHEL before 7. */
const OVS_UNITS = [wants('openvswitch-switch'), wants('openvswitch'), '/etc/rc.d/rc3.d/S09openvswitch'];
const RUNDIR = '/var/run/openvswitch';

/** A unit that is enabled is meant to run; a pid file that is there without its process was left by one that died. */
const ofHypervisors: readonly Entry[] = [
  { name: 'ovs-vswitchd', installed: [...OVS_UNITS, `${RUNDIR}/ovs-vswitchd.pid`] },
  { name: 'ovsdb-server', installed: [...OVS_UNITS, `${RUNDIR}/ovsdb-server.pid`] },
  { name: 'ovs-xapi-sync', installed: [wants('openvswitch-xapi-sync'), `${RUNDIR}/ovs-xapi-sync.pid`] },
  {
    name: 'libvirtd',
    exact: ['libvirtd', 'virtqemud'],
    installed: [wants('libvirtd'), '/var/run/libvirtd.pid', '/var/run/virtqemud.pid'],
  },
  { name: 'neutron-openvswitch-agent', installed: [wants('neutron-openvswitch-agent')] },
  { name: 'nova-compute', installed: [wants('nova-compute'), wants('openstack-nova-compute')] },
];

const list = z
  .array(z.union([programName, entry]))
  .max(200)
  .superRefine((all, context) => {
    const names = all.map((one) => (typeof one === 'string' ? one : one.name));
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      context.addIssue({ code: 'custom', path: [index], message: `${JSON.stringify(name)} is named twice` });
    }
  });

export const options = z
  .strictObject({
    processes: list
      .default([])
      .describe('What must run here: names of programs, or { name, exact, pattern, pidFile, installed }.'),
    hypervisor: z
      .boolean()
      .default(true)
      .describe('The processes of a hypervisor too, each where it belongs. One of processes replaces its namesake.'),
    openFiles: z
      .boolean()
      .default(true)
      .describe('Count open files: one directory to list for each process. Needs root, or CAP_DAC_READ_SEARCH.'),
    proc: path.default('/proc').describe('Where proc(5) is mounted; in a container that has the host’s, /host/proc.'),
  })
  .refine(({ processes, hypervisor }) => hypervisor || processes.length > 0, {
    path: ['processes'],
    message: 'nothing is looked for: name a process, or leave hypervisor true',
  });

export type ProcessOptions = z.infer<typeof options>;

/** What is looked for, as it is meant. What is given must hold together. */
export interface Wanted {
  readonly name: string;
  readonly exact: readonly string[] | undefined;
  readonly pattern: string | undefined;
  readonly pidFile: string | undefined;
  /** Undefined: it is expected whatever was seen. */
  readonly installed: readonly string[] | undefined;
}

export function wantedOf({ processes, hypervisor }: ProcessOptions): Wanted[] {
  const own = processes.map((one): Entry => (typeof one === 'string' ? { name: one } : one));
  const names = new Set(own.map(({ name }) => name));
  const others = hypervisor ? ofHypervisors.filter(({ name }) => !names.has(name)) : [];
  return [...own, ...others].map(({ name, exact, pattern, pidFile, installed }) => {
    const itself = pattern === undefined && pidFile === undefined ? [name] : undefined;
    return { name, exact: (typeof exact === 'string' ? [exact] : exact) ?? itself, pattern, pidFile, installed };
  });
}
