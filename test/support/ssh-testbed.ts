/** The testbed's hypervisor as a machine that is reached by SSH: a sshd in its network namespace, which its CLI uses. */
import { expect } from 'vitest';
import type { Cli } from './htb-cli.ts';
import { type Sshd, type SshdOptions, startSshd } from './sshd.ts';
import { eventually } from './statsd.ts';
import type { Testbed } from './testbed.ts';

/**
 * A sshd in the hv namespace, with what a login on that machine sees: its devices in /sys, and the processes of Open
 * vSwitch, which run outside of the PID namespace of this sshd, in /proc.
 */
export function sshdOn(testbed: Testbed, prepare: SshdOptions['prepare'] = []): Promise<Sshd> {
  return startSshd({
    prefix: testbed.prefix,
    // The rig has mounted a /proc of its own above the machine's.
    prepare: ['umount /proc || exit 1', 'mount -t sysfs sysfs /sys || exit 1', ...prepare],
    ready: async (port) => (await testbed.inside('hv', ['ss', '-Htln', `sport = :${port}`])) !== '',
  });
}

/** The words before a program by which it sees the same /sys as a login there. */
const withItsSys = ['unshare', '--mount', 'sh', '-c', 'mount -t sysfs sysfs /sys && exec "$0" "$@"'];

/** The text of a target, as a configuration has it. */
export function targetOn({ address, port, keyFile, knownHostsFile }: Sshd, user = 'root', more = ''): string {
  return `{ type: ssh, host: ${address}, port: ${port}, user: ${user}, keyFile: ${keyFile}, knownHostsFile: ${knownHostsFile}${more} }`;
}

/** A configuration with this machine as hv01, and the same over SSH as hv02. */
export function bothConfig(hv02: string, jobs: readonly string[], sink = '{ type: stdout }'): string {
  return `targets: { local: { type: local, name: hv01 }, hv02: ${hv02} }
sinks: [ ${sink} ]
jobs:
${jobs.map((job) => `  - ${job}\n`).join('')}`;
}

/** One number that a command would send, without the name of its target in front. */
export interface Told {
  readonly value: number;
  readonly kind: string;
  /** Unit, labels and the catalogue's name. */
  readonly what: string;
}

/** What `once` sends of one target (`hv01`), by series; it must have no problem. */
export async function onceOf(
  cli: Cli,
  file: string,
  ...words: string[]
): Promise<(target: string) => Map<string, Told>> {
  const args = ['once', '--format', 'json', '--config', file, ...words];
  const { stdout, stderr, code } = await cli.run(args, { through: withItsSys });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const all = JSON.parse(stdout) as {
    series: string;
    metric: string;
    labels: object;
    unit: string;
    value: number;
    kind: string;
  }[];
  return (target) => {
    const base = `edge.${target}.`;
    return new Map(
      all
        .filter(({ series }) => series.startsWith(base))
        .map(({ series, metric, labels, unit, value, kind }) => [
          series.slice(base.length),
          { value, kind, what: JSON.stringify([metric, unit, labels]) },
        ]),
    );
  };
}

/** Nobody speaks of himself: what is left are the packets of tests. */
export async function withoutIpv6({ inside, namespaces }: Testbed): Promise<void> {
  const line = 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6';
  const places = Object.keys(namespaces) as (keyof typeof namespaces)[];
  await Promise.all(places.map((place) => inside(place, ['sh', '-c', line])));
}

/** Resolves when nothing is sent any more, and OVSDB, which vswitchd writes every 5 s, has the last of it. */
export async function silence({ inside, vsctl }: Testbed, { inDatabase = true } = {}): Promise<void> {
  let last = '';
  await eventually(async () => {
    const links = await inside('hv', ['ip', '-s', '-j', 'link']);
    const counts = (JSON.parse(links) as { ifname: string; stats64: Record<'rx' | 'tx', { packets: number }> }[])
      .filter(({ ifname }) => /^(?:eth1|vif)/.test(ifname))
      .map(({ ifname, stats64: { rx, tx } }) => ({ ifname, rx: rx.packets, tx: tx.packets }));
    const now = JSON.stringify(counts);
    const isSilent = now === last;
    last = now;
    if (!isSilent || !inDatabase) return isSilent || undefined;
    const rows = await vsctl('--format=json', '--columns=name,statistics', 'list', 'Interface');
    const { data } = JSON.parse(rows) as { data: [name: string, [map: string, pairs: [string, number][]]][] };
    const known = new Map(data.map(([name, [, pairs]]) => [name, new Map(pairs)]));
    const isWritten = counts.every(({ ifname, rx, tx }) => {
      const row = known.get(ifname);
      return row?.get('rx_packets') === rx && row?.get('tx_packets') === tx;
    });
    return isWritten || undefined;
  }, 'silence');
}
