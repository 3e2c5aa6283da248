/** What the kernel counts of the testbed's HTB and HFSC classes, read by tc and words of the tests' own. */
import type { Testbed } from './testbed.ts';

/** By `device handle`: metric's name → count. */
export type Kernel = ReadonlyMap<string, Readonly<Record<string, number>>>;

const COUNTS: readonly (readonly [metric: string, where: RegExp])[] = [
  ['sent_bytes', /^ Sent (\d+) bytes/m],
  ['sent_packets', /^ Sent \d+ bytes (\d+) pkt/m],
  ['dropped_packets', /\(dropped (\d+),/],
  ['overlimits', /overlimits (\d+)/],
  ['requeues', /requeues (\d+)\)/],
  ['lended', /^ lended: (\d+)/m],
  ['borrowed', /borrowed: (\d+)/],
  ['giants', /giants: (\d+)/],
];

/** Names of what is counted. */
export const totals: readonly string[] = COUNTS.map(([metric]) => metric);

/** Of all devices of the hypervisor. One that goes away meanwhile has none. */
export async function kernelClasses({ tc }: Pick<Testbed, 'tc'>): Promise<Kernel> {
  const qdiscs = await tc('qdisc', 'show');
  const devices = new Set(
    [...qdiscs.matchAll(/^qdisc (?:htb|hfsc) \S+ dev (\S+) /gm)].map(([, device = '']) => device),
  );
  const classes = new Map<string, Readonly<Record<string, number>>>();
  for (const device of devices) {
    const text = await tc('-s', 'class', 'show', 'dev', device).catch(() => '');
    for (const block of text.split('\n\n')) {
      const [, handle] = /^class (?:htb|hfsc) (\S+) /.exec(block) ?? [];
      if (handle === undefined) continue;
      const counts: Record<string, number> = {};
      for (const [metric, where] of COUNTS) {
        const [, digits] = where.exec(block) ?? [];
        if (digits !== undefined) counts[metric] = Number(digits);
      }
      classes.set(`${device} ${handle}`, counts);
    }
  }
  return classes;
}
