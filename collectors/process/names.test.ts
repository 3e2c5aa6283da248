import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commOf, programNames, recogniser } from './names.ts';
import { options, wantedOf } from './options.ts';
import type { Stat } from './parse.ts';

const lookFor = (...processes: unknown[]) => recogniser(wantedOf(options.parse({ processes, hypervisor: false })));
const stat = (comm: string, more: Partial<Stat> = {}): Stat => ({
  ...{ comm, state: 'S', userTicks: 0, systemTicks: 0, threads: 1, startedTicks: 1, isKernels: false, ...more },
});

test('the kernel keeps 15 bytes of a name', () => {
  expect(commOf('neutron-openvswitch-agent')).toBe('neutron-openvsw');
  expect(commOf('ovs-vswitchd')).toBe('ovs-vswitchd');
});

test('names in a command line: the program, the script, the title', () => {
  const names = (line: string): string[] => [...programNames(line.split(' '))];
  expect(names('/usr/sbin/ovs-vswitchd unix:/db.sock')).toEqual(['ovs-vswitchd']);
  expect(names('/usr/bin/python3 /usr/bin/nova-compute --config-file x')).toEqual(['python3', 'nova-compute']);
  expect(names('/usr/bin/python3.11 -W ignore -B /usr/bin/nova-compute')).toEqual(['python3.11', 'nova-compute']);
  expect(names('python3 -m nova.cmd.compute')).toEqual(['python3', 'nova.cmd.compute']);
  expect(names('python3 -c import nova-compute')).toEqual(['python3']);
  expect([...programNames(['neutron-server: api worker (/usr/bin/python3 /usr/bin/neutron-server)'])]).toContain(
    'neutron-server',
  );
  expect([...programNames([])]).toEqual([]);
  expect([...programNames([''])]).toEqual([]);
});

test('a short name is compared with the kernel’s alone, so no command line is read', () => {
  const one = lookFor('ovs-vswitchd');
  expect(one.needsCommandLine(stat('ovs-vswitchd'))).toBe(false);
  expect(one.needsCommandLine(stat('ovsdb-server'))).toBe(false);
  expect(one.look(stat('ovs-vswitchd'), undefined)).toEqual({ matches: [0], maybe: [] });
  // Its monitor names itself so, and says who it watches in its title.
  expect(one.look(stat('monitor'), ['ovs-vswitchd: monitoring pid 7 (healthy)'])).toEqual({ matches: [], maybe: [] });
});

test('a long name needs the command line, and so does whoever interprets a script', () => {
  const one = lookFor('neutron-openvswitch-agent', 'nova-compute');
  for (const comm of ['neutron-openvsw', 'python3', 'python3.11', 'sh']) {
    expect(one.needsCommandLine(stat(comm)), comm).toBe(true);
  }
  expect(one.needsCommandLine(stat('sleep'))).toBe(false);
  expect(one.needsCommandLine(stat('python3', { isKernels: true }))).toBe(false);
  const agent = ['/usr/bin/python3', '/usr/bin/neutron-openvswitch-agent', '--log-file=x'];
  expect(one.look(stat('neutron-openvsw'), agent)).toEqual({ matches: [0], maybe: [] });
  expect(one.look(stat('python3'), ['python3', '/usr/bin/nova-compute'])).toEqual({ matches: [1], maybe: [] });
  const other = ['/usr/bin/python3', '/usr/bin/neutron-openvswitch-other'];
  expect(one.look(stat('neutron-openvsw'), other)).toEqual({ matches: [], maybe: [] });
  expect(one.look(stat('python3'), ['python3', 'x', '/usr/bin/nova-compute'])).toEqual({ matches: [], maybe: [] });
});

test('without its command line it may be one of them, which is neither yes nor no', () => {
  const one = lookFor('neutron-openvswitch-agent', { name: 'p', pattern: '*x*' });
  expect(one.look(stat('neutron-openvsw'), undefined)).toEqual({ matches: [], maybe: [0, 1] });
  expect(one.look(stat('sleep'), undefined)).toEqual({ matches: [], maybe: [1] });
});

test('a pattern is a glob of the whole command line', () => {
  const one = lookFor({ name: 'p', pattern: '*haproxy -f *ns-metadata*' });
  expect(one.look(stat('haproxy'), ['haproxy', '-f', '/var/lib/ns-metadata-proxy/1.conf']).matches).toEqual([0]);
  expect(one.look(stat('haproxy'), ['haproxy', '-f', '/etc/haproxy.cfg']).matches).toEqual([]);
  expect(lookFor({ name: 'p', pattern: 'haproxy' }).look(stat('haproxy'), ['haproxy', '-f']).matches).toEqual([]);
});

test('what is given together must hold together', () => {
  const one = lookFor({ name: 'p', exact: ['libvirtd', 'virtqemud'], pattern: '*--timeout*' });
  expect(one.look(stat('libvirtd'), ['libvirtd', '--timeout', '120']).matches).toEqual([0]);
  expect(one.look(stat('virtqemud'), ['virtqemud', '--timeout=1']).matches).toEqual([0]);
  expect(one.look(stat('libvirtd'), ['libvirtd']).matches).toEqual([]);
  expect(one.look(stat('sh'), ['sh', '--timeout']).matches).toEqual([]);
});

test('of one that has ended its name alone is left', () => {
  const zombie = { state: 'Z' };
  expect(lookFor('ovs-vswitchd').look(stat('ovs-vswitchd', zombie), undefined).matches).toEqual([0]);
  expect(lookFor('neutron-openvswitch-agent').look(stat('neutron-openvsw', zombie), undefined)).toEqual({
    ...{ matches: [0], maybe: [] },
  });
  expect(lookFor({ name: 'p', pattern: '*' }).look(stat('x', zombie), undefined).maybe).toEqual([]);
});

test('hostile command lines take no time and match nothing by accident', () => {
  const one = lookFor('neutron-openvswitch-agent', { name: 'p', pattern: `${'*a'.repeat(50)}b` });
  expect(one.look(stat('x'), ['a'.repeat(60_000)]).matches).toEqual([]);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string({ unit: 'binary' })), (comm, argv) => {
      const { matches } = one.look(stat(comm), argv);
      expect(matches).not.toContain(0);
    }),
  );
});
