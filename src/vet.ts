/** Drops and names what no sink can carry: numbers that are not finite or out of range, two claims to one series. */
import { Failure } from './errors.ts';
import { isComputed, type Labels, type Metric, type Sample } from './metric.ts';
import type { Naming } from './naming.ts';

/** A series that the job had before, and what is noted of it here. */
export interface Known {
  readonly path: string;
  /** The job has the claim to it. */
  claimed: boolean;
  /** The run in which it was vetted last, and which sample it was. */
  vettedIn: number;
  vettedAt: number;
}

/** Names series, and finds those that are known by what they are of. */
export interface SeriesNaming extends Naming {
  find?(metric: Metric, labels: Labels): Known | undefined;
}

/** A sample with its series. */
export interface Named {
  readonly path: string;
  readonly sample: Sample;
  /** As `find` gave it. */
  readonly known?: Known | undefined;
}

export interface Vetted {
  readonly named: readonly Named[];
  readonly problems: readonly Failure[];
  /** The series that are not sent, of which `problems` tells but a few. */
  readonly unsent: ReadonlySet<string>;
}

/** Who uses which series, over all jobs of the daemon. */
export interface Claims {
  /** Takes a series for a job; answers who else has it: another job, or an earlier sample of this run (its index). */
  take(
    path: string,
    job: string,
    run: number,
    index: number,
  ): { readonly job: string; readonly index: number } | undefined;
  /** Gives a series back, if this job has it. */
  release(path: string, job: string): void;
  /** A number for each run of any job. */
  nextRun(): number;
  readonly size: number;
}

export function createClaims(): Claims {
  const owners = new Map<string, { readonly job: string; run: number; index: number }>();
  let runs = 0;
  return {
    take(path, job, run, index) {
      const owner = owners.get(path);
      if (owner === undefined) {
        owners.set(path, { job, run, index });
        return undefined;
      }
      if (owner.job !== job || owner.run === run) return owner;
      owner.run = run;
      owner.index = index;
      return undefined;
    },
    release(path, job) {
      if (owners.get(path)?.job === job) owners.delete(path);
    },
    nextRun: () => ++runs,
    get size() {
      return owners.size;
    },
  };
}

/** At most this many problems of one kind are told apart in one run; the rest are a number. */
const MAX_TOLD = 5;

export function vet(samples: readonly Sample[], naming: SeriesNaming, claims: Claims, job: string): Vetted {
  const run = claims.nextRun();
  const named: Named[] = [];
  const refused = new Map<string, string>();
  const claimed = new Map<string, string>();
  const met = new Set<string>();

  /** Who else takes a series. What this job has already is not asked for again, as there may be very many. */
  const taker = (path: string, known: Known | undefined, index: number) => {
    if (known === undefined) return claims.take(path, job, run, index);
    if (known.claimed) {
      if (known.vettedIn === run) return { job, index: known.vettedAt };
    } else {
      const other = claims.take(path, job, run, index);
      if (other !== undefined) return other;
      known.claimed = true;
    }
    known.vettedIn = run;
    known.vettedAt = index;
    return undefined;
  };

  let index = -1;
  for (const sample of samples) {
    index += 1;
    const broken = malformed(sample);
    if (broken !== undefined) {
      refused.set(sample.metric.name, broken);
      continue;
    }
    const known = naming.find?.(sample.metric, sample.labels);
    const path = known?.path ?? naming.path(sample.metric, sample.labels);
    const wrong = fault(sample);
    if (wrong !== undefined) {
      refused.set(path, wrong);
      continue;
    }
    // What only feeds computed metrics is sent by nobody, so it takes no series from another job.
    const other = sample.quiet === true ? undefined : taker(path, known, index);
    if (other === undefined) named.push({ path, sample, known });
    else if (other.job !== job) claimed.set(path, foreign(other.job));
    else if (!claimed.has(path)) {
      const first = samples[other.index];
      claimed.set(path, `${describe(first)} and ${describe(sample)} both make this series; neither is sent`);
      if (isOther(first, sample)) met.add(placeOf(path, sample));
    }
  }
  // Of two things of one name no series is sent, also where one of them lacks what the other has.
  if (met.size > 0)
    for (const { path, sample } of named)
      if (met.has(placeOf(path, sample)) && !claimed.has(path))
        claimed.set(path, `${describe(sample)} and another thing have one name; neither is sent`);
  const problems = [...tell(refused), ...tell(claimed)];
  const unsent = new Set([...refused.keys(), ...claimed.keys()]);
  if (claimed.size === 0) return { named, problems, unsent };

  // Neither of two claims is better than the other: both are dropped, whatever their order.
  const sound = named.filter(({ path, known }) => {
    if (!claimed.has(path)) return true;
    claims.release(path, job);
    if (known !== undefined) known.claimed = false;
    return false;
  });
  return { named: sound, problems, unsent };
}

/** Another thing, and not the same sample twice. */
function isOther(first: Sample | undefined, { metric, labels }: Sample): boolean {
  return first !== undefined && metric.labels.some((name) => first.labels[name] !== labels[name]);
}

/** What the path of a thing's series begins with. */
function placeOf(path: string, { metric }: Sample): string {
  return path.slice(0, -metric.name.length);
}

/** Why a series is not sent that another job has. */
export function foreign(job: string): string {
  return `job ${job} already sends it; give one of the jobs other options`;
}

/** Series and why they are not sent → problems, of which a few are told apart. */
export function tell(faults: ReadonlyMap<string, string>): Failure[] {
  const told = [...faults].slice(0, MAX_TOLD);
  const problems = told.map(([series, why]) => new Failure('E_SAMPLE', `${series}: ${why}`, { series }));
  if (faults.size > MAX_TOLD) {
    const count = faults.size - MAX_TOLD;
    const why = `${count} more series are not sent for the same kind of reason`;
    // It is about those, and not about all of the reading: no series has this path.
    problems.push(new Failure('E_SAMPLE', why, { count, series: '' }));
  }
  return problems;
}

/** A plugin is not compiled against our types, and a name cannot be made of what is no text. */
function malformed({ metric, labels }: Sample): string | undefined {
  if (!Array.isArray(metric.labels)) return 'its metric has no list of labels; make metrics with gauge() or counter()';
  if (labels === null) return 'its labels are null; make samples with sample()';
  return wrongValue(metric.labels, labels) ?? (metric.tags === undefined ? undefined : wrongValue(metric.tags, labels));
}

function wrongValue(names: readonly string[], labels: Labels): string | undefined {
  for (const name of names) {
    const value: unknown = labels[name];
    if (value !== undefined && typeof value !== 'string') return `label ${name} is a ${typeof value}; expected a text`;
  }
  return undefined;
}

function fault({ metric, value }: Sample): string | undefined {
  if (isComputed(metric)) return `a ${metric.kind === 'ratio' ? 'ratio' : 'derived metric'} is computed, not sampled`;
  if (typeof value === 'bigint') return metric.kind === 'counter' && value < 0n ? `${value} is no total` : undefined;
  if (typeof value !== 'number') return `a ${typeof value} is not a number`;
  if (!Number.isFinite(value)) return `${value} is not finite`;
  return metric.kind === 'counter' && value < 0 ? `${value} is no total` : undefined;
}

function describe(sample: Sample | undefined): string {
  return sample === undefined ? 'a sample' : `${sample.metric.name}${JSON.stringify(sample.labels)}`;
}
