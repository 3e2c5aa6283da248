import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registry } from '../../collectors/registry.ts';
import { systemClock } from '../../src/clock.ts';
import { localTarget } from '../../src/hosts/local.ts';
import { run } from '../../src/run.ts';

const isRoot = process.getuid?.() === 0;
const PREFIX = `et${process.pid}`;
const names = [`${PREFIX}-router-a`, `${PREFIX}-router-b`, `${PREFIX}-other`];

function must(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

/** nsenter and not `ip -n`, which mounts /sys: not possible where / is no mount point. */
const within = (namespace: string): [string, string, string] => ['nsenter', `--net=/run/netns/${namespace}`, '--'];

/** Opens and refuses connections within a namespace: attempts that fail, and segments in and out. */
function knock(namespace: string, times: number): void {
  const script =
    'use IO::Socket::INET; for (1..shift) { IO::Socket::INET->new(PeerAddr => "127.0.0.1:9", Timeout => 1) }';
  must(...within(namespace), 'perl', '-e', script, String(times));
}

// Making a network namespace needs root; CI is root, where a missing right is a failure.
describe.skipIf(!isRoot && process.env.CI === undefined)('network namespaces', () => {
  beforeAll(() => {
    for (const name of names) {
      must('ip', 'netns', 'add', name);
      must(...within(name), 'ip', 'link', 'set', 'lo', 'up');
    }
  });
  afterAll(() => {
    for (const name of names) spawnSync('ip', ['netns', 'delete', name]);
  });

  it('reads those that match, each under its own label, with its own kernel counters', async () => {
    const collector = registry.get('tcp');
    if (collector === undefined) throw new Error('no tcp collector');
    const options = collector.options.parse({ include: ['attempt_fails'], namespaces: [`${PREFIX}-router-*`] });
    const plan = { job: 'tcp', collector, options, target: localTarget('here'), timeoutMs: 5000 };
    knock(`${PREFIX}-router-a`, 3);
    const batch = await run(plan, systemClock);
    expect(batch.failure).toBeUndefined();
    expect(batch.reading.problems).toEqual([]);
    const failed = new Map(batch.reading.samples.map(({ labels, value }) => [labels.namespace, value]));
    expect([...failed.keys()].sort()).toEqual([undefined, `${PREFIX}-router-a`, `${PREFIX}-router-b`].sort());
    expect(failed.get(`${PREFIX}-router-a`)).toBe(3);
    expect(failed.get(`${PREFIX}-router-b`)).toBe(0);
  });
});
