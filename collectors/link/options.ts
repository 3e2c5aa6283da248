import { z } from 'zod';
import { matcher } from '../../src/text.ts';

/**
 * Nobody's uplink: loopback, what belongs to virtual machines and containers (htb and ovs measure those), what stands
 * in for a port, and the devices that the kernel makes beside a tunnel's module.
 */
const USUAL_EXCLUDE: readonly string[] = [
  ...['lo', 'tap*', 'vif*', 'vnet*', 'veth*', 'qvo*', 'qvb*', 'qbr*', 'ovs-system', 'ovs-netdev', 'dummy*', 'ifb*'],
  ...['gre0', 'gretap0', 'erspan0', 'sit0', 'tunl0', 'ip6tnl0', 'ip6gre0', 'ip_vti0', 'ip6_vti0'],
];

const globs = z.array(z.string().min(1));

export const options = z.strictObject({
  include: globs.default(['*']).describe('Globs of interfaces to measure.'),
  exclude: globs.default([...USUAL_EXCLUDE]).describe('Globs of interfaces not to measure, whatever includes them.'),
  sys: z
    .string()
    .startsWith('/')
    .default('/sys/class/net')
    .describe('The directory with one entry for each interface; in a container /host/sys/class/net.'),
  proc: z
    .string()
    .startsWith('/')
    .default('/proc/net')
    .describe('The directory with dev, bonding and vlan; in a container /host/proc/1/net.'),
});

export type LinkOptions = z.infer<typeof options>;

/** A machine may have thousands of names, the same in every run. */
const MAX_REMEMBERED = 20_000;

export function selector({ include, exclude }: LinkOptions): (name: string) => boolean {
  const [included, excluded] = [matcher(include), matcher(exclude)];
  const known = new Map<string, boolean>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const isWanted = included(name) && !excluded(name);
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(name, isWanted);
    return isWanted;
  };
}
