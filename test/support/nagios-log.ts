/** A machine with nothing but files that are written, rotated and truncated, and runs of the nagios collector on it. */
import { nagios } from '../../collectors/nagios/index.ts';
import type { Host, Offer } from '../../src/collector.ts';
import type { JobConfig } from '../../src/config.ts';
import { Failure } from '../../src/errors.ts';
import { keeper, type Target } from '../../src/hosts/target.ts';
import { deliveryOf, freshMemory, type Memory, planOf } from '../../src/job.ts';
import { run } from '../../src/run.ts';
import { createClaims } from '../../src/vet.ts';
import { absentHost } from './absent-host.ts';
import { type FakeClock, fakeClock } from './fake-clock.ts';

interface File {
  identity: string;
  bytes: Buffer;
}

export interface Files {
  readonly host: Omit<Host, 'keep'>;
  /** How many bytes were read, and how many calls that were. */
  readonly asked: { bytes: number; calls: number };
  append(path: string, text: string | Buffer): void;
  create(path: string): void;
  rename(from: string, to: string): void;
  /** As a copy of logrotate(8): under an identity of its own. */
  copy(from: string, to: string): void;
  truncate(path: string): void;
  remove(path: string): void;
  read(path: string): string;
  /** What reading a path fails with. */
  readonly broken: Map<string, Failure>;
  /** Called before each read, as other programs go on meanwhile. */
  meanwhile: () => void | Promise<void>;
}

export function files(): Files {
  const all = new Map<string, File>();
  const asked = { bytes: 0, calls: 0 };
  const broken = new Map<string, Failure>();
  let inode = 0;
  const absent = (path: string) => new Failure('E_NOT_FOUND', `"${path}" does not exist`, { path });
  const there = (path: string): File => {
    const file = all.get(path);
    if (file === undefined) throw absent(path);
    return file;
  };
  const own: Files = {
    asked,
    broken,
    meanwhile: () => {},
    host: {
      ...absentHost,
      async readPart(path, offset, maxBytes) {
        await own.meanwhile();
        const failure = broken.get(path);
        if (failure !== undefined) throw failure;
        const { identity, bytes } = there(path);
        const part = bytes.subarray(offset, offset + maxBytes);
        asked.bytes += part.length;
        asked.calls += 1;
        return { bytes: Buffer.from(part), size: bytes.length, identity };
      },
      async list(path) {
        const failure = broken.get(path);
        if (failure !== undefined) throw failure;
        const names = [...all.keys()]
          .filter((one) => one.startsWith(`${path}/`))
          .map((one) => one.slice(path.length + 1));
        if (names.length === 0) throw absent(path);
        return [...new Set(names.map((one) => one.split('/')[0] ?? ''))].toSorted();
      },
    },
    append(path, text) {
      if (!all.has(path)) own.create(path);
      const file = there(path);
      file.bytes = Buffer.concat([file.bytes, Buffer.from(text as string)]);
    },
    create: (path) => void all.set(path, { identity: `8:${++inode}`, bytes: Buffer.alloc(0) }),
    rename(from, to) {
      all.set(to, there(from));
      all.delete(from);
    },
    copy: (from, to) => void all.set(to, { identity: `8:${++inode}`, bytes: there(from).bytes }),
    truncate(path) {
      there(path).bytes = Buffer.alloc(0);
    },
    remove: (path) => void all.delete(path),
    read: (path) => there(path).bytes.toString(),
  };
  return own;
}

/** What sinks, events and the log get of a run. */
export interface Ran {
  /** Without the prefix `e.hv01.nagios.`. */
  readonly sent: Readonly<Record<string, number | undefined>>;
  readonly totals: Readonly<Record<string, number | undefined>>;
  readonly offers: readonly Offer[];
  readonly problems: readonly Failure[];
  readonly failure: Failure | undefined;
}

export interface Follower {
  readonly clock: FakeClock;
  /** The next run. `isLost`: it ended, and the daemon was killed before its reading was handed on. */
  run(isLost?: boolean): Promise<Ran>;
  /** As after a restart of the daemon: what is in no file is forgotten. */
  restart(options?: object): void;
  memo: string | undefined;
}

/** A job through the daemon's own pipeline, run by run. */
export function follower(host: Omit<Host, 'keep'>, options: object = {}): Follower {
  const clock = fakeClock(1_800_000_000_000);
  let target: Target;
  let config: JobConfig;
  let memory: Memory;
  let around: { readonly prefix: string; readonly target: Target; readonly claims: ReturnType<typeof createClaims> };
  const own: Follower = {
    clock,
    memo: undefined,
    restart(changed = options) {
      const kept = keeper({ connect: () => Promise.reject(new Error('no sockets here')) });
      target = {
        name: 'hv01',
        open: () => ({ ...host, keep: kept.keep, settled: async () => {} }),
        renew: kept.renew,
        close: async () => kept.close(),
      };
      config = {
        ...{ id: 'nagios@hv01', name: 'nagios', collector: nagios, target: 'hv01', fingerprint: '' },
        ...{ when: { everyMs: 10_000 }, intervalMs: 10_000, splayMs: 0, timeoutMs: 8000 },
        options: nagios.options.parse(changed),
      };
      around = { prefix: 'e', target, claims: createClaims() };
      memory = freshMemory(config, around);
    },
    async run(isLost = false) {
      const recall = (): string | undefined => own.memo;
      const batch = await run({ ...planOf(config, target), recall }, clock);
      await clock.advance(10_000);
      const { reading, failure } = batch;
      if (isLost) return { sent: {}, totals: {}, offers: [], problems: [], failure };
      const { delivery, problems } = deliveryOf(batch, config, around, memory);
      own.memo = batch.memo ?? own.memo;
      const points = delivery.points
        .filter(({ path }) => path.startsWith('e.hv01.nagios.'))
        .map((point) => ({ ...point, path: point.path.slice('e.hv01.nagios.'.length) }));
      return {
        sent: Object.fromEntries(points.map(({ path, value }) => [path, value])),
        totals: Object.fromEntries(
          points.flatMap(({ path, total }) => (total === undefined ? [] : [[path, Number(total)]])),
        ),
        offers: failure === undefined ? (reading.offers ?? []) : [],
        problems,
        failure,
      };
    },
  };
  own.restart();
  return own;
}
