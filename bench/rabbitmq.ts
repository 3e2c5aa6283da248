/**
 * What polling costs a broker of 10,000 queues, 200 of them busy, beside the bare `GET /api/queues` that others use; and
 * what 50,000 queues cost us. Takes turns, so that what else the machine does falls on all alike. Needs RabbitMQ.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rabbitmq } from '../collectors/rabbitmq/index.ts';
import { type Clock, systemClock } from '../src/clock.ts';
import type { JobConfig } from '../src/config.ts';
import { localTarget } from '../src/hosts/local.ts';
import { deliveryOf, freshMemory, planOf } from '../src/job.ts';
import { run } from '../src/run.ts';
import { createClaims } from '../src/vet.ts';
import { type Broker, brokerReason, startBroker } from '../test/support/rabbitmq-broker.ts';
import { type Load, startLoad } from './rabbitmq-load.ts';
import { manyQueues } from './rabbitmq-many.ts';

const ROUNDS = 6;
const IDLE_MS = 4000;
const INTERVAL_MS = 30_000;
const HOST = 'hv7';

interface Subject {
  readonly name: string;
  /** Polls in one turn: for as long as an expensive part may be left out. */
  readonly polls: number;
  poll(): Promise<void>;
  brokerMs: number;
  ourMs: number;
  polled: number;
}

export async function rabbitmqBench(): Promise<string[]> {
  const reason = brokerReason();
  if (reason !== undefined) return [reason];
  const broker = await startBroker({ statisticsIntervalMs: 5000 });
  let load: Load | undefined;
  try {
    load = await startLoad(broker);
    const subjects = await subjectsOf(broker);
    for (const subject of subjects) await subject.poll();
    let idlePerMs = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const before = { cpu: brokerCpuMs(broker), at: performance.now() };
      await sleep(IDLE_MS);
      idlePerMs = (brokerCpuMs(broker) - before.cpu) / (performance.now() - before.at);
      for (const subject of subjects) await turn(subject, broker, idlePerMs);
    }
    return [...report(subjects, idlePerMs), peakMemory(broker), ...(await manyQueues())];
  } finally {
    await load?.stop();
    await broker.close();
  }
}

/** Of processes that do nothing else. */
function peakMemory({ url }: Broker): string {
  const program = join(import.meta.dirname, 'rabbitmq-memory.ts');
  const [idle, busy] = ['0', '4'].map((runs) =>
    execFileSync(process.execPath, [program, url, runs], { encoding: 'utf8' }).trim(),
  );
  return `peak memory of a process that polls the whole broker: ${busy} MiB, ${idle} MiB before the first poll`;
}

async function turn(subject: Subject, broker: Broker, idlePerMs: number): Promise<void> {
  const before = { cpu: brokerCpuMs(broker), at: performance.now(), own: process.cpuUsage() };
  for (let poll = 0; poll < subject.polls; poll++) await subject.poll();
  const tookMs = performance.now() - before.at;
  const own = process.cpuUsage(before.own);
  subject.brokerMs += brokerCpuMs(broker) - before.cpu - idlePerMs * tookMs;
  subject.ourMs += (own.user + own.system) / 1000;
  subject.polled += subject.polls;
}

function report(subjects: readonly Subject[], idlePerMs: number): string[] {
  const [bare] = subjects;
  const each = ({ brokerMs, polled }: Subject): number => brokerMs / polled;
  const lines = subjects.map((subject) => {
    const share = bare === undefined ? '' : ` (${(each(subject) / each(bare)).toFixed(3)})`;
    const ours = (subject.ourMs / subject.polled).toFixed(1);
    return `${subject.name.padEnd(37)} broker ${each(subject).toFixed(1).padStart(7)} ms${share}, us ${ours} ms`;
  });
  const load = `the broker spends ${(idlePerMs * 1000).toFixed(0)} ms of CPU a second on its messages, which is taken off`;
  return [
    `CPU of one poll of 10,000 queues, 200 busy; jobs run every ${INTERVAL_MS / 1000} s; in brackets: beside the first line`,
    ...lines,
    load,
    'Wanted: the whole broker at most 0.25, host: own below 5 ms.',
  ];
}

async function subjectsOf(broker: Broker): Promise<Subject[]> {
  const user = { user: 'guest', password: 'guest' };
  const bare = async (): Promise<void> => {
    const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
    const answer = await fetch(`${broker.url}/api/queues`, { headers: { authorization } });
    const queues: unknown = await answer.json();
    if (!Array.isArray(queues) || queues.length < 10_000) throw new Error('the baseline did not see all queues');
  };
  const counters = { brokerMs: 0, ourMs: 0, polled: 0 };
  return [
    { name: 'bare GET /api/queues', polls: 1, poll: bare, ...counters },
    {
      name: 'management, the whole broker',
      polls: 12,
      poll: job({ urls: [broker.url], ...user, host: 'all' }),
      ...counters,
    },
    {
      name: 'management, a first poll (all of it)',
      polls: 1,
      poll: () => job({ urls: [broker.url], ...user, host: 'all' })(),
      ...counters,
    },
    {
      name: 'management, host: own',
      polls: 40,
      poll: job({ urls: [broker.url], ...user, host: 'own', hostName: HOST }),
      ...counters,
    },
    {
      name: 'prometheus, the whole broker',
      polls: 12,
      poll: job({ source: 'prometheus', urls: [broker.prometheusUrl] }),
      ...counters,
    },
  ];
}

/** A job's runs, one interval apart for it, at once for us. */
function job(options: Record<string, unknown>): () => Promise<void> {
  const target = localTarget('broker1');
  let skippedMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
  const config = {
    ...{ id: 'rabbitmq@local', name: 'rabbitmq', collector: rabbitmq, target: 'local' },
    ...{ intervalMs: INTERVAL_MS, timeoutMs: 25_000, options: rabbitmq.options.parse(options) },
  } as unknown as JobConfig;
  const around = { prefix: 'edge', target, claims: createClaims() };
  const memory = freshMemory(config, around);
  return async () => {
    const batch = await run(planOf(config, target), clock);
    const { problems, failure } = deliveryOf(batch, config, around, memory);
    skippedMs += INTERVAL_MS;
    const nova = problems.filter(({ code }) => code !== 'E_NOT_FOUND');
    for (const wrong of [failure, ...nova]) if (wrong !== undefined) throw wrong;
  };
}

/** All threads of the Erlang virtual machine: the first field of schedstat, in nanoseconds. */
function brokerCpuMs({ pid }: Broker): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [spent] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return sum + Number(spent) / 1e6;
  }, 0);
}
