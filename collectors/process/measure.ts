/** One name, whoever was found of it → samples. */
import { Failure } from '../../src/errors.ts';
import { type Metric, type Sample, sample } from '../../src/metric.ts';
import type { Details } from './details.ts';
import { type History, hungSeconds } from './history.ts';
import { metrics } from './metrics.ts';
import { TICKS_PER_SECOND } from './parse.ts';
import type { Found } from './survey.ts';

export interface Group {
  readonly name: string;
  /** Those that run, and those that have ended and were not waited for. */
  readonly alive: readonly Found[];
  readonly zombies: readonly Found[];
  readonly history: History;
}

export interface Moment {
  readonly readAtMs: number;
  readonly uptime: number | undefined;
  /** Open files are counted. */
  readonly counts: boolean;
}

export interface Measured {
  readonly samples: Sample[];
  readonly problems: Failure[];
  /** Something of those that run is not known: nothing that is missing has come to an end. */
  readonly isPartial: boolean;
}

export function measure(
  { name, alive, zombies, history }: Group,
  details: ReadonlyMap<number, Details>,
  { readAtMs, uptime, counts }: Moment,
): Measured {
  const labels = { process: name };
  const origin = `${name} since ${history.sinceMs}`;
  const samples: Sample[] = [];
  const problems: Failure[] = [];
  const add = (metric: Metric<'process'>, value: number | undefined): void => {
    if (value !== undefined) samples.push({ ...sample(metric, value, labels), origin });
  };
  const inState = (...states: readonly string[]): number =>
    alive.filter(({ stat }) => states.includes(stat.state)).length;
  const of = (pid: number): Details | undefined => details.get(pid);
  add(metrics.running, alive.length);
  add(metrics.alive, alive.length > 0 ? 1 : 0);
  add(metrics.zombies, zombies.length);
  add(metrics.restarts, history.restarts);
  add(metrics.userSeconds, history.userTicks / TICKS_PER_SECOND);
  add(metrics.systemSeconds, history.systemTicks / TICKS_PER_SECOND);
  const hung = hungSeconds(history, alive, (pid) => of(pid)?.status.switches, readAtMs);
  if (alive.length === 0) return { samples, problems, isPartial: false };
  add(metrics.threads, sum(alive.map(({ stat }) => stat.threads)));
  add(metrics.uninterruptible, inState('D'));
  add(metrics.uninterruptibleSeconds, hung);
  add(metrics.stopped, inState('T', 't'));
  add(metrics.ageSeconds, ageOf(alive, uptime));
  // A sum that lacks one of them would be a false number; a thread of the kernel has no memory of its own, and one that
  // has ended meanwhile has none any more.
  const resident = alive
    .filter(({ pid }) => of(pid)?.hasEnded !== true)
    .map(({ pid, stat }) => of(pid)?.status.residentBytes ?? (stat.isKernels ? 0 : undefined));
  const isResidentKnown = resident.length > 0 && resident.every((bytes) => bytes !== undefined);
  if (isResidentKnown) add(metrics.residentBytes, sum(resident.map((bytes) => bytes ?? 0)));
  const fullest = fullestOf(alive.map(({ pid }) => of(pid)));
  if (fullest instanceof Failure) {
    const { code, message, evidence } = fullest;
    problems.push(new Failure(code, `${JSON.stringify(name)}: ${message}`, { ...evidence, labels, cause: fullest }));
  } else {
    add(metrics.openFiles, fullest?.openFiles);
    add(metrics.openFilesLimit, fullest?.limit);
  }
  const isCounted = !counts || (fullest !== undefined && !(fullest instanceof Failure));
  return { samples, problems, isPartial: !isResidentKnown || !isCounted };
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

/** Of the youngest. A clock of the machine that is not that of its processes (lxcfs) tells nothing. */
function ageOf(alive: readonly Found[], uptime: number | undefined): number | undefined {
  if (uptime === undefined) return undefined;
  const age = uptime - Math.max(...alive.map(({ stat }) => stat.startedTicks)) / TICKS_PER_SECOND;
  // The kernel tells both in hundredths.
  return age < -1 ? undefined : Math.max(0, Math.round(age * 100) / 100);
}

/** The one nearest to its limit; one without a limit is the last. One that may not be counted may be the nearest. */
function fullestOf(
  all: readonly (Details | undefined)[],
): { readonly openFiles: number; readonly limit: number | undefined } | Failure | undefined {
  const counted: { readonly openFiles: number; readonly limit: number | undefined }[] = [];
  for (const one of all) {
    if (one?.openFiles instanceof Failure) return one.openFiles;
    if (one?.openFiles !== undefined) counted.push({ openFiles: one.openFiles, limit: one.limit });
  }
  const share = ({ openFiles, limit }: (typeof counted)[number]): number =>
    openFiles / (limit ?? Number.POSITIVE_INFINITY);
  return counted.toSorted((a, b) => share(b) - share(a) || b.openFiles - a.openFiles)[0];
}
