/** The client of ovs-ofctl: which words it runs, which version it speaks, and what a failure means. */
import { expect, test } from 'vitest';
import type { Host, Kept, Lasting } from '../src/collector.ts';
import { asFailure, Failure } from '../src/errors.ts';
import { openflow } from '../src/ovs/openflow.ts';

const AGGREGATE = 'NXST_AGGREGATE reply (xid=0x4): packet_count=1 byte_count=2 flow_count=3\n';

interface Asked {
  readonly host: Host;
  readonly commands: string[][];
}

/** `answer` gets the words behind `ovs-ofctl`. */
function hostOf(answer: (words: readonly string[]) => string): Asked {
  const commands: string[][] = [];
  const kept = new Map<string, Kept>();
  const host = {
    name: 'hv01',
    async run(argv: readonly string[]) {
      commands.push([...argv]);
      return answer(argv.slice(1));
    },
    keep<Value extends Kept>(key: string, make: (lasting: Lasting) => Value): Value {
      const value = (kept.get(key) as Value | undefined) ?? make({ connect: () => Promise.reject(new Error('none')) });
      kept.set(key, value);
      return value;
    },
  };
  return { host: host as unknown as Host, commands };
}

function ended(stderr: string, how: { exitCode?: number; signal?: string } = { exitCode: 1 }): never {
  throw new Failure('E_EXIT', 'ovs-ofctl ended with status 1', { ...how, stderr });
}
const hungUp = () =>
  ended(
    '2026-11-21T01:35:34Z|00001|vconn|WARN|unix:/run/br0.mgmt: version negotiation failed (we support version 0x01)\n' +
      'ovs-ofctl: unix:/run/br0.mgmt: failed to connect to socket (Broken pipe)',
  );
const versionOf = (words: readonly string[]): string => (words.includes('-O') ? (words[2] ?? '') : 'default');
const bridge = (name: string, protocols: readonly string[] = []) => ({ name, protocols });

test('one program with its own timeout; nothing that comes from outside is an option', async () => {
  const { host, commands } = hostOf(() => AGGREGATE);
  const client = openflow(host, '/run/ovs', { timeoutSeconds: 3 });
  expect(await client.aggregate(bridge('-O x'), '--help')).toEqual({ packets: 1, bytes: 2, flows: 3 });
  expect(commands).toEqual([['ovs-ofctl', '--timeout=3', '--', 'dump-aggregate', 'unix:/run/ovs/-O x.mgmt', '--help']]);
});

test.each(['../../etc/x', '/etc/x', '', 'a\0b'])('%j is no bridge, and no program is run for it', async (name) => {
  const { host, commands } = hostOf(() => AGGREGATE);
  await expect(openflow(host, '/run/ovs').tables(bridge(name))).rejects.toMatchObject({ code: 'E_NOT_FOUND' });
  expect(commands).toEqual([]);
});

test('the best version that the bridge allows is spoken', async () => {
  const { host, commands } = hostOf(() => AGGREGATE);
  await openflow(host, '/run').aggregate(bridge('br0', ['OpenFlow10', 'OpenFlow99', 'OpenFlow14']));
  await openflow(host, '/run').aggregate(bridge('br1', ['OpenFlow99']));
  expect(commands.map((words) => versionOf(words.slice(1)))).toEqual(['OpenFlow14', 'default']);
});

test('when the bridge hangs up the others are tried, and what worked is remembered for the next run', async () => {
  const { host, commands } = hostOf((words) => (versionOf(words) === 'OpenFlow12' ? AGGREGATE : hungUp()));
  const tried = () => commands.splice(0).map((words) => versionOf(words.slice(1)));
  await openflow(host, '/run').aggregate(bridge('br0'));
  expect(tried()).toEqual(['default', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15', 'OpenFlow12']);
  await openflow(host, '/run').aggregate(bridge('br0'));
  expect(tried()).toEqual(['OpenFlow12']);
  await openflow(host, '/run').aggregate(bridge('br1', ['OpenFlow12']));
  expect(tried()).toEqual(['OpenFlow12']);
});

test('a bridge that speaks none of them is a failure, after each was tried once', async () => {
  const { host, commands } = hostOf((words) =>
    versionOf(words) === 'OpenFlow15' ? ended('ovs-ofctl: Unknown OpenFlow version: "OpenFlow15"') : hungUp(),
  );
  const failure = await openflow(host, '/run').tables(bridge('br0')).catch(asFailure);
  expect(failure).toMatchObject({ code: 'E_CONNECT' });
  const versions = commands.map((words) => versionOf(words.slice(1)));
  expect(versions).toHaveLength(7);
  expect(new Set(versions).size).toBe(7);
});

test.each([
  ['E_NOT_FOUND', 'ovs-ofctl: unix:/run/br0.mgmt: failed to connect to socket (No such file or directory)', undefined],
  ['E_NOT_FOUND', 'ovs-ofctl: br0 is not a bridge or a socket', undefined],
  ['E_DENIED', 'ovs-ofctl: unix:/run/br0.mgmt: failed to connect to socket (Permission denied)', undefined],
  ['E_CONNECT', 'ovs-ofctl: unix:/run/br0.mgmt: failed to connect to socket (Connection refused)', undefined],
  ['E_TIMEOUT', '2026-11-21T09:00:35Z|00001|fatal_signal|WARN|terminating with signal 14 (Alarm clock)', 'SIGALRM'],
  ['E_EXIT', '2026-11-21T09:00:35Z|00001|x|WARN|y\novs-ofctl: unknown keyword "nosuch"', undefined],
] as const)('%s: %s', async (code, stderr, signal) => {
  const { host, commands } = hostOf(() => ended(stderr, signal === undefined ? { exitCode: 1 } : { signal }));
  const failure = asFailure(
    await openflow(host, '/run')
      .ports(bridge('br0'))
      .catch((thrown) => thrown),
  );
  expect(failure.code).toBe(code);
  expect(failure.message).toMatch(/^ovs-ofctl dump-ports at bridge "br0": /);
  if (code === 'E_EXIT') expect(failure.message).toContain('unknown keyword \\"nosuch\\"');
  expect(commands).toHaveLength(1);
});

test('a missing program, or the end of the run, stays what it is', async () => {
  for (const code of ['E_NOT_FOUND', 'E_TIMEOUT', 'E_DENIED'] as const) {
    const failure = new Failure(code, 'as the host says it');
    const { host } = hostOf(() => {
      throw failure;
    });
    await expect(openflow(host, '/run').queues(bridge('br0'))).rejects.toBe(failure);
  }
});

test('an answer without the sums is a failure, not 0', async () => {
  const { host } = hostOf(() => 'NXST_AGGREGATE reply (xid=0x4): packet_cou');
  await expect(openflow(host, '/run').aggregate(bridge('br0'))).rejects.toMatchObject({ code: 'E_PARSE' });
});
