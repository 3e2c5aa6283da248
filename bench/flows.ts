/**
 * What a run of the default ovs job costs, us and ovs-vswitchd, by the number of flows at a bridge. One hypervisor for
 * each number stands all the time, and they take turns, so that what else the machine does falls on all alike.
 * Needs root and Open vSwitch.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ovs } from '../collectors/ovs/index.ts';
import { systemClock } from '../src/clock.ts';
import type { JobConfig } from '../src/config.ts';
import { localTarget } from '../src/hosts/local.ts';
import { deliveryOf, freshMemory, planOf } from '../src/job.ts';
import { run } from '../src/run.ts';
import { createClaims } from '../src/vet.ts';
import { startTestbed, type Testbed } from '../test/support/testbed.ts';

const WARM_UP = 3;
const ROUNDS = 24;
const RUNS = 10;

interface Case {
  readonly flows: number;
  /** Where all of them are, but for the 50 that stay in table 0. */
  readonly table: number;
}
const CASES: readonly Case[] = [
  { flows: 50, table: 0 },
  { flows: 1900, table: 0 },
  { flows: 50_000, table: 0 },
  { flows: 50_000, table: 1 },
];

interface Subject {
  readonly name: string;
  readonly bed: Testbed;
  once(): Promise<void>;
  /** Milliseconds of CPU in the rounds that count: this process with its children, and ovs-vswitchd. */
  ours: number;
  theirs: number;
}

export async function flows(): Promise<string[]> {
  const subjects: Subject[] = [];
  try {
    for (const one of CASES) subjects.push(await subjectOf(one));
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      // Each is first in turn.
      for (let turn = 0; turn < subjects.length; turn++) {
        const subject = subjects[(turn + round + WARM_UP) % subjects.length];
        if (subject === undefined) continue;
        const before = { ours: ownCpuMs(), theirs: vswitchdCpuMs(subject.bed) };
        for (let count = 0; count < RUNS; count++) await subject.once();
        if (round < 0) continue;
        subject.ours += ownCpuMs() - before.ours;
        subject.theirs += vswitchdCpuMs(subject.bed) - before.theirs;
      }
    }
    const [first] = subjects;
    const runs = ROUNDS * RUNS;
    const share = (value: number, of = Number.NaN): string => (value / of).toFixed(2);
    return [
      `CPU of one run of the default job, of two bridges, over ${runs} runs each; in brackets: beside the first line`,
      ...subjects.map(({ name, ours, theirs }) => {
        const us = `${(ours / runs).toFixed(2)} ms with its programs (${share(ours, first?.ours)})`;
        return `${name}: edgestatd ${us}, ovs-vswitchd ${(theirs / runs).toFixed(2)} ms (${share(theirs, first?.theirs)})`;
      }),
      'Wanted: 0.90 to 1.10. The switch goes through at most aggregateLimit (2000) flows of table 0; above that its packets',
      'and bytes are not asked for, which is one program less: such a bridge costs less, and none costs much more.',
    ];
  } finally {
    for (const { bed } of subjects) await bed.close();
  }
}

async function subjectOf({ flows, table }: Case): Promise<Subject> {
  const bed = await startTestbed();
  const there = 5;
  const more = Array.from({ length: flows - there }, (_, index) => {
    const address = `10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
    return `table=${index < 45 ? 0 : table},priority=50,ip,nw_src=${address},actions=drop`;
  });
  const bridge = `unix:${bed.rundir}/xapi0.mgmt`;
  await bed.inside('hv', ['ovs-ofctl', 'add-flows', bridge, '-'], { input: `${more.join('\n')}\n` });
  // Not through the namespace: that would be another program around each.
  const target = localTarget('hv01');
  const config = {
    ...{ id: 'ovs@local', name: 'ovs', collector: ovs, target: 'local', intervalMs: 10_000, timeoutMs: 8000 },
    options: ovs.options.parse({ rundir: bed.rundir }),
  } as unknown as JobConfig;
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(config, around);
  return {
    name: `${flows} flows${flows > 50 ? ` in table ${table}` : ''}`.padEnd(23),
    bed,
    async once() {
      const batch = await run(planOf(config, target), systemClock);
      const { problems, failure } = deliveryOf(batch, config, around, memory);
      for (const wrong of [failure, ...problems]) if (wrong !== undefined) throw wrong;
    },
    ours: 0,
    theirs: 0,
  };
}

/** This process, and the programs that it has waited for (proc(5): cutime and cstime, in ticks of 10 ms). */
function ownCpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + (Number(fields[13]) + Number(fields[14])) * 10;
}

/** All its threads: the first field of /proc/PID/task/TID/schedstat, in nanoseconds. */
function vswitchdCpuMs({ rundir }: Testbed): number {
  const pid = readFileSync(join(rundir, 'ovs-vswitchd.pid'), 'utf8').trim();
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [spent] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return sum + Number(spent) / 1e6;
  }, 0);
}
